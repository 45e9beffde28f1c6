"""Failed attempts come again, ever later, eight times in all."""

from datetime import UTC, datetime

import pytest

from shared.webhooks.model import Verdict
from shared.webhooks.rules import retries

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_eight_attempts_and_no_more() -> None:
    waits = [retries.wait(attempt, luck=0) for attempt in range(1, 9)]
    assert waits == [5, 300, 1800, 7200, 18_000, 36_000, 36_000, None]


@pytest.mark.parametrize(("luck", "seconds"), [(-1, 4), (0, 5), (1, 6)])
def test_a_wait_moves_by_a_fifth(luck: int, seconds: int) -> None:
    assert retries.wait(1, luck=luck) == seconds


def test_an_endpoints_own_schedule_counts() -> None:
    assert [retries.wait(attempt, (7, 40), luck=0) for attempt in (1, 2, 3)] == [7, 40, None]
    assert retries.wait(1, (), luck=0) is None


@pytest.mark.parametrize("schedule", [None, (), (1,), (36_000,) * 9, (1,) * 12])
def test_a_schedule_within_bounds_may_be(schedule: tuple[int, ...] | None) -> None:
    assert retries.wrong_schedule(schedule) is None


@pytest.mark.parametrize("schedule", [(0,), (-5,), (36_001,), (1,) * 13, (36_000,) * 10])
def test_a_schedule_out_of_bounds_may_not_be(schedule: tuple[int, ...]) -> None:
    assert retries.wrong_schedule(schedule)


def test_a_receiver_may_ask_for_more_time_but_not_for_less() -> None:
    assert retries.wait(1, luck=0, retry_after=120) == 120
    assert retries.wait(2, luck=0, retry_after=1) == 300


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("99999999999999999999", 900),
        ("Sun, 01 Mar 2026 12:01:00 GMT", 60),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Fri, 01 Mar 2126 12:00:00 GMT", 900),
        ("Sun, 01 Mar 2026 12:01:00", 0),
        ("-5", 0),
        ("1.5", 0),
        ("\u0661\u0662", 0),
        ("soon", 0),
        ("", 0),
    ],
)
def test_retry_after_is_read_in_both_forms_and_bounded(value: str, seconds: int) -> None:
    assert retries.retry_after_seconds(value, NOW) == seconds


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.DELIVERED),
        (204, Verdict.DELIVERED),
        (299, Verdict.DELIVERED),
        (301, Verdict.FAILED),
        (304, Verdict.FAILED),
        (400, Verdict.FAILED),
        (410, Verdict.GONE),
        (429, Verdict.FAILED),
        (500, Verdict.FAILED),
        (101, Verdict.FAILED),
        (None, Verdict.FAILED),
    ],
)
def test_only_2xx_is_delivered_and_only_410_stops(status: int | None, verdict: Verdict) -> None:
    assert retries.verdict(status) is verdict
