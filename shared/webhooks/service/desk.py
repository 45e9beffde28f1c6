"""Which of the dispatcher's workers a message of its queue is for."""

from shared.webhooks.service.opening import Opener
from shared.webhooks.service.proving import Proving
from shared.webhooks.service.queue import CHALLENGE, OPEN, RECOVER
from shared.webhooks.service.recovery import Recovery
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message

APART = frozenset({CHALLENGE, OPEN, RECOVER})
"""Whatever is none of these makes calls of deliveries, which `dispatch` works on together with others of its batch."""


class Desk:
    """Hands on what is no delivery."""

    def __init__(self, proving: Proving, recovery: Recovery, opener: Opener) -> None:
        self._proving = proving
        self._recovery = recovery
        self._opener = opener

    def ahead(self, tenant: TenantContext, message: Message) -> None:
        """Start what takes long."""
        if message.kind == CHALLENGE:
            self._proving.ahead(tenant, message)

    def work(self, tenant: TenantContext, message: Message) -> None:
        """See it to its end."""
        if message.kind == CHALLENGE:
            self._proving.challenge(tenant, message)
        elif message.kind == OPEN:
            self._opener.work(tenant, message)
        else:
            self._recovery.recover(tenant, message)
