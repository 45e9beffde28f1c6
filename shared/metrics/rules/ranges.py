"""What makes a range, its steps, and the range that it is compared with.

Days, weeks (from Monday) and months are of a place's own calendar, and whole: a range that begins within one begins
with it. Hours and quarters step in absolute time, so that a day has 23 or 25 hours of them when clocks change.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from shared.metrics.errors import RangeOrder, RangeOutside, RangeTooLong
from shared.metrics.model import Compare, Granularity, Range, Service, Step

MAX_POINTS = 5_000
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=364)
"""A year back is 52 weeks back, so that Mondays are compared with Mondays; of months, twelve months."""
_SHORTEST: dict[Granularity, timedelta] = {
    Granularity.QUARTER: timedelta(minutes=15),
    Granularity.HOUR: timedelta(hours=1),
    Granularity.DAY: timedelta(hours=23),
    Granularity.WEEK: timedelta(days=7, hours=-1),
    Granularity.MONTH: timedelta(days=28, hours=-1),
}
_NEARLY = 0.9
ABSOLUTE = {Granularity.QUARTER: timedelta(minutes=15), Granularity.HOUR: timedelta(hours=1)}
_DAY = timedelta(days=1)


def check_range(span: Range) -> None:
    """Raise `RangeOrder`, `RangeOutside` or `RangeTooLong` for a range that no answer can hold."""
    if span.end <= span.start:
        raise RangeOrder
    for field, moment in (("?from", span.start), ("?to", span.end)):
        if not EARLIEST <= moment <= LATEST:
            raise RangeOutside(field)
    if (span.end - span.start) / _SHORTEST[span.granularity] > MAX_POINTS:
        raise RangeTooLong(MAX_POINTS)


@lru_cache(maxsize=20_000)
def midnight(day: date, zone: str) -> datetime:
    """When a day begins somewhere (UTC)."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def steps(span: Range, zone: str) -> list[Step]:
    """The steps of a range, one after another without holes."""
    if (length := ABSOLUTE.get(span.granularity)) is not None:
        first = _floor(span.start, length, zone)
        number = -((first - span.end) // length)
        return [_moment(first + n * length, length) for n in range(number)]
    day = _first_of(span.start.astimezone(ZoneInfo(zone)).date(), span.granularity)
    found = []
    while midnight(day, zone) < span.end:
        following = _following(day, span.granularity)
        found.append(Step(midnight(day, zone), midnight(following, zone), day, following))
        day = following
    return found


def before(said: Sequence[Step], span: Range, compare: Compare, zone: str) -> list[Step]:
    """As many steps of an earlier time: right before these, or a year (52 weeks; for months, twelve) before."""
    if (length := ABSOLUTE.get(span.granularity)) is not None:
        if compare is Compare.PERIOD:
            first = said[0].start - len(said) * length
        else:
            local = said[0].start.astimezone(ZoneInfo(zone)).replace(tzinfo=None) - YEAR
            first = local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        return [_moment(first + n * length, length) for n in range(len(said))]
    if span.granularity is Granularity.MONTH:
        back = len(said) if compare is Compare.PERIOD else 12
        days = [_months_back(step.first, back) for step in said]
        return [_days(day, _following(day, Granularity.MONTH), zone) for day in days]
    back_by = said[-1].last - said[0].first if compare is Compare.PERIOD else YEAR
    return [_days(step.first - back_by, step.last - back_by, zone) for step in said]


def quarter_of(moment: datetime) -> datetime:
    """Where the quarter of an hour begins that a moment is in."""
    return moment - (moment - EARLIEST) % ABSOLUTE[Granularity.QUARTER]


def up_to(services: Sequence[Service], now: datetime) -> list[Service]:
    """What was in service, without what is to come: nobody could count that yet."""
    begun = (service for service in services if service.since < now)
    return [service if service.until <= now else replace(service, until=now) for service in begun]


def is_over(said: Sequence[Step], now: datetime) -> bool:
    """Whether a range is over, but for a tenth at most."""
    start, end = said[0].start, said[-1].end
    return (now - start) / (end - start) >= _NEARLY


def expected(bounds: Sequence[tuple[datetime, datetime]], services: Sequence[Service]) -> list[float]:
    """The minutes that were to be counted in each of some times, which follow one another, by lines in service then."""
    starts = [start for start, _ in bounds]
    whole, parts = [0] * (len(bounds) + 1), [0.0] * len(bounds)
    for service in services:
        first = max(0, bisect_right(starts, service.since) - 1)
        last = bisect_left(starts, service.until) - 1
        for edge in {first, last} if first <= last else set[int]():
            start, end = max(bounds[edge][0], service.since), min(bounds[edge][1], service.until)
            parts[edge] += service.lines * max(0.0, (end - start).total_seconds()) / 60
        if last - first > 1:
            whole[first + 1] += service.lines
            whole[last] -= service.lines
    lines = 0
    for place, (start, end) in enumerate(bounds):
        lines += whole[place]
        parts[place] += lines * (end - start).total_seconds() / 60
    return parts


def days_of(said: Sequence[Step], margin: timedelta = timedelta()) -> tuple[date, date]:
    """The days that steps are of, the last excluded, with a margin on both sides."""
    return said[0].first - margin, said[-1].last + margin


def merged(spans: Sequence[tuple[date, date]]) -> list[tuple[date, date]]:
    """The same days, none of them twice."""
    found: list[tuple[date, date]] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def _moment(start: datetime, length: timedelta) -> Step:
    end = start + length
    # In whatever zone: a day to each side holds every calendar's day of it.
    return Step(start, end, start.date() - _DAY, end.date() + 2 * _DAY)


def _days(first: date, last: date, zone: str) -> Step:
    return Step(midnight(first, zone), midnight(last, zone), first, last)


def _floor(moment: datetime, length: timedelta, zone: str) -> datetime:
    offset = moment.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    return moment.astimezone(UTC) - (moment + offset - EARLIEST) % length


def _first_of(day: date, granularity: Granularity) -> date:
    if granularity is Granularity.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if granularity is Granularity.MONTH else day


def _following(day: date, granularity: Granularity) -> date:
    if granularity is Granularity.MONTH:
        return _months_back(day, -1)
    return day + timedelta(days=7 if granularity is Granularity.WEEK else 1)


def _months_back(day: date, months: int) -> date:
    number = day.year * 12 + day.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)


def whole_days(start: datetime, end: datetime, zone: str) -> tuple[date, date]:
    """The days of a calendar from a moment to another, the last excluded; a day that is begun is one."""
    found = steps(Range(start, end, Granularity.DAY), zone)
    return found[0].first, found[-1].last
