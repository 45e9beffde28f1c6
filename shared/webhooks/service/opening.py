"""Records the deliveries of a message and queues them: at once, or in parts where they are many.

Each step may be repeated. A delivery that is there stays as it is, and what is queued twice is attempted once.

A delivery that keeps order takes its place in its lane, and the places of earlier events that have not come yet: it
waits behind them, for PATIENCE at most.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.webhooks.model import Delivery, Message, Opening
from shared.webhooks.repository.deliveries import DeliveryRepository
from shared.webhooks.repository.lanes import LaneRepository
from shared.webhooks.service.backlog import Backlog
from shared.webhooks.service.queue import to_message, to_openings, to_part
from tenant_context.clock import Clock
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message as QueueMessage
from tenant_context.queues import Queue

A_PART = 250
"""As many deliveries are opened in one go: about a second."""
PATIENCE = timedelta(minutes=15)
"""How long an event waits for one before it to come. The relay is there within two minutes."""


class Opener:
    """Opens deliveries, and works on the message OPEN."""

    def __init__(
        self, deliveries: DeliveryRepository, lanes: LaneRepository, backlog: Backlog, queue: Queue, *, clock: Clock
    ) -> None:
        self._deliveries = deliveries
        self._lanes = lanes
        self._backlog = backlog
        self._queue = queue
        self._clock = clock

    def begin(self, tenant: TenantContext, message: Message, openings: Sequence[Opening], *, is_held: bool) -> None:
        """Open all of them; in parts that the queue gives to several where they are many."""
        if len(openings) <= A_PART:
            self._open(tenant, message, openings, is_held=is_held)
            return
        starts = range(0, len(openings), A_PART)
        parts = [to_part(tenant, message, openings[start : start + A_PART], is_held=is_held) for start in starts]
        self._queue.send(parts)

    def work(self, tenant: TenantContext, part: QueueMessage) -> None:
        """Open one part."""
        message, openings, is_held = to_openings(part)
        self._open(tenant, message, openings, is_held=is_held)

    def _open(self, tenant: TenantContext, message: Message, openings: Sequence[Opening], *, is_held: bool) -> None:
        now = self._clock()
        for one in openings:
            if one.lane:
                self._take_place(tenant, message, one, now)
        self._deliveries.open_deliveries(
            tenant, message, {one.endpoint: one.lane for one in openings}, now, is_held=is_held
        )
        if is_held:
            for one in openings:
                self._backlog.wake(tenant, one.endpoint, now.timestamp() + 1)
        else:
            self._queue.send([to_message(tenant, Delivery(message, one.endpoint, 1)) for one in openings])

    def _take_place(self, tenant: TenantContext, message: Message, one: Opening, now: datetime) -> None:
        until = (now + PATIENCE).timestamp()
        self._lanes.join(tenant, one.lane, message.id, until=until, keep_until=message.keep_until)
        coming = self._lanes.unopened(tenant, one.endpoint, one.before) if one.before else []
        for earlier in coming:
            self._lanes.join(tenant, one.lane, earlier, until=until, keep_until=message.keep_until)
        if coming:
            # Nobody queues it where none of them comes.
            again = to_message(tenant, Delivery(message, one.endpoint, 1))
            self._queue.send([again], delay_seconds=int(PATIENCE.total_seconds()))
