"""Days, drift and limits of who is inside (decision 0034).

A day begins at midnight, or where the store is open over it, when it closes. Counters see a few of a hundred less leave
than come, or the other way round: on a day that is over, what is left over is taken away where people were counted, so
that it ends with nobody inside; today, by what was left over on the median day of the two weeks before.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import accumulate
from statistics import median_low
from zoneinfo import ZoneInfo

from shared.figures.model import Flow
from shared.hours.model import Hours
from shared.hours.rules import EARLIEST, LATEST, first_shown, openings
from shared.occupancy.errors import WrongLimit, WrongSpan
from shared.occupancy.model import Day, Inside, Today

_ONE_DAY = timedelta(days=1)
QUARTER = timedelta(minutes=15)
BIAS_DAYS = 14
_ENOUGH_PEOPLE = 200
LARGEST_BIAS = 0.2
"""What is more than that is no drift: a door is not counted, or one way is not."""
LONGEST = timedelta(days=31)


def day_of(hours: Hours | None, zone: ZoneInfo, moment: datetime) -> Day:
    """The day of who is inside that a moment is in."""
    day = moment.astimezone(zone).date()
    if moment < _reset(hours, zone, day):
        day -= _ONE_DAY
    return Day(_reset(hours, zone, day), _reset(hours, zone, day + _ONE_DAY))


def days_of(hours: Hours | None, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[Day]:
    """Those of a time, in order."""
    one = day_of(hours, zone, start)
    while one.start < end:
        yield one
        one = day_of(hours, zone, one.end)


def _reset(hours: Hours | None, zone: ZoneInfo, day: date) -> datetime:
    midnight = first_shown(zone, datetime.combine(day, time()))
    before = openings(hours, zone, day - _ONE_DAY) if hours else []
    return max([midnight, *(one.end for one in before)])


def bias_of(days: Sequence[tuple[int, int]]) -> float:
    """Which part of all who were counted came and did not leave; none where there are too few to tell.

    That of the median day, in which a day weighs as much as people were counted on it, and none more than the usual
    one: whatever is counted on one day, that of the others stands.
    """
    drifts = sorted(((came - left) / (came + left), came + left) for came, left in days if came + left)
    if sum(people for _, people in drifts) < _ENOUGH_PEOPLE or not all(map(any, zip(*days, strict=True))):
        return 0.0
    usual = median_low([people for _, people in drifts])
    weights = list(accumulate(min(people, usual) for _, people in drifts))
    lower = drifts[bisect_left(weights, weights[-1] / 2)][0]
    upper = drifts[bisect_right(weights, weights[-1] / 2)][0]
    return max(-LARGEST_BIAS, min(LARGEST_BIAS, (lower + upper) / 2))


def left_over(flows: Sequence[Flow]) -> float:
    """The same of a day that is over, whatever it comes to: it ends with nobody inside."""
    entries, exits = sum(one.entries for one in flows), sum(one.exits for one in flows)
    return (entries - exits) / (entries + exits) if entries + exits else 0.0


def inside(entries: int, exits: int, bias: float) -> tuple[int, int]:
    """Who is inside by what was counted since the day began: raw and corrected, never below zero."""
    return max(0, entries - exits), max(0, round(entries - exits - bias * (entries + exits)))


def coverage(told: Sequence[Today]) -> float:
    """The minutes that were counted over those that there were, from each day's beginning to the newest."""
    return share(sum(one.minutes for one in told), sum(one.expected for one in told))


def share(minutes: int, expected: float) -> float:
    """Minutes that were counted over those that there were: 1 at most, and 0 where none were to be counted."""
    return round(min(1.0, minutes / expected), 3) if expected > 0 else 0.0


def quarters_of(start: datetime, end: datetime, now: datetime) -> tuple[datetime, datetime]:
    """From the first quarter of an hour that begins in a time to the end of its last, but not beyond now."""
    first, last = (moment + (EARLIEST - moment) % QUARTER for moment in (start, end))
    return first, min(last, now - (now - EARLIEST) % QUARTER)


def steps(flows: Sequence[Flow], day: Day, bias: float, step: timedelta, until: datetime) -> Iterator[Inside]:
    """A day in steps, each with who is inside at its end; null from `until` on, up to which was counted."""
    waiting = list(reversed(flows))
    entries = exits = 0
    start = day.start
    while start < day.end:
        before = entries, exits
        end = min(start + step, day.end)
        while waiting and waiting[-1].start < end:
            one = waiting.pop()
            entries, exits = entries + one.entries, exits + one.exits
        told = inside(entries, exits, bias) if start < until else (None, None)
        yield Inside(start, entries - before[0], exits - before[1], *told)
        start = end


def is_reached(occupancy: int, capacity: int, clear_at: int, *, reached: bool) -> bool:
    """Whether a limit counts as reached: from capacity on, until it is back at `clear_at`."""
    return occupancy > clear_at if reached else occupancy >= capacity


def check_limit(capacity: int, clear_at: int) -> None:
    """Raise `WrongLimit` unless it can be cleared before it is reached again."""
    if clear_at >= capacity:
        raise WrongLimit("/clear_at", "order", "must be below capacity")


def check_span(start: datetime, end: datetime) -> None:
    """Raise `WrongSpan` for a time no answer can hold."""
    if not (start >= EARLIEST and end < LATEST):
        raise WrongSpan("moment", f"must be between {EARLIEST.year} and {LATEST.year}, as must from")
    if end <= start:
        raise WrongSpan("range-order", "must be after from")
    if end - start > LONGEST:
        raise WrongSpan("range-too-long", f"gives more than {LONGEST.days} days")
