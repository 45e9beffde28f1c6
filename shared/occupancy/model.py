"""The words of occupancy."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


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
class Limit:
    """How many may be inside. Reached at `capacity`, cleared again at `clear_at` or below."""

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
    """Who is inside now. `bias`: which part of all who are counted the counters say came and did not leave."""

    site: UUID
    time_zone: str
    since: datetime
    entries: int
    exits: int
    raw: int
    occupancy: int
    bias: float
    as_of: datetime | None
    freshness: datetime | None
    capacity: int | None
    limit_reached: bool
