"""Wires the exports function."""

from dataclasses import dataclass

from functions.exports.routes import Leaving, routes
from shared.erasure.repository import ErasureRepository
from shared.exports.gateway.archives import Archives
from shared.exports.repository.exports import ExportRepository
from shared.exports.service.imports import Imports
from shared.exports.service.requests import Exports
from shared.identity.repository.factors import FactorRepository
from shared.identity.repository.users import UserRepository
from shared.identity.service.ways_in import WaysIn
from tenant_context.clock import uuid7
from tenant_context.dynamo import Table
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings


@dataclass(frozen=True)
class ExportSettings(Settings):
    """What this function needs beside the common settings."""

    queue_exports: str
    bucket_exports: str
    operator_secret: str
    table_credentials: str


kernel = Kernel("exports")
settings = ExportSettings.load()
database = kernel.database()
exports, queue = ExportRepository(database), Queue(settings.queue_exports)
ways_in = WaysIn(UserRepository(database), FactorRepository(Table(settings.table_credentials)))
leaving = Leaving(
    exports=Exports(exports, Archives(settings.bucket_exports), queue.send, uuid7, kernel.clock),
    imports=Imports(exports, queue.send, ways_in.check),
    erasures=ErasureRepository(database),
    database=database,
)
handler = kernel.http(
    routes,
    leaving,
    database=database,
    token=kernel.tokens(),
    operator=kernel.operators(settings.operator_secret),
)
