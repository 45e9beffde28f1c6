"""The words of a store."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import msgspec
from msgspec import Meta

SiteId = NewType("SiteId", UUID)
SensorId = NewType("SensorId", UUID)


class Kind(StrEnum):
    """What a place of the tree is; each is in something of a larger kind."""

    REGION = "region"
    DISTRICT = "district"
    SITE = "site"
    ZONE = "zone"


@dataclass(frozen=True, slots=True)
class SiteDraft:
    """What a caller says of a site; `time_zone` is an IANA name, `code` the tenant's own short name of it."""

    name: str
    code: str | None
    address: str
    time_zone: str
    metadata: dict[str, Any]
    kind: Kind = Kind.SITE
    parent_id: SiteId | None = None
    city: str = ""
    postal_code: str = ""
    country: str = ""
    latitude: float | None = None
    longitude: float | None = None
    area_m2: float | None = None
    sales_area_m2: float | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """A store, a zone of one, or a district or region of stores. `distance_m` is from where the caller asked."""

    id: SiteId
    kind: str
    parent_id: SiteId | None
    name: str
    code: str
    address: str
    city: str
    postal_code: str
    country: str
    latitude: float | None
    longitude: float | None
    time_zone: str
    area_m2: float | None
    sales_area_m2: float | None
    metadata: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime
    distance_m: float | None = None


class Order(StrEnum):
    """What lists of sites are ordered by; with a minus, the other way."""

    CREATED = "created"
    NEWEST = "-created"
    NAME = "name"
    NAME_BACK = "-name"
    CODE = "code"
    CODE_BACK = "-code"
    DISTANCE = "distance"


@dataclass(frozen=True, slots=True)
class Near:
    """A place on the earth, and how far around it in metres."""

    latitude: float
    longitude: float
    radius_m: float | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sites: each that is said holds. `kind` None is any, `roots` are those in nothing else."""

    kind: Kind | None = Kind.SITE
    words: str | None = None
    metadata: dict[str, Any] | None = None
    parent: SiteId | None = None
    within: SiteId | None = None
    roots: bool = False
    near: Near | None = None
    order: Order = Order.NEWEST


@dataclass(frozen=True, slots=True)
class After:
    """The last of a page: what it is ordered by, as text, and its id."""

    key: str | None
    id: UUID


@dataclass(frozen=True, slots=True)
class Placement:
    """What a site was in, and when; the present one has no end. What is gone has no name."""

    parent_id: SiteId
    parent_name: str | None
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Node:
    """One place of a tree; `depth` below the one that was asked for."""

    id: SiteId
    parent_id: SiteId | None
    kind: str
    name: str
    code: str
    depth: int


@dataclass(frozen=True, slots=True)
class SensorDraft:
    """What a caller says of a sensor; `serial` is what the device calls itself, unique within the tenant."""

    site_id: SiteId
    name: str
    serial: str
    kind: str
    vendor: str
    interval_minutes: int
    zone_id: SiteId | None = None


class Health(StrEnum):
    """How a sensor is, by when it was last heard of and what its clock says."""

    ONLINE = "online"
    LATE = "late"
    OFFLINE = "offline"
    CLOCK_SKEWED = "clock_skewed"


@dataclass(frozen=True, slots=True)
class Sensor:
    """A people counter. `lag_s`: how long before it came the newest of its last push was measured, in seconds."""

    id: SensorId
    site_id: SiteId
    zone_id: SiteId | None
    name: str
    serial: str
    kind: str
    vendor: str
    interval_minutes: int
    status: str
    key_prefix: str | None
    health: str | None
    last_seen_at: datetime | None
    measured_at: datetime | None
    lag_s: float | None
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class HealthChange:
    """That a sensor is another way than it was told before; None where nothing was."""

    sensor_id: SensorId
    before: str | None
    after: str
    site_id: SiteId
    zone_id: SiteId | None
    serial: str


@dataclass(frozen=True, slots=True)
class DeviceDraft:
    """The device that takes a sensor's place, and since when."""

    serial: str
    vendor: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """A device that was a sensor, or is: the present one has no end."""

    serial: str
    vendor: str
    key_prefix: str | None
    since: datetime
    until: datetime | None


Word = Annotated[str, Meta(max_length=64, pattern=r"^[^\x00]*$")]
_WHOLE = Decimal(1)
_TICK = timedelta(microseconds=1)
SMALLEST_COUNTER = 256
"""No device's counter ends before a byte is full. What was kept before this was asked is still read."""


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one of a device's lines is read: another name, which way is in, or not at all.

    Lines of a device that get one name are counted together. `in` and `out` are for lines that go one way only.
    """

    direction: Literal["normal", "reversed", "in", "out", "ignored"] = "normal"
    name: Word = ""

    def directed(self, entries: int, exits: int) -> tuple[int, int]:
        """Who came and who went, of what the device counted either way."""
        match self.direction:
            case "in":
                return entries + exits, 0
            case "out":
                return 0, entries + exits
            case "reversed":
                return exits, entries
            case _:
                return entries, exits


_PLAIN = Line()


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a count is multiplied by from a measured moment on, until the next one's."""

    since: Annotated[datetime, Meta(tz=True)]
    multiplier: Decimal


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which columns of a device's CSV hold what; `time_format` as strptime has it, `date` where it stands apart."""

    start: Word = ""
    entries: Word = ""
    exits: Word = ""
    end: Word = ""
    line: Word = ""
    date: Word = ""
    delimiter: Literal["", ",", ";", "\t", "|"] = ""
    time_format: Word = ""


class Setup(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How what a device says is to be read.

    `counting` follows the format unless it is said; `times` tells what a time without an offset is: local to
    `time_zone` (the site's, where it is empty), UTC, or refused. `lines` by the device's own names or numbers of
    them. A cumulative counter that is lower than before was reset, and all of its device with it, or has gone past
    `rollover_at` (256 or more: 65536 for one of 16 bits). `resets` says whether the counters begin anew at the
    device's midnight, which the format tells unless it is said. `counts_from` is for Xovis, which can tell intervals
    and each crossing. `silence`: of a device that leaves out where nobody came and tells all its lines in one push,
    what it leaves out of the time that a push is of is `zero` for each line that is named here.
    """

    model: Word = ""
    counting: Literal["format", "interval", "cumulative"] = "format"
    resets: Literal["format", "daily", "never"] = "format"
    times: Literal["local", "utc", "offset"] = "local"
    time_zone: Word = ""
    lines: Annotated[dict[Word, Line], Meta(max_length=64)] = {}
    calibrations: Annotated[list[Calibration], Meta(max_length=50)] = []
    rollover_at: Annotated[int, Meta(ge=2, le=2**53, extra_json_schema={"minimum": SMALLEST_COUNTER})] | None = None
    counts_from: Literal["records", "events"] = "records"
    silence: Literal["missing", "zero"] = "missing"
    csv: Columns | None = None

    def line(self, *names: str) -> Line:
        """How a line is read, by the first of its names that is known."""
        return next((self.lines[one] for one in names if one in self.lines), _PLAIN)

    def calibrated(self, count: int, at: datetime) -> int:
        """A count as the calibration of its moment has it, rounded to whole people."""
        multiplier = next((one.multiplier for one in reversed(self.calibrations) if one.since <= at), None)
        if multiplier is None:
            return count
        return int((count * multiplier).quantize(_WHOLE, ROUND_HALF_UP))

    def risen(self, before: tuple[int, int], after: tuple[int, int]) -> tuple[int, int]:
        """How far a device's counters went from one standing to the next, past their ends where they have one.

        Where one of them is lower than before, and has not gone past its end, the device was reset: what both show
        now was counted since.
        """
        entries, exits = (self._rolled(*both) for both in zip(before, after, strict=True))
        return after if entries is None or exits is None else (entries, exits)

    def _rolled(self, before: int, after: int) -> int | None:
        if after >= before:
            return after - before
        rolled = -1 if self.rollover_at is None else after + self.rollover_at - before
        return rolled if 0 <= rolled <= (self.rollover_at or 0) // 2 else None

    def begun(self, zone: str, at: datetime, *, is_daily: bool = False) -> datetime | None:
        """The moment at which a counter that stood somewhere `at` a moment last began anew, where that is known.

        A device that begins anew each day does so at its own midnight; what it tells at midnight is of the day before.
        `is_daily`: whether the format says that, which the setup may say otherwise.
        """
        if self.resets == "never" or not (is_daily or self.resets == "daily"):
            return None
        from zoneinfo import ZoneInfo  # noqa: PLC0415  zones are nothing for who does not begin anew

        if not zone and self.times != "utc":
            return None
        clock = UTC if self.times == "utc" else ZoneInfo(zone)
        local = (at - _TICK).astimezone(clock)
        return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)


class Profile(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the door knows of a sensor: its setup, its interval, the zone of its times."""

    zone: str = ""
    interval_minutes: int = 15
    setup: Setup = Setup()


@dataclass(frozen=True, slots=True)
class Known:
    """A sensor behind a reference; entries of the directory that are older than profiles have a plain one.

    What a device measures counts from `since` on and before `until`, where another was the sensor before or is since.
    """

    id: UUID
    profile: Profile
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A sensor as the door is to know it: how it is read, since when it is this device, which it was before."""

    sensor: Sensor
    profile: Profile
    since: datetime | None = None
    past: tuple[tuple[str, datetime], ...] = field(default=())
    """Serials of devices before, and until when each was."""


_AN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def reads_as_id(reference: str) -> bool:
    """Whether a code or a serial could be the id of something: who pushes may name either."""
    return _AN_ID.fullmatch(reference) is not None


def where(site: UUID, zone: UUID | None) -> dict[str, str | None]:
    """How events name the places of a sensor: its store, and its zone where it has one."""
    return {"site_id": str(site), "zone_id": None if zone is None else str(zone)}
