"""What a day is worth: each thing that can be wrong lowers its part, is named, and lowers nothing else."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import pytest

from shared.quality.model import Balance, Counted, Finding, Hour, Incident, Part, Tally, Verdict
from shared.quality.rules.incidents import reconcile, spans, suggestion
from shared.quality.rules.scoring import WEIGHTS, Judge, four_weeks
from tenant_context.clock import uuid7

DAY = date(2026, 3, 30)
WHOLE = dict.fromkeys(range(24), 60)
EVEN = Balance(5000, 5000)


def busy(number: int) -> int:
    """Who comes in an hour of a usual day: nobody at night, other numbers by day."""
    return 0 if number < 7 or number > 21 else 40 + 7 * number


def day(changes: Mapping[int, Hour | None] | None = None, on: date = DAY) -> Counted:
    changed = changes or {}
    hours = [changed.get(n, Hour(n, busy(n), busy(n) - n % 3 if busy(n) else 0, 60.0)) for n in range(24)]
    return Counted(on, tuple(hour for hour in hours if hour is not None), 24, WHOLE)


def judge(weeks: int = 4, interval: int = 15) -> Judge:
    made = Judge(interval)
    for back in range(7 * weeks, 0, -1):
        made.remember(day(on=DAY - timedelta(days=back)))
    return made


def score(one: Counted, balance: Balance = EVEN, by: Judge | None = None, **tally: int) -> Verdict:
    counted = Tally(
        DAY,
        received=96,
        duplicates=tally.get("duplicates", 0),
        rejected=tally.get("rejected", 0),
        leapt=tally.get("leapt", 0),
        doubtful=tally.get("doubtful", 0),
        ahead=tally.get("ahead", 0),
    )
    return (by or judge()).score(one, counted, balance, skewed=False)


def test_a_day_like_any_other_is_worth_a_hundred() -> None:
    verdict = score(day())
    assert (verdict.score, verdict.findings) == (100, ())
    assert set(verdict.parts.values()) == {100}
    assert sum(WEIGHTS.values()) == 100


@pytest.mark.parametrize(
    ("one", "balance", "tally", "part", "finding"),
    [
        (day({10: None, 11: None}), EVEN, {}, Part.GAPS, Finding.GAP),
        (day({n: Hour(n, 33, 12, 60.0) for n in range(9, 14)}), EVEN, {}, Part.FLAT_LINES, Finding.FLAT_LINE),
        (day({n: Hour(n, 0, 0, 60.0) for n in range(9, 14)}), EVEN, {}, Part.FLAT_LINES, Finding.FLAT_LINE),
        (day({12: Hour(12, 9000, 8990, 60.0)}), EVEN, {}, Part.JUMPS, Finding.JUMP),
        (day(), Balance(5000, 4600), {}, Part.BALANCE, Finding.IMBALANCE),
        (day(), EVEN, {"rejected": 4, "leapt": 4}, Part.CLOCK, Finding.CLOCK_CHANGE),
        (day(), EVEN, {"rejected": 4, "doubtful": 4}, Part.CLOCK, Finding.CLOCK_CHANGE),
        (day(), EVEN, {"rejected": 4, "ahead": 4}, Part.CLOCK, Finding.CLOCK_SKEW),
        (day(), EVEN, {"duplicates": 24}, Part.DUPLICATES, Finding.DOUBLED_DAY),
        (day({12: Hour(12, 40, 40, 60.0, 10.0)}), EVEN, {}, Part.DUPLICATES, Finding.OVERLAP),
        (day({12: Hour(12, 40, 40, 60.0, 0.0, 301.0)}), EVEN, {}, Part.JUMPS, Finding.JUMP),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_lowers_its_part_alone(
    one: Counted, balance: Balance, tally: dict[str, int], part: Part, finding: Finding
) -> None:
    verdict = score(one, balance, None, **tally)
    assert verdict.findings == (finding,)
    assert [name for name, value in verdict.parts.items() if value < 100] == [part]
    assert 60 <= verdict.score < 100


@pytest.mark.parametrize(
    ("one", "balance", "tally"),
    [
        (day({10: Hour(10, 3, 3, 15.0)}), EVEN, {}),  # less than two hours
        (day({n: Hour(n, 3, 3, 60.0) for n in range(9, 14)}), EVEN, {}),  # few people are often as many
        (day(), Balance(5000, 0), {}),  # counts one way
        (day(), Balance(500, 400), {}),  # too few to tell
        (day(), EVEN, {"duplicates": 3}),  # a push or two that came again
    ],
)
def test_what_happens_every_day_is_no_finding(one: Counted, balance: Balance, tally: dict[str, int]) -> None:
    assert score(one, balance, None, **tally).findings == ()


def test_a_quiet_night_is_no_flat_line_and_without_weeks_nothing_is_unusual() -> None:
    assert score(day({12: Hour(12, 9000, 8990, 60.0)}), by=Judge(15)).findings == ()
    assert score(day(), by=Judge(15)).findings == ()


def test_more_than_can_pass_a_line_is_a_jump_without_any_weeks_before_and_however_long_intervals_are() -> None:
    for interval in (15, 240):
        one = Counted(DAY, (Hour(12, 900_000, 0, 15.0, 0.0, 60_000.0),), 1, {12: 15})
        verdict = score(one, by=Judge(interval))
        assert Finding.JUMP in verdict.findings
        assert verdict.parts[Part.JUMPS] == 0


def test_the_balance_leaves_out_days_that_are_nothing_like_the_others() -> None:
    days = {DAY - timedelta(days=back): Balance(400 + back, 400) for back in range(10)}
    even = four_weeks(days, DAY)
    assert (even.entries, even.exits) == (4045, 4000)
    days[DAY] = Balance(900_000, 3)
    assert four_weeks(days, DAY) == Balance(3645, 3600)
    assert four_weeks({DAY: Balance(900_000, 3)}, DAY) == Balance(900_000, 3)
    quiet = {DAY - timedelta(days=back): Balance(2, 2) for back in range(5)} | {DAY: Balance(90, 90)}
    assert four_weeks(quiet, DAY) == Balance(98, 98)


def test_a_day_without_counts_is_missing_unless_the_store_is_closed_or_all_was_refused() -> None:
    nothing = Counted(DAY, (), 0, WHOLE)
    assert (score(nothing).score, score(nothing).findings) == (0, (Finding.MISSING_DAY,))
    assert score(Counted(DAY, (), 0, {})).score == 100
    assert score(nothing, rejected=24).findings == (Finding.GAP,)


def test_an_autumn_day_lacks_nothing_that_was_refused_as_doubtful() -> None:
    longer = Counted(DAY, day({1: None, 2: None}).hours, 23, dict.fromkeys(range(25), 60))
    whole = Counted(DAY, (*longer.hours, Hour(24, 0, 0, 60.0)), 23, longer.expected)
    assert score(whole, doubtful=8, rejected=8).findings == (Finding.CLOCK_CHANGE,)


def test_hours_in_which_a_store_is_closed_are_not_missed() -> None:
    opened = dict.fromkeys(range(9, 20), 60)
    by_day = day({n: None for n in range(24) if n not in opened})
    assert score(Counted(DAY, by_day.hours, 11, opened)).findings == ()


def test_days_running_are_one_incident_that_goes_on_ends_and_is_mended() -> None:
    now = datetime(2026, 4, 3, tzinfo=UTC)
    pattern = Incident(uuid7(), uuid7(), "", DAY, DAY, "open", "", now, None)
    fresh = (pattern, uuid7)
    days = [DAY, DAY + timedelta(days=1)]
    (opened,) = reconcile([], {Finding.GAP: days[:1]}, DAY, now, fresh)
    assert (opened.first_day, opened.last_day, opened.status) == (DAY, DAY, "open")
    (longer,) = reconcile([opened], {Finding.GAP: days}, days[1], now, fresh)
    assert (longer.id, longer.last_day, longer.status) == (opened.id, days[1], "open")
    assert reconcile([longer], {Finding.GAP: days}, days[1], now, fresh) == []
    (ended,) = reconcile([longer], {Finding.GAP: days}, days[1] + timedelta(days=1), now, fresh)
    assert (ended.id, ended.status, ended.reason, ended.closed_at) == (opened.id, "closed", "ended", now)
    (mended,) = reconcile([ended], {}, days[1] + timedelta(days=1), now, fresh)
    assert (mended.id, mended.status, mended.reason) == (opened.id, "closed", "mended")
    assert reconcile([mended], {}, days[1], now, fresh) == []


def test_an_incident_whose_middle_is_mended_becomes_two_and_one_that_is_filled_becomes_one() -> None:
    now = datetime(2026, 4, 3, tzinfo=UTC)
    fresh = (Incident(uuid7(), uuid7(), "", DAY, DAY, "open", "", now, None), uuid7)
    days = [DAY + timedelta(days=n) for n in range(3)]
    newest = DAY + timedelta(days=9)
    (whole,) = reconcile([], {Finding.GAP: days}, newest, now, fresh)
    parts = reconcile([whole], {Finding.GAP: [days[0], days[2]]}, newest, now, fresh)
    assert [(one.first_day, one.last_day) for one in parts] == [(days[0], days[0]), (days[2], days[2])]
    assert parts[0].id == whole.id
    again = reconcile(parts, {Finding.GAP: days}, newest, now, fresh)
    assert {(one.first_day, one.last_day, one.reason) for one in again} == {
        (days[0], days[2], "ended"),
        (days[2], days[2], "mended"),
    }


def test_days_are_joined_and_every_finding_has_a_suggestion() -> None:
    assert list(spans([])) == []
    for finding in Finding:
        words = suggestion(finding.value, DAY, DAY + timedelta(days=2))
        assert "2026-03-30 to 2026-04-01" in words
        assert words.endswith(".")
