"""Wires the sites function."""

from dataclasses import dataclass

from functions.sites.routes import Stores, routes
from shared.identity.repository.keys import ApiKeyRepository
from shared.measurements.repository.batches import BatchRepository
from shared.measurements.repository.raw import RawRepository
from shared.measurements.service import Recalibration, Resubmission
from shared.quality.repository.tallies import TallyRepository
from shared.quality.service.tallies import Tallies
from shared.sites.gateway import Directory
from shared.sites.repository.sensors import SensorRepository
from shared.sites.repository.sites import SiteRepository
from shared.sites.repository.tree import TreeRepository
from shared.sites.service.keys import DeviceKeys
from shared.sites.service.sensors import Sensors
from shared.sites.service.sites import Sites
from tenant_context.clock import uuid7
from tenant_context.dynamo import Table
from tenant_context.kernel import Kernel
from tenant_context.secrets import secret
from tenant_context.settings import Settings


@dataclass(frozen=True)
class SiteSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    table_devices: str
    table_api_keys: str
    pepper_secret: str


kernel = Kernel("sites")
settings = SiteSettings.load()
database = kernel.database(bus=settings.bus)
directory = Directory(Table(settings.table_devices))
known_sensors = SensorRepository(database)
keys = DeviceKeys(
    known_sensors,
    ApiKeyRepository(Table(settings.table_api_keys)),
    stage=kernel.settings.stage,
    pepper=lambda: secret(settings.pepper_secret),
)
tallies = Tallies(TallyRepository())
stores = Stores(
    sites=Sites(SiteRepository(database), TreeRepository(database), directory, uuid7, known_sensors),
    sensors=Sensors(known_sensors, directory, uuid7, keys.revoke, RawRepository(uuid7).part_devices),
    keys=keys,
    batches=BatchRepository(database),
    resubmission=Resubmission(RawRepository(uuid7), directory.look_up, directory.find, uuid7, heeds=(tallies,)),
    recalibration=Recalibration(RawRepository(uuid7), known_sensors, uuid7, touch=TallyRepository.touch),
    clock=kernel.clock,
)
handler = kernel.http(routes, stores, database=database, token=kernel.tokens())
