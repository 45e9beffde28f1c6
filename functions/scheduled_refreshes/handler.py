"""Wires the scheduled_refreshes function, which EventBridge Scheduler calls."""

from dataclasses import dataclass

from functions.scheduled_refreshes.plan import Plan
from shared.jobs.gateway import Work
from shared.jobs.repository import JobRepository
from shared.leases.gateway import Leases
from tenant_context.entry.schedule import ScheduleEntry
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import AwsSettings, Settings


@dataclass(frozen=True)
class ScheduleSettings(Settings):
    """What this function needs beside the common settings."""

    queue_refreshes: str
    table_leases: str


kernel = Kernel("scheduled_refreshes")
settings = ScheduleSettings.load()
aws = AwsSettings.load()
plan = Plan(
    JobRepository(kernel.database()),
    Work(Queue(settings.queue_refreshes)),
    Leases(settings.table_leases, aws.region, aws.endpoint_url or None),
    kernel.clock,
)
handler = ScheduleEntry(plan, name="scheduled_refreshes", observability=kernel.observability)
