"""Sites and sensors in PostgreSQL."""

from typing import LiteralString
from uuid import UUID

import msgspec
from psycopg import errors
from psycopg.types.json import Jsonb

from shared.sites.errors import CodeTaken, SensorNotFound, SerialTaken, SiteInUse, SiteNotFound, UnknownSite
from shared.sites.model import Known, Profile, Sensor, SensorId, Setup, Site, SiteId
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Row, Transaction

_SITE: LiteralString = "id, name, code, address, time_zone, metadata, version, created_at, updated_at"
_SHOW_SITE: LiteralString = f"SELECT {_SITE} FROM sites WHERE tenant_id = %s AND id = %s"
_LOCK_SITE: LiteralString = f"{_SHOW_SITE} FOR UPDATE"
_PAGE_SITES: LiteralString = f"""
    SELECT {_SITE} FROM sites
    WHERE tenant_id = %(tenant)s AND (%(after)s::uuid IS NULL OR id < %(after)s)
      AND (%(search)s::text IS NULL
           OR to_tsvector('english', name || ' ' || address) @@ websearch_to_tsquery('english', %(search)s))
    ORDER BY id DESC LIMIT %(limit)s"""
_SITE_REFERENCES: LiteralString = "SELECT id, code FROM sites WHERE tenant_id = %s"
_INSERT_SITE: LiteralString = """
    INSERT INTO sites (tenant_id, id, name, code, address, time_zone, metadata, version, created_at, updated_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING 1"""
_UPDATE_SITE: LiteralString = """
    UPDATE sites SET name = %s, code = %s, address = %s, time_zone = %s, metadata = %s, version = %s, updated_at = %s
    WHERE tenant_id = %s AND id = %s RETURNING 1"""
_DELETE_SITE: LiteralString = "DELETE FROM sites WHERE tenant_id = %s AND id = %s RETURNING code"

_SENSOR: LiteralString = """
    id, site_id, name, serial, kind, vendor, interval_minutes, status, version, created_at, updated_at"""
_SHOW_SENSOR: LiteralString = f"SELECT {_SENSOR} FROM sensors WHERE tenant_id = %s AND id = %s"
_LOCK_SENSOR: LiteralString = f"{_SHOW_SENSOR} FOR UPDATE"
_PAGE_SENSORS: LiteralString = f"""
    SELECT {_SENSOR} FROM sensors
    WHERE tenant_id = %(tenant)s AND (%(after)s::uuid IS NULL OR id < %(after)s)
      AND (%(site)s::uuid IS NULL OR site_id = %(site)s)
    ORDER BY id DESC LIMIT %(limit)s"""
_PROFILES: LiteralString = f"""
    SELECT {", ".join("n." + column.strip() for column in _SENSOR.split(","))}, s.time_zone, n.setup
    FROM sensors n JOIN sites s ON s.tenant_id = n.tenant_id AND s.id = n.site_id
    WHERE n.tenant_id = %(tenant)s AND n.status = 'active'
      AND (%(site)s::uuid IS NULL OR n.site_id = %(site)s) AND (%(sensor)s::uuid IS NULL OR n.id = %(sensor)s)"""
_SHOW_SETUP: LiteralString = "SELECT setup, version FROM sensors WHERE tenant_id = %s AND id = %s"
_KEEP_SETUP: LiteralString = """
    UPDATE sensors SET setup = %s, version = %s, updated_at = %s WHERE tenant_id = %s AND id = %s RETURNING 1"""
_INSERT_SENSOR: LiteralString = """
    INSERT INTO sensors (tenant_id, id, site_id, name, serial, kind, vendor, interval_minutes, status, version,
                         created_at, updated_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING 1"""
_UPDATE_SENSOR: LiteralString = """
    UPDATE sensors SET site_id = %s, name = %s, vendor = %s, interval_minutes = %s, status = %s, version = %s,
           updated_at = %s
    WHERE tenant_id = %s AND id = %s RETURNING 1"""


class SiteRepository:
    """Sites of one tenant at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def show(self, tenant: TenantContext, site: SiteId) -> Site:
        """A site. Errors: SiteNotFound."""
        rows = self._database.read(tenant, _SHOW_SITE, (tenant.tenant, site))
        if not rows:
            raise SiteNotFound
        return _site(rows[0])

    def page(self, tenant: TenantContext, *, search: str | None, after: UUID | None, limit: int) -> list[Site]:
        """Sites, newest first; `search` in the words of name and address."""
        values = {"tenant": tenant.tenant, "search": search, "after": after, "limit": limit}
        return [_site(row) for row in self._database.read(tenant, _PAGE_SITES, values)]

    def lock(self, tx: Transaction, site: SiteId) -> Site:
        """The site, held until the transaction ends. Errors: SiteNotFound."""
        row = tx.one(_LOCK_SITE, (tx.tenant.tenant, site))
        if row is None:
            raise SiteNotFound
        return _site(row)

    def references(self, tx: Transaction) -> dict[str, UUID]:
        """Every name that a site is known by, its id among them."""
        return _references(tx.all(_SITE_REFERENCES, (tx.tenant.tenant,)))

    def insert(self, tx: Transaction, site: Site) -> None:
        """A new site. Errors: CodeTaken."""
        values = (
            tx.tenant.tenant,
            site.id,
            site.name,
            site.code,
            site.address,
            site.time_zone,
            Jsonb(site.metadata),
            site.version,
            site.created_at,
            site.updated_at,
        )
        try:
            tx.one(_INSERT_SITE, values)
        except errors.UniqueViolation as error:
            raise CodeTaken from error

    def update(self, tx: Transaction, site: Site) -> None:
        """New particulars. Errors: CodeTaken."""
        values = (
            site.name,
            site.code,
            site.address,
            site.time_zone,
            Jsonb(site.metadata),
            site.version,
            site.updated_at,
            tx.tenant.tenant,
            site.id,
        )
        try:
            tx.one(_UPDATE_SITE, values)
        except errors.UniqueViolation as error:
            raise CodeTaken from error

    def delete(self, tx: Transaction, site: SiteId) -> str:
        """Remove a site and answer its code. Errors: SiteNotFound, SiteInUse."""
        try:
            row = tx.one(_DELETE_SITE, (tx.tenant.tenant, site))
        except errors.ForeignKeyViolation as error:
            raise SiteInUse from error
        if row is None:
            raise SiteNotFound
        return str(row[0])


class SensorRepository:
    """Sensors of one tenant at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def show(self, tenant: TenantContext, sensor: SensorId) -> Sensor:
        """A sensor. Errors: SensorNotFound."""
        rows = self._database.read(tenant, _SHOW_SENSOR, (tenant.tenant, sensor))
        if not rows:
            raise SensorNotFound
        return _sensor(rows[0])

    def page(self, tenant: TenantContext, *, site: UUID | None, after: UUID | None, limit: int) -> list[Sensor]:
        """Sensors, newest first."""
        values = {"tenant": tenant.tenant, "site": site, "after": after, "limit": limit}
        return [_sensor(row) for row in self._database.read(tenant, _PAGE_SENSORS, values)]

    def lock(self, tx: Transaction, sensor: SensorId) -> Sensor:
        """The sensor, held until the transaction ends. Errors: SensorNotFound."""
        row = tx.one(_LOCK_SENSOR, (tx.tenant.tenant, sensor))
        if row is None:
            raise SensorNotFound
        return _sensor(row)

    def references(self, tx: Transaction) -> dict[str, tuple[Known, int]]:
        """Every name that a sensor in service is known by, its id among them; how it is read, and its version."""
        return {
            reference: (Known(sensor.id, profile), sensor.version)
            for sensor, profile in self.profiles(tx)
            for reference in (str(sensor.id), sensor.serial)
        }

    def profiles(
        self, tx: Transaction, *, site: SiteId | None = None, sensor: SensorId | None = None
    ) -> list[tuple[Sensor, Profile]]:
        """Sensors in service, all or a site's or one, and how each is read."""
        values = {"tenant": tx.tenant.tenant, "site": site, "sensor": sensor}
        return [_profiled(row) for row in tx.all(_PROFILES, values)]

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
        """A new sensor. Errors: SerialTaken, UnknownSite."""
        values = (
            tx.tenant.tenant,
            sensor.id,
            sensor.site_id,
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
        try:
            tx.one(_INSERT_SENSOR, values)
        except errors.UniqueViolation as error:
            raise SerialTaken from error
        except errors.ForeignKeyViolation as error:
            raise UnknownSite from error

    def update(self, tx: Transaction, sensor: Sensor) -> None:
        """New particulars. Errors: UnknownSite."""
        values = (
            sensor.site_id,
            sensor.name,
            sensor.vendor,
            sensor.interval_minutes,
            sensor.status,
            sensor.version,
            sensor.updated_at,
            tx.tenant.tenant,
            sensor.id,
        )
        try:
            tx.one(_UPDATE_SENSOR, values)
        except errors.ForeignKeyViolation as error:
            raise UnknownSite from error


def _references(rows: list[Row]) -> dict[str, UUID]:
    return {reference: row[0] for row in rows for reference in (str(row[0]), row[1])}


def _site(row: Row) -> Site:
    site_id, name, code, address, time_zone, metadata, version, created_at, updated_at = row
    return Site(SiteId(site_id), name, code, address, time_zone, metadata, version, created_at, updated_at)


def _sensor(row: Row) -> Sensor:
    return Sensor(SensorId(row[0]), SiteId(row[1]), *row[2:])


def _profiled(row: Row) -> tuple[Sensor, Profile]:
    sensor, setup = _sensor(row[:-2]), msgspec.convert(row[-1], Setup)
    return sensor, Profile(setup.time_zone or row[-2], sensor.interval_minutes, setup)
