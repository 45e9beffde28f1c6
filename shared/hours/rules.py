"""What makes opening hours, and what they come to in moments.

Hours are said by the clock on the wall, which leaps over an hour in spring and shows one twice in autumn. A span begins
when the clock first shows its beginning or something later, and ends when it last shows something earlier than its end:
so none has a hole, and days of 23 and 25 hours are as long as they are.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.hours.errors import WrongHours
from shared.hours.model import Hours, Interval, Openness, Span

DAY = 24 * 60
_SECOND = timedelta(seconds=1)
_ONE_DAY = timedelta(days=1)
_AHEAD = 8
"""Days that are looked ahead for a closing; who is open all of them is open without end."""
_FAR_AHEAD = 400
"""Days that are looked ahead for the next opening."""
EARLIEST, LATEST = datetime(1970, 1, 3, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def check_hours(hours: Hours) -> None:
    """Raise `WrongHours` for spans without length, spans that overlap, and dates that are there twice."""
    for weekday, name in enumerate(hours.week.__struct_fields__):
        monday = date(2026, 3, 2)
        day = monday + weekday * _ONE_DAY
        _check_day(hours.week.on(day), hours.week.on(day - _ONE_DAY), f"/week/{name}")
    dates: dict[date, int] = {}
    for place, one in enumerate(hours.exceptions):
        pointer = f"/exceptions/{place}"
        if one.date in dates:
            raise WrongHours(f"{pointer}/date", "twice", f"is that of exception {dates[one.date]} as well")
        if not EARLIEST.year < one.date.year < LATEST.year:
            raise WrongHours(f"{pointer}/date", "date", f"must be between {EARLIEST.year} and {LATEST.year}")
        dates[one.date] = place
        _check_day(one.spans, hours.on(one.date - _ONE_DAY), f"{pointer}/spans")
    for place, one in enumerate(hours.exceptions):
        following = one.date + _ONE_DAY
        if following not in dates:
            _check_day(hours.on(following), one.spans, f"/exceptions/{place}/spans", ends=True)


def _check_day(spans: list[Span], before: list[Span], pointer: str, *, ends: bool = False) -> None:
    """Hold a day's spans to one another, and to those of the day before that go on into it."""
    taken = [(0, end - DAY) for _, end in map(_minutes, before) if end > DAY]
    for place, span in enumerate(spans):
        start, end = _minutes(span)
        where = pointer if ends else f"{pointer}/{place}"
        if start == end % DAY and span.to != "24:00":
            raise WrongHours(where, "empty", "begins when it ends; a whole day is 00:00 to 24:00")
        if any(start < other_end and other_start < end for other_start, other_end in taken):
            raise WrongHours(where, "overlap", "overlaps another span, of this day or from the day before")
        taken.append((start, end))


def _minutes(span: Span) -> tuple[int, int]:
    """Beginning and end in minutes from the midnight before."""
    start, end = (int(text[:2]) * 60 + int(text[3:]) for text in (span.from_, span.to))
    return start, end if end > start else end + DAY


def openings(hours: Hours, zone: ZoneInfo, day: date) -> list[Interval]:
    """When it opens on a date and closes again, in UTC and in order."""
    midnight = datetime.combine(day, time())
    found = []
    for span in hours.on(day):
        start, end = (midnight + timedelta(minutes=minutes) for minutes in _minutes(span))
        one = Interval(first_shown(zone, start), last_before(zone, end))
        if one.start < one.end:
            found.append(one)
    return sorted(found, key=lambda one: one.start)


def first_shown(zone: ZoneInfo, wall: datetime) -> datetime:
    """The first moment at which a zone's clock shows a time, or one after it where that is leapt over."""
    moment = _moment(zone, wall, 0)
    if _shown(zone, moment) == wall:
        return moment
    low, high = _moment(zone, wall, 1), moment
    while high - low > _SECOND:
        middle = low + (high - low) // _SECOND // 2 * _SECOND
        low, high = (low, middle) if _shown(zone, middle) >= wall else (middle, high)
    return high


def last_before(zone: ZoneInfo, wall: datetime) -> datetime:
    """The moment after which a zone's clock never shows anything before a time again."""
    moment = _moment(zone, wall, 1)
    if _shown(zone, moment) != wall:
        return first_shown(zone, wall)
    if _shown(zone, moment - _SECOND) < wall:
        return moment
    return _moment(zone, wall, 0)  # the clock went back to just this time, from later ones


def _moment(zone: ZoneInfo, wall: datetime, fold: int) -> datetime:
    return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _shown(zone: ZoneInfo, moment: datetime) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def open_at(hours: Hours, time_zone: str, at: datetime) -> Openness:
    """Whether it is open at a moment between `EARLIEST` and `LATEST`, and when that changes."""
    zone = ZoneInfo(time_zone)
    today = at.astimezone(zone).date()
    until: datetime | None = None
    for one in _from(hours, zone, today - _ONE_DAY, _AHEAD):
        if one.start <= (until or at) and one.end > (until or at):
            until = one.end
    if until is not None:
        horizon = first_shown(zone, datetime.combine(today + (_AHEAD - 2) * _ONE_DAY, time()))
        return Openness(at, time_zone, True, until if until < horizon else None, None, _note(hours, today))
    opens = next((one.start for one in _from(hours, zone, today, _FAR_AHEAD) if one.start > at), None)
    return Openness(at, time_zone, False, None, opens, _note(hours, today))


def _from(hours: Hours, zone: ZoneInfo, first: date, days: int) -> Iterator[Interval]:
    for ahead in range(days):
        yield from openings(hours, zone, first + ahead * _ONE_DAY)


def _note(hours: Hours, day: date) -> str:
    return next((one.note for one in hours.exceptions if one.date == day), "")
