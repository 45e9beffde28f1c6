"""When a store is open: by the clock on its wall, on days of any length."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.hours.errors import WrongHours
from shared.hours.model import Hours, Interval, Span, SpecialDay, Week
from shared.hours.rules import check_hours, open_at, openings

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
"""Sundays of 23 and of 25 hours in Berlin."""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def every_day(*spans: tuple[str, str]) -> Hours:
    given_spans = [Span(start, end) for start, end in spans]
    return Hours(Week(*[given_spans] * 7))


def test_a_store_is_open_from_its_opening_to_before_its_closing() -> None:
    hours = every_day(("09:00", "18:00"))
    assert not open_at(hours, "Europe/Berlin", at("2026-03-02T07:59:59")).open
    opened = open_at(hours, "Europe/Berlin", at("2026-03-02T08:00:00"))
    assert (opened.open, opened.until) == (True, at("2026-03-02T17:00:00"))
    closed = open_at(hours, "Europe/Berlin", at("2026-03-02T17:00:00"))
    assert (closed.open, closed.opens_at) == (False, at("2026-03-03T08:00:00"))


def test_a_span_over_midnight_is_of_the_day_on_which_it_begins() -> None:
    friday = Hours(Week(fri=[Span("22:00", "03:00")]))
    assert open_at(friday, "Europe/Berlin", at("2026-03-07T01:30:00")).open
    assert not open_at(friday, "Europe/Berlin", at("2026-03-06T01:30:00")).open
    assert open_at(friday, "Europe/Berlin", at("2026-03-06T22:00:00")).until == at("2026-03-07T02:00:00")


def test_spans_that_meet_at_midnight_are_one_opening() -> None:
    hours = Hours(Week(fri=[Span("20:00", "24:00")], sat=[Span("00:00", "04:00")]))
    assert open_at(hours, "Europe/Berlin", at("2026-03-06T20:00:00")).until == at("2026-03-07T03:00:00")


def test_a_store_that_never_closes_has_no_closing() -> None:
    always = open_at(every_day(("00:00", "24:00")), "Europe/Berlin", at("2026-03-06T20:00:00"))
    assert (always.open, always.until, always.opens_at) == (True, None, None)


def test_a_store_without_hours_never_opens() -> None:
    never = open_at(Hours(), "Europe/Berlin", at("2026-03-06T20:00:00"))
    assert (never.open, never.until, never.opens_at) == (False, None, None)


def test_a_holiday_closes_a_day_and_special_hours_open_one() -> None:
    hours = msgspec.structs.replace(
        every_day(("09:00", "18:00")),
        exceptions=[
            SpecialDay(date(2026, 12, 25), [], "Christmas"),
            SpecialDay(date(2026, 12, 24), [Span("09:00", "14:00")]),
        ],
    )
    check_hours(hours)
    eve = open_at(hours, "Europe/Berlin", at("2026-12-24T13:30:00"))
    assert (eve.open, eve.opens_at) == (False, at("2026-12-26T08:00:00"))
    holiday = open_at(hours, "Europe/Berlin", at("2026-12-25T10:00:00"))
    assert (holiday.open, holiday.note) == (False, "Christmas")


@pytest.mark.parametrize(
    ("day", "span", "length"),
    [
        (SPRING, ("00:00", "24:00"), 23 * 60),
        (AUTUMN, ("00:00", "24:00"), 25 * 60),
        (SPRING, ("01:00", "04:00"), 2 * 60),
        (AUTUMN, ("01:00", "04:00"), 4 * 60),
        (SPRING, ("02:15", "02:45"), 0),  # the clock never shows any of it
        (SPRING, ("02:30", "05:00"), 2 * 60),
        (SPRING, ("01:00", "02:30"), 60),
        (AUTUMN, ("02:30", "05:00"), 3 * 60 + 30),  # from when the clock first shows it
        (AUTUMN, ("00:00", "02:30"), 3 * 60 + 30),  # until it last shows less
        (AUTUMN, ("00:00", "02:00"), 2 * 60),
        (AUTUMN, ("03:00", "05:00"), 2 * 60),
    ],
)
def test_days_of_23_and_25_hours_are_as_long_as_they_are(day: date, span: tuple[str, str], length: int) -> None:
    found = openings(every_day(span), BERLIN, day)
    assert sum((one.end - one.start) // MINUTE for one in found) == length


def test_a_night_over_the_change_of_clocks_is_as_long_as_it_is() -> None:
    saturday = Hours(Week(sat=[Span("22:00", "06:00")]))
    (spring,) = openings(saturday, BERLIN, SPRING - timedelta(days=1))
    (autumn,) = openings(saturday, BERLIN, AUTUMN - timedelta(days=1))
    assert [one.end - one.start for one in (spring, autumn)] == [timedelta(hours=7), timedelta(hours=9)]


@pytest.mark.parametrize(
    ("hours", "pointer", "code"),
    [
        (Hours(Week(mon=[Span("09:00", "12:00"), Span("11:59", "18:00")])), "/week/mon/1", "overlap"),
        (Hours(Week(mon=[Span("09:00", "12:00"), Span("09:00", "12:00")])), "/week/mon/1", "overlap"),
        (Hours(Week(mon=[Span("22:00", "03:00")], tue=[Span("02:00", "05:00")])), "/week/tue/0", "overlap"),
        (Hours(Week(mon=[Span("00:00", "05:00")], sun=[Span("22:00", "00:01")])), "/week/mon/0", "overlap"),
        (Hours(Week(wed=[Span("09:00", "09:00")])), "/week/wed/0", "empty"),
        (Hours(exceptions=[SpecialDay(SPRING), SpecialDay(SPRING)]), "/exceptions/1/date", "twice"),
        (Hours(exceptions=[SpecialDay(date(1, 1, 1))]), "/exceptions/0/date", "date"),
        (
            Hours(
                Week(sun=[Span("10:00", "12:00")]), [SpecialDay(SPRING - timedelta(days=1), [Span("20:00", "11:00")])]
            ),
            "/exceptions/0/spans",
            "overlap",
        ),
        (
            Hours(Week(sat=[Span("20:00", "03:00")]), [SpecialDay(SPRING, [Span("02:00", "04:00")])]),
            "/exceptions/0/spans/0",
            "overlap",
        ),
    ],
)
def test_hours_that_cannot_be_are_refused(hours: Hours, pointer: str, code: str) -> None:
    with pytest.raises(WrongHours) as refused:
        check_hours(hours)
    assert [(one.pointer, one.code) for one in refused.value.errors] == [(pointer, code)]


@pytest.mark.parametrize("text", ["9:00", "24:30", "23:60", "24:01", "12:00:00", "-1:00", "\u0661\u0662:00"])
def test_a_time_is_one_of_a_day(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"from": "00:00", "to": text}, Span)


ZONES = st.sampled_from(
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC", "Africa/Casablanca"]
)
"""One of them changes its clocks by half an hour, one is a quarter off, one changes them twice for Ramadan."""
CHANGES = st.sampled_from([SPRING, AUTUMN, date(2026, 3, 8), date(2026, 11, 1), date(2026, 4, 5), date(2026, 10, 4)])
MINUTES = st.integers(0, 1439)


def clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def shown(zone: ZoneInfo, moment: datetime) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def opened_by_the_wall(zone: ZoneInfo, day: date, start: int, end: int) -> Interval | None:
    """The same by watching the clock for each minute of three days, as somebody before the door would."""
    midnight = datetime.combine(day, time())
    opens, closes = midnight + start * MINUTE, midnight + (end if end > start else end + 1440) * MINUTE
    first = datetime.combine(day, time(), UTC) - timedelta(days=1)
    watched = [first + minute * MINUTE for minute in range(4 * 1440)]
    begun = next(moment for moment in watched if shown(zone, moment) >= opens)
    last = next(moment for moment in reversed(watched) if shown(zone, moment) < closes)
    return Interval(begun, last + MINUTE) if begun <= last else None


@given(zone=ZONES, day=CHANGES, start=MINUTES, end=MINUTES)
@example(zone="Europe/Berlin", day=AUTUMN, start=0, end=120)
@example(zone="Europe/Berlin", day=SPRING, start=121, end=179)
@example(zone="Australia/Lord_Howe", day=date(2026, 4, 5), start=100, end=105)
def test_a_span_is_what_somebody_before_the_door_would_see(zone: str, day: date, start: int, end: int) -> None:
    hours = Hours(exceptions=[SpecialDay(day, [Span(clock(start), clock(end) if end != start else "24:00")])])
    found = openings(hours, ZoneInfo(zone), day)
    expected = opened_by_the_wall(ZoneInfo(zone), day, start, end if end != start else 1440)
    assert found == ([expected] if expected else [])


@given(
    zone=ZONES,
    day=CHANGES,
    cuts=st.lists(MINUTES, min_size=2, max_size=6, unique=True).map(sorted),
    later=st.integers(0, 3 * 1440),
)
def test_whether_it_is_open_and_when_that_changes_agree(zone: str, day: date, cuts: list[int], later: int) -> None:
    spans = [Span(clock(start), clock(end)) for start, end in zip(cuts[::2], cuts[1::2], strict=False)]
    hours = Hours(Week(*[spans] * 7))
    check_hours(hours)
    moment = datetime.combine(day, time(), UTC) - timedelta(days=1) + later * MINUTE
    found = open_at(hours, zone, moment)
    change = found.until if found.open else found.opens_at
    assert change is not None
    assert change > moment
    assert open_at(hours, zone, change).open is not found.open
    assert open_at(hours, zone, change - timedelta(seconds=1)).open is found.open
