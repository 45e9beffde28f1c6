"""The words of a store."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import msgspec
from msgspec import Meta

SiteId = NewType("SiteId", UUID)
SensorId = NewType("SensorId", UUID)


@dataclass(frozen=True, slots=True)
class SiteDraft:
    """What a caller says of a site; `time_zone` is an IANA name, `code` the tenant's own short name of it."""

    name: str
    code: str | None
    address: str
    time_zone: str
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Site:
    """A store."""

    id: SiteId
    name: str
    code: str
    address: str
    time_zone: str
    metadata: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SensorDraft:
    """What a caller says of a sensor; `serial` is what the device calls itself, unique within the tenant."""

    site_id: SiteId
    name: str
    serial: str
    kind: str
    vendor: str
    interval_minutes: int


@dataclass(frozen=True, slots=True)
class Sensor:
    """A people counter."""

    id: SensorId
    site_id: SiteId
    name: str
    serial: str
    kind: str
    vendor: str
    interval_minutes: int
    status: str
    version: int
    created_at: datetime
    updated_at: datetime


Word = Annotated[str, Meta(max_length=64, pattern=r"^[^\x00]*$")]
_WHOLE = Decimal(1)
SMALLEST_COUNTER = 256
"""No device's counter ends before a byte is full. What was kept before this was asked is still read."""


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one of a device's lines is read: another name, which way is in, or not at all.

    Lines of a device that get one name are counted together. `in` and `out` are for lines that go one way only.
    """

    direction: Literal["normal", "reversed", "in", "out", "ignored"] = "normal"
    name: Word = ""


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
    them. A cumulative counter that is lower than before was reset, or has gone past `rollover_at`
    (256 or more: 65536 for one of 16 bits). `counts_from` is
    for Xovis, which can tell intervals and each crossing.
    """

    model: Word = ""
    counting: Literal["format", "interval", "cumulative"] = "format"
    times: Literal["local", "utc", "offset"] = "local"
    time_zone: Word = ""
    lines: Annotated[dict[Word, Line], Meta(max_length=64)] = {}
    calibrations: Annotated[list[Calibration], Meta(max_length=50)] = []
    rollover_at: Annotated[int, Meta(ge=2, le=2**53, extra_json_schema={"minimum": SMALLEST_COUNTER})] | None = None
    counts_from: Literal["records", "events"] = "records"
    csv: Columns | None = None

    def calibrated(self, count: int, at: datetime) -> int:
        """A count as the calibration of its moment has it, rounded to whole people."""
        multiplier = next((one.multiplier for one in reversed(self.calibrations) if one.since <= at), None)
        if multiplier is None:
            return count
        return int((count * multiplier).quantize(_WHOLE, ROUND_HALF_UP))

    def risen(self, before: int, after: int) -> int:
        """How far a counter went from one standing to the next: past its end where it has one, or from nothing."""
        if after >= before:
            return after - before
        if self.rollover_at is not None:
            rolled = after + self.rollover_at - before
            if 0 <= rolled <= self.rollover_at // 2:
                return rolled
        return after


class Profile(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the door knows of a sensor: its setup, its interval, the zone of its times."""

    zone: str = ""
    interval_minutes: int = 15
    setup: Setup = Setup()


@dataclass(frozen=True, slots=True)
class Known:
    """A sensor behind a reference; entries of the directory that are older than profiles have a plain one."""

    id: UUID
    profile: Profile
