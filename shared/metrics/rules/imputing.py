"""Gaps filled by what is typical: the mean of the same weekday, and time of day, of up to four weeks before and after.

A gap is a time in which sensors were in service, nothing was counted, and something was counted later. Only whole times
that were counted to nine tenths are believed. What is filled in is marked, and never kept.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from shared.metrics.model import Facts

WEEKS = 4
MARGIN = timedelta(weeks=WEEKS)
_BELIEVED = 0.9
When = TypeVar("When", date, datetime)


def fill(facts: Mapping[When, Facts], ended: Callable[[When], bool], like: Callable[[When, int], When]) -> None:
    """Fill the gaps among times; `like` tells the time that is some weeks from another."""
    gaps = [when for when, one in facts.items() if not one.counted and one.expected > 0 and ended(when)]
    found: dict[When, list[Facts]] = {}
    for when in gaps:
        others = (facts.get(like(when, weeks)) for weeks in range(-WEEKS, WEEKS + 1) if weeks)
        found[when] = [one for one in others if one is not None and one.counted and one.coverage >= _BELIEVED]
    for when, typical in found.items():
        if typical:
            one = facts[when]
            one.entries = _mean([other.entries for other in typical])
            one.exits = _mean([other.exits for other in typical])
            one.counted = one.imputed = True


def day_like(day: date, weeks: int) -> date:
    """The same weekday of another week."""
    return day + timedelta(weeks=weeks)


def moment_like(zone: str) -> Callable[[datetime, int], datetime]:
    """The same weekday and time on the wall of another week."""
    here = ZoneInfo(zone)

    def like(moment: datetime, weeks: int) -> datetime:
        local = moment.astimezone(here).replace(tzinfo=None) + timedelta(weeks=weeks)
        return local.replace(tzinfo=here).astimezone(moment.tzinfo)

    return like


def _mean(values: list[int]) -> int:
    return (2 * sum(values) + len(values)) // (2 * len(values))
