"""What all of them share."""

from dataclasses import dataclass

from shared.alerts.service.rules import Alerts, Rules
from shared.metrics.service.metrics import Metrics
from shared.occupancy.service import Limits, Occupancy
from shared.quality.service.reading import Quality
from shared.receipts.repository import ReceiptRepository
from shared.targets.service import Targets
from tenant_context.postgres import Database
from tenant_context.routing import Routes

routes = Routes()

SITE = "/api/v1/sites/{site_id}"
SENSOR = "/api/v1/sensors/{sensor_id}"


@dataclass(frozen=True, slots=True)
class Analytics:
    """What the routes use."""

    metrics: Metrics
    receipts: ReceiptRepository
    quality: Quality
    occupancy: Occupancy
    limits: Limits
    rules: Rules
    alerts: Alerts
    targets: Targets
    database: Database
