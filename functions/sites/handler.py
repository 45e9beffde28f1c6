"""Wires the sites function."""

from dataclasses import dataclass

from functions.sites.routes import Stores, routes
from shared.measurements.repository import BatchRepository, RawRepository
from shared.measurements.service import Resubmission
from shared.metrics.repository import MetricsRepository
from shared.metrics.service import Metrics
from shared.sites.gateway import Directory
from shared.sites.repository import SensorRepository, SiteRepository
from shared.sites.service import Sensors, Sites
from tenant_context.clock import uuid7
from tenant_context.dynamo import Table
from tenant_context.kernel import Kernel
from tenant_context.settings import Settings


@dataclass(frozen=True)
class SiteSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    table_devices: str


kernel = Kernel("sites")
settings = SiteSettings.load()
database = kernel.database(bus=settings.bus)
directory = Directory(Table(settings.table_devices))
stores = Stores(
    sites=Sites(SiteRepository(database), directory, uuid7, SensorRepository(database)),
    sensors=Sensors(SensorRepository(database), directory, uuid7),
    metrics=Metrics(MetricsRepository(kernel.replica(database)), kernel.clock),
    batches=BatchRepository(database),
    resubmission=Resubmission(RawRepository(uuid7), directory.look_up, directory.find, uuid7),
)
handler = kernel.http(routes, stores, database=database, token=kernel.tokens())
