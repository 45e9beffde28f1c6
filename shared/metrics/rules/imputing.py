"""Gaps filled by what is typical: the mean of the same quarter of the weekday, of up to four weeks before and after.

A gap is a quarter of an hour in which sensors of a store (or zone) were in service, nothing was counted, and something
was counted later; of a day that was counted whole, nothing is a gap. Only quarters that were counted to nine tenths are
believed. Steps of every size are filled with the same quarters, so totals are the same whatever the granularity. What
is filled in is marked, and never kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from shared.metrics.model import Facts, Service
from shared.metrics.rules.ranges import expected, midnight

WEEKS = 4
MARGIN = timedelta(weeks=WEEKS)
QUARTER = timedelta(minutes=15)
_BELIEVED = 0.9
_PARTS = 840
"""What a mean of one to eight whole numbers is a whole number of parts of."""
_DAY = timedelta(days=1)
Quarters = Mapping[datetime, tuple[int, int, int]]
"""Entries, exits and minutes, of the quarters in which something was counted."""
Fills = dict[datetime, tuple[int, int]]
"""Entries and exits that are filled in, by quarter."""


def gaps(
    days: Mapping[date | datetime, Facts],
    services: Sequence[Service],
    span: tuple[date, date],
    zone: str,
    fresh: datetime | None,
) -> list[date]:
    """The days of a span that were not counted whole, and had begun when something was last counted."""
    every = [span[0] + n * _DAY for n in range((span[1] - span[0]).days + 1)]
    bounds = list(pairwise(midnight(day, zone) for day in every))
    return [
        day
        for day, (begins, _), wanted in zip(every, bounds, expected(bounds, services), strict=False)
        if fresh is not None and begins < fresh and (days.get(day) or Facts()).minutes < wanted
    ]


def missing(
    days: Sequence[date], quarters: Quarters, services: Sequence[Service], zone: str, fresh: datetime | None
) -> dict[datetime, list[datetime]]:
    """The gaps of some days, each with the quarters that tell what is typical of it."""
    found: dict[datetime, list[datetime]] = {}
    for day in days:
        start, end = midnight(day, zone), midnight(day + _DAY, zone)
        is_plain, likes = _likes(day, zone)
        for n in range(int((end - start) / QUARTER)):
            moment = start + n * QUARTER
            if fresh is not None and moment + QUARTER <= fresh and moment not in quarters and _wanted(moment, services):
                plainly = [moment + shift for shift in likes] if is_plain else _on_the_wall(moment, zone)
                found[moment] = plainly
    return found


def runs(moments: Iterable[datetime]) -> list[tuple[datetime, datetime]]:
    """Quarters as spans, none of them twice."""
    found: list[tuple[datetime, datetime]] = []
    for moment in sorted(set(moments)):
        if found and found[-1][1] == moment:
            found[-1] = (found[-1][0], moment + QUARTER)
        else:
            found.append((moment, moment + QUARTER))
    return found


def fill(
    gaps_of: Mapping[datetime, Sequence[datetime]], quarters: Quarters, services: Sequence[Service], zone: str
) -> Fills:
    """What is typical of gaps.

    Means are rounded as they add up from a day's midnight on, so that a day is filled with what its quarters are.
    """
    here = ZoneInfo(zone)
    filled: Fills = {}
    day, entries, exits = date.min, 0, 0
    believed: dict[datetime, bool] = {}
    for moment, likes in gaps_of.items():
        if (local := moment.astimezone(here).date()) != day:
            day, entries, exits = local, 0, 0
        typical = []
        for like in likes:
            if (one := quarters.get(like)) is not None:
                if like not in believed:
                    wanted = _wanted(like, services)
                    believed[like] = wanted > 0 and one[2] >= _BELIEVED * wanted
                if believed[like]:
                    typical.append(one)
        if typical:
            share = _PARTS // len(typical)
            before = _rounded(entries), _rounded(exits)
            entries += share * sum(one[0] for one in typical)
            exits += share * sum(one[1] for one in typical)
            filled[moment] = (_rounded(entries) - before[0], _rounded(exits) - before[1])
    return filled


def _wanted(moment: datetime, services: Sequence[Service]) -> float:
    """The minutes that were to be counted in a quarter."""
    end, seconds = moment + QUARTER, 0.0
    for service in services:
        if service.since < end and service.until > moment:
            seconds += service.lines * (min(service.until, end) - max(service.since, moment)).total_seconds()
    return seconds / 60


def _likes(day: date, zone: str) -> tuple[bool, list[timedelta]]:
    """How far away the same weekday begins in other weeks; and whether all of these days have 24 hours."""
    others = [day + timedelta(weeks=weeks) for weeks in range(-WEEKS, WEEKS + 1) if weeks]
    is_plain = all(midnight(one + _DAY, zone) - midnight(one, zone) == _DAY for one in (day, *others))
    return is_plain, [midnight(one, zone) - midnight(day, zone) for one in others]


def _on_the_wall(moment: datetime, zone: str) -> list[datetime]:
    here = ZoneInfo(zone)
    local = moment.astimezone(here).replace(tzinfo=None)
    others = (local + timedelta(weeks=weeks) for weeks in range(-WEEKS, WEEKS + 1) if weeks)
    return [other.replace(tzinfo=here).astimezone(UTC) for other in others]


def _rounded(parts: int) -> int:
    return (2 * parts + _PARTS) // (2 * _PARTS)
