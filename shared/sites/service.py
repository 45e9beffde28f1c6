"""Sites and sensors, as a function uses them."""

from dataclasses import replace
from functools import partial
from uuid import UUID

from shared.sites import rules
from shared.sites.gateway import Directory
from shared.sites.model import Sensor, SensorDraft, SensorId, Setup, Site, SiteDraft, SiteId
from shared.sites.repository import SensorRepository, SiteRepository
from tenant_context.clock import NewId
from tenant_context.context import TenantContext
from tenant_context.errors import PreconditionFailed
from tenant_context.events import Event
from tenant_context.postgres import Transaction


class Sites:
    """Create, change and read the caller's sites."""

    def __init__(
        self, sites: SiteRepository, directory: Directory, new_id: NewId, sensors: SensorRepository | None = None
    ) -> None:
        self._sites = sites
        self._directory = directory
        self._new_id = new_id
        self._sensors = sensors

    def create(self, tx: Transaction, draft: SiteDraft) -> Site:
        """A new site; emits site.created. Errors: UnknownTimeZone, CodeTaken."""
        rules.check_time_zone(draft.time_zone)
        site_id = SiteId(self._new_id())
        site = Site(
            id=site_id,
            name=draft.name,
            code=draft.code or rules.code_of(draft.name, site_id),
            address=draft.address,
            time_zone=draft.time_zone,
            metadata=draft.metadata,
            version=1,
            created_at=tx.now,
            updated_at=tx.now,
        )
        self._sites.insert(tx, site)
        self._directory.list_site(tx.tenant, site)
        tx.emit(_site_event("site.created", site))
        return site

    def amend(self, tx: Transaction, site_id: SiteId, draft: SiteDraft, version: int) -> Site:
        """Other particulars; emits site.updated. Errors: PreconditionFailed, UnknownTimeZone, CodeTaken."""
        rules.check_time_zone(draft.time_zone)
        before = self._sites.lock(tx, site_id)
        _at(before.version, version)
        after = replace(
            before,
            name=draft.name,
            code=draft.code or before.code,
            address=draft.address,
            time_zone=draft.time_zone,
            metadata=draft.metadata,
            version=before.version + 1,
            updated_at=tx.now,
        )
        self._sites.update(tx, after)
        if after.code != before.code:
            self._directory.list_site(tx.tenant, after)
            tx.after_commit(lambda: self._directory.unlist_code(tx.tenant, site_id, before.code))
        if after.time_zone != before.time_zone and self._sensors is not None:
            _tell(tx, self._directory, self._sensors, site=site_id)
        tx.emit(_site_event("site.updated", after))
        return after

    def remove(self, tx: Transaction, site_id: SiteId) -> None:
        """Remove a site without sensors and campaigns; emits site.removed. Errors: SiteInUse."""
        code = self._sites.delete(tx, site_id)
        tx.after_commit(lambda: self._directory.unlist_site(tx.tenant, site_id, code))
        tx.emit(Event("site.removed", f"site/{site_id}", {"id": str(site_id), "code": code}))

    def show(self, tenant: TenantContext, site_id: SiteId) -> Site:
        """A site. Errors: SiteNotFound."""
        return self._sites.show(tenant, site_id)

    def page(self, tenant: TenantContext, *, search: str | None, after: UUID | None, limit: int) -> list[Site]:
        """Sites, newest first."""
        return self._sites.page(tenant, search=search, after=after, limit=limit)


class Sensors:
    """Register, change and read the caller's sensors."""

    def __init__(self, sensors: SensorRepository, directory: Directory, new_id: NewId) -> None:
        self._sensors = sensors
        self._directory = directory
        self._new_id = new_id

    def register(self, tx: Transaction, draft: SensorDraft) -> Sensor:
        """A new sensor, which may push at once; emits sensor.registered. Errors: UnknownSite, SerialTaken."""
        sensor = Sensor(
            id=SensorId(self._new_id()),
            site_id=draft.site_id,
            name=draft.name,
            serial=draft.serial,
            kind=draft.kind,
            vendor=draft.vendor,
            interval_minutes=draft.interval_minutes,
            status="active",
            version=1,
            created_at=tx.now,
            updated_at=tx.now,
        )
        self._sensors.insert(tx, sensor)
        for listed, profile in self._sensors.profiles(tx, sensor=sensor.id):
            self._directory.list_sensor(tx.tenant, listed, profile)
        tx.emit(_sensor_event("sensor.registered", sensor))
        return sensor

    def amend(self, tx: Transaction, sensor_id: SensorId, draft: SensorDraft, version: int) -> Sensor:
        """Other particulars; serial and kind stay. Emits sensor.updated. Errors: PreconditionFailed, UnknownSite."""
        before = self._sensors.lock(tx, sensor_id)
        _at(before.version, version)
        after = replace(
            before,
            site_id=draft.site_id,
            name=draft.name,
            vendor=draft.vendor,
            interval_minutes=draft.interval_minutes,
            version=before.version + 1,
            updated_at=tx.now,
        )
        self._sensors.update(tx, after)
        _tell(tx, self._directory, self._sensors, sensor=sensor_id)
        tx.emit(_sensor_event("sensor.updated", after))
        return after

    def set_up(self, tx: Transaction, sensor_id: SensorId, setup: Setup, version: int) -> Sensor:
        """Another way to read what it says, from the next push on. Emits sensor.updated.

        Errors: PreconditionFailed, SensorNotFound, WrongSetup.
        """
        rules.check_setup(setup)
        before = self._sensors.lock(tx, sensor_id)
        _at(before.version, version)
        after = replace(before, version=before.version + 1, updated_at=tx.now)
        self._sensors.keep_setup(tx, after, setup)
        _tell(tx, self._directory, self._sensors, sensor=sensor_id)
        tx.emit(_sensor_event("sensor.updated", after))
        return after

    def show_setup(self, tenant: TenantContext, sensor_id: SensorId) -> tuple[Setup, int]:
        """How a sensor is read, and the sensor's version. Errors: SensorNotFound."""
        return self._sensors.show_setup(tenant, sensor_id)

    def retire(self, tx: Transaction, sensor_id: SensorId) -> Sensor:
        """Take a sensor out of service; its counts stay. Emits sensor.retired."""
        before = self._sensors.lock(tx, sensor_id)
        after = replace(before, status="retired", version=before.version + 1, updated_at=tx.now)
        self._sensors.update(tx, after)
        tx.after_commit(lambda: self._directory.unlist_sensor(tx.tenant, after))
        tx.emit(_sensor_event("sensor.retired", after))
        return after

    def show(self, tenant: TenantContext, sensor_id: SensorId) -> Sensor:
        """A sensor. Errors: SensorNotFound."""
        return self._sensors.show(tenant, sensor_id)

    def page(self, tenant: TenantContext, *, site: UUID | None, after: UUID | None, limit: int) -> list[Sensor]:
        """Sensors, newest first."""
        return self._sensors.page(tenant, site=site, after=after, limit=limit)


class DirectoryKeeper:
    """Makes the directory of devices say what PostgreSQL says."""

    def __init__(self, sites: SiteRepository, sensors: SensorRepository, directory: Directory) -> None:
        self._sites = sites
        self._sensors = sensors
        self._directory = directory

    def rebuild(self, tx: Transaction) -> dict[str, int]:
        """List again whatever of the tenant's is missing; answers how many entries were, by their kind."""
        return {
            "sites": self._directory.restore(tx.tenant, self._sites.references(tx)),
            "sensors": self._directory.restore_sensors(tx.tenant, self._sensors.references(tx)),
        }


def _at(present: int, expected: int) -> None:
    if present != expected:
        raise PreconditionFailed(f"It is at version {present}; read it again.")


def _tell(
    tx: Transaction,
    directory: Directory,
    sensors: SensorRepository,
    *,
    site: SiteId | None = None,
    sensor: SensorId | None = None,
) -> None:
    """Tell the door of new profiles once they are committed: one that was rolled back must not be read by."""
    for listed, profile in sensors.profiles(tx, site=site, sensor=sensor):
        tx.after_commit(partial(directory.tell, tx.tenant, listed, profile))


def _site_event(kind: str, site: Site) -> Event:
    data = {"id": str(site.id), "name": site.name, "code": site.code, "time_zone": site.time_zone}
    return Event(kind, f"site/{site.id}", {**data, "version": site.version})


def _sensor_event(kind: str, sensor: Sensor) -> Event:
    data = {"id": str(sensor.id), "site_id": str(sensor.site_id), "name": sensor.name, "serial": sensor.serial}
    return Event(kind, f"sensor/{sensor.id}", {**data, "status": sensor.status, "version": sensor.version})
