"""Days, drift and limits: pure rules of who is inside."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.figures.model import Flow
from shared.hours.model import Hours
from shared.occupancy import rules
from shared.occupancy.errors import WrongLimit, WrongSpan
from shared.occupancy.model import Day

BERLIN = ZoneInfo("Europe/Berlin")
QUARTER = timedelta(minutes=15)
NIGHTS = msgspec.convert(
    {"week": {"fri": [{"from": "20:00", "to": "04:00"}], "sat": [{"from": "20:00", "to": "24:00"}]}}, Hours
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def test_a_day_begins_at_the_stores_own_midnight() -> None:
    day = rules.day_of(None, BERLIN, at("2026-03-02 00:00"))
    assert (day.start, day.end) == (at("2026-03-02 00:00"), at("2026-03-03 00:00"))


@pytest.mark.parametrize(("date", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_days_are_as_long_as_they_are(date: str, hours: int) -> None:
    day = rules.day_of(None, BERLIN, at(f"{date} 12:00"))
    assert day.end - day.start == timedelta(hours=hours)


def test_who_is_open_over_midnight_begins_anew_when_it_closes() -> None:
    party = rules.day_of(NIGHTS, BERLIN, at("2026-03-07 03:59"))  # of Friday
    assert (party.start, party.end) == (at("2026-03-06 00:00"), at("2026-03-07 04:00"))
    after = rules.day_of(NIGHTS, BERLIN, at("2026-03-07 04:00"))
    assert (after.start, after.end) == (at("2026-03-07 04:00"), at("2026-03-08 00:00"))
    days = list(rules.days_of(NIGHTS, BERLIN, at("2026-03-05 12:00"), at("2026-03-09 12:00")))
    assert [one.end for one in days[:-1]] == [one.start for one in days[1:]]


Counts = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=96)


@given(Counts)
def test_a_day_that_is_over_ends_with_nobody_inside_and_never_is_below_zero(counts: list[tuple[int, int]]) -> None:
    start = at("2026-03-02 00:00")
    day = Day(start, start + timedelta(days=1))
    flows = [Flow(start + n * QUARTER, *people) for n, people in enumerate(counts)]
    points = list(rules.steps(flows, day, rules.left_over(flows), QUARTER, day.end))
    assert len(points) == 96
    assert points[-1].occupancy == 0
    for point in points:
        assert point.occupancy is not None
        assert point.raw is not None
        assert min(point.occupancy, point.raw) >= 0
    assert sum(one.entries for one in points) == sum(entries for entries, _ in counts)


def test_without_drift_corrected_is_raw() -> None:
    start = at("2026-03-02 00:00")
    flows = [Flow(start, 10, 0), Flow(start + QUARTER, 0, 4), Flow(start + 2 * QUARTER, 0, 6)]
    points = list(rules.steps(flows, Day(start, start + timedelta(hours=1)), rules.left_over(flows), QUARTER, start + timedelta(hours=1)))  # fmt: skip  # noqa: E501
    assert [(one.raw, one.occupancy) for one in points] == [(10, 10), (6, 6), (0, 0), (0, 0)]


def test_what_was_not_counted_yet_is_null() -> None:
    start = at("2026-03-02 00:00")
    points = list(rules.steps([Flow(start, 3, 1)], Day(start, start + timedelta(hours=1)), 0.0, QUARTER, start + QUARTER))  # fmt: skip  # noqa: E501
    assert [one.occupancy for one in points] == [2, None, None, None]


def test_a_bias_needs_people_and_both_ways_and_is_bounded() -> None:
    assert rules.bias_of([(1070, 930)]) == pytest.approx(0.07)
    assert rules.bias_of([(100, 90)]) == 0.0
    assert rules.bias_of([(1000, 0), (70, 0)]) == 0.0
    assert rules.bias_of([(1000, 10)]) == rules.LARGEST_BIAS
    assert rules.bias_of([(10, 1000)]) == -rules.LARGEST_BIAS
    assert rules.bias_of([]) == rules.bias_of([(0, 0)]) == 0.0


@pytest.mark.parametrize("wrong", [(900_000, 3), (3, 900_000), (6_000, 1_000), (0, 90), (4, 0)])
def test_a_day_that_is_nothing_like_the_others_teaches_nothing(wrong: tuple[int, int]) -> None:
    days = [(1070 + ago, 930 + ago) for ago in range(6)]
    assert rules.bias_of([*days, wrong]) == pytest.approx(0.07, abs=0.001)


@given(st.lists(st.tuples(st.integers(0, 900_000), st.integers(0, 900_000)), max_size=14))
def test_a_bias_is_that_of_some_days_in_any_order(days: list[tuple[int, int]]) -> None:
    bias = rules.bias_of(days)
    assert -rules.LARGEST_BIAS <= bias <= rules.LARGEST_BIAS
    assert bias == rules.bias_of(days[::-1])


def test_a_limit_is_reached_from_capacity_on_until_it_is_back() -> None:
    reached, told = False, []
    for inside in (99, 100, 95, 91, 90, 99, 100):
        reached = rules.is_reached(inside, 100, 90, reached=reached)
        told.append(reached)
    assert told == [False, True, True, True, False, False, True]


def test_limits_and_times_that_cannot_be_are_refused() -> None:
    with pytest.raises(WrongLimit):
        rules.check_limit(10, 10)
    start = at("2026-03-02 00:00")
    for end in (start, start + timedelta(days=32), datetime(9999, 1, 1, tzinfo=UTC)):
        with pytest.raises(WrongSpan):
            rules.check_span(start, end)
    with pytest.raises(WrongSpan):
        rules.check_span(datetime(1, 1, 1, tzinfo=UTC), datetime(1, 1, 2, tzinfo=UTC))
