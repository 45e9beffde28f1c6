"""The routes, and what they use."""

from dataclasses import dataclass

from shared.inbox.gateway.secrets import InboundSecret
from shared.inbox.service.receiving import Receiving
from shared.inbox.service.replaying import Replaying
from shared.mail.repository import Suppressions
from tenant_context.clock import Clock
from tenant_context.observability import Observability
from tenant_context.routing import Routes

routes = Routes()


@dataclass(frozen=True, slots=True)
class Inbound:
    """What the routes use."""

    receiving: Receiving
    replaying: Replaying
    secret: InboundSecret
    suppressions: Suppressions
    clock: Clock
    observability: Observability
