"""Wires the refresh_worker function."""

from dataclasses import dataclass

from shared.jobs.repository import JobRepository
from shared.jobs.service import Worker
from shared.life.service import Life
from shared.sites.gateway import Directory
from shared.sites.repository import SensorRepository, SiteRepository
from shared.sites.service import DirectoryKeeper
from tenant_context.dynamo import Table
from tenant_context.entry.queue import QueueEntry
from tenant_context.kernel import Kernel
from tenant_context.settings import Settings
from tenant_context.state_news import Herald
from tenant_context.states import Need


@dataclass(frozen=True)
class WorkerSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    table_devices: str
    table_revocations: str


kernel = Kernel("refresh_worker")
settings = WorkerSettings.load()
database = kernel.database(bus=settings.bus)
keeper = DirectoryKeeper(SiteRepository(database), SensorRepository(database), Directory(Table(settings.table_devices)))
life = Life(Herald(Table(settings.table_revocations), kernel.clock))
worker = Worker(database, JobRepository(database), keeper.rebuild, life.tend)
handler = QueueEntry(worker, observability=kernel.observability, need=Need.TIMED)
