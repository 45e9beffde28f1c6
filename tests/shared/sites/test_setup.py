"""How a sensor is read: kept, told to the door once it is committed, and refused where nothing could be read by it."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from shared.sites.errors import UnknownTimeZone, WrongSetup
from shared.sites.gateway import Directory
from shared.sites.model import Calibration, Columns, Line, Listed, Sensor, SensorDraft, Setup, SiteDraft
from shared.sites.repository.sensors import SensorRepository
from shared.sites.repository.sites import SiteRepository
from shared.sites.repository.tree import TreeRepository
from shared.sites.rules import check_setup
from shared.sites.service.directory import DirectoryKeeper
from shared.sites.service.sensors import Sensors
from shared.sites.service.sites import Sites
from tenant_context.aws import AwsClient
from tenant_context.bodies import parse_body
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table
from tenant_context.errors import Invalid, PreconditionFailed
from tenant_context.postgres import Database

SITE = SiteDraft(name="Flagship", code="flagship", address="", time_zone="Europe/Berlin", metadata={})
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
FULL = Setup(
    model="P8815-2",
    counting="cumulative",
    times="utc",
    time_zone="Asia/Tokyo",
    lines={"Line 1": Line(direction="reversed", name="Door")},
    calibrations=[Calibration(MARCH, Decimal("1.05"))],
    rollover_at=65_536,
    counts_from="events",
    csv=Columns(start="from", entries="in", date="day", time_format="%d.%m.%Y %H:%M", delimiter=";"),
)


class Failed(Exception):
    """Whatever ends a transaction."""


@pytest.fixture
def directory(table_name: str) -> Iterator[Directory]:
    wire = AwsClient("dynamodb")
    yield Directory(Table(table_name, wire))
    wire.close()


@pytest.fixture
def acme(make_tenant: Callable[[str], TenantContext]) -> TenantContext:
    return make_tenant("acme")


@pytest.fixture
def sensors(database: Database, directory: Directory) -> Sensors:
    return Sensors(SensorRepository(database), directory, uuid7)


@pytest.fixture
def sites(database: Database, directory: Directory) -> Sites:
    return Sites(SiteRepository(database), TreeRepository(database), directory, uuid7, SensorRepository(database))


@pytest.fixture
def sensor(database: Database, sites: Sites, sensors: Sensors, acme: TenantContext) -> Sensor:
    with database.transaction(acme) as tx:
        site = sites.create(tx, SITE)
        draft = SensorDraft(
            site_id=site.id, name="Door", serial="door-1", kind="line", vendor="axis", interval_minutes=5
        )
        return sensors.register(tx, draft)


def test_the_door_knows_how_a_sensor_is_read(
    database: Database, directory: Directory, sensors: Sensors, sensor: Sensor, acme: TenantContext
) -> None:
    def known() -> tuple[str, int, Setup]:
        by_id, by_serial = (directory.look_up(acme, {one})[one] for one in (str(sensor.id), "door-1"))
        assert (by_id, by_id.id) == (by_serial, sensor.id)
        return by_id.profile.zone, by_id.profile.interval_minutes, by_id.profile.setup

    assert known() == ("Europe/Berlin", 5, Setup())
    with database.transaction(acme) as tx:
        changed = sensors.set_up(tx, sensor.id, FULL, sensor.version)
    assert known() == ("Asia/Tokyo", 5, FULL)
    assert sensors.show_setup(acme, sensor.id) == (FULL, changed.version)
    with pytest.raises(Failed), database.transaction(acme) as tx:  # noqa: PT012  it is the transaction that raises
        sensors.set_up(tx, sensor.id, Setup(), changed.version)
        raise Failed
    assert known() == ("Asia/Tokyo", 5, FULL)
    with pytest.raises(PreconditionFailed), database.transaction(acme) as tx:
        sensors.set_up(tx, sensor.id, Setup(), sensor.version)


def test_a_sites_other_zone_is_told_of_its_sensors(
    database: Database, directory: Directory, sites: Sites, sensor: Sensor, acme: TenantContext
) -> None:
    draft = SiteDraft(name="Flagship", code="flagship", address="", time_zone="Asia/Riyadh", metadata={})
    with database.transaction(acme) as tx:
        sites.amend(tx, sensor.site_id, draft, 1)
    assert directory.look_up(acme, {"door-1"})["door-1"].profile.zone == "Asia/Riyadh"


def test_news_that_was_overtaken_changes_nothing(
    database: Database, directory: Directory, sensors: Sensors, sensor: Sensor, acme: TenantContext
) -> None:
    before = directory.look_up(acme, {"door-1"})["door-1"].profile
    with database.transaction(acme) as tx:
        sensors.set_up(tx, sensor.id, FULL, sensor.version)
    directory.tell(acme, Listed(sensor, before))
    assert directory.look_up(acme, {"door-1"})["door-1"].profile.setup == FULL


def test_news_that_was_lost_is_mended(
    database: Database, directory: Directory, sensors: Sensors, sensor: Sensor, acme: TenantContext
) -> None:
    with database.transaction(acme) as tx:
        sensors.set_up(tx, sensor.id, FULL, sensor.version)
    directory._put(acme, "sensors", "door-1", sensor.id)  # as entries were before there were setups
    keeper = DirectoryKeeper(SiteRepository(database), SensorRepository(database), directory)
    with database.transaction(acme) as tx:
        assert keeper.rebuild(tx) == {"sites": 0, "sensors": 1}
    assert directory.look_up(acme, {"door-1"})["door-1"].profile.setup == FULL


@pytest.mark.parametrize("multiplier", ["0", "-1", "NaN", "Infinity", "1e9999", "100.1"])
def test_a_multiplier_beyond_reason_is_refused(multiplier: str) -> None:
    with pytest.raises(WrongSetup):
        check_setup(Setup(calibrations=[Calibration(MARCH, Decimal(multiplier))]))


@pytest.mark.parametrize(
    ("setup", "pointer"),
    [
        (Setup(calibrations=[Calibration(MARCH, Decimal(1))] * 2), "/calibrations/1/since"),
        (Setup(csv=Columns(entries="in")), "/csv/start"),
        (Setup(csv=Columns(start="from")), "/csv/entries"),
        (Setup(csv=Columns(start="from", entries="in", date="day")), "/csv/time_format"),
    ],
)
def test_what_nothing_could_be_read_by_is_refused(setup: Setup, pointer: str) -> None:
    with pytest.raises(WrongSetup) as raised:
        check_setup(setup)
    assert raised.value.errors[0].pointer == pointer


def test_a_zone_that_there_is_not_is_refused() -> None:
    check_setup(FULL)
    with pytest.raises(UnknownTimeZone):
        check_setup(Setup(time_zone="Mars/Olympus"))


def test_counts_are_calibrated_by_their_time_and_rounded_to_whole_people() -> None:
    setup = Setup(calibrations=[Calibration(MARCH, Decimal("0.5")), Calibration(MARCH.replace(day=9), Decimal("1.1"))])
    moments = [MARCH.replace(month=2), MARCH, MARCH.replace(day=8), MARCH.replace(day=9)]
    assert [setup.calibrated(5, moment) for moment in moments] == [5, 3, 3, 6]


@pytest.mark.parametrize(
    ("setup", "pointer"),
    [
        (Setup(counting="cumulative", rollover_at=2), "/rollover_at"),
        (Setup(rollover_at=255), "/rollover_at"),
        (Setup(csv=Columns(start="from", entries="in", time_format="text")), "/csv/time_format"),
        (Setup(csv=Columns(start="from", entries="in", time_format="DD.MM.YYYY")), "/csv/time_format"),
        (Setup(csv=Columns(start="from", entries="in", time_format="%Y-%m-%d %H:%M %Y")), "/csv/time_format"),
        (Setup(csv=Columns(start="from", entries="in", time_format="%c %c")), "/csv/time_format"),
        (Setup(csv=Columns(start="from", entries="in", time_format="%-d.%m.%Y")), "/csv/time_format"),
    ],
)
def test_what_would_silence_a_sensor_is_refused(setup: Setup, pointer: str) -> None:
    with pytest.raises(WrongSetup) as caught:
        check_setup(setup)
    assert [error.pointer for error in caught.value.errors] == [pointer]


def test_a_counter_of_one_byte_and_a_format_with_percents_are_taken() -> None:
    check_setup(Setup(rollover_at=256, csv=Columns(start="from", entries="in", time_format="%d.%m.%Y")))


def test_the_example_of_the_api_page_changes_what_it_says_and_goes_on_counting() -> None:
    document = json.loads((Path(__file__).parents[3] / "docs/api/openapi.json").read_text())
    body = document["paths"]["/api/v1/sensors/{sensor_id}/setup"]["put"]["requestBody"]["content"]["application/json"]
    setup = msgspec.convert(body["example"], Setup)
    check_setup(setup)
    assert (setup.counting, setup.rollover_at, setup.csv) == ("format", None, None)
    assert setup.lines["door"].direction == "reversed"


@pytest.mark.parametrize(
    ("raw", "pointer", "says"),
    [
        ('{"lines": {"door": {"direction": "up"}}}', "/lines/*/direction", "'normal', 'out', 'reversed'"),
        ('{"lines": {"door": {"way": "in"}}}', "/lines/*/way", "there are direction, name"),
        ('{"zone": "UTC"}', "/zone", "time_zone"),
        ('{"counting": "total"}', "/counting", "'cumulative', 'format', 'interval'"),
        ('{"csv": {"delimiter": "x"}}', "/csv/delimiter", "';'"),
        ('{"calibrations": [{"since": "x", "multiplier": 1}]}', "/calibrations/0/since", "RFC3339"),
        ('{"lines": {"%s": {}}}' % ("x" * 65), "/lines/*", "its name"),
        ('{"a~/b": 1}', "/a~0~1b", "is no field here"),
        ("[]", "", "Expected `object`"),
    ],
)
def test_a_setup_that_is_wrong_says_where_and_what_would_be_right(raw: str, pointer: str, says: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_body(Setup, raw.encode())
    (error,) = caught.value.errors
    assert error.pointer == pointer
    assert says in error.message
