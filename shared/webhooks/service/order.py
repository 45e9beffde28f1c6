"""Order per entity: whose turn it is in a lane, and what goes on when a turn is over.

A place is given up before the next delivery is queued, and the one that has ended says so last of all: a run that dies
between the two is repeated, and queues the next one then. A place whose delivery has ended, or has not come in its
time, is taken away by whoever comes upon it.
"""

from collections.abc import Container
from uuid import UUID

from shared.webhooks.errors import DeliveryEnded, DeliveryNotFound
from shared.webhooks.model import Delivery, End, EndpointId, MessageId, State
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
        first = self._first(tenant, lane, delivery.endpoint, mine=str(delivery.message.id))
        if first is None:
            return True
        name, _ = first
        if count and self._lanes.wait_behind(tenant, lane, name) > self._bound:
            self._set_aside(tenant, lane, MessageId(UUID(name)), delivery.endpoint)
        return False

    def pass_on(
        self,
        tenant: TenantContext,
        lane: str,
        message: MessageId,
        endpoint: EndpointId,
        *,
        coming: Container[str] = (),
    ) -> None:
        """A delivery's turn is over: give up its place, and queue the next one, if it has come.

        The messages `coming` come by themselves.
        """
        self._lanes.leave(tenant, lane, str(message))
        while (first := self._first(tenant, lane, endpoint)) is not None:
            name, item = first
            if item is None or name in coming:
                return
            if following := self._deliveries.with_messages(tenant, [item]):
                self._queue.send([to_message(tenant, following[0])])
                return
            self._lanes.leave(tenant, lane, name)

    def _first(
        self, tenant: TenantContext, lane: str, endpoint: EndpointId, *, mine: str = "~"
    ) -> tuple[str, Item | None] | None:
        """The message whose turn it is, where that is before one's own, and its delivery, if it has come."""
        while (place := self._lanes.first(tenant, lane)) is not None and place.message < mine:
            item = self._deliveries.find(tenant, MessageId(UUID(place.message)), endpoint)
            if item is not None and item["state"] in {State.WAITING, State.HELD}:
                return place.message, item
            if item is None and self._clock().timestamp() < place.until:
                return place.message, None
            self._lanes.leave(tenant, lane, place.message)
        return None

    def _set_aside(self, tenant: TenantContext, lane: str, message: MessageId, endpoint: EndpointId) -> None:
        """Have those go on that wait for a delivery; not while an attempt at it is under way."""
        aside = self._deliveries.set_aside(tenant, message, endpoint, End.ORDER, self._clock())
        if aside is not None or self._deliveries.find(tenant, message, endpoint) is None:
            self.pass_on(tenant, lane, message, endpoint)

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
