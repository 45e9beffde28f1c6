"""Wires the refresh_worker function."""

from dataclasses import dataclass

from shared.jobs.repository import JobRepository
from shared.jobs.service import Worker
from shared.sites.gateway import Directory
from shared.sites.repository import SensorRepository, SiteRepository
from shared.sites.service import DirectoryKeeper
from tenant_context.dynamo import Table
from tenant_context.entry.queue import QueueEntry
from tenant_context.kernel import Kernel
from tenant_context.settings import Settings


@dataclass(frozen=True)
class WorkerSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    table_devices: str


kernel = Kernel("refresh_worker")
settings = WorkerSettings.load()
database = kernel.database(bus=settings.bus)
keeper = DirectoryKeeper(SiteRepository(database), SensorRepository(database), Directory(Table(settings.table_devices)))
handler = QueueEntry(Worker(database, JobRepository(database), keeper.rebuild), observability=kernel.observability)
