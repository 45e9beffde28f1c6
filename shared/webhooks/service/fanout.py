"""From one event to a delivery for each endpoint that asked for it.

The bus and the queue may bring an event twice, and a run may die at any step: messages and deliveries are recorded
only where they are not there yet, and as long as a message is not marked complete all its deliveries are queued
again. A delivery that is queued twice is attempted once (`dispatch`).
"""

from collections import OrderedDict
from typing import Any
from uuid import UUID

import msgspec

from shared.events.rules.bodies import delivered, filters_of, thin
from shared.events.rules.catalogue import ENDPOINT_CHANGES, TEST
from shared.webhooks.model import Delivery, Endpoint, EndpointId, Message, MessageId, Ordering
from shared.webhooks.repository.deliveries import DeliveryRepository
from shared.webhooks.repository.endpoints import Audience, EndpointRepository
from shared.webhooks.repository.lanes import LaneRepository, lane_of
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.rules import filters, retention
from shared.webhooks.service.backlog import Backlog
from shared.webhooks.service.queue import CHALLENGE, about, to_message
from shared.webhooks.service.shares import Shares
from tenant_context.clock import Clock
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message as QueueMessage
from tenant_context.postgres import Database
from tenant_context.queues import Queue

_KNOWN = 10_000
LONGEST_PAYLOAD = 20_000
"""Bytes: Standard Webhooks asks for bodies below 20 kB. What is longer is sent without its data, and fetched."""


ORDER_SETTLES = 1
"""Seconds for which an ordered delivery is held back: what happened just before may come just after."""


class Fanout:
    """Handles one event of the bus at a time."""

    def __init__(
        self,
        database: Database,
        endpoints: EndpointRepository,
        targets: TargetRepository,
        deliveries: DeliveryRepository,
        queue: Queue,
        clock: Clock,
        *,
        lanes: LaneRepository,
        shares: Shares,
        api_url: str,
    ) -> None:
        self._database = database
        self._endpoints = endpoints
        self._targets = targets
        self._deliveries = deliveries
        self._queue = queue
        self._clock = clock
        self._backlog = Backlog(targets, deliveries, queue, clock=clock)
        self._lanes = lanes
        self._shares = shares
        self._api_url = api_url.rstrip("/")
        self._told: OrderedDict[tuple[UUID, UUID], int] = OrderedDict()

    def work(self, tenant: TenantContext, event: QueueMessage) -> None:
        """Record and queue what the event asks for; nothing for an event nobody asked for."""
        envelope = event.data
        if event.kind.startswith(ENDPOINT_CHANGES):
            self._follow(tenant, _endpoint_of(envelope["subject"]))
        audience = self._audience(tenant, event.kind, envelope["subject"])
        body = delivered(envelope)
        wanted = [one for one in audience.endpoints if event.kind == TEST or filters.passes(one.filters, body)]
        if not wanted:
            return
        now = self._clock()
        message = self._message(body, retention.keep_until(audience.plan, now))
        if self._deliveries.open_message(tenant, message, now):
            return
        is_held = not self._shares.take(tenant.tenant, len(wanted))
        for endpoint in wanted:
            self._tell(tenant, endpoint)
            lane = self._join(tenant, endpoint, body["subject"], message)
            self._deliveries.open_delivery(tenant, message, endpoint.id, now, lane=lane, is_held=is_held)
        if is_held:
            for endpoint in wanted:
                self._backlog.wake(tenant, endpoint.id, now.timestamp() + 1)
        else:
            for ordered in (False, True):
                due = [one for one in wanted if (one.manner.ordering is Ordering.ENTITY) is ordered]
                asked = [to_message(tenant, Delivery(message, one.id, 1)) for one in due]
                self._queue.send(asked, delay_seconds=ORDER_SETTLES if ordered else 0)
        self._deliveries.close_message(tenant, message.id)

    def _join(self, tenant: TenantContext, endpoint: Endpoint, subject: str, message: Message) -> str:
        """The lane in which an ordered delivery takes its place, and none for others."""
        if endpoint.manner.ordering is not Ordering.ENTITY:
            return ""
        lane = lane_of(endpoint.id, subject)
        self._lanes.join(tenant, lane, message.id, message.keep_until)
        return lane

    def _message(self, body: dict[str, Any], keep_until: int) -> Message:
        """What is sent; where that would be too long, a notice with the address of the whole."""
        message, kind = MessageId(UUID(body["id"])), body["type"]
        whole = msgspec.json.encode(body)
        if len(whole) < LONGEST_PAYLOAD:
            return Message(message, kind, whole.decode(), keep_until)
        notice = thin(body, f"{self._api_url}/api/v1/webhooks/messages/{message}/payload")
        return Message(message, kind, msgspec.json.encode(notice).decode(), keep_until, whole.decode())

    def _audience(self, tenant: TenantContext, kind: str, subject: str) -> Audience:
        if kind == TEST:
            return self._endpoints.alone(self._database, tenant, _endpoint_of(subject))
        return self._endpoints.matching(self._database, tenant, filters_of(kind))

    def _follow(self, tenant: TenantContext, changed: EndpointId) -> None:
        """Bring the dispatcher's view of an endpoint up to date: it challenges a URL that is not proved, or goes on."""
        endpoint = self._endpoints.find(self._database, tenant, changed)
        if endpoint is None:
            self._targets.bury(tenant, changed, self._clock())
        else:
            self._tell(tenant, endpoint)
        target = self._targets.find(tenant, changed)
        if target is not None and target.enabled and not target.is_proved:
            self._queue.send([about(tenant, CHALLENGE, changed)])
        elif endpoint is None or endpoint.version > 1:
            # What was missed while it was disabled is replayed; what waits for one that is deleted is stopped.
            self._backlog.wake(tenant, changed)

    def _tell(self, tenant: TenantContext, endpoint: Endpoint) -> None:
        """Give the dispatcher this version of an endpoint, once a sandbox: an event may overtake its change."""
        key = (tenant.tenant, endpoint.id)
        if self._told.get(key, 0) >= endpoint.version:
            return
        self._targets.put(tenant, endpoint)
        self._told[key] = endpoint.version
        if len(self._told) > _KNOWN:
            self._told.popitem(last=False)


def _endpoint_of(subject: str) -> EndpointId:
    return EndpointId(UUID(subject.partition("/")[2]))
