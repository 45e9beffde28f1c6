"""The wire's shapes of occupancy."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from pydantic import Field, model_validator

from shared.occupancy.model import Course, Limit
from shared.occupancy.rules import QUARTER
from tenant_context.clock import rfc3339
from tenant_context.errors import FieldError, Invalid
from tenant_context.wire import In, Moment, Out

_STEPS = {"15m": timedelta(minutes=15), "hour": timedelta(hours=1)}


class OccupancyQuery(In):
    """Now; or, of a store or a zone, with `from` and `to` over a time of 31 days at most, in steps."""

    from_: Annotated[Moment | None, Field(alias="from")] = None
    to: Moment | None = None
    granularity: Literal["15m", "hour"] = "15m"

    @property
    def step(self) -> timedelta:
        """How long a point is."""
        return _STEPS[self.granularity]

    def whole(self) -> bool:
        """Whether a time is asked for; raises `Invalid` for half of one."""
        if (self.from_ is None) != (self.to is None):
            missing = "from" if self.from_ is None else "to"
            raise Invalid(errors=(FieldError(f"?{missing}", "missing", "must be there too: a time has both ends"),))
        return self.from_ is not None


class PointOut(Out):
    """A step: who came and left in it, and who was inside at its end. Null where nothing was counted up to then."""

    start: str
    entries: int
    exits: int
    raw: int | None
    occupancy: int | None


class OccupancyOut(Out):
    """Who is inside. With `from` and `to`, those and `points`, `freshness` and `coverage` stand beside site and zone.

    `raw` is entries less exits since the day began; `occupancy` is corrected for what counters miss: by `bias`, the
    part of all who are counted that came and did not leave. Neither is below zero. `as_of`: the end of the newest
    quarter of an hour that was measured today; `freshness`: the same of any day. `coverage`: minutes that were counted
    over those that sensors were in service, from `since` to `as_of`; with `from` and `to`, of the quarters of an hour
    that begin between them, up to the present one.

    Of a district, a region or the organization it is the sum of its `stores`, of which so many are `known`: those that
    told something today, each by its own day; `as_of` is the slowest of them, `freshness` the newest.
    """

    site: UUID | None
    time_zone: str
    since: str | None = None
    entries: int | None = None
    exits: int | None = None
    raw: int | None = None
    occupancy: int | None = None
    bias: float | None = None
    as_of: str | None = None
    freshness: str | None = None
    capacity: int | None = None
    limit_reached: bool | None = None
    coverage: float | None = None
    stores: int | None = None
    known: int | None = None
    from_: Annotated[str | None, Field(alias="from")] = None
    to: str | None = None
    points: list[PointOut] | None = None


def series(query: OccupancyQuery, told: Course) -> bytes:
    """The answer's form of a time."""
    span = {"from": rfc3339(query.from_), "to": rfc3339(query.to)} if query.from_ and query.to else {}
    trust = {"freshness": told.freshness, "coverage": told.coverage}
    place = {"site": told.place.id, "time_zone": told.place.time_zone}
    return msgspec.json.encode({**place, **span, **trust, "points": told.points})


class CapacityIn(In):
    """How many may be inside, and at how many the limit counts as cleared again: nine tenths unless it is said."""

    capacity: Annotated[int, Field(ge=1, le=1_000_000)]
    clear_at: Annotated[int, Field(ge=0, le=1_000_000)] | None = None

    @model_validator(mode="after")
    def _cleared_below(self) -> "CapacityIn":
        if self.clear_at is not None and self.clear_at >= self.capacity:
            raise ValueError("clear_at must be below capacity")
        return self

    @property
    def cleared(self) -> int:
        """At how many it is cleared."""
        return min(self.capacity - 1, self.capacity * 9 // 10) if self.clear_at is None else self.clear_at


class CapacityOut(Out):
    """A limit, and whether it is reached, since when by measured time. Without one: `capacity` null, version 0.

    `measured_until`: the end of the newest quarter of an hour that was judged.
    """

    site_id: UUID
    capacity: int | None
    clear_at: int | None
    reached: bool
    changed_at: str | None
    measured_until: str | None
    version: int
    updated_at: str | None


def capacity(site: UUID, limit: Limit | None) -> object:
    """The answer's form of a limit."""
    nothing = {"capacity": None, "clear_at": None, "changed_at": None, "measured_until": None, "updated_at": None}
    if limit is not None and limit.measured_until is not None:
        return replace(limit, measured_until=limit.measured_until + QUARTER)
    return limit or {"site_id": site, "reached": False, "version": 0, **nothing}
