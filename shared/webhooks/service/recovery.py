"""What was sent, or was to be, asked for again: one delivery, or all of a stretch of time.

What is asked for again waits in its endpoint's backlog, and goes on from there in order and at the endpoint's pace,
with its schedule of attempts begun anew. Where the endpoint asks for order, what comes again of an entity keeps it, in
a lane of its own: what is new does not wait for what was given up. A recovery is a message that does a hundred
deliveries and sends another.

What died while an endpoint failed that the platform disabled at last is recovered without being asked for, once it is
sent to again, and before any of what came later is replayed: whoever looks at its backlog first begins that and takes
the endpoint's turn, which each message of the recovery holds on to. Where one is lost, the next look begins it anew.
"""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from shared.webhooks.errors import DeliveryNotFound, DeliveryWaits
from shared.webhooks.model import End, EndpointId, MessageId, State, What
from shared.webhooks.repository.attempts import LEASE
from shared.webhooks.repository.deliveries import DeliveryRepository
from shared.webhooks.repository.lanes import LaneRepository, again
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.rules.log import Span
from shared.webhooks.rules.overdue import is_overdue
from shared.webhooks.service.backlog import Backlog
from shared.webhooks.service.queue import RECOVER
from tenant_context.clock import Clock
from tenant_context.context import TenantContext
from tenant_context.dynamo import Item
from tenant_context.entry.queue import Message as QueueMessage
from tenant_context.queues import Queue

A_TURN = 100
_LONGEST_WAY = timedelta(days=35)
"""Before its end an event happened at most: it is held for a disabled endpoint for 30 days, and tried for five."""


class _Wanted(msgspec.Struct, frozen=True):
    endpoint: UUID
    what: What
    low: str
    high: str
    turn: str = ""
    """By which the recovery of what was missed has the endpoint's turn."""
    missed_since: str = ""

    def asks_for(self, ended: Item) -> bool:
        """Whether something that has ended is to be sent again; of what was missed, not what somebody skipped."""
        if not self.missed_since:
            return True
        since = datetime.fromisoformat(self.missed_since)
        return datetime.fromisoformat(ended["updated_at"]) >= since and ended["dead_for"] != End.SKIPPED


class Recovery:
    """Puts deliveries back into backlogs, and works on the message RECOVER."""

    def __init__(
        self,
        targets: TargetRepository,
        deliveries: DeliveryRepository,
        lanes: LaneRepository,
        backlog: Backlog,
        queue: Queue,
        *,
        clock: Clock,
    ) -> None:
        self._targets = targets
        self._deliveries = deliveries
        self._lanes = lanes
        self._backlog = backlog
        self._queue = queue
        self._clock = clock

    def resend(self, tenant: TenantContext, message: MessageId, endpoint: EndpointId) -> Item:
        """Have one delivery made once more. Errors: DeliveryNotFound, DeliveryWaits."""
        found = self._deliveries.find(tenant, message, endpoint)
        if found is None:
            raise DeliveryNotFound
        item = self._again(tenant, found)
        if item is None:
            raise DeliveryWaits("It is on its way already.")
        self._backlog.wake(tenant, endpoint)
        return item

    def begin(self, tenant: TenantContext, endpoint: EndpointId, what: What, span: Span) -> None:
        """Have what was given up, or all, of a stretch of time sent again."""
        self._go_on(tenant, _Wanted(endpoint, what, *(span.messages() if what is What.FAILED else span.times())))

    def begin_missed(self, tenant: TenantContext, endpoint: EndpointId, since: str, turn: str) -> None:
        """Have what died since a moment sent again; whoever asks has the endpoint's turn, by a name."""
        events = Span(datetime.fromisoformat(since) - _LONGEST_WAY).messages()
        self._go_on(tenant, _Wanted(endpoint, What.FAILED, *events, turn=turn, missed_since=since))

    def recover(self, tenant: TenantContext, message: QueueMessage) -> None:
        """Some of a recovery. One that is repeated finds what it did on its way already."""
        wanted = msgspec.convert(message.data, _Wanted)
        endpoint = EndpointId(wanted.endpoint)
        if wanted.turn and not self._has_turn(tenant, endpoint, wanted):
            return
        found = self._deliveries.ended(
            tenant, endpoint, given_up=wanted.what is What.FAILED, low=wanted.low, high=wanted.high, limit=A_TURN
        )
        for item in filter(wanted.asks_for, found):
            delivery = self._deliveries.find(tenant, MessageId(UUID(item["message"])), endpoint)
            if delivery is not None:
                self._again(tenant, delivery)
        has_more = len(found) == A_TURN
        if has_more:
            self._go_on(tenant, msgspec.structs.replace(wanted, low=f"{found[-1]['gsi1sk']}~"))
        elif wanted.turn:
            self._targets.end_recovery(tenant, endpoint, wanted.turn)
        if not has_more if wanted.turn else found:
            # The index follows its table after a moment: one that is not seen yet is overtaken by those behind it.
            self._backlog.wake(tenant, endpoint, self._clock().timestamp() + 1)

    def _has_turn(self, tenant: TenantContext, endpoint: EndpointId, wanted: _Wanted) -> bool:
        """Whether this recovery is still to be made, and by whoever sent this message."""
        target, now = self._targets.find(tenant, endpoint), self._clock().timestamp()
        if target is None or target.findings.missed_since != wanted.missed_since:
            return False
        return self._targets.take_turn(tenant, endpoint, wanted.turn, now, now + LEASE.total_seconds())

    def _again(self, tenant: TenantContext, delivery: Item) -> Item | None:
        """Put a delivery into the backlog; None for one that waits anyway."""
        message, endpoint = MessageId(UUID(delivery["message"])), EndpointId(UUID(delivery["endpoint"]))
        now, lane = self._clock(), str(delivery.get("lane", ""))
        if is_overdue(delivery, now):  # it has its place in its lane, and others wait behind it
            seen = str(delivery["updated_at"])
            return self._deliveries.replay(tenant, message, endpoint, now, lane=lane, overdue_since=seen)
        lane = again(lane)
        if lane and delivery["state"] not in {State.WAITING, State.HELD}:
            keep_until = int(delivery["expires_at"])
            self._lanes.join(tenant, lane, message, until=now.timestamp(), keep_until=keep_until)
        return self._deliveries.replay(tenant, message, endpoint, now, lane=lane)

    def _go_on(self, tenant: TenantContext, wanted: _Wanted) -> None:
        data = msgspec.to_builtins(wanted)
        self._queue.send([QueueMessage(tenant.tenant, tenant.request_id, RECOVER, data)])
