"""The words of occupancy."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.figures.model import Place


@dataclass(frozen=True, slots=True)
class Day:
    """A day of who is inside: from one reset to the next."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Inside:
    """Who is inside at the end of a step; `raw` is entries less exits, both never below zero.

    Null, where nothing was counted up to then.
    """

    start: datetime
    entries: int
    exits: int
    raw: int | None
    occupancy: int | None


@dataclass(frozen=True, slots=True)
class Course:
    """Who was inside a place over a time, and how far that can be trusted.

    `freshness`: where the newest quarter of an hour ends that was measured, of any day. `coverage`: minutes that were
    counted over those that sensors were in service, of the quarters that begin in the time, up to now.
    """

    place: Place
    points: Sequence[Inside]
    freshness: datetime | None
    coverage: float


@dataclass(frozen=True, slots=True)
class Limit:
    """How many may be inside. Reached at `capacity`, cleared again at `clear_at` or below.

    `measured_until` is where the newest quarter of an hour begins that was judged.
    """

    site_id: UUID
    capacity: int
    clear_at: int
    reached: bool
    changed_at: datetime | None
    measured_until: datetime | None
    version: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Now:
    """Who is inside now. `bias`: which part of all who are counted the counters say came and did not leave.

    Of what is larger than a store, the sum of its `stores`, of which so many are `known`: those that told something
    today, each by its own day, and `as_of` by the slowest of them.
    """

    site: UUID | None
    time_zone: str
    since: datetime | None
    entries: int
    exits: int
    raw: int
    occupancy: int
    bias: float | None
    as_of: datetime | None
    freshness: datetime | None
    capacity: int | None
    limit_reached: bool | None
    coverage: float
    stores: int | None = None
    known: int | None = None


@dataclass(frozen=True, slots=True)
class Today:
    """What counters of a place told since its day began, up to the newest, and what was to be counted until then.

    `before`: who came and who left, of each day of the two weeks before on which nothing implausible was counted.
    """

    entries: int
    exits: int
    minutes: int
    expected: float
    newest: datetime | None
    before: Sequence[tuple[int, int]]
