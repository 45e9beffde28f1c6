"""Standings of cumulative counters become intervals: in any order, past resets and ends, and never twice."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise, permutations
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import pytest
from psycopg.types.json import Jsonb

from shared.measurements.repository.raw import RawRepository
from shared.sites.model import Calibration, Device, SensorId, Setup
from shared.sites.repository.sensors import SensorRepository
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext
from tenant_context.postgres import Database
from tests.conftest import Clone
from tests.integration.test_ingest_line import add_sensor, footfall, part, process

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
Tenants = tuple[TenantContext, TenantContext]
Interval = tuple[int, int, int, int]


@pytest.fixture
def acme(two_tenants: Tenants) -> TenantContext:
    return two_tenants[0]


@pytest.fixture
def sensor(database: Database, acme: TenantContext) -> UUID:
    return add_sensor(database, acme)[1]


def set_up(database: Database, tenant: TenantContext, sensor: UUID, setup: Setup) -> None:
    with database.transaction(tenant) as tx:
        tx.run(
            "UPDATE sensors SET setup = %s WHERE tenant_id = %s AND id = %s",
            (Jsonb(msgspec.to_builtins(setup)), tenant.tenant, sensor),
        )


def standing(sensor: UUID, minute: int, entries: int, exits: int = 0) -> list[Any]:
    return [str(sensor), "", (MONDAY + timedelta(minutes=minute)).isoformat(), entries, exits]


def intervals(database: Database, tenant: TenantContext) -> list[Interval]:
    """Start and end in minutes of Monday, entries and exits."""
    rows = database.read(tenant, "SELECT starts_at, ends_at, entries, exits FROM people_counts ORDER BY starts_at")
    return [(_minute(row[0]), _minute(row[1]), row[2], row[3]) for row in rows]


def _minute(moment: datetime) -> int:
    return int((moment - MONDAY).total_seconds() // 60)


THREE = [(0, 10, 4), (15, 25, 5), (30, 31, 30)]
OF_THREE = [(0, 15, 15, 1), (15, 30, 6, 25)]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_each_two_that_follow_one_another_make_an_interval_in_whatever_order_they_come(
    database: Database, acme: TenantContext, sensor: UUID, order: Sequence[int]
) -> None:
    for place in order:
        data = part([standing(sensor, *THREE[place])], at=place)
        process(database, acme, data)
        process(database, acme, data)
    assert intervals(database, acme) == OF_THREE
    assert footfall(database, acme) == (21, 26, 30)


def test_one_push_may_hold_standings_and_intervals(database: Database, acme: TenantContext, sensor: UUID) -> None:
    start, end = (MONDAY + timedelta(hours=hour) for hour in (5, 6))
    count = [str(sensor), "side", start.isoformat(), end.isoformat(), 100, 0]
    gone = [str(uuid7()), "", MONDAY.isoformat(), 1, 1]
    process(
        database, acme, part([standing(sensor, *THREE[0]), count, gone, *(standing(sensor, *one) for one in THREE[1:])])
    )
    assert intervals(database, acme) == [*OF_THREE, (300, 360, 100, 0)]
    batch = database.read(acme, "SELECT stored, quarantined FROM ingest_parts")
    assert batch == [(4, 1)]
    kept = database.read(acme, "SELECT row, code, content->>'entries' FROM rejected_rows")
    assert kept == [(2, "vanished", "1")]


def test_a_corrected_standing_moves_both_its_intervals(database: Database, acme: TenantContext, sensor: UUID) -> None:
    process(database, acme, part([standing(sensor, *one) for one in THREE]))
    process(database, acme, part([standing(sensor, 15, 20, 5)], at=10))
    assert intervals(database, acme) == [(0, 15, 10, 1), (15, 30, 11, 25)]
    process(database, acme, part([standing(sensor, 15, 99, 5)], at=5))  # older, and late
    assert intervals(database, acme) == [(0, 15, 10, 1), (15, 30, 11, 25)]
    assert footfall(database, acme) == (21, 26, 30)


def test_a_counter_that_is_lower_than_before_was_reset(database: Database, acme: TenantContext, sensor: UUID) -> None:
    process(database, acme, part([standing(sensor, 0, 900, 900), standing(sensor, 15, 7, 3)]))
    assert intervals(database, acme) == [(0, 15, 7, 3)]


def test_a_reset_is_of_the_whole_device(database: Database, acme: TenantContext, sensor: UUID) -> None:
    rows = [standing(sensor, 0, 50, 2), standing(sensor, 15, 10, 8), standing(sensor, 30, 12, 3)]
    process(database, acme, part(rows))
    assert intervals(database, acme) == [(0, 15, 10, 8), (15, 30, 12, 3)]


def test_one_counter_that_goes_past_its_end_resets_nothing(
    database: Database, acme: TenantContext, sensor: UUID
) -> None:
    set_up(database, acme, sensor, Setup(rollover_at=256))
    rows = [standing(sensor, 0, 250, 20), standing(sensor, 15, 4, 26), standing(sensor, 30, 8, 10)]
    process(database, acme, part(rows))
    # The fall of the exits is no rollover, so the device was reset, and its entries with it.
    assert intervals(database, acme) == [(0, 15, 10, 6), (15, 30, 8, 10)]


MIDNIGHT = -9 * 60
"""Of Monday, in minutes from nine o'clock."""


def of_a_day(sensor: UUID, minute: int, entries: int, exits: int = 0) -> list[Any]:
    """A standing of a counter that begins anew at midnight, as the door has it."""
    at = MONDAY + timedelta(minutes=minute)
    return [*standing(sensor, minute, entries, exits), Setup(resets="daily").begun("UTC", at).isoformat()]  # type: ignore[union-attr]


NIGHT = [(MIDNIGHT - 120, 30), (MIDNIGHT - 60, 40), (MIDNIGHT + 60, 90), (MIDNIGHT + 120, 91)]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_counter_of_the_day_begins_anew_at_midnight_higher_or_not(
    database: Database, acme: TenantContext, sensor: UUID, order: Sequence[int]
) -> None:
    for place in order:
        process(database, acme, part([of_a_day(sensor, *NIGHT[place])], at=place))
    assert intervals(database, acme) == [
        (MIDNIGHT - 120, MIDNIGHT - 60, 10, 0),
        (MIDNIGHT, MIDNIGHT + 60, 90, 0),
        (MIDNIGHT + 60, MIDNIGHT + 120, 1, 0),
    ]
    assert footfall(database, acme) == (101, 0, 180)


def test_a_day_is_counted_from_its_midnight_however_long_nothing_was_heard(
    database: Database, acme: TenantContext, sensor: UUID
) -> None:
    process(database, acme, part([of_a_day(sensor, MIDNIGHT - 5 * 24 * 60, 40), of_a_day(sensor, 0, 90)]))
    assert intervals(database, acme) == [(MIDNIGHT, 0, 90, 0)]


def test_what_stands_at_midnight_is_of_the_day_before(database: Database, acme: TenantContext, sensor: UUID) -> None:
    rows = [of_a_day(sensor, *one) for one in ((MIDNIGHT - 15, 48), (MIDNIGHT, 50), (MIDNIGHT + 15, 60))]
    process(database, acme, part(rows))
    assert intervals(database, acme) == [(MIDNIGHT - 15, MIDNIGHT, 2, 0), (MIDNIGHT, MIDNIGHT + 15, 60, 0)]


def test_a_standing_that_comes_between_and_tells_its_day_leaves_nothing_of_what_was_told_without(
    database: Database, acme: TenantContext, sensor: UUID
) -> None:
    process(database, acme, part([standing(sensor, MIDNIGHT - 60, 40), standing(sensor, MIDNIGHT + 120, 91)]))
    process(database, acme, part([of_a_day(sensor, MIDNIGHT + 60, 90)], at=5))
    assert [one for one in intervals(database, acme) if one[2]] == [
        (MIDNIGHT, MIDNIGHT + 60, 90, 0), (MIDNIGHT + 60, MIDNIGHT + 120, 1, 0),
    ]  # fmt: skip
    assert footfall(database, acme) == (91, 0, 120)


def replaced(database: Database, tenant: TenantContext, sensor: UUID, minute: int) -> None:
    """Another device is the sensor since a minute of Monday."""
    until = MONDAY + timedelta(minutes=minute)
    with database.transaction(tenant) as tx:
        device = Device("old", "", None, until - timedelta(days=9), until)
        SensorRepository(database).add_device(tx, SensorId(sensor), uuid7(), device)
        RawRepository(uuid7).part_devices(tx, sensor, until)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_nobody_came_between_what_the_old_device_stood_at_and_what_the_new_one_does(
    database: Database, acme: TenantContext, sensor: UUID, order: Sequence[int]
) -> None:
    replaced(database, acme, sensor, 20)
    told = [(0, 10), (15, 12), (30, 5_000), (45, 5_003)]
    for place in order:
        process(database, acme, part([standing(sensor, *told[place])], at=place))
    assert [one for one in intervals(database, acme) if one[2]] == [(0, 15, 2, 0), (30, 45, 3, 0)]
    assert footfall(database, acme) == (5, 0, 30)


def test_a_replacement_that_is_told_later_takes_back_whom_it_made(
    database: Database, acme: TenantContext, sensor: UUID
) -> None:
    process(database, acme, part([standing(sensor, *one) for one in ((0, 10), (15, 12), (30, 5_000), (45, 5_003))]))
    assert footfall(database, acme) == (4_993, 0, 45)
    replaced(database, acme, sensor, 30)
    assert footfall(database, acme) == (5, 0, 30)
    replaced(database, acme, sensor, 600)  # nobody told anything since
    assert footfall(database, acme) == (5, 0, 30)


def test_a_counter_that_has_an_end_goes_past_it(database: Database, acme: TenantContext, sensor: UUID) -> None:
    set_up(database, acme, sensor, Setup(rollover_at=65_536))
    rows = [standing(sensor, 0, 65_530), standing(sensor, 15, 4), standing(sensor, 30, 2)]
    process(database, acme, part(rows))
    # The second fall is no rollover: the counter would have gone round almost wholly in a quarter of an hour.
    assert intervals(database, acme) == [(0, 15, 10, 0), (15, 30, 2, 0)]


def test_a_calibration_holds_from_its_moment_on(database: Database, acme: TenantContext, sensor: UUID) -> None:
    since = [Calibration(MONDAY + timedelta(minutes=15), Decimal("1.25"))]
    set_up(database, acme, sensor, Setup(calibrations=since))
    process(database, acme, part([standing(sensor, 0, 0), standing(sensor, 15, 10), standing(sensor, 30, 20)]))
    assert intervals(database, acme) == [(0, 15, 10, 0), (15, 30, 13, 0)]


def test_what_came_over_more_than_a_day_or_by_being_set_is_no_interval(
    database: Database, acme: TenantContext, sensor: UUID
) -> None:
    rows = [standing(sensor, 0, 5), standing(sensor, 24 * 60 + 1, 9), standing(sensor, 24 * 60 + 16, 5_000_000)]
    process(database, acme, part(rows))
    assert intervals(database, acme) == []
    assert database.read(acme, "SELECT count(*) FROM counter_readings") == [(3,)]


def test_an_interval_that_turns_out_to_be_none_counts_nothing(
    database: Database, acme: TenantContext, sensor: UUID
) -> None:
    process(database, acme, part([standing(sensor, 0, 5), standing(sensor, 30, 9)]))
    process(database, acme, part([standing(sensor, 15, 5_000_000)], at=10))
    assert intervals(database, acme) == [(0, 0, 0, 0), (15, 30, 9, 0)]
    process(database, acme, part([standing(sensor, 15, 7)], at=20))
    assert intervals(database, acme) == [(0, 15, 2, 0), (15, 30, 2, 0)]
    assert footfall(database, acme) == (4, 0, 30)


def test_standings_that_come_at_once_see_each_other(
    clone: Clone, database: Database, acme: TenantContext, sensor: UUID
) -> None:
    opened = [Database(clone.settings(), clock=utc_now) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        done = [
            pool.submit(process, opened[step % 8], acme, part([standing(sensor, 15 * step, 3 * step, step)]))
            for step in range(8)
        ]
        for one in done:
            one.result()
    for each in opened:
        each.close()
    assert intervals(database, acme) == [(15 * step, 15 * step + 15, 3, 1) for step in range(7)]


def test_the_same_push_fifty_times_at_once_counts_once(
    clone: Clone, database: Database, acme: TenantContext, sensor: UUID
) -> None:
    opened = [Database(clone.settings(), clock=utc_now) for _ in range(5)]
    start, end = MONDAY.isoformat(), (MONDAY + timedelta(minutes=15)).isoformat()
    rows = [[str(sensor), "side", start, end, 7, 2], *(standing(sensor, *one) for one in THREE)]
    with ThreadPoolExecutor(5) as pool:

        def ten(each: Database) -> None:
            for at in range(10):
                process(each, acme, part(rows, at=at))  # a batch of its own each time

        for one in [pool.submit(ten, each) for each in opened]:
            one.result()
    for each in opened:
        each.close()
    assert footfall(database, acme) == (21 + 7, 26 + 2, 45)
    assert database.read(acme, "SELECT sum(stored), sum(revised) FROM ingest_parts") == [(4, 0)]


def test_a_month_that_comes_in_one_go_is_counted(database: Database, acme: TenantContext, sensor: UUID) -> None:
    steps = 31 * 96
    rows = [standing(sensor, 15 * (step - steps), 2 * step, step) for step in range(steps)]
    process(database, acme, part(rows))
    assert footfall(database, acme) == (2 * (steps - 1), steps - 1, 15 * (steps - 1))


@pytest.mark.parametrize("seed", range(6))
def test_shuffled_repeated_late_and_corrected_standings_equal_a_recomputation(
    database: Database, acme: TenantContext, sensor: UUID, seed: int
) -> None:
    chance = Random(seed)  # noqa: S311  a made-up day, not a secret
    setup = Setup(rollover_at=chance.choice([None, 1_000]))
    set_up(database, acme, sensor, setup)
    told: list[tuple[int, int, int]] = []  # when it came, its minute, what it said
    for step in chance.sample(range(40), 15):
        told += [(at, 15 * step, chance.randrange(1_000)) for at in chance.sample(range(100), chance.choice([1, 1, 2]))]
    sent = told + chance.sample(told, 8)
    chance.shuffle(sent)
    for at, minute, value in sent:
        process(database, acme, part([standing(sensor, minute, value)], at=at))
    last = {minute: value for _, minute, value in sorted(told)}
    minutes = sorted(last)
    expected = [
        (start, end, setup.risen((last[start], 0), (last[end], 0))[0], 0)
        for start, end in pairwise(minutes)
    ]  # fmt: skip
    assert intervals(database, acme) == expected
    assert footfall(database, acme)[0] == sum(entries for _, _, entries, _ in expected)
    assert footfall(database, acme)[2] == minutes[-1] - minutes[0]
