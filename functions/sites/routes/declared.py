"""What all of them share."""

from dataclasses import dataclass

from shared.alerts.service.rules import Alerts, Rules
from shared.measurements.repository.batches import BatchRepository
from shared.measurements.service import Recalibration, Resubmission
from shared.metrics.service.metrics import Metrics
from shared.occupancy.service import Limits, Occupancy
from shared.quality.service.reading import Quality
from shared.receipts.repository import ReceiptRepository
from shared.sites.service.keys import DeviceKeys
from shared.sites.service.sensors import Sensors
from shared.sites.service.sites import Sites
from shared.targets.service import Targets
from tenant_context.clock import Clock
from tenant_context.postgres import Database
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
    metrics: Metrics
    batches: BatchRepository
    receipts: ReceiptRepository
    resubmission: Resubmission
    recalibration: Recalibration
    quality: Quality
    database: Database
    occupancy: Occupancy
    limits: Limits
    rules: Rules
    alerts: Alerts
    targets: Targets
    clock: Clock
