"""A calibration counts for what comes after it was said; what is there is calibrated anew when that is asked."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from psycopg.types.json import Jsonb

from shared.measurements import rules as counting
from shared.measurements.errors import TooManyCounts, WrongTime
from shared.measurements.repository.raw import RawRepository
from shared.measurements.service import Recalibration
from shared.sensors import rules
from shared.sensors.gateway import count_row
from shared.sensors.model import CountRow
from shared.sites.errors import SensorNotFound
from shared.sites.model import Calibration, Known, Profile, SensorId, Setup
from shared.sites.repository.sensors import SensorRepository
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.postgres import Database
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
