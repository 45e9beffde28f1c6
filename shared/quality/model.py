"""The words of data quality."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID


class Part(StrEnum):
    """What a day's score is made of; each is 100 where nothing is wrong."""

    GAPS = "gaps"
    FLAT_LINES = "flat_lines"
    JUMPS = "jumps"
    BALANCE = "balance"
    CLOCK = "clock"
    DUPLICATES = "duplicates"


class Finding(StrEnum):
    """What can be wrong with a day."""

    MISSING_DAY = "missing_day"
    GAP = "gap"
    FLAT_LINE = "flat_line"
    JUMP = "jump"
    IMBALANCE = "imbalance"
    CLOCK_CHANGE = "clock_change"
    CLOCK_SKEW = "clock_skew"
    DOUBLED_DAY = "doubled_day"
    OVERLAP = "overlap"


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of a sensor for one of its days; `touched_at` is when that last changed."""

    day: date
    received: int = 0
    duplicates: int = 0
    revised: int = 0
    late: int = 0
    rejected: int = 0
    leapt: int = 0
    doubtful: int = 0
    ahead: int = 0
    touched_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What the door told of a sensor and a moment, or a day by the clock on its wall, beside rows that count."""

    sensor: str
    moment: datetime | None
    day: date | None
    duplicates: int = 0
    rejected: int = 0
    leapt: int = 0
    doubtful: int = 0
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour of a store's day: which (0 to 24), who came and went, how many of its minutes were counted.

    Minutes that several intervals of a line cover count once; `doubled` are those in which several of them counted
    somebody, where they are a whole one at least. `fastest`:
    people a minute in the busiest interval of a line, of which none is shorter than a minute.
    """

    number: int
    entries: int
    exits: int
    minutes: float
    doubled: float = 0.0
    fastest: float = 0.0

    @property
    def people(self) -> int:
        """Everybody who was counted, whichever way."""
        return self.entries + self.exits


@dataclass(frozen=True, slots=True)
class Counted:
    """A day as it was counted. `expected`: the hours in which counts were to come, and the minutes of each."""

    day: date
    hours: tuple[Hour, ...]
    rows: int
    expected: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Balance:
    """Who came to a place and who left it in the four weeks up to a day."""

    entries: int = 0
    exits: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a day is worth: the score from 0 to 100, its parts, and what is wrong."""

    day: date
    score: int
    parts: Mapping[Part, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Watched:
    """A sensor whose days are to be scored: what its store's days are, and how it is now.

    `counts_for`: the place whose people have to go as they came; its store, or its zone alone.
    """

    id: UUID
    site_id: UUID
    zone_id: UUID | None
    counts_for: UUID
    interval_minutes: int
    time_zone: str
    hours: object
    skewed: bool


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that was wrong on days running. Closed as it `ended`, or was `mended` by what came later."""

    id: UUID
    sensor_id: UUID
    kind: str
    first_day: date
    last_day: date
    status: str
    reason: str
    found_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Shown:
    """An incident as it is shown, with what to do about it."""

    id: UUID
    sensor_id: UUID
    site_id: UUID
    kind: str
    first_day: date
    last_day: date
    days: int
    status: str
    reason: str
    suggestion: str
    found_at: datetime
    closed_at: datetime | None
