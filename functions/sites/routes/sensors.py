"""Sensors, their devices and how they are read."""

from dataclasses import replace
from typing import Any

from functions.sites.routes.declared import SENSOR, Stores, routes
from functions.sites.schemas import sensors as wire
from shared.sites.model import Sensor, SensorId, Setup
from tenant_context.postgres import Transaction
from tenant_context.routing import Answer, Call, etag
from tenant_context.wire import page_of


def _answer(value: Sensor) -> Answer:
    return Answer(value, headers=etag(value.version))


def _id(call: Call[Any]) -> SensorId:
    return SensorId(call.id("sensor_id"))


@routes.write(
    "POST",
    "/api/v1/sensors",
    permission="sensors.write",
    body=wire.SensorIn,
    answer=wire.SensorOut,
    status=201,
)
def register_sensor(call: Call[wire.SensorIn], tx: Transaction, stores: Stores) -> Answer:
    """Register a people counter; it may push at once."""
    return _answer(stores.sensors.register(tx, call.body.draft()))


@routes.read("/api/v1/sensors", permission="sensors.read", query=wire.SensorQuery, answer=wire.SensorPage)
def sensors(call: Call[None], stores: Stores) -> Answer:
    """List sensors, newest first: of a site, of a zone, in one health."""
    query: wire.SensorQuery = call.query
    found = stores.sensors.page(
        call.tenant,
        site=query.site,
        zone=query.zone,
        health=query.health,
        after=query.after(),
        limit=query.limit + 1,
    )
    return Answer(page_of(found, query.limit))


@routes.read(SENSOR, permission="sensors.read", answer=wire.SensorOut)
def show_sensor(call: Call[None], stores: Stores) -> Answer:
    """Read a sensor, when it was last heard of, and how it is."""
    return _answer(stores.sensors.show(call.tenant, _id(call)))


@routes.write("PUT", SENSOR, permission="sensors.write", body=wire.SensorIn, answer=wire.SensorOut)
def amend_sensor(call: Call[wire.SensorIn], tx: Transaction, stores: Stores) -> Answer:
    """Replace a sensor's particulars; its serial and kind stay."""
    return _answer(stores.sensors.amend(tx, _id(call), call.body.draft(), call.expected_version()))


@routes.read(SENSOR + "/setup", permission="sensors.read", answer=Setup)
def show_setup(call: Call[None], stores: Stores) -> Answer:
    """Read how a sensor's pushes are read."""
    setup, version = stores.sensors.show_setup(call.tenant, _id(call))
    return Answer(setup, headers=etag(version))


@routes.write("PUT", SENSOR + "/setup", permission="sensors.write", body=Setup, answer=Setup)
def set_up(call: Call[Setup], tx: Transaction, stores: Stores) -> Answer:
    """Say how a sensor's pushes are read: zone, directions, cumulative or not, calibrations, columns of its CSV."""
    sensor = stores.sensors.set_up(tx, _id(call), call.body, call.expected_version())
    return Answer(call.body, headers=etag(sensor.version))


@routes.write("POST", SENSOR + "/replace", permission="sensors.write", body=wire.DeviceIn, answer=wire.SensorOut)
def replace_sensor(call: Call[wire.DeviceIn], tx: Transaction, stores: Stores) -> Answer:
    """Put another device in a sensor's place: its id, setup and counts go on, the old device's key is revoked."""
    return _answer(stores.sensors.replace(tx, _id(call), call.body.draft()))


@routes.read(SENSOR + "/devices", permission="sensors.read", answer=wire.DevicesOut)
def devices(call: Call[None], stores: Stores) -> Answer:
    """List the devices that a sensor is and was, newest first."""
    return Answer({"items": stores.sensors.devices(call.tenant, _id(call))})


@routes.write("POST", SENSOR + "/key", permission="keys.write", answer=wire.DeviceKeyOut, status=201, recent=True)
def make_device_key(call: Call[None], tx: Transaction, stores: Stores) -> Answer:
    """Make a key by which this sensor's device pushes, and nothing else; the one before it is revoked."""
    key = stores.keys.make(tx, _id(call))
    # A repeated Idempotency-Key is answered without the key's text, which is kept nowhere.
    return Answer(wire.device_key(key), kept=wire.device_key(replace(key, text="")))


@routes.write(
    "POST",
    SENSOR + "/recalibrate",
    permission="sensors.write",
    body=wire.RecalibrateIn,
    answer=wire.RecalibratedOut,
)
def recalibrate(call: Call[wire.RecalibrateIn], tx: Transaction, stores: Stores) -> Answer:
    """Calibrate counts that are there already as the sensor's setup has it now; by itself a change rewrites nothing."""
    return Answer(stores.recalibration(tx, _id(call), call.body.from_, call.body.to))


@routes.write("POST", SENSOR + "/retire", permission="sensors.write", answer=wire.SensorOut)
def retire_sensor(call: Call[None], tx: Transaction, stores: Stores) -> Answer:
    """Take a sensor out of service; what it counted stays, its device's key is revoked."""
    return _answer(stores.sensors.retire(tx, _id(call)))
