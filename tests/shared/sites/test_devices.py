"""A device takes another's place: the sensor, its setup and its counts go on, each device counts for its own time."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from shared.identity.repository.keys import ApiKeyRepository
from shared.sensors import rules
from shared.sensors.model import CountRow, Sorted
from shared.sites.errors import SensorRetired, SerialTaken, WrongDevice
from shared.sites.gateway import Directory
from shared.sites.model import DeviceDraft, Known, Profile, Sensor, SensorDraft, Setup
from shared.sites.repository.sensors import SensorRepository
from shared.sites.repository.sites import SiteRepository
from shared.sites.service.directory import DirectoryKeeper
from shared.sites.service.keys import DeviceKeys
from shared.sites.service.sensors import Sensors
from tenant_context.api_keys import key_hash
from tenant_context.aws import AwsClient
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table
from tenant_context.errors import Forbidden
from tenant_context.postgres import Database
from tests.shared.sites.conftest import Make

MORNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def sensor(database: Database, sensors: Sensors, make: Make, acme: TenantContext) -> Sensor:
    site = make()
    with database.transaction(acme) as tx:
        return sensors.register(tx, SensorDraft(site.id, "Door", "old-1", "line", "axis", 15))


def test_a_replaced_device_keeps_its_time_and_the_sensor_its_id(
    database: Database, sensors: Sensors, directory: Directory, sensor: Sensor, acme: TenantContext
) -> None:
    with database.transaction(acme) as tx:
        sensors.set_up(tx, sensor.id, Setup(model="P8815"), sensor.version)
    with database.transaction(acme) as tx:
        after = sensors.replace(tx, sensor.id, DeviceDraft("new-1", "xovis"))
        when = tx.now
    assert (after.id, after.serial, after.vendor) == (sensor.id, "new-1", "xovis")
    known = directory.look_up(acme, {"old-1", "new-1", str(sensor.id)})
    assert {reference: (one.id, one.since, one.until) for reference, one in known.items()} == {
        "old-1": (sensor.id, None, when),
        "new-1": (sensor.id, when, None),
        str(sensor.id): (sensor.id, None, None),
    }
    assert {one.profile.setup.model for one in known.values()} == {"P8815"}
    told = [(one.serial, one.vendor, one.since, one.until) for one in sensors.devices(acme, sensor.id)]
    assert told == [("new-1", "xovis", when, None), ("old-1", "axis", sensor.created_at, when)]


def test_a_setup_that_changes_later_is_told_of_the_old_device_too(
    database: Database, sensors: Sensors, directory: Directory, sensor: Sensor, acme: TenantContext
) -> None:
    with database.transaction(acme) as tx:
        after = sensors.replace(tx, sensor.id, DeviceDraft("new-1"))
    with database.transaction(acme) as tx:
        sensors.set_up(tx, sensor.id, Setup(model="P8815"), after.version)
    known = directory.look_up(acme, {"old-1", "new-1"})
    assert {one.profile.setup.model for one in known.values()} == {"P8815"}
    assert known["old-1"].until is not None


def test_a_device_that_went_elsewhere_is_the_sensors_there(
    database: Database, sensors: Sensors, directory: Directory, sensor: Sensor, acme: TenantContext
) -> None:
    with database.transaction(acme) as tx:
        after = sensors.replace(tx, sensor.id, DeviceDraft("new-1"))
    with database.transaction(acme) as tx:
        second = sensors.register(tx, SensorDraft(sensor.site_id, "Back door", "old-1", "line", "", 15))
    with database.transaction(acme) as tx:
        sensors.set_up(tx, sensor.id, Setup(model="P8815"), after.version)
    known = directory.look_up(acme, {"old-1"})["old-1"]
    assert (known.id, known.until) == (second.id, None)
    assert known.since is not None  # what it measured before was the other sensor's
    keeper = DirectoryKeeper(SiteRepository(database), SensorRepository(database), directory)
    with database.transaction(acme) as tx:
        assert keeper.rebuild(tx)["sensors"] == 0


def test_a_directory_that_was_lost_knows_old_devices_again(
    database: Database, sensors: Sensors, directory: Directory, sensor: Sensor, acme: TenantContext
) -> None:
    with database.transaction(acme) as tx:
        sensors.replace(tx, sensor.id, DeviceDraft("new-1"))
    before = directory.look_up(acme, {"old-1", "new-1", str(sensor.id)})
    for reference in before:
        directory._remove(acme, "sensors", reference, sensor.id)
    keeper = DirectoryKeeper(SiteRepository(database), SensorRepository(database), directory)
    with database.transaction(acme) as tx:
        assert keeper.rebuild(tx)["sensors"] == 3
    assert directory.look_up(acme, set(before)) == before


def test_a_device_comes_back_to_the_sensor_it_was(
    database: Database, sensors: Sensors, directory: Directory, sensor: Sensor, acme: TenantContext
) -> None:
    for serial in ("new-1", "old-1"):
        with database.transaction(acme) as tx:
            sensors.replace(tx, sensor.id, DeviceDraft(serial))
    known = directory.look_up(acme, {"old-1", "new-1"})
    assert known["old-1"].until is None
    assert known["new-1"].until == known["old-1"].since


@pytest.mark.parametrize(
    ("draft", "pointer"),
    [
        (DeviceDraft("old-1"), "/serial"),
        (DeviceDraft("new-1", at=utc_now() + timedelta(days=1)), "/at"),
        (DeviceDraft("new-1", at=datetime(1970, 1, 1, tzinfo=UTC)), "/at"),
    ],
)
def test_what_cannot_take_a_sensors_place_is_refused(
    database: Database, sensors: Sensors, sensor: Sensor, acme: TenantContext, draft: DeviceDraft, pointer: str
) -> None:
    with pytest.raises(WrongDevice) as refused, database.transaction(acme) as tx:
        sensors.replace(tx, sensor.id, draft)
    assert [one.pointer for one in refused.value.errors] == [pointer]


def test_a_serial_of_another_sensor_and_a_retired_sensor_are_refused(
    database: Database, sensors: Sensors, sensor: Sensor, acme: TenantContext
) -> None:
    with database.transaction(acme) as tx:
        sensors.register(tx, SensorDraft(sensor.site_id, "Back door", "back-1", "line", "", 15))
    with pytest.raises(SerialTaken), database.transaction(acme) as tx:
        sensors.replace(tx, sensor.id, DeviceDraft("back-1"))
    with database.transaction(acme) as tx:
        sensors.retire(tx, sensor.id)
    with pytest.raises(SensorRetired), database.transaction(acme) as tx:
        sensors.replace(tx, sensor.id, DeviceDraft("new-1"))


def test_rows_count_for_the_device_of_their_time() -> None:
    sensor, profile = uuid4(), Profile()
    known = {
        "old": Known(sensor, profile, until=MORNING),
        "new": Known(sensor, profile, since=MORNING),
        "id": Known(sensor, profile),
    }
    quarter = timedelta(minutes=15)
    pushed: Sorted[CountRow] = Sorted()
    for reference in known:
        for start in (MORNING - quarter, MORNING):
            row = CountRow(reference, start, start + quarter, 1, 0)
            pushed.taken.append((len(pushed.taken), row))
    rules.keep_to_devices(pushed, known, "")
    assert [(row.sensor, row.start) for _, row in pushed.taken] == [
        ("old", MORNING - quarter),
        ("new", MORNING),
        ("id", MORNING - quarter),
        ("id", MORNING),
    ]
    assert {(one.row, one.code) for one in pushed.refused} == {(1, "device-replaced"), (2, "before-device")}


PEPPER = "pepper"


@pytest.fixture
def table(table_name: str) -> Iterator[Table]:
    wire = AwsClient("dynamodb")
    yield Table(table_name, wire)
    wire.close()


@pytest.fixture
def keys(database: Database, table: Table) -> DeviceKeys:
    return DeviceKeys(SensorRepository(database), ApiKeyRepository(table), stage="test", pepper=lambda: PEPPER)


def test_a_devices_key_is_bound_to_its_sensor_and_ends_with_the_device(
    database: Database,
    sensors: Sensors,
    directory: Directory,
    keys: DeviceKeys,
    sensor: Sensor,
    acme: TenantContext,
    table: Table,
) -> None:
    sensors = Sensors(SensorRepository(database), directory, uuid7, keys.revoke)
    with database.transaction(acme) as tx:
        key = keys.make(tx, sensor.id)
    assert sensors.show(acme, sensor.id).key_prefix == key.prefix
    stored = ApiKeyRepository(table).find(acme.tenant, key.prefix)
    assert stored is not None
    assert (stored.sensor, stored.scopes, stored.revoked) == (sensor.id, ("ingest.write",), False)
    assert table.get(f"key#{key.prefix}", "key")["digest"] == key_hash(key.text, PEPPER)  # type: ignore[index]
    with database.transaction(acme) as tx:
        second = keys.make(tx, sensor.id)
    revoked = {one.prefix: one.revoked for one in ApiKeyRepository(table).all(acme.tenant)}
    assert revoked == {key.prefix: True, second.prefix: False}
    with database.transaction(acme) as tx:
        after = sensors.replace(tx, sensor.id, DeviceDraft("new-1"))
    assert after.key_prefix is None
    revoked = {one.prefix: one.revoked for one in ApiKeyRepository(table).all(acme.tenant)}
    assert revoked == {key.prefix: True, second.prefix: True}


def test_nobody_makes_keys_who_may_not_push(
    database: Database, keys: DeviceKeys, sensor: Sensor, acme: TenantContext
) -> None:
    narrow = replace(acme, permissions=frozenset({"keys.write", "sensors.write"}))
    with pytest.raises(Forbidden), database.transaction(narrow) as tx:
        keys.make(tx, sensor.id)


def test_a_foreign_prefix_that_came_by_an_import_revokes_nothing(
    database: Database, keys: DeviceKeys, sensor: Sensor, acme: TenantContext, globex: TenantContext, table: Table
) -> None:
    with database.transaction(acme) as tx:
        key = keys.make(tx, sensor.id)
    with database.transaction(globex) as tx:
        keys.revoke(tx, key.prefix)
    stored = ApiKeyRepository(table).find(acme.tenant, key.prefix)
    assert stored is not None
    assert not stored.revoked
    assert not table.get(f"key#{key.prefix}", "key")["revoked"]  # type: ignore[index]
