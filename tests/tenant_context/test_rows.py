"""The rows that a tenant may push in a day: exact over all sandboxes, whole pushes, cheap, and never in the way.

The clock is moved by hand; the table is real.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenant_context.dynamo import Table
from tenant_context.refusals import RowsOfDayTaken
from tenant_context.rows import RowLimiter, SharedRows, largest_reserve
from tests.clocks import Moment
from tests.dynamo import Watched, watched

EVENING = datetime(2026, 3, 2, 23, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> Moment:
    return Moment(EVENING)


def sandboxes(table: Table, clock: Moment, count: int) -> list[RowLimiter]:
    return [RowLimiter(clock, SharedRows(table)) for _ in range(count)]


def takes(limiter: RowLimiter, tenant: UUID, limit: int | None, rows: int) -> bool:
    try:
        limiter.take(tenant, limit, rows)
    except RowsOfDayTaken:
        return False
    return True


def counted(table: Table, tenant: UUID, day: str = "20260302") -> int:
    return int((table.get(f"tenant#{tenant}#rate", "rows") or {}).get(f"rows_{day}", 0))


def test_a_push_is_taken_whole_or_refused_whole_and_a_refused_one_counts_nothing(table: Watched, clock: Moment) -> None:
    (door,), acme = sandboxes(table, clock, 1), uuid4()
    assert takes(door, acme, 100, 60)
    assert not takes(door, acme, 100, 41)
    assert not takes(door, acme, 100, 101)
    assert takes(door, acme, 100, 40)
    assert not takes(door, acme, 100, 1)
    assert counted(table, acme) == 100


def test_a_push_larger_than_the_day_is_refused_from_the_first(table: Watched, clock: Moment) -> None:
    (door,), acme = sandboxes(table, clock, 1), uuid4()
    with pytest.raises(RowsOfDayTaken) as refused:
        door.take(acme, 10, 11)
    assert (refused.value.status, refused.value.code) == (429, "limit-reached")
    assert refused.value.members == {
        "limit": "events_per_day",
        "value": 10,
        "usage": 0,
        "resets_at": "2026-03-03T00:00:00Z",
    }
    assert refused.value.headers == {
        "retry-after": "3600",
        "ratelimit": '"rows";r=10;t=3600',
        "ratelimit-policy": '"rows";q=10;w=86400',
    }
    assert counted(table, acme) == 0


def test_the_next_day_is_another(table: Watched, clock: Moment) -> None:
    (door,), acme = sandboxes(table, clock, 1), uuid4()
    assert takes(door, acme, 10, 10)
    assert not takes(door, acme, 10, 1)
    clock.forward(3600)
    assert takes(door, acme, 10, 10)
    assert (counted(table, acme), counted(table, acme, "20260303")) == (0, 10)


def test_a_greater_limit_is_in_force_at_once_and_a_smaller_one(table: Watched, clock: Moment) -> None:
    (door,), acme = sandboxes(table, clock, 1), uuid4()
    assert takes(door, acme, 10, 10)
    assert not takes(door, acme, 10, 5)
    assert takes(door, acme, 20, 5)
    assert not takes(door, acme, 12, 5)


def test_one_tenants_rows_are_nobody_elses(table: Watched, clock: Moment) -> None:
    (door,), acme = sandboxes(table, clock, 1), uuid4()
    assert takes(door, acme, 10, 10)
    assert takes(door, uuid4(), 10, 10)


def test_who_was_refused_is_refused_from_memory(table: Watched, clock: Moment) -> None:
    (door,), acme = sandboxes(table, clock, 1), uuid4()
    takes(door, acme, 10, 10)
    asked = table.asked
    assert not any(takes(door, acme, 10, 1) for _ in range(100))
    assert table.asked == asked


@pytest.mark.parametrize(("limit", "rows"), [(10_000, 1), (100_000, 20), (1_000_000, 100), (None, 50)])
def test_frequent_pushes_cost_far_less_than_an_update_each(
    table: Watched, clock: Moment, limit: int | None, rows: int
) -> None:
    (door,), acme = sandboxes(table, clock, 1), uuid4()
    for _ in range(1000):
        clock.forward(0.5)
        assert takes(door, acme, limit, rows)
    assert table.asked <= 1000 / 20


def test_pushes_now_and_then_are_counted_row_by_row(table: Watched, clock: Moment) -> None:
    (door,), acme = sandboxes(table, clock, 1), uuid4()
    for _ in range(5):
        assert takes(door, acme, 10_000, 7)
        clock.forward(120)
    assert counted(table, acme) == 35


def test_what_the_queue_did_not_take_is_there_for_the_next_push(table: Watched, clock: Moment) -> None:
    (door,), acme = sandboxes(table, clock, 1), uuid4()
    assert takes(door, acme, 10, 10)
    door.give_back(acme, 10)
    assert takes(door, acme, 10, 10)
    door.give_back(acme, 10)
    clock.forward(3600)
    assert takes(door, acme, 10, 10)
    assert not takes(door, acme, 10, 1)


def test_nothing_is_refused_while_dynamodb_is_away_and_it_is_said_and_made_up_for(
    table: Watched, clock: Moment
) -> None:
    said: list[str] = []
    acme = uuid4()
    door = RowLimiter(clock, SharedRows(table), lambda text, **_: said.append(text))
    table.failing = True
    assert all(takes(door, acme, 10, 4) for _ in range(2))
    assert said == ["the day's rows are not counted for now"]
    table.failing = False
    clock.forward(6)
    assert not takes(door, acme, 10, 3)
    assert takes(door, acme, 10, 2)
    assert counted(table, acme) == 10


def test_what_is_left_is_told(table: Watched, clock: Moment) -> None:
    (door,), acme = sandboxes(table, clock, 1), uuid4()
    assert door.take(acme, 100, 30)["ratelimit"] == '"rows";r=70;t=3600'
    assert door.take(acme, 100, 30)["ratelimit"] == '"rows";r=40;t=3600'
    assert door.take(uuid4(), None, 30) == {}


def test_the_day_is_read_without_a_write(table: Watched, clock: Moment) -> None:
    (door,), acme, shared = sandboxes(table, clock, 1), uuid4(), SharedRows(table)
    assert shared.today(acme, clock.now) == (0, 0)
    door.take(acme, 100, 30)
    assert shared.today(acme, clock.now) == (0, 30)
    assert table.get(f"tenant#{acme}#rate", "bucket") is None


def test_sandboxes_that_push_at_once_never_pass_the_limit(name: str, clock: Moment) -> None:
    acme, limit, rows = uuid4(), 500, 7

    def push(_: int) -> int:
        with watched(name) as own:
            (door,) = sandboxes(own, clock, 1)
            return sum(rows for _ in range(40) if takes(door, acme, limit, rows))

    with ThreadPoolExecutor(8) as pool:
        taken = sum(pool.map(push, range(8)))
    assert limit - rows - 8 * largest_reserve(limit) < taken <= limit


_PUSHES = st.lists(
    st.tuples(st.sampled_from((0.0, 0.5, 30.0, 90.0)), st.integers(0, 3), st.integers(1, 120)), min_size=1, max_size=60
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(pushes=_PUSHES, limit=st.sampled_from([100, 1_000, 3_000]))
def test_bounds_hold_whatever_comes(table: Watched, pushes: list[tuple[float, int, int]], limit: int) -> None:
    """Never over the limit; a push of n rows is refused only while fewer than n + N·B are unspent."""
    clock, acme, total = Moment(EVENING), uuid4(), 0
    doors = sandboxes(table, clock, 4)
    for pause, door, rows in pushes:
        clock.forward(pause)
        if clock.now.date() != EVENING.date():
            break
        if takes(doors[door], acme, limit, rows):
            total += rows
        else:
            assert limit - total < rows + 4 * largest_reserve(limit), "refused while there was room"
    assert total <= limit
