"""Order per entity: whose turn it is in a lane, and what goes on when a turn is over.

A place is given up before the next delivery is queued, and the one that has ended says so last of all: a run that dies
between the two is repeated, and queues the next one then.
"""

from uuid import UUID

from shared.webhooks.errors import DeliveryEnded, DeliveryNotFound
from shared.webhooks.model import Delivery, End, EndpointId, MessageId
from shared.webhooks.repository.deliveries import DeliveryRepository
from shared.webhooks.repository.lanes import LaneRepository
from shared.webhooks.service.queue import to_message
from tenant_context.clock import Clock
from tenant_context.context import TenantContext
from tenant_context.dynamo import Item
from tenant_context.queues import Queue

BOUND = 1_000
"""As many later events wait for one that fails; then it is set aside, as a dead letter."""


class Order:
    """Keeps lanes."""

    def __init__(
        self,
        lanes: LaneRepository,
        deliveries: DeliveryRepository,
        queue: Queue,
        *,
        clock: Clock,
        bound: int = BOUND,
    ) -> None:
        self._lanes = lanes
        self._deliveries = deliveries
        self._queue = queue
        self._clock = clock
        self._bound = bound

    def has_turn(self, tenant: TenantContext, lane: str, delivery: Delivery, *, count: bool = True) -> bool:
        """Whether nothing before it is on its way; one that has waited for by too many is set aside.

        `count` where the delivery comes to wait by this.
        """
        first = self._lanes.first(tenant, lane)
        if first is None or first >= str(delivery.message.id):
            return True
        if count and self._lanes.wait_behind(tenant, lane, first) > self._bound:
            self._deliveries.set_aside(tenant, MessageId(UUID(first)), delivery.endpoint, End.ORDER, self._clock())
            self.pass_on(tenant, lane, MessageId(UUID(first)), delivery.endpoint)
        return False

    def pass_on(self, tenant: TenantContext, lane: str, message: MessageId, endpoint: EndpointId) -> None:
        """A delivery's turn is over: give up its place, and queue the next one that is still to be sent."""
        self._lanes.leave(tenant, lane, str(message))
        while (first := self._lanes.first(tenant, lane)) is not None:
            following = self._deliveries.pending(tenant, MessageId(UUID(first)), endpoint)
            if following is not None:
                self._queue.send([to_message(tenant, following)])
                return
            self._lanes.leave(tenant, lane, first)

    def skip(self, tenant: TenantContext, message: MessageId, endpoint: EndpointId) -> Item:
        """End a delivery that is still to be made, as a dead letter, so that those behind it go on.

        Errors: DeliveryNotFound, DeliveryEnded.
        """
        item = self._deliveries.find(tenant, message, endpoint)
        if item is None:
            raise DeliveryNotFound
        ended = self._deliveries.set_aside(tenant, message, endpoint, End.SKIPPED, self._clock())
        if ended is None:
            raise DeliveryEnded("It has ended, or an attempt is under way; look again in a minute.")
        if lane := item.get("lane"):
            self.pass_on(tenant, lane, message, endpoint)
        return ended
