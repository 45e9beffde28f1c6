"""Wires the scheduled_refreshes function, which EventBridge Scheduler calls."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.jobs.gateway import Work
from shared.jobs.model import Job
from shared.jobs.repository import JobRepository
from shared.leases.gateway import Leases
from tenant_context.entry.schedule import ScheduleEntry
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings


@dataclass(frozen=True)
class ScheduleSettings(Settings):
    """What this function needs beside the common settings."""

    queue_refreshes: str
    table_leases: str


kernel = Kernel("scheduled_refreshes")
settings = ScheduleSettings.load()
repository = JobRepository(kernel.database())
work = Work(Queue(settings.queue_refreshes))
leases = Leases(settings.table_leases, os.environ.get("AWS_REGION", "us-east-1"), os.environ.get("AWS_ENDPOINT_URL"))


def start(run_id: str, schedule: Mapping[str, Any]) -> int:
    """Queue every tenant's refresh, once for each minute asked for; once a day also what is done daily."""
    now = kernel.clock()
    slot = str(schedule.get("slot") or now.strftime("%Y-%m-%dT%H:%MZ"))
    if not leases.take(Job.REFRESH_PERFORMANCE, slot, now):
        return 0
    jobs = [Job.REFRESH_PERFORMANCE]
    if leases.take(Job.HOUSEKEEPING, now.strftime("%Y-%m-%d"), now):
        jobs += [Job.HOUSEKEEPING, Job.REBUILD_DIRECTORY]
        repository.ensure_months(now)
    started = 0
    for tenants in repository.tenants():
        for job in jobs:
            work.start(job, tenants, run_id)
            started += len(tenants)
    return started


handler = ScheduleEntry(start, name="scheduled_refreshes", observability=kernel.observability)
