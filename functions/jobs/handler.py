"""Wires the jobs function."""

from dataclasses import dataclass

from functions.jobs.routes import routes
from shared.jobs.gateway import Work
from shared.jobs.repository import JobRepository
from shared.jobs.service import Jobs
from tenant_context.clock import uuid7
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings


@dataclass(frozen=True)
class JobSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    queue_refreshes: str


kernel = Kernel("jobs")
settings = JobSettings.load()
database = kernel.database(bus=settings.bus)
jobs = Jobs(JobRepository(database), Work(Queue(settings.queue_refreshes)).start, uuid7)
handler = kernel.http(routes, jobs, database=database, token=kernel.tokens())
