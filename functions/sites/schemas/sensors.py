"""The wire's shapes of sensors."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.identity.model import ApiKey
from shared.sites.model import DeviceDraft, Health, SensorDraft, SiteId
from shared.vendors.errors import VENDORS
from tenant_context.clock import rfc3339
from tenant_context.wire import In, Moment, Name, Out, PageQuery

Serial = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:_-]{0,127}$")]
_VENDOR = (
    "Who made it, in any words, for people to read: a push is recognised by what stands in it. There are formats of"
    f" {', '.join(VENDORS)}; any other device pushes counts as JSON or CSV."
)
_KIND = (
    "What it counts for, which never changes. `line`, at a door: its store and, with a `zone_id`, that zone too."
    " `zone`, at a border within the store: the zone of its `zone_id` alone, and neither its store nor the district,"
    " region and organization, as its people came in by the doors; without a `zone_id` its store, as `line` does."
)
Kind = Annotated[str, StringConstraints(pattern="^(line|zone)$"), Field(description=_KIND)]
Vendor = Annotated[str, StringConstraints(max_length=64, pattern=r"^[^\x00]*$"), Field(description=_VENDOR)]


class SensorIn(In):
    """A sensor as a caller describes it; `serial` is what the device calls itself, `zone_id` a zone of its store."""

    site_id: UUID
    name: Name
    serial: Serial
    kind: Kind = "line"
    vendor: Vendor = ""
    interval_minutes: Annotated[int, Field(ge=1, le=1440)] = 15
    zone_id: UUID | None = None

    def draft(self) -> SensorDraft:
        """The domain's form."""
        zone = None if self.zone_id is None else SiteId(self.zone_id)
        site = SiteId(self.site_id)
        return SensorDraft(site, self.name, self.serial, self.kind, self.vendor, self.interval_minutes, zone)


class SensorOut(Out):
    """A sensor.

    `health` is null once it is retired. `lag_s`: by how many seconds the newest of its last push was measured before
    it came; below zero where its clock is ahead.
    """

    id: UUID
    site_id: UUID
    zone_id: UUID | None
    name: str
    serial: str
    kind: str
    vendor: str
    interval_minutes: int
    status: str
    key_prefix: str | None
    health: Health | None
    last_seen_at: str | None
    measured_at: str | None
    lag_s: float | None
    version: int
    created_at: str
    updated_at: str


class SensorPage(Out):
    """A page of sensors, newest first."""

    items: list[SensorOut]
    next_cursor: str | None


class SensorQuery(PageQuery):
    """Which sensors."""

    site: UUID | None = None
    zone: UUID | None = None
    health: Health | None = None


class DeviceIn(In):
    """The device that takes a sensor's place; `at` is when that was, now unless it is said."""

    serial: Serial
    vendor: Vendor | None = None
    at: Moment | None = None

    def draft(self) -> DeviceDraft:
        """The domain's form."""
        return DeviceDraft(self.serial, self.vendor, self.at)


class RecalibrateIn(In):
    """The time whose counts are meant: `from` included, `to` excluded, by when their intervals begin."""

    from_: Annotated[Moment, Field(alias="from")]
    to: Moment


class RecalibratedOut(Out):
    """How many counts there were, and how many of them are others now."""

    rows: int
    revised: int


class DeviceOut(Out):
    """A device that a sensor is (`until` is null), or was."""

    serial: str
    vendor: str
    key_prefix: str | None
    since: str
    until: str | None


class DevicesOut(Out):
    """The devices of a sensor, newest first."""

    items: list[DeviceOut]


class DeviceKeyOut(Out):
    """A device's key; `key` is in the answer to its making only."""

    prefix: str
    name: str
    created_at: str
    key: str | None = None


def device_key(value: ApiKey) -> dict[str, object]:
    """The answer's form of a key."""
    shown: dict[str, object] = {"prefix": value.prefix, "name": value.name, "created_at": rfc3339(value.created_at)}
    return {**shown, "key": value.text} if value.text else shown
