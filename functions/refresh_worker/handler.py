"""Wires the refresh_worker function."""

from dataclasses import dataclass

from shared.jobs.repository import JobRepository
from shared.jobs.service import Worker
from tenant_context.entry.queue import QueueEntry
from tenant_context.kernel import Kernel
from tenant_context.settings import Settings


@dataclass(frozen=True)
class WorkerSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str


kernel = Kernel("refresh_worker")
database = kernel.database(bus=WorkerSettings.load().bus)
handler = QueueEntry(Worker(database, JobRepository(database)), observability=kernel.observability)
