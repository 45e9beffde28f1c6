"""Counts tenants' requests in the sandbox, and tells the usage queue in one message for many.

A sandbox tells when it holds a hundred requests, or when a request comes ten seconds or more after it last told. So a
sandbox that ends loses at most the requests of the ten seconds after it last told, and never more than 99; one that is
asked less often than every ten seconds loses none.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from tenant_context.aws import AwsError
from tenant_context.clock import NewId, rfc3339
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.queues import Queue

MOST = 100
SECONDS = 10.0
_HELD = 1000
"""Messages that could not be sent yet: beyond them the oldest are let go, so that an outage fills no memory."""
_KIND = "ledger.calls"


class _Count:
    """One tenant's requests in one hour."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.quantity = 0
        self.users: set[str] = set()


class CallMeter:
    """Counts for one sandbox."""

    def __init__(self, queue: Queue, clock: Callable[[], datetime], new_id: NewId) -> None:
        self._queue = queue
        self._clock = clock
        self._new_id = new_id
        self._counts: dict[tuple[UUID, datetime], _Count] = {}
        self._unsent: list[Message] = []
        self._held = 0
        self._told_at = 0.0

    def count(self, tenant: TenantContext) -> None:
        """One more request of a tenant."""
        now = self._clock()
        hour = now.replace(minute=0, second=0, microsecond=0)
        found = self._counts.setdefault((tenant.tenant, hour), _Count(now))
        found.quantity += 1
        if tenant.user is not None:
            found.users.add(str(tenant.user))
        self._held += 1

    def tell_if_due(self) -> None:
        """Tell the queue, if it is time; what cannot be sent is kept as it is, so that it counts once."""
        now = self._clock().timestamp()
        if not self._held and not self._unsent:
            return
        if self._held < MOST and now - self._told_at < SECONDS:
            return
        self._told_at = now
        self._unsent += [self._message(tenant, count) for (tenant, _), count in self._counts.items()]
        self._counts.clear()
        self._held = 0
        self._unsent = self._unsent[-_HELD:]
        with suppress(AwsError):
            self._queue.send(self._unsent)
            self._unsent = []

    def _message(self, tenant: UUID, count: _Count) -> Message:
        flush = str(self._new_id())
        data = {"flush": flush, "at": rfc3339(count.at), "quantity": count.quantity, "users": sorted(count.users)}
        return Message(tenant, flush, _KIND, data)
