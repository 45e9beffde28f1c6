"""Sensors, and the devices they were, in PostgreSQL."""

from datetime import datetime
from typing import LiteralString
from uuid import UUID

import msgspec
from psycopg import errors
from psycopg.types.json import Jsonb

from shared.sites.errors import SensorNotFound, SerialTaken, UnknownSite, UnknownZone
from shared.sites.model import Device, Health, Listed, Profile, Sensor, SensorId, Setup, SiteId
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Row, Transaction

_HEALTH: LiteralString = "app.sensor_health(n.interval_minutes, b, %(now)s)"
_SENSOR: LiteralString = f"""
    n.id, n.site_id, n.zone_id, n.name, n.serial, n.kind, n.vendor, n.interval_minutes, n.status, n.key_prefix,
    CASE n.status WHEN 'active' THEN {_HEALTH} END, b.seen_at, b.measured_at, b.lag_s,
    n.version, n.created_at, n.updated_at"""
_FROM: LiteralString = """
    sensors n LEFT JOIN sensor_beats b ON b.tenant_id = n.tenant_id AND b.sensor_id = n.id"""
_SHOW: LiteralString = f"SELECT {_SENSOR} FROM {_FROM} WHERE n.tenant_id = %(tenant)s AND n.id = %(sensor)s"
_LOCK: LiteralString = f"{_SHOW} FOR UPDATE OF n"
_PAGE: LiteralString = f"""
    SELECT {_SENSOR} FROM {_FROM}
    WHERE n.tenant_id = %(tenant)s AND (%(after)s::uuid IS NULL OR n.id < %(after)s)
      AND (%(site)s::uuid IS NULL OR n.site_id = %(site)s) AND (%(zone)s::uuid IS NULL OR n.zone_id = %(zone)s)
      AND (%(health)s::text IS NULL OR (n.status = 'active' AND {_HEALTH} = %(health)s))
    ORDER BY n.id DESC LIMIT %(limit)s"""
_LISTED: LiteralString = f"""
    SELECT {_SENSOR}, s.time_zone, n.setup,
           (SELECT max(d.until) FROM sensor_devices d
            WHERE d.tenant_id = n.tenant_id AND (d.sensor_id = n.id OR d.serial = n.serial)),
           ARRAY(SELECT d.serial FROM sensor_devices d
                 WHERE d.tenant_id = n.tenant_id AND d.sensor_id = n.id ORDER BY d.until, d.id),
           ARRAY(SELECT d.until FROM sensor_devices d
                 WHERE d.tenant_id = n.tenant_id AND d.sensor_id = n.id ORDER BY d.until, d.id)
    FROM {_FROM} JOIN sites s ON s.tenant_id = n.tenant_id AND s.id = n.site_id
    WHERE n.tenant_id = %(tenant)s AND n.status = 'active'
      AND (%(site)s::uuid IS NULL OR n.site_id = %(site)s) AND (%(sensor)s::uuid IS NULL OR n.id = %(sensor)s)"""
_SHOW_SETUP: LiteralString = "SELECT setup, version FROM sensors WHERE tenant_id = %s AND id = %s"
_KEEP_SETUP: LiteralString = """
    UPDATE sensors SET setup = %s, version = %s, updated_at = %s WHERE tenant_id = %s AND id = %s RETURNING 1"""
_INSERT: LiteralString = """
    INSERT INTO sensors (tenant_id, id, site_id, zone_id, name, serial, kind, vendor, interval_minutes, status, version,
                         created_at, updated_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING 1"""
_UPDATE: LiteralString = """
    UPDATE sensors SET site_id = %s, zone_id = %s, name = %s, serial = %s, vendor = %s, interval_minutes = %s,
           status = %s, key_prefix = %s, version = %s, updated_at = %s
    WHERE tenant_id = %s AND id = %s RETURNING 1"""
_SINCE: LiteralString = "SELECT max(until) FROM sensor_devices WHERE tenant_id = %s AND sensor_id = %s"
_ADD_DEVICE: LiteralString = """
    INSERT INTO sensor_devices (tenant_id, id, sensor_id, serial, vendor, key_prefix, since, until)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"""
_DEVICES: LiteralString = """
    SELECT serial, vendor, key_prefix, since, until FROM (
        SELECT n.serial, n.vendor, n.key_prefix,
               coalesce((SELECT max(d.until) FROM sensor_devices d
                         WHERE d.tenant_id = n.tenant_id AND d.sensor_id = n.id), n.created_at) AS since,
               NULL::timestamptz AS until
        FROM sensors n WHERE n.tenant_id = %(tenant)s AND n.id = %(sensor)s
        UNION ALL
        SELECT serial, vendor, key_prefix, since, until FROM sensor_devices
        WHERE tenant_id = %(tenant)s AND sensor_id = %(sensor)s) devices
    ORDER BY since DESC LIMIT 1000"""


class SensorRepository:
    """Sensors of one tenant at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def show(self, tenant: TenantContext, sensor: SensorId) -> Sensor:
        """A sensor. Errors: SensorNotFound."""
        values = {"tenant": tenant.tenant, "sensor": sensor, "now": self._database.clock()}
        rows = self._database.read(tenant, _SHOW, values)
        if not rows:
            raise SensorNotFound
        return _sensor(rows[0])

    def page(
        self,
        tenant: TenantContext,
        *,
        site: SiteId | None,
        zone: SiteId | None,
        health: Health | None,
        after: UUID | None,
        limit: int,
    ) -> list[Sensor]:
        """Sensors, newest first: of a site, of a zone, in one health."""
        values = {
            "tenant": tenant.tenant,
            "site": site,
            "zone": zone,
            "health": health,
            "after": after,
            "limit": limit,
            "now": self._database.clock(),
        }
        return [_sensor(row) for row in self._database.read(tenant, _PAGE, values)]

    def lock(self, tx: Transaction, sensor: SensorId) -> Sensor:
        """The sensor, held until the transaction ends. Errors: SensorNotFound."""
        row = tx.one(_LOCK, {"tenant": tx.tenant.tenant, "sensor": sensor, "now": tx.now})
        if row is None:
            raise SensorNotFound
        return _sensor(row)

    def listed(self, tx: Transaction, *, site: SiteId | None = None, sensor: SensorId | None = None) -> list[Listed]:
        """Sensors in service, all or a site's or one, as the door is to know them."""
        values = {"tenant": tx.tenant.tenant, "site": site, "sensor": sensor, "now": tx.now}
        return [_listed(row) for row in tx.all(_LISTED, values)]

    def show_setup(self, tenant: TenantContext, sensor: SensorId) -> tuple[Setup, int]:
        """How a sensor is read, and the sensor's version. Errors: SensorNotFound."""
        rows = self._database.read(tenant, _SHOW_SETUP, (tenant.tenant, sensor))
        if not rows:
            raise SensorNotFound
        return msgspec.convert(rows[0][0], Setup), rows[0][1]

    def keep_setup(self, tx: Transaction, sensor: Sensor, setup: Setup) -> None:
        """Another way to read it, with the sensor's new version."""
        values = (Jsonb(msgspec.to_builtins(setup)), sensor.version, sensor.updated_at, tx.tenant.tenant, sensor.id)
        tx.one(_KEEP_SETUP, values)

    def insert(self, tx: Transaction, sensor: Sensor) -> None:
        """A new sensor. Errors: SerialTaken, UnknownSite, UnknownZone."""
        values = (
            tx.tenant.tenant,
            sensor.id,
            sensor.site_id,
            sensor.zone_id,
            sensor.name,
            sensor.serial,
            sensor.kind,
            sensor.vendor,
            sensor.interval_minutes,
            sensor.status,
            sensor.version,
            sensor.created_at,
            sensor.updated_at,
        )
        self._write(tx, _INSERT, values)

    def update(self, tx: Transaction, sensor: Sensor) -> None:
        """New particulars. Errors: SerialTaken, UnknownSite, UnknownZone."""
        values = (
            sensor.site_id,
            sensor.zone_id,
            sensor.name,
            sensor.serial,
            sensor.vendor,
            sensor.interval_minutes,
            sensor.status,
            sensor.key_prefix,
            sensor.version,
            sensor.updated_at,
            tx.tenant.tenant,
            sensor.id,
        )
        self._write(tx, _UPDATE, values)

    @staticmethod
    def _write(tx: Transaction, statement: LiteralString, values: tuple[object, ...]) -> None:
        try:
            tx.one(statement, values)
        except errors.UniqueViolation as error:
            raise SerialTaken from error
        except errors.ForeignKeyViolation as error:
            raise (UnknownZone if error.diag.constraint_name == "sensors_zone" else UnknownSite) from error

    def device_since(self, tx: Transaction, sensor: Sensor) -> datetime:
        """Since when a sensor is the device that it is."""
        row = tx.one(_SINCE, (tx.tenant.tenant, sensor.id))
        since: datetime | None = row[0] if row else None
        return since or sensor.created_at

    def add_device(self, tx: Transaction, sensor: SensorId, new_id: UUID, device: Device) -> None:
        """Keep which device a sensor was."""
        about = (device.serial, device.vendor, device.key_prefix, device.since, device.until)
        tx.run(_ADD_DEVICE, (tx.tenant.tenant, new_id, sensor, *about))

    def devices(self, tenant: TenantContext, sensor: SensorId) -> list[Device]:
        """The devices that a sensor is and was, newest first. Errors: SensorNotFound."""
        rows = self._database.read(tenant, _DEVICES, {"tenant": tenant.tenant, "sensor": sensor})
        if not rows:
            raise SensorNotFound
        return [Device(*row) for row in rows]


def _sensor(row: Row) -> Sensor:
    return Sensor(*row)


def _listed(row: Row) -> Listed:
    time_zone, setup, since, serials, untils = row[-5:]
    sensor, read_by = _sensor(row[:-5]), msgspec.convert(setup, Setup)
    profile = Profile(read_by.time_zone or time_zone, sensor.interval_minutes, read_by)
    return Listed(sensor, profile, since, tuple(zip(serials, untils, strict=True)))
