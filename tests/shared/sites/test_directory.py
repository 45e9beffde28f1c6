"""What devices may push for follows what is committed: never less, and not for long more."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from local.stack import Stack
from shared.sites.gateway import Directory
from shared.sites.model import DeviceDraft, Listed, Profile, SensorDraft, Setup, Site, SiteDraft
from shared.sites.repository.sensors import SensorRepository
from shared.sites.repository.sites import SiteRepository
from shared.sites.repository.tree import TreeRepository
from shared.sites.service.directory import DirectoryKeeper
from shared.sites.service.sensors import Sensors
from shared.sites.service.sites import Sites
from tenant_context.aws import AwsClient
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table
from tenant_context.errors import Invalid
from tenant_context.postgres import Database

SITE = SiteDraft(name="Flagship", code="flagship", address="", time_zone="Europe/Berlin", metadata={})


@pytest.fixture
def directory(servers: Stack) -> Iterator[Directory]:
    client, wire = servers.client("dynamodb"), AwsClient("dynamodb")
    name = f"test-{uuid4().hex}"
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    yield Directory(Table(name, wire))
    client.delete_table(TableName=name)
    client.close()
    wire.close()


@pytest.fixture
def acme(make_tenant: Callable[[str], TenantContext]) -> TenantContext:
    return make_tenant("acme")


@pytest.fixture
def sites(database: Database, directory: Directory) -> Sites:
    return Sites(SiteRepository(database), TreeRepository(database), directory, uuid7)


@pytest.fixture
def sensors(database: Database, directory: Directory) -> Sensors:
    return Sensors(SensorRepository(database), directory, uuid7)


def door_at(site: Site) -> SensorDraft:
    return SensorDraft(site_id=site.id, name="Door", serial="door-1", kind="line", vendor="", interval_minutes=15)


class Failed(Exception):
    """Whatever ends a transaction."""


def test_a_retired_sensor_is_forgotten_once_that_is_committed(
    database: Database, directory: Directory, sites: Sites, sensors: Sensors, acme: TenantContext
) -> None:
    with database.transaction(acme) as tx:
        site = sites.create(tx, SITE)
        sensor = sensors.register(tx, door_at(site))
    references = {str(sensor.id), "door-1"}

    def known() -> set[str]:
        return set(directory.find(acme, "sensors", references))

    with pytest.raises(Failed), database.transaction(acme) as tx:  # noqa: PT012  it is the transaction that raises
        sensors.retire(tx, sensor.id)
        raise Failed
    assert known() == references
    with database.transaction(acme) as tx:
        retired = sensors.retire(tx, sensor.id)
        assert known() == references
    assert known() == set()
    draft = replace(door_at(site), name="Side door")
    with database.transaction(acme) as tx:
        sensors.amend(tx, sensor.id, draft, retired.version)
    assert known() == set()


def test_a_site_is_found_by_its_present_code_only(
    database: Database, directory: Directory, sites: Sites, acme: TenantContext
) -> None:
    def known() -> dict[str, object]:
        return dict(directory.find(acme, "sites", {"flagship", "harbour"}))

    with database.transaction(acme) as tx:
        site = sites.create(tx, SITE)
    with pytest.raises(Failed), database.transaction(acme) as tx:  # noqa: PT012  it is the transaction that raises
        sites.amend(tx, site.id, replace(SITE, code="harbour"), site.version)
        raise Failed
    assert known()["flagship"] == site.id
    with database.transaction(acme) as tx:
        sites.amend(tx, site.id, replace(SITE, code="harbour"), site.version)
    assert known() == {"harbour": site.id}
    with database.transaction(acme) as tx:
        other = sites.create(tx, SITE)
    assert known() == {"harbour": site.id, "flagship": other.id}


def test_a_late_removal_leaves_the_codes_new_owner_alone(directory: Directory, acme: TenantContext) -> None:
    """The process that gave the code up is slower than the one that took it."""
    mine, theirs = uuid7(), uuid7()
    directory._put(acme, "sites", "flagship", theirs)
    directory.unlist_code(acme, mine, "flagship")  # type: ignore[arg-type]
    assert directory.find(acme, "sites", {"flagship"}) == {"flagship": theirs}


def test_a_directory_that_was_lost_is_rebuilt(
    database: Database, directory: Directory, sites: Sites, sensors: Sensors, acme: TenantContext
) -> None:
    with database.transaction(acme) as tx:
        site = sites.create(tx, SITE)
        kept = sensors.register(tx, door_at(site))
        gone = sensors.register(tx, replace(door_at(site), serial="door-2"))
    with database.transaction(acme) as tx:
        sensors.retire(tx, gone.id)
    directory.unlist_site(acme, site.id, site.code)
    directory.unlist_sensor(acme, Listed(kept, Profile()))
    keeper = DirectoryKeeper(SiteRepository(database), SensorRepository(database), directory)
    with database.transaction(acme) as tx:
        assert keeper.rebuild(tx) == {"sites": 2, "sensors": 2}
    assert directory.find(acme, "sites", {site.code, str(site.id)}) == {site.code: site.id, str(site.id): site.id}
    assert set(directory.find(acme, "sensors", {"door-1", "door-2"})) == {"door-1"}
    with database.transaction(acme) as tx:
        assert keeper.rebuild(tx) == {"sites": 0, "sensors": 0}


AN_ID = "01a2015e-3f7f-735a-b4fa-0a8da25de76f"


@pytest.mark.parametrize("name", [AN_ID, AN_ID.upper()])
def test_no_code_and_no_serial_reads_as_an_id(
    database: Database, sites: Sites, sensors: Sensors, acme: TenantContext, name: str
) -> None:
    with database.transaction(acme) as tx:
        site = sites.create(tx, SITE)
        sensor = sensors.register(tx, door_at(site))
    with database.transaction(acme) as tx:
        for refused, field in (
            (lambda: sites.create(tx, replace(SITE, code=name)), "/code"),
            (lambda: sites.amend(tx, site.id, replace(SITE, code=name), 1), "/code"),
            (lambda: sensors.register(tx, replace(door_at(site), serial=name)), "/serial"),
            (lambda: sensors.replace(tx, sensor.id, DeviceDraft(name)), "/serial"),
        ):
            with pytest.raises(Invalid) as found:
                refused()
            assert [(one.pointer, one.code) for one in found.value.errors] == [(field, "reads-as-id")]
        assert sites.amend(tx, site.id, replace(SITE, code=name.replace("-", "")), 1).version == 2


def test_codes_and_serials_that_came_in_otherwise_take_no_id_from_its_owner(
    database: Database, sites: Sites, sensors: Sensors, directory: Directory, acme: TenantContext
) -> None:
    with database.transaction(acme) as tx:
        site, other = sites.create(tx, SITE), sites.create(tx, replace(SITE, code="other"))
        sensor = sensors.register(tx, door_at(site))
        evil = sensors.register(tx, replace(door_at(other), serial="evil"))
    with database.transaction(acme) as tx:  # as an import writes it
        tx.run("UPDATE sites SET code = %s WHERE id = %s", (str(site.id), other.id))
        tx.run("UPDATE sensors SET serial = %s WHERE id = %s", (str(sensor.id), evil.id))
    with database.transaction(acme) as tx:
        keeper = DirectoryKeeper(SiteRepository(database), SensorRepository(database), directory)
        assert keeper.rebuild(tx) == {"sites": 0, "sensors": 0}
    with database.transaction(acme) as tx:
        sensors.set_up(tx, evil.id, Setup(model="evil"), evil.version)
    assert directory.find(acme, "sites", {str(site.id)}) == {str(site.id): site.id}
    known = directory.look_up(acme, {str(sensor.id), str(evil.id)})
    assert {reference: one.id for reference, one in known.items()} == {str(one.id): one.id for one in (sensor, evil)}
