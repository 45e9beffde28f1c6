"""What all of them share."""

from dataclasses import dataclass

from shared.measurements.repository.batches import BatchRepository
from shared.measurements.service import Recalibration, Resubmission
from shared.sites.service.keys import DeviceKeys
from shared.sites.service.sensors import Sensors
from shared.sites.service.sites import Sites
from tenant_context.clock import Clock
from tenant_context.routing import Routes

routes = Routes()

SITE = "/api/v1/sites/{site_id}"
SENSOR = "/api/v1/sensors/{sensor_id}"


@dataclass(frozen=True, slots=True)
class Stores:
    """What the routes use."""

    sites: Sites
    sensors: Sensors
    keys: DeviceKeys
    batches: BatchRepository
    resubmission: Resubmission
    recalibration: Recalibration
    clock: Clock
