"""Wires the sweep of what is due."""

from dataclasses import dataclass

from shared.webhooks.repository.deliveries import DeliveryRepository
from shared.webhooks.repository.due import DueIndex
from shared.webhooks.service.sweep import Crew, Sweep
from tenant_context.dynamo import Table
from tenant_context.entry.schedule import ScheduleEntry
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings


@dataclass(frozen=True)
class SweeperSettings(Settings):
    """What this function needs beside the common settings."""

    table_deliveries: str
    queue_deliveries: str


CREWS = 4
"""Threads, which wait for DynamoDB and SQS side by side."""

kernel = Kernel("webhooks_sweeper")
settings = SweeperSettings.load()
sweep = Sweep(
    [
        Crew(
            DueIndex(Table(settings.table_deliveries)),
            DeliveryRepository(Table(settings.table_deliveries)),
            Queue(settings.queue_deliveries),
        )
        for _ in range(CREWS)
    ],
    observability=kernel.observability,
    clock=kernel.clock,
)
handler = ScheduleEntry(sweep, name="webhooks_sweeper.sweep", observability=kernel.observability)
