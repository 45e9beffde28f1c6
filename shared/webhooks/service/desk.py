"""Which of the dispatcher's workers a message of its queue is for."""

from shared.webhooks.service.backlog import Backlog
from shared.webhooks.service.dispatch import Dispatch
from shared.webhooks.service.opening import Opener
from shared.webhooks.service.proving import Proving
from shared.webhooks.service.queue import CHALLENGE, OPEN, RECOVER, RELEASE
from shared.webhooks.service.recovery import Recovery
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message


class Desk:
    """Hands each message on; whatever is no challenge, release, opening or recovery is a delivery."""

    def __init__(
        self, dispatch: Dispatch, proving: Proving, backlog: Backlog, recovery: Recovery, opener: Opener
    ) -> None:
        self._dispatch = dispatch
        self._proving = proving
        self._backlog = backlog
        self._recovery = recovery
        self._opener = opener

    def ahead(self, tenant: TenantContext, message: Message) -> None:
        """Start what takes long."""
        if message.kind == CHALLENGE:
            self._proving.ahead(tenant, message)
        elif message.kind not in {RELEASE, OPEN, RECOVER}:
            self._dispatch.ahead(tenant, message)

    def work(self, tenant: TenantContext, message: Message) -> None:
        """See it to its end."""
        if message.kind == CHALLENGE:
            self._proving.challenge(tenant, message)
        elif message.kind == RELEASE:
            self._backlog.release(tenant, message)
        elif message.kind == OPEN:
            self._opener.work(tenant, message)
        elif message.kind == RECOVER:
            self._recovery.recover(tenant, message)
        else:
            self._dispatch.work(tenant, message)
