"""Wires the exports function."""

from dataclasses import dataclass

from functions.exports.routes import routes
from shared.exports.gateway.archives import Archives
from shared.exports.repository.exports import ExportRepository
from shared.exports.service.requests import Exports
from tenant_context.clock import uuid7
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings


@dataclass(frozen=True)
class ExportSettings(Settings):
    """What this function needs beside the common settings."""

    queue_exports: str
    bucket_exports: str


kernel = Kernel("exports")
settings = ExportSettings.load()
database = kernel.database()
exports = Exports(
    ExportRepository(database),
    Archives(settings.bucket_exports),
    Queue(settings.queue_exports).send,
    uuid7,
    kernel.clock,
)
handler = kernel.http(routes, exports, database=database, token=kernel.tokens())
