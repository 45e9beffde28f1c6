"""Wires the fan-out of events to webhook endpoints."""

from dataclasses import dataclass

from shared.webhooks.repository.deliveries import DeliveryRepository
from shared.webhooks.repository.endpoints import EndpointRepository
from shared.webhooks.repository.lanes import LaneRepository
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.service.fanout import Fanout
from shared.webhooks.service.shares import Shares
from tenant_context.dynamo import Table
from tenant_context.entry.queue import QueueEntry, read_bus_event
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings
from tenant_context.states import Need


@dataclass(frozen=True)
class FanoutSettings(Settings):
    """What this function needs beside the common settings."""

    table_deliveries: str
    queue_deliveries: str
    public_url: str
    """Of the API: where receivers fetch what is too long to be sent."""


kernel = Kernel("webhooks_fanout")
settings = FanoutSettings.load()
table = Table(settings.table_deliveries)
fanout = Fanout(
    kernel.database(),
    EndpointRepository(),
    TargetRepository(table),
    DeliveryRepository(table),
    Queue(settings.queue_deliveries),
    kernel.clock,
    lanes=LaneRepository(table),
    shares=Shares(),
    api_url=settings.public_url,
)
handler = QueueEntry(fanout.work, observability=kernel.observability, read=read_bus_event, need=Need.PROCESS)
