"""From one event to a delivery for each endpoint that asked for it.

The bus and the queue may bring an event twice, and a run may die at any step: messages and deliveries are recorded
only where they are not there yet, and as long as a message is not marked complete all its deliveries are queued
again. A delivery that is queued twice is attempted once (`dispatch`).
"""

from collections import OrderedDict
from uuid import UUID

import msgspec

from shared.events.rules.bodies import delivered, filters_of
from shared.events.rules.catalogue import ENDPOINT_CHANGES, TEST
from shared.webhooks.model import Delivery, Endpoint, EndpointId, Message, MessageId
from shared.webhooks.repository.deliveries import DeliveryRepository
from shared.webhooks.repository.endpoints import EndpointRepository
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.service.queue import to_message
from tenant_context.clock import Clock
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message as QueueMessage
from tenant_context.postgres import Database
from tenant_context.queues import Queue

_KNOWN = 10_000


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
    ) -> None:
        self._database = database
        self._endpoints = endpoints
        self._targets = targets
        self._deliveries = deliveries
        self._queue = queue
        self._clock = clock
        self._told: OrderedDict[tuple[UUID, UUID], int] = OrderedDict()

    def work(self, tenant: TenantContext, event: QueueMessage) -> None:
        """Record and queue what the event asks for; nothing for an event nobody asked for."""
        envelope = event.data
        if event.kind.startswith(ENDPOINT_CHANGES):
            self._follow(tenant, _endpoint_of(envelope["subject"]))
        wanted = self._wanted(tenant, event.kind, envelope["subject"])
        if not wanted:
            return
        now = self._clock()
        payload = msgspec.json.encode(delivered(envelope)).decode()
        message = Message(MessageId(UUID(envelope["id"])), event.kind, payload)
        if self._deliveries.open_message(tenant, message, now):
            return
        for endpoint in wanted:
            self._tell(tenant, endpoint)
            self._deliveries.open_delivery(tenant, message, endpoint.id, now)
        self._queue.send([to_message(tenant, Delivery(message, endpoint.id, 1)) for endpoint in wanted])
        self._deliveries.close_message(tenant, message.id)

    def _wanted(self, tenant: TenantContext, kind: str, subject: str) -> list[Endpoint]:
        if kind != TEST:
            return self._endpoints.matching(self._database, tenant, filters_of(kind))
        endpoint = self._endpoints.find(self._database, tenant, _endpoint_of(subject))
        return [endpoint] if endpoint is not None and endpoint.enabled else []

    def _follow(self, tenant: TenantContext, changed: EndpointId) -> None:
        """Bring the dispatcher's view of an endpoint up to date."""
        endpoint = self._endpoints.find(self._database, tenant, changed)
        if endpoint is None:
            self._targets.bury(tenant, changed, self._clock())
        else:
            self._tell(tenant, endpoint)

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
