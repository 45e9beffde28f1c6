"""The addresses of stores."""

from dataclasses import dataclass

from functions.sites import schemas
from shared.measurements.repository import BatchRepository
from shared.measurements.service import Resubmission
from shared.metrics.service import Metrics
from shared.sites.model import Sensor, SensorId, Setup, Site, SiteId
from shared.sites.service import Sensors, Sites
from tenant_context.postgres import Transaction
from tenant_context.routing import Answer, Call, Routes, etag
from tenant_context.wire import page, page_of

routes = Routes()

_SITE = "/api/v1/sites/{site_id}"
_SENSOR = "/api/v1/sensors/{sensor_id}"


@dataclass(frozen=True, slots=True)
class Stores:
    """What the routes use."""

    sites: Sites
    sensors: Sensors
    metrics: Metrics
    batches: BatchRepository
    resubmission: Resubmission


def _site(value: Site) -> Answer:
    return Answer(value, headers=etag(value.version))


def _sensor(value: Sensor) -> Answer:
    return Answer(value, headers=etag(value.version))


@routes.write(
    "POST", "/api/v1/sites", permission="sites.write", body=schemas.SiteIn, answer=schemas.SiteOut, status=201
)
def create_site(call: Call[schemas.SiteIn], tx: Transaction, stores: Stores) -> Answer:
    """Create a site."""
    return _site(stores.sites.create(tx, call.body.draft()))


@routes.read("/api/v1/sites", permission="sites.read", query=schemas.SiteQuery, answer=schemas.SitePage)
def sites(call: Call[None], stores: Stores) -> Answer:
    """List sites, newest first."""
    query: schemas.SiteQuery = call.query
    found = stores.sites.page(call.tenant, search=query.search, after=query.after(), limit=query.limit + 1)
    return Answer(page_of(found, query.limit))


@routes.read(_SITE, permission="sites.read", answer=schemas.SiteOut)
def show_site(call: Call[None], stores: Stores) -> Answer:
    """Read a site."""
    return _site(stores.sites.show(call.tenant, SiteId(call.id("site_id"))))


@routes.write("PUT", _SITE, permission="sites.write", body=schemas.SiteIn, answer=schemas.SiteOut)
def amend_site(call: Call[schemas.SiteIn], tx: Transaction, stores: Stores) -> Answer:
    """Replace a site's particulars."""
    site_id = SiteId(call.id("site_id"))
    return _site(stores.sites.amend(tx, site_id, call.body.draft(), call.expected_version()))


@routes.write("DELETE", _SITE, permission="sites.write", status=204)
def remove_site(call: Call[None], tx: Transaction, stores: Stores) -> Answer:
    """Remove a site that has no sensors and no campaigns."""
    stores.sites.remove(tx, SiteId(call.id("site_id")))
    return Answer()


@routes.read(_SITE + "/metrics", permission="analytics.read", query=schemas.MetricsQuery, answer=schemas.MetricsOut)
def metrics(call: Call[None], stores: Stores) -> Answer:
    """A metric over a range, in the site's own days; missing is null, not zero."""
    query: schemas.MetricsQuery = call.query
    return Answer(stores.metrics.series(call.tenant, call.id("site_id"), query.metric, query.span()))


@routes.read(_SITE + "/occupancy", permission="analytics.read", answer=schemas.OccupancyOut)
def occupancy(call: Call[None], stores: Stores) -> Answer:
    """Who is inside now."""
    return Answer(stores.metrics.occupancy(call.tenant, call.id("site_id")))


@routes.write(
    "POST",
    "/api/v1/sensors",
    permission="sensors.write",
    body=schemas.SensorIn,
    answer=schemas.SensorOut,
    status=201,
)
def register_sensor(call: Call[schemas.SensorIn], tx: Transaction, stores: Stores) -> Answer:
    """Register a people counter; it may push at once."""
    return _sensor(stores.sensors.register(tx, call.body.draft()))


@routes.read("/api/v1/sensors", permission="sensors.read", query=schemas.SensorQuery, answer=schemas.SensorPage)
def sensors(call: Call[None], stores: Stores) -> Answer:
    """List sensors, newest first."""
    query: schemas.SensorQuery = call.query
    found = stores.sensors.page(call.tenant, site=query.site, after=query.after(), limit=query.limit + 1)
    return Answer(page_of(found, query.limit))


@routes.read(_SENSOR, permission="sensors.read", answer=schemas.SensorOut)
def show_sensor(call: Call[None], stores: Stores) -> Answer:
    """Read a sensor."""
    return _sensor(stores.sensors.show(call.tenant, SensorId(call.id("sensor_id"))))


@routes.write("PUT", _SENSOR, permission="sensors.write", body=schemas.SensorIn, answer=schemas.SensorOut)
def amend_sensor(call: Call[schemas.SensorIn], tx: Transaction, stores: Stores) -> Answer:
    """Replace a sensor's particulars; its serial and kind stay."""
    sensor_id = SensorId(call.id("sensor_id"))
    return _sensor(stores.sensors.amend(tx, sensor_id, call.body.draft(), call.expected_version()))


@routes.read(_SENSOR + "/setup", permission="sensors.read", answer=Setup)
def show_setup(call: Call[None], stores: Stores) -> Answer:
    """Read how a sensor's pushes are read."""
    setup, version = stores.sensors.show_setup(call.tenant, SensorId(call.id("sensor_id")))
    return Answer(setup, headers=etag(version))


@routes.write("PUT", _SENSOR + "/setup", permission="sensors.write", body=Setup, answer=Setup)
def set_up(call: Call[Setup], tx: Transaction, stores: Stores) -> Answer:
    """Say how a sensor's pushes are read: zone, directions, cumulative or not, calibrations, columns of its CSV."""
    sensor_id = SensorId(call.id("sensor_id"))
    sensor = stores.sensors.set_up(tx, sensor_id, call.body, call.expected_version())
    return Answer(call.body, headers=etag(sensor.version))


@routes.write("POST", _SENSOR + "/retire", permission="sensors.write", answer=schemas.SensorOut)
def retire_sensor(call: Call[None], tx: Transaction, stores: Stores) -> Answer:
    """Take a sensor out of service; what it counted stays."""
    return _sensor(stores.sensors.retire(tx, SensorId(call.id("sensor_id"))))


@routes.read("/api/v1/ingest/batches/{batch_id}", permission="sensors.read", answer=schemas.BatchOut)
def batch(call: Call[None], stores: Stores) -> Answer:
    """What became of a push."""
    return Answer(stores.batches.show(call.tenant, call.id("batch_id")))


@routes.read(
    "/api/v1/ingest/rejected",
    permission="sensors.read",
    query=schemas.RejectedQuery,
    answer=schemas.RejectedPage,
)
def rejected(call: Call[None], stores: Stores) -> Answer:
    """List refused rows, newest first."""
    query: schemas.RejectedQuery = call.query
    rows = stores.batches.rejected(call.tenant, batch=query.batch, after=query.after(), limit=query.limit + 1)
    return Answer(page(rows, query.limit))


@routes.write(
    "POST",
    "/api/v1/ingest/rejected/{rejected_id}/resubmit",
    permission="sensors.write",
    body=schemas.ResubmitIn,
    answer=schemas.ResubmittedOut,
)
def resubmit(call: Call[schemas.ResubmitIn], tx: Transaction, stores: Stores) -> Answer:
    """Send a refused row again, corrected; it counts once, however often that is asked."""
    return Answer(stores.resubmission(tx, call.id("rejected_id"), call.body.row))
