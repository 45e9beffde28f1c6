"""Shares that sum exactly, periods that begin where they do, and what is to be expected by now."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.targets import rules
from shared.targets.errors import WrongTarget
from shared.targets.model import Period

BERLIN = ZoneInfo("Europe/Berlin")
Weights = st.lists(st.decimals(0, 10**9, places=6), min_size=1, max_size=60).filter(any)


@given(st.integers(0, 10**14), Weights, st.sampled_from(sorted(rules.STEPS.values())))
def test_shares_sum_exactly_and_none_is_a_step_from_its_due(steps: int, weights: list[Decimal], step: Decimal) -> None:
    value = steps * step
    shared = rules.shares(value, weights, step)
    assert sum(shared, Decimal(0)) == value
    whole = sum(map(Fraction, weights), Fraction(0))
    for one, weight in zip(shared, weights, strict=True):
        assert one % step == 0
        assert one >= 0
        assert abs(Fraction(one) - Fraction(value) * Fraction(weight) / whole) < Fraction(step)


@given(st.integers(0, 10**9), st.integers(1, 50))
def test_equal_shares_are_a_step_apart_at_most(value: int, places: int) -> None:
    shared = rules.shares(Decimal(value), [Decimal(1)] * places, Decimal(1))
    assert max(shared) - min(shared) <= 1


def test_who_has_no_weight_gets_nothing_and_who_has_all_gets_all() -> None:
    assert rules.shares(Decimal(7), [Decimal(0), Decimal(3)], Decimal(1)) == [0, 7]
    assert rules.shares(Decimal(10), [Decimal(1)] * 3, Decimal(1)) == [4, 3, 3]


@pytest.mark.parametrize(
    ("period", "day", "first", "following", "before"),
    [
        (Period.DAY, "2026-03-04", "2026-03-04", "2026-03-05", "2025-03-05"),
        (Period.WEEK, "2026-03-04", "2026-03-02", "2026-03-09", "2025-03-03"),
        (Period.MONTH, "2024-02-29", "2024-02-01", "2024-03-01", "2023-02-01"),
        (Period.QUARTER, "2026-12-31", "2026-10-01", "2027-01-01", "2025-10-01"),
        (Period.YEAR, "2026-07-01", "2026-01-01", "2027-01-01", "2025-01-01"),
    ],
)
def test_periods_begin_and_follow(period: Period, day: str, first: str, following: str, before: str) -> None:
    begins = rules.begins(period, date.fromisoformat(day))
    assert begins == date.fromisoformat(first)
    assert rules.following(period, begins) == date.fromisoformat(following)
    assert rules.year_before(period, begins) == date.fromisoformat(before)


@given(st.dates(date(2001, 1, 1), date(2190, 1, 1)), st.sampled_from(Period))
def test_periods_leave_no_day_out(day: date, period: Period) -> None:
    first = rules.begins(period, day)
    assert first <= day < rules.following(period, first)
    assert rules.begins(period, rules.following(period, first)) == rules.following(period, first)


@pytest.mark.parametrize(
    ("metric", "period", "first", "value", "pointer"),
    [
        ("joy", Period.DAY, date(2026, 3, 2), "1", "/metric"),
        ("footfall", Period.WEEK, date(2026, 3, 3), "1", "/first_day"),
        ("footfall", Period.QUARTER, date(2026, 3, 1), "1", "/first_day"),
        ("footfall", Period.DAY, date(1999, 3, 1), "1", "/first_day"),
        ("footfall", Period.DAY, date(2026, 3, 1), "1.5", "/value"),
        ("footfall", Period.DAY, date(2026, 3, 1), "-1", "/value"),
        ("revenue", Period.DAY, date(2026, 3, 1), "1.005", "/value"),
        ("revenue", Period.DAY, date(2026, 3, 1), "NaN", "/value"),
        ("revenue", Period.DAY, date(2026, 3, 1), "1e400", "/value"),
        ("conversion_rate", Period.DAY, date(2026, 3, 1), "1.5", "/value"),
    ],
)
def test_what_cannot_be_is_refused_by_name(metric: str, period: Period, first: date, value: str, pointer: str) -> None:
    with pytest.raises(WrongTarget) as refused:
        rules.check(metric, period, first, Decimal(value))
    assert refused.value.errors[0].pointer == pointer


def test_what_is_expected_goes_by_the_usual_week() -> None:
    days = [date(2026, 3, 2) + timedelta(days=ahead) for ahead in range(7)]
    usual = {day.weekday(): Decimal(0 if day.weekday() == 6 else 10 + 10 * (day.weekday() == 5)) for day in days}
    past = rules.gone_by(days, BERLIN, datetime(2026, 3, 6, 23, tzinfo=UTC))  # the end of Friday, there
    assert rules.expected(Decimal(700), days, usual, past) == 500
    assert rules.expected(Decimal(700), days, {}, past) == 500  # five of seven days that are alike
    assert rules.expected(Decimal(700), days, usual, {}) == 0
    assert rules.expected(Decimal(700), days, usual, dict.fromkeys(days, Fraction(1))) == 700


def test_a_day_of_25_hours_goes_by_slower() -> None:
    autumn = date(2026, 10, 25)
    gone = rules.gone_by([autumn, autumn + timedelta(days=1)], BERLIN, datetime(2026, 10, 25, 10, 30, tzinfo=UTC))
    assert gone == {autumn: Fraction(1, 2)}
    left_out = [date(2011, 12, day) for day in (29, 30, 31)]  # Samoa had no 30th
    gone = rules.gone_by(left_out, ZoneInfo("Pacific/Apia"), datetime(2011, 12, 30, 22, tzinfo=UTC))
    assert gone == {left_out[0]: 1, left_out[1]: 1, left_out[2]: Fraction(1, 2)}
    assert rules.weekdays({autumn: Decimal(4), autumn - timedelta(days=7): Decimal(8)}) == {6: Decimal(6)}


def test_a_day_that_a_zone_left_out_is_over_when_it_begins() -> None:
    apia = ZoneInfo("Pacific/Apia")  # changed sides of the date line on 30 December 2011
    gone = rules.gone_by([date(2011, 12, day) for day in (29, 30, 31)], apia, datetime(2012, 1, 5, tzinfo=UTC))
    assert gone == {date(2011, 12, day): 1 for day in (29, 30, 31)}
