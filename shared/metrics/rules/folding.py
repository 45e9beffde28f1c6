"""Rollups folded to the steps of an answer, each with the minutes that were to be counted in it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TypeVar
from zoneinfo import ZoneInfo

from shared.metrics.model import Facts, Service, Step
from shared.metrics.rules.imputing import Fills
from shared.metrics.rules.ranges import expected, midnight

When = TypeVar("When", date, datetime)


def days(
    found: Mapping[date | datetime, Facts], services: Sequence[Service], first: date, last: date
) -> dict[date, Facts]:
    """Every day from one to another, of what was found and what was to be counted."""
    number = (last - first).days
    every = [first + timedelta(days=n) for n in range(number + 1)]
    whole = {day: found.get(day) or Facts() for day in every[:-1]}
    for zone in {service.time_zone for service in services}:
        edges = [midnight(day, zone) for day in every]
        here = [service for service in services if service.time_zone == zone]
        bounds = list(pairwise(edges))
        for day, minutes in zip(whole, expected(bounds, here), strict=True):
            whole[day].expected += minutes
    return whole


def moments(
    found: Mapping[date | datetime, Facts], services: Sequence[Service], bounds: Sequence[tuple[datetime, datetime]]
) -> dict[datetime, Facts]:
    """Every step of absolute time, likewise."""
    whole = {start: found.get(start) or Facts() for start, _ in bounds}
    for start, minutes in zip(whole, expected(bounds, services), strict=True):
        whole[start].expected += minutes
    return whole


def fill_days(every: Mapping[date, Facts], zone: str, fills: Fills, *, lone: bool) -> None:
    """Put what fills gaps into the days of its own calendar; `lone`, where nothing is to be told per visitor of it."""
    here = ZoneInfo(zone)
    for moment, filled in fills.items():
        if (one := every.get(moment.astimezone(here).date())) is not None:
            _put(one, filled, lone=lone)


def fill_moments(every: Mapping[datetime, Facts], length: timedelta, fills: Fills, *, lone: bool) -> None:
    """Put what fills gaps into steps of absolute time, likewise."""
    if not every:
        return
    origin = min(every)
    for moment, filled in fills.items():
        if (one := every.get(moment - (moment - origin) % length)) is not None:
            _put(one, filled, lone=lone)


def _put(one: Facts, filled: tuple[int, int], *, lone: bool) -> None:
    entries, exits = filled
    one.add(Facts(entries, exits, counted=True, imputed=True, lone_entries=entries if lone else 0))


def set_apart(every: Mapping[When, Facts], unpaired: Mapping[date | datetime, Facts]) -> None:
    """Note what of each time is of stores that did not both count and sell."""
    for when, one in every.items():
        if (lone := unpaired.get(when)) is not None:
            one.add(lone)


def by_days(every: Mapping[date, Facts], steps: Sequence[Step]) -> list[Facts]:
    """Days added up to steps."""
    return [
        total(every[step.first + timedelta(days=n)] for n in range((step.last - step.first).days)) for step in steps
    ]


def by_moments(every: Mapping[datetime, Facts], steps: Sequence[Step]) -> list[Facts]:
    """Steps of absolute time as they are."""
    return [every[step.start] for step in steps]


def total(parts: Iterable[Facts]) -> Facts:
    """All of them together."""
    whole = Facts()
    for part in parts:
        whole.add(part)
    return whole
