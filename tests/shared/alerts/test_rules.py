"""When an alert is to be: thresholds with a way back, periods of days of any length, quiet hours, sense in rules."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.alerts import rules
from shared.alerts.errors import WrongRule
from shared.alerts.model import Condition, Inside, Kind, Quiet, Reading

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def condition(kind: Kind = Kind.THRESHOLD, value: int = 100, **more: Any) -> Condition:
    return Condition(kind=kind, value=Decimal(value), **more)


def run(how: Condition, *values: int) -> list[bool]:
    opened, seen = False, []
    for value in values:
        opened = rules.is_alarming(how, Decimal(value), opened=opened)
        seen.append(opened)
    return seen


def test_an_alert_goes_on_until_the_way_back_is_gone() -> None:
    above = condition(clear_at=Decimal(80))
    assert run(above, 100, 101, 90, 81, 80, 95, 101) == [False, True, True, True, False, False, True]
    below = condition(direction="below", clear_at=Decimal(120))
    assert run(below, 100, 99, 110, 119, 120, 105, 99) == [False, True, True, True, False, False, True]
    falls = condition(Kind.CHANGE, 20, direction="below", clear_at=Decimal(10))
    assert run(falls, 50, -20, -21, -11, -10, -15) == [False, False, True, True, False, False]
    rises = condition(Kind.CHANGE, 20)
    assert run(rises, -50, 20, 21, 20) == [False, False, True, False]


@given(st.lists(st.integers(0, 200), max_size=30))
def test_repeating_a_value_changes_nothing(values: list[int]) -> None:
    how = condition(clear_at=Decimal(80))
    once = run(how, *values)
    assert run(how, *[value for value in values for _ in range(3)])[::3] == once


@pytest.mark.parametrize(
    ("period", "inside", "start", "end"),
    [
        ("hour", "2026-03-02 09:30", "2026-03-02 09:00", "2026-03-02 10:00"),
        ("day", "2026-03-29 12:00", "2026-03-29 00:00", "2026-03-30 00:00"),
        ("week", "2026-03-29 12:00", "2026-03-23 00:00", "2026-03-30 00:00"),
        ("month", "2026-12-31 23:59", "2026-12-01 00:00", "2027-01-01 00:00"),
    ],
)
def test_periods_are_those_of_the_places_own_clock(period: str, inside: str, start: str, end: str) -> None:
    assert rules.period_of(period, BERLIN, at(inside)) == (at(start), at(end))


@pytest.mark.parametrize(
    ("period", "against", "start", "wanted"),
    [
        ("day", "previous", "2026-03-30", "2026-03-29"),
        ("day", "week", "2026-03-30", "2026-03-23"),
        ("day", "year", "2026-03-30", "2025-03-31"),
        ("week", "year", "2026-03-30", "2025-03-31"),
        ("month", "previous", "2026-03-01", "2026-02-01"),
        ("month", "year", "2024-02-01", "2023-02-01"),
    ],
)
def test_what_a_period_is_compared_with_is_like_it(period: str, against: Any, start: str, wanted: str) -> None:
    how = condition(Kind.CHANGE, 20, period=period, against=against)
    found = rules.compared(how, BERLIN, at(f"{start} 00:00"))
    assert found == rules.period_of(period, BERLIN, at(f"{wanted} 00:00"))


@pytest.mark.parametrize(
    ("quiet", "moment", "silent"),
    [
        (("22:00", "07:00"), "23:00", True),
        (("22:00", "07:00"), "06:59", True),
        (("22:00", "07:00"), "07:00", False),
        (("12:00", "13:00"), "12:00", True),
        (("12:00", "13:00"), "13:00", False),
    ],
)
def test_quiet_hours_are_by_the_places_own_clock(quiet: tuple[str, str], moment: str, *, silent: bool) -> None:
    assert rules.is_quiet(Quiet(*quiet), BERLIN, at(f"2026-03-02 {moment}")) is silent


def test_without_something_to_compare_with_there_is_no_change() -> None:
    assert rules.change(Decimal(5), Decimal(0)) is None
    assert rules.change(None, Decimal(3)) is None
    assert rules.change(Decimal(80), Decimal(100)) == -20
    assert not rules.is_news(condition(), at("2026-03-02 00:00"), at("2026-03-02 00:00") + timedelta(days=9))


@pytest.mark.parametrize(
    ("how", "pointer"),
    [
        (condition(metric="joy"), "/condition/metric"),
        (condition(Kind.MISSING_DATA, 60, metric="revenue"), "/condition/metric"),
        (condition(Kind.MISSING_DATA, 5), "/condition/value"),
        (condition(Kind.CHANGE, 0), "/condition/value"),
        (Condition(Kind.THRESHOLD, value=Decimal("NaN")), "/condition/value"),
        (Condition(Kind.THRESHOLD, value=Decimal("1e30")), "/condition/value"),
        (condition(clear_at=Decimal(101)), "/condition/clear_at"),
        (condition(direction="below", clear_at=Decimal(99)), "/condition/clear_at"),
        (condition(Kind.CHANGE, 20, period="month", against="week"), "/condition/against"),
        (condition(quiet=Quiet("07:00", "07:00")), "/condition/quiet"),
    ],
)
def test_a_rule_without_sense_is_refused_by_name(how: Condition, pointer: str) -> None:
    with pytest.raises(WrongRule) as refused:
        rules.check(how)
    assert refused.value.errors[0].pointer == pointer


def told(how: Condition, value: str, since: datetime | None = None, inside: Inside | None = None, **about: Any) -> str:
    reading = Reading(Decimal(value), datetime(2026, 11, 19, 23, tzinfo=UTC), since, **about)
    return rules.message(how, "Main", reading, ZoneInfo("Europe/Berlin"), inside)


def test_alerts_are_told_in_words_with_the_period_by_the_places_own_clock() -> None:
    day = datetime(2026, 11, 18, 23, tzinfo=UTC)
    assert told(condition(), "120.50", day) == "Main: footfall of the day 2026-11-19 is 120.5, above 100."
    fell = told(condition(Kind.CHANGE, 20, against="week"), "-31", day)
    assert fell == "Main: footfall of the day 2026-11-19 fell by 31 % against a week before."
    growing = datetime(2026, 11, 15, 23, tzinfo=UTC)
    so_far = told(condition(period="week"), "120", growing, under_way=True)
    assert so_far == "Main: footfall of the week from 2026-11-16, up to 2026-11-20 00:00, is 120, above 100."
    hour = datetime(2026, 11, 19, 22, tzinfo=UTC)
    assert "of the hour 2026-11-19 23:00 is" in told(condition(period="hour"), "120", hour)
    assert "of the month 2026-11 is" in told(condition(period="month"), "120", datetime(2026, 10, 31, 23, tzinfo=UTC))
    silent = told(condition(Kind.MISSING_DATA), "90")
    assert silent == "Main: no counts came for 90 minutes, at 2026-11-20 00:00."
    full = told(condition(Kind.CAPACITY), "1", inside=Inside(21, 20))
    assert full == "Main: 21 are inside at 2026-11-20 00:00, of 20 who may be."
