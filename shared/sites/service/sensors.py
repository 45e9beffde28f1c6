"""Sensors, their devices and the devices' keys, as a function uses them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from uuid import UUID

from shared.sites import rules
from shared.sites.errors import SensorRetired, WrongDevice
from shared.sites.gateway import Directory
from shared.sites.model import Device, DeviceDraft, Health, Sensor, SensorDraft, SensorId, Setup, SiteId, where
from shared.sites.repository.sensors import SensorRepository
from shared.sites.service.telling import at_version, tell
from tenant_context.clock import NewId
from tenant_context.context import TenantContext
from tenant_context.events import Event
from tenant_context.postgres import Transaction

Revoke = Callable[[Transaction, str], None]
"""Stops a device's key."""
Part = Callable[[Transaction, UUID, datetime], None]
"""Has nothing counted from what a sensor's device before told to what another one tells since a moment."""


class Sensors:
    """Register, change, replace and read the caller's sensors."""

    def __init__(
        self,
        sensors: SensorRepository,
        directory: Directory,
        new_id: NewId,
        revoke: Revoke | None = None,
        part: Part | None = None,
    ) -> None:
        self._sensors = sensors
        self._directory = directory
        self._new_id = new_id
        self._revoke = revoke
        self._part = part

    def register(self, tx: Transaction, draft: SensorDraft) -> Sensor:
        """A new sensor, which may push at once; emits sensor.registered.

        Errors: UnknownSite, UnknownZone, SerialTaken, WrongDevice, LimitReached.
        """
        rules.check_serial(draft.serial)
        sensor = Sensor(
            id=SensorId(self._new_id()),
            site_id=draft.site_id,
            zone_id=draft.zone_id,
            name=draft.name,
            serial=draft.serial,
            kind=draft.kind,
            vendor=draft.vendor,
            interval_minutes=draft.interval_minutes,
            status="active",
            key_prefix=None,
            health=Health.OFFLINE,
            last_seen_at=None,
            measured_at=None,
            lag_s=None,
            version=1,
            created_at=tx.now,
            updated_at=tx.now,
        )
        self._sensors.insert(tx, sensor)
        for listed in self._sensors.listed(tx, sensor=sensor.id):
            self._directory.list_sensor(tx.tenant, listed)
        tx.emit(_event("sensor.registered", sensor))
        return sensor

    def amend(self, tx: Transaction, sensor_id: SensorId, draft: SensorDraft, version: int) -> Sensor:
        """Other particulars; serial and kind stay. Emits sensor.updated.

        Errors: PreconditionFailed, UnknownSite, UnknownZone.
        """
        before = self._sensors.lock(tx, sensor_id)
        at_version(before.version, version)
        after = replace(
            before,
            site_id=draft.site_id,
            zone_id=draft.zone_id,
            name=draft.name,
            vendor=draft.vendor,
            interval_minutes=draft.interval_minutes,
            version=before.version + 1,
            updated_at=tx.now,
        )
        self._sensors.update(tx, after)
        tell(tx, self._directory, self._sensors, sensor=sensor_id)
        tx.emit(_event("sensor.updated", after))
        return after

    def set_up(self, tx: Transaction, sensor_id: SensorId, setup: Setup, version: int) -> Sensor:
        """Another way to read what it says, from the next push on. Emits sensor.updated.

        Calibrations are of what is written from then on: what waits to be written is calibrated by them already.

        Errors: PreconditionFailed, SensorNotFound, WrongSetup.
        """
        rules.check_setup(setup)
        before = self._sensors.lock(tx, sensor_id)
        at_version(before.version, version)
        after = replace(before, version=before.version + 1, updated_at=tx.now)
        self._sensors.keep_setup(tx, after, setup)
        tell(tx, self._directory, self._sensors, sensor=sensor_id)
        tx.emit(_event("sensor.updated", after))
        return after

    def show_setup(self, tenant: TenantContext, sensor_id: SensorId) -> tuple[Setup, int]:
        """How a sensor is read, and the sensor's version. Errors: SensorNotFound."""
        return self._sensors.show_setup(tenant, sensor_id)

    def replace(self, tx: Transaction, sensor_id: SensorId, draft: DeviceDraft) -> Sensor:
        """Another device in a sensor's place: the sensor, its setup and its counts go on.

        What the old device measured before still counts to the sensor, whenever it comes, and nothing after; its key
        is revoked. Emits sensor.replaced. Errors: SensorRetired, SerialTaken, WrongDevice.
        """
        rules.check_serial(draft.serial)
        before = self._sensors.lock(tx, sensor_id)
        if before.status != "active":
            raise SensorRetired
        at = draft.at or tx.now
        since = self._sensors.device_since(tx, before)
        if draft.serial == before.serial:
            raise WrongDevice("/serial", "same-device", "is the device that the sensor has")
        if at > tx.now:
            raise WrongDevice("/at", "future", "must not be in the future")
        if at <= since:
            raise WrongDevice("/at", "order", "must be after the device before was put there")
        vendor = before.vendor if draft.vendor is None else draft.vendor
        after = replace(
            before,
            serial=draft.serial,
            vendor=vendor,
            key_prefix=None,
            version=before.version + 1,
            updated_at=tx.now,
        )
        past = Device(before.serial, before.vendor, before.key_prefix, since, at)
        self._sensors.add_device(tx, sensor_id, self._new_id(), past)
        self._sensors.update(tx, after)
        if self._part is not None:
            self._part(tx, sensor_id, at)
        tell(tx, self._directory, self._sensors, sensor=sensor_id)
        self._stop_key(tx, before)
        data = _event("sensor.replaced", after).data
        tx.emit(Event("sensor.replaced", f"sensor/{sensor_id}", {**data, "previous_serial": before.serial}))
        return after

    def devices(self, tenant: TenantContext, sensor_id: SensorId) -> list[Device]:
        """The devices that a sensor is and was, newest first. Errors: SensorNotFound."""
        return self._sensors.devices(tenant, sensor_id)

    def retire(self, tx: Transaction, sensor_id: SensorId) -> Sensor:
        """Take a sensor out of service; its counts stay, its device's key is revoked. Emits sensor.retired."""
        before = self._sensors.lock(tx, sensor_id)
        listed = self._sensors.listed(tx, sensor=sensor_id)
        after = replace(
            before, status="retired", health=None, key_prefix=None, version=before.version + 1, updated_at=tx.now
        )
        self._sensors.update(tx, after)
        for one in listed:
            tx.after_commit(partial(self._directory.unlist_sensor, tx.tenant, one))
        self._stop_key(tx, before)
        tx.emit(_event("sensor.retired", after))
        return after

    def _stop_key(self, tx: Transaction, sensor: Sensor) -> None:
        if sensor.key_prefix is not None and self._revoke is not None:
            self._revoke(tx, sensor.key_prefix)

    def show(self, tenant: TenantContext, sensor_id: SensorId) -> Sensor:
        """A sensor. Errors: SensorNotFound."""
        return self._sensors.show(tenant, sensor_id)

    def page(
        self,
        tenant: TenantContext,
        *,
        site: UUID | None,
        zone: UUID | None,
        health: Health | None,
        after: UUID | None,
        limit: int,
    ) -> list[Sensor]:
        """Sensors, newest first: of a site, of a zone, in one health."""
        place = (None if site is None else SiteId(site), None if zone is None else SiteId(zone))
        return self._sensors.page(tenant, site=place[0], zone=place[1], health=health, after=after, limit=limit)


def _event(kind: str, sensor: Sensor) -> Event:
    data = {"id": str(sensor.id), **where(sensor.site_id, sensor.zone_id), "name": sensor.name, "serial": sensor.serial}
    return Event(kind, f"sensor/{sensor.id}", {**data, "status": sensor.status, "version": sensor.version})
