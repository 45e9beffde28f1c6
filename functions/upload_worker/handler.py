"""Wires the upload_worker function."""

from dataclasses import dataclass

from shared.sites.gateway import Directory
from shared.uploads.gateway import Files
from shared.uploads.repository import UploadRepository
from shared.uploads.service.reader import Reader
from tenant_context.dynamo import Table
from tenant_context.entry.queue import QueueEntry
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings
from tenant_context.states import Need


@dataclass(frozen=True)
class WorkerSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    bucket_uploads: str
    queue_uploads: str
    queue_counts: str
    queue_transactions: str
    table_devices: str


kernel = Kernel("upload_worker")
settings = WorkerSettings.load()
database = kernel.database(bus=settings.bus)
directory = Directory(Table(settings.table_devices))
reader = Reader(
    database,
    UploadRepository(database),
    Files(settings.bucket_uploads),
    Queue(settings.queue_uploads),
    {"counts": Queue(settings.queue_counts), "transactions": Queue(settings.queue_transactions)},
    find=directory.find,
    look=directory.look_up,
    rows=kernel.rows(),
)
handler = QueueEntry(reader, observability=kernel.observability, need=Need.PROCESS)
