"""Wires the export_worker function."""

from dataclasses import dataclass

from functions.export_worker.work import ExportWork
from shared.exports.gateway.archives import Archives
from shared.exports.gateway.items import TenantItems
from shared.exports.repository.exports import ExportRepository
from shared.exports.repository.tables import TableRepository
from shared.exports.service.loader import Loader
from shared.exports.service.maker import Maker
from tenant_context.aws import AwsClient
from tenant_context.entry.queue import QueueEntry
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.secrets import secret
from tenant_context.settings import Settings
from tenant_context.states import Need


@dataclass(frozen=True)
class WorkerSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    queue_exports: str
    bucket_exports: str
    table_api_keys: str
    table_deliveries: str
    table_devices: str
    pepper_secret: str


kernel = Kernel("export_worker")
settings = WorkerSettings.load()
database = kernel.database(bus=settings.bus)
exports, tables = ExportRepository(database), TableRepository(database)
archives = Archives(settings.bucket_exports)
dynamodb = AwsClient("dynamodb")
items = {
    "api_keys": TenantItems(settings.table_api_keys, dynamodb),
    "deliveries": TenantItems(settings.table_deliveries, dynamodb),
    "devices": TenantItems(settings.table_devices, dynamodb),
}
queue = Queue(settings.queue_exports)


def pepper() -> str:
    """What archives are sealed with."""
    return secret(settings.pepper_secret)


maker = Maker(database, exports, tables, items, archives, queue, pepper=pepper)
loader = Loader(database, exports, tables, archives, queue, pepper=pepper)
handler = QueueEntry(ExportWork(maker, loader), observability=kernel.observability, need=Need.PROCESS)
