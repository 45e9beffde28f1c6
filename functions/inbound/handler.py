"""Wires the inbound function."""

from dataclasses import dataclass

from functions.inbound.routes import Inbound, routes
from functions.inbound.sources import Doors
from shared.billing.gateway.inbox import StripeInbox
from shared.identity.gateway.egress import Egress
from shared.inbox.gateway.elsewhere import REFUSALS, Elsewhere
from shared.inbox.gateway.secrets import InboundSecret
from shared.inbox.gateway.tokens import GoogleTokens
from shared.inbox.repository import InboxRepository
from shared.inbox.service.receiving import Receiving
from shared.inbox.service.replaying import Replaying
from shared.mail.repository import Suppressions
from tenant_context.clock import uuid7
from tenant_context.dynamo import Table
from tenant_context.fields import DataKeys, FieldCipher
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.secrets import secret
from tenant_context.settings import Settings


@dataclass(frozen=True)
class InboundSettings(Settings):
    """What this function needs beside the common settings."""

    stripe_secret: str
    inbound_secret: str
    operator_secret: str
    pepper_secret: str
    queue_inbox: str
    field_key: str
    table_data_keys: str
    table_suppressions: str
    function_inbound_egress: str
    sns_topics: tuple[str, ...] = ()
    """The topics that SES publishes to; messages of others are refused."""


kernel = Kernel("inbound")
settings = InboundSettings.load()
database = kernel.database()
repository, queue = InboxRepository(), Queue(settings.queue_inbox)
agreed = InboundSecret(settings.inbound_secret)
elsewhere = Elsewhere(Egress(settings.function_inbound_egress, seconds=9.0, refusals=REFUSALS))
doors = Doors(
    StripeInbox(settings.stripe_secret),
    agreed,
    elsewhere,
    GoogleTokens(elsewhere, kernel.clock),
    settings.sns_topics,
)
receiving = Receiving(
    database,
    repository,
    doors.all(),
    FieldCipher(DataKeys(Table(settings.table_data_keys), settings.field_key)),
    queue.send,
    new_id=uuid7,
    observability=kernel.observability,
)
inbound = Inbound(
    receiving=receiving,
    replaying=Replaying(database, repository, queue.send),
    secret=agreed,
    suppressions=Suppressions(Table(settings.table_suppressions), lambda: secret(settings.pepper_secret)),
    clock=kernel.clock,
    observability=kernel.observability,
)
handler = kernel.http(routes, inbound, operator=kernel.operators(settings.operator_secret))
