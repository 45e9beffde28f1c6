"""Wires the sensors_ingest function."""

from dataclasses import dataclass

from functions.sensors_ingest.routes import Door, routes
from shared.sensors.gateway import BatchQueue
from shared.sensors.service import Ingest
from shared.sites.gateway import Directory
from shared.vendors.service import Vendors
from tenant_context.clock import uuid7
from tenant_context.dynamo import Table
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings


@dataclass(frozen=True)
class IngestSettings(Settings):
    """What this function needs beside the common settings."""

    table_api_keys: str
    table_devices: str
    table_revocations: str
    pepper_secret: str
    queue_counts: str
    queue_transactions: str


kernel = Kernel("sensors_ingest")
settings = IngestSettings.load()
directory = Directory(Table(settings.table_devices))
ingest = Ingest(
    directory.find,
    directory.look_up,
    BatchQueue(Queue(settings.queue_counts), "counts"),
    BatchQueue(Queue(settings.queue_transactions), "transactions"),
    kernel.clock,
    uuid7,
    rows=kernel.rows(),
)
keys = kernel.keys(settings.table_api_keys, settings.pepper_secret, states=settings.table_revocations)
handler = kernel.http(routes, Door(ingest, Vendors(ingest, directory.look_up)), key=keys)
