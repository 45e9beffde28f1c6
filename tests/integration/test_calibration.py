"""A calibration counts for what comes after it was said; what is there is calibrated anew when that is asked."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any
from uuid import UUID

import msgspec
import pytest
from psycopg.types.json import Jsonb

from shared.measurements import rules as counting
from shared.measurements.errors import TooManyCounts, WrongTime
from shared.measurements.repository.raw import RawRepository
from shared.measurements.service import Processor, Recalibration
from shared.sensors import rules
from shared.sensors.gateway import count_row
from shared.sensors.model import CountRow
from shared.sites.errors import SensorNotFound
from shared.sites.model import Calibration, Known, Profile, SensorId, Setup
from shared.sites.repository.sensors import SensorRepository
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.postgres import Database
from tests.conftest import Clone
from tests.integration.test_ingest_line import MONDAY, add_sensor, footfall, part, process

Tenants = tuple[TenantContext, TenantContext]
HALF_HOUR = timedelta(minutes=30)
DAY = (MONDAY - timedelta(hours=9), MONDAY + timedelta(hours=15))


def doubled(since: datetime = datetime(2026, 1, 1, tzinfo=UTC), by: str = "2") -> Setup:
    return Setup(calibrations=[Calibration(since, Decimal(by))])


def pushed(sensor: UUID, setup: Setup, *counts: tuple[int, int], at: int = 0) -> dict[str, Any]:
    """What the door queues of half hours from Monday on, for a sensor with a setup."""
    known = Known(sensor, Profile("UTC", 30, setup))
    rows = []
    for step, (entries, exits) in enumerate(counts):
        start = MONDAY + step * HALF_HOUR
        row = CountRow(str(sensor), start, start + HALF_HOUR, entries, exits)
        rows.append(msgspec.json.decode(count_row(rules.calibrated(row, known), sensor, row)))
    return part(rows, at=at)


def keep(database: Database, tenant: TenantContext, sensor: UUID, setup: Setup) -> None:
    with database.transaction(tenant) as tx:
        tx.run("UPDATE sensors SET setup = %s WHERE id = %s", (Jsonb(msgspec.to_builtins(setup)), sensor))


def recalibrate(database: Database, tenant: TenantContext, sensor: UUID, *span: datetime) -> tuple[int, int]:
    ask = Recalibration(RawRepository(uuid7), SensorRepository(database), uuid7)
    with database.transaction(tenant) as tx:
        done = ask(tx, SensorId(sensor), *(span or DAY))
    return done.rows, done.revised


def test_what_is_sent_again_after_a_calibration_changed_stays_as_it_was(
    database: Database, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    _, sensor = add_sensor(database, acme)
    process(database, acme, pushed(sensor, Setup(), (5, 2), (7, 7)))
    keep(database, acme, sensor, doubled())
    process(database, acme, pushed(sensor, doubled(), (5, 2), (7, 7), at=10))
    assert footfall(database, acme) == (12, 9, 60)
    process(database, acme, pushed(sensor, doubled(), (6, 2), (7, 7), at=20))  # a correction is calibrated as of now
    assert footfall(database, acme) == (19, 11, 60)


def test_counts_are_calibrated_anew_when_it_is_asked_and_back(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    _, sensor = add_sensor(database, acme)
    process(database, acme, pushed(sensor, Setup(), (5, 2), (0, 0), (3, 4)))
    keep(database, acme, sensor, doubled(MONDAY + HALF_HOUR, "1.5"))
    assert footfall(database, acme) == (8, 6, 90)
    assert recalibrate(database, acme, sensor) == (3, 1)
    assert footfall(database, acme) == (10, 8, 90)  # 5 + 4.5, rounded up; 2 + 6
    assert recalibrate(database, acme, sensor) == (3, 0)
    keep(database, acme, sensor, Setup())
    assert recalibrate(database, acme, sensor) == (3, 1)
    assert footfall(database, acme) == (8, 6, 90)
    kept = database.read(acme, "SELECT revision, entries, exits FROM people_count_revisions ORDER BY revision")
    assert kept == [(1, 3, 4), (2, 5, 6)]


@pytest.mark.parametrize("door", [Setup(), doubled()], ids=["door-not-told-yet", "door-told"])
@pytest.mark.parametrize("order", list(permutations(("first", "correction", "recalibrate"))), ids="-".join)
def test_a_correction_that_waits_while_its_sensor_is_calibrated_anew_wins_in_any_order(
    database: Database, two_tenants: Tenants, order: tuple[str, ...], door: Setup
) -> None:
    acme, _ = two_tenants
    _, sensor = add_sensor(database, acme)
    keep(database, acme, sensor, doubled())
    waiting = {
        "first": pushed(sensor, Setup(), (100, 10), (1, 1)),
        "correction": pushed(sensor, door, (300, 30), at=5),
    }
    for what in order:
        if what == "recalibrate":
            recalibrate(database, acme, sensor)
        else:
            process(database, acme, waiting[what])
    assert footfall(database, acme) == (602, 62, 60)
    raw = "SELECT raw_entries, raw_exits FROM people_counts ORDER BY starts_at"
    assert database.read(acme, raw) == [(300, 30), (1, 1)]


def test_counts_that_are_calibrated_anew_stay_as_old_as_they_were(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    _, sensor = add_sensor(database, acme)
    process(database, acme, pushed(sensor, Setup(), (5, 2)))
    of = "SELECT received_at, batch_id, revision FROM people_counts"
    [(received, batch, _)] = database.read(acme, of)
    keep(database, acme, sensor, doubled())
    assert recalibrate(database, acme, sensor) == (1, 1)
    assert database.read(acme, of) == [(received, batch, 2)]
    process(database, acme, pushed(sensor, Setup(), (9, 9), at=-5))  # received before what is there
    assert footfall(database, acme) == (10, 4, 30)


def test_parts_that_are_written_together_are_calibrated_as_their_sensors_are_set_up_now(
    database: Database, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    _, one = add_sensor(database, acme)
    _, other = add_sensor(database, acme)
    keep(database, acme, one, doubled())
    parts = [pushed(one, Setup(), (5, 2)), pushed(other, doubled(), (7, 7), at=1)]
    processor = Processor(database, RawRepository(uuid7), "counts", RawRepository.write_counts)
    processor.together([(acme, Message(acme.tenant, "test", "counts", data)) for data in parts])
    assert footfall(database, acme) == (17, 11, 60)


def test_counts_that_are_being_written_are_waited_for_and_calibrated(
    database: Database, clone: Clone, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    _, sensor = add_sensor(database, acme)
    others = [Database(clone.settings(), clock=utc_now) for _ in range(2)]
    with ThreadPoolExecutor(1) as pool:
        with database.transaction(acme) as tx:
            RawRepository(uuid7).write_counts(tx, pushed(sensor, Setup(), (5, 2)))
            keep(others[0], acme, sensor, doubled())
            waits = pool.submit(recalibrate, others[1], acme, sensor)
            with pytest.raises(TimeoutError):
                waits.result(timeout=0.3)
        assert waits.result(timeout=10) == (1, 1)
    assert footfall(database, acme) == (10, 4, 30)
    for other in others:
        other.close()


def test_only_the_time_that_is_asked_for_is_calibrated(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    _, sensor = add_sensor(database, acme)
    process(database, acme, pushed(sensor, Setup(), (5, 2), (7, 7), (1, 1)))
    keep(database, acme, sensor, doubled())
    assert recalibrate(database, acme, sensor, MONDAY + HALF_HOUR, MONDAY + 2 * HALF_HOUR) == (1, 1)
    assert footfall(database, acme) == (20, 17, 90)


def test_standings_of_counters_are_calibrated_anew_too(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    _, sensor = add_sensor(database, acme)
    standings = [[str(sensor), "", (MONDAY + n * HALF_HOUR).isoformat(), 10 * n, 4 * n] for n in range(3)]
    process(database, acme, part(standings))
    keep(database, acme, sensor, doubled())
    between = [str(sensor), "", (MONDAY + HALF_HOUR).isoformat(), 10, 4]
    process(database, acme, part([between], at=10))  # told again: nothing new
    assert footfall(database, acme)[:2] == (20, 8)
    assert recalibrate(database, acme, sensor) == (2, 2)
    assert footfall(database, acme)[:2] == (40, 16)


def test_a_sensor_of_another_tenant_and_a_time_that_cannot_be_are_refused(
    database: Database, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    _, sensor = add_sensor(database, acme)
    with pytest.raises(SensorNotFound):
        recalibrate(database, globex, sensor)
    with pytest.raises(WrongTime):
        recalibrate(database, acme, sensor, MONDAY, MONDAY)


def test_more_than_one_transaction_bears_is_refused(
    database: Database, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    _, sensor = add_sensor(database, acme)
    process(database, acme, pushed(sensor, Setup(), (5, 2), (7, 7)))
    monkeypatch.setattr(counting, "MOST_AT_ONCE", 1)
    with pytest.raises(TooManyCounts):
        recalibrate(database, acme, sensor)
    assert footfall(database, acme) == (12, 9, 60)
