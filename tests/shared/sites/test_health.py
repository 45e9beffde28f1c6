"""How a sensor is follows from one rule: when it was last heard of, and what its clock says."""

from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import pytest

from shared.sites.model import Health, Sensor, SensorDraft
from shared.sites.repository.beats import BeatRepository
from shared.sites.service.sensors import Sensors
from tenant_context.clock import utc_now
from tenant_context.context import TenantContext
from tenant_context.postgres import Database
from tests.shared.sites.conftest import Make

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_RULE: LiteralString = """
    SELECT app.sensor_health(%(interval)s, ROW(NULL, NULL, %(seen)s::timestamptz, %(measured)s::timestamptz,
                                               %(lag)s, %(steady)s::timestamptz, %(clock)s)::sensor_beats, %(now)s)"""


@pytest.mark.parametrize(
    ("minutes", "seen", "told", "health"),
    [
        (15, None, {}, "offline"),
        (15, 0, {}, "online"),
        (15, 35, {}, "online"),
        (15, 36, {}, "late"),
        (15, 60, {}, "late"),
        (15, 61, {}, "offline"),
        (1, 8, {}, "late"),
        (1, 60, {}, "late"),
        (1, 61, {}, "offline"),
        (1440, 2 * 1440, {}, "online"),
        (1440, 3 * 1440, {}, "late"),
        (1440, 4 * 1440 + 1, {}, "offline"),
        # It tells of a time that is not yet.
        (15, 0, {"lag": -121.0}, "clock_skewed"),
        (15, 0, {"lag": -119.0}, "online"),
        (15, 0, {"lag": -315_360_000.0}, "clock_skewed"),
        # It is an hour behind, and stays so: its zone is wrong. Or it has just come back, and catches up.
        (15, 0, {"lag": 3900.0, "steady": 120}, "clock_skewed"),
        (15, 0, {"lag": 3900.0, "steady": 0}, "online"),
        (15, 0, {"lag": 1800.0, "steady": 600}, "online"),
        (15, 0, {"lag": 1e9, "steady": 0, "measured": datetime(1970, 1, 1, tzinfo=UTC)}, "clock_skewed"),
        # What its own clock says counts by itself.
        (15, 0, {"clock": 121.0}, "clock_skewed"),
        (15, 0, {"clock": -121.0}, "clock_skewed"),
        (15, 0, {"clock": 5.0}, "online"),
        # A wrong clock is told of a device that is there; of one that is not, that it is not.
        (15, 40, {"clock": 500.0}, "clock_skewed"),
        (15, 90, {"clock": 500.0}, "offline"),
    ],
)
def test_the_rule(
    database: Database, acme: TenantContext, minutes: int, seen: int | None, told: dict[str, Any], health: str
) -> None:
    heard = None if seen is None else NOON - timedelta(minutes=seen)
    values = {
        "interval": minutes,
        "seen": heard,
        "measured": told.get("measured"),
        "lag": told.get("lag"),
        "steady": None if heard is None else heard - timedelta(minutes=told.get("steady", 0)),
        "clock": told.get("clock"),
        "now": NOON,
    }
    assert database.read(acme, _RULE, values) == [(health,)]


@pytest.fixture
def sensor(database: Database, sensors: Sensors, make: Make, acme: TenantContext) -> Sensor:
    site = make()
    with database.transaction(acme) as tx:
        return sensors.register(tx, SensorDraft(site.id, "Door", "door-1", "line", "", 15))


def hear(database: Database, tenant: TenantContext, sensor: Sensor, at: datetime, newest: datetime | None) -> None:
    with database.transaction(tenant) as tx:
        beat = [str(sensor.id), newest.isoformat() if newest else None, None]
        BeatRepository.hear(tx, at.isoformat(), [beat])


def test_a_sensor_that_was_never_heard_of_is_offline(sensors: Sensors, sensor: Sensor, acme: TenantContext) -> None:
    shown = sensors.show(acme, sensor.id)
    assert (shown.health, shown.last_seen_at) == (Health.OFFLINE, None)


def test_the_latest_word_counts_in_whatever_order_they_come(
    database: Database, sensors: Sensors, sensor: Sensor, acme: TenantContext
) -> None:
    now = utc_now()
    quarter = timedelta(minutes=15)
    hear(database, acme, sensor, now, now - quarter)
    hear(database, acme, sensor, now - 2 * quarter, now - 10 * quarter)
    shown = sensors.show(acme, sensor.id)
    assert (shown.health, shown.last_seen_at, shown.measured_at) == (Health.ONLINE, now, now - quarter)
    assert shown.lag_s == pytest.approx(900)


def test_a_clock_that_is_an_hour_behind_shows_at_the_second_push_and_one_that_catches_up_does_not(
    database: Database, sensors: Sensors, sensor: Sensor, acme: TenantContext
) -> None:
    now = utc_now()
    quarter = timedelta(minutes=15)
    hour = timedelta(hours=1)
    hear(database, acme, sensor, now - quarter, now - quarter - hour)
    assert sensors.show(acme, sensor.id).health == Health.ONLINE
    hear(database, acme, sensor, now, now - hour)
    assert sensors.show(acme, sensor.id).health == Health.CLOCK_SKEWED
    hear(database, acme, sensor, now, now)
    assert sensors.show(acme, sensor.id).health == Health.ONLINE


def test_sensors_are_listed_by_health(
    database: Database, sensors: Sensors, sensor: Sensor, acme: TenantContext
) -> None:
    with database.transaction(acme) as tx:
        silent = sensors.register(tx, SensorDraft(sensor.site_id, "Back door", "door-2", "line", "", 15))
        gone = sensors.register(tx, SensorDraft(sensor.site_id, "Side door", "door-3", "line", "", 15))
    with database.transaction(acme) as tx:
        sensors.retire(tx, gone.id)
    hear(database, acme, sensor, utc_now(), None)

    def listed(health: Health | None) -> list[str]:
        return [one.serial for one in sensors.page(acme, site=None, zone=None, health=health, after=None, limit=9)]

    assert listed(Health.ONLINE) == ["door-1"]
    assert listed(Health.OFFLINE) == [silent.serial]
    assert listed(None) == ["door-3", "door-2", "door-1"]
    assert sensors.show(acme, gone.id).health is None


def test_nobody_is_heard_of_in_another_tenant(
    database: Database, sensors: Sensors, sensor: Sensor, acme: TenantContext, globex: TenantContext
) -> None:
    hear(database, globex, sensor, utc_now(), None)
    assert sensors.show(acme, sensor.id).last_seen_at is None
    assert database.read(globex, "SELECT count(*) FROM sensor_beats") == [(0,)]
