"""A place that is removed while something is written of it: one of the two is refused, and nothing is left behind."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from shared.measurements.repository.raw import RawRepository
from shared.sites.errors import SiteInUse
from shared.sites.model import SiteId
from shared.sites.repository.sites import SiteRepository
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext
from tenant_context.postgres import Database
from tests.conftest import Clone
from tests.integration.test_ingest_line import MONDAY, add_sensor, count, part

Tenants = tuple[TenantContext, TenantContext]
WAITING = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@pytest.fixture
def other(clone: Clone) -> Iterator[Database]:
    opened = Database(clone.settings(), clock=utc_now)
    yield opened
    opened.close()


@pytest.fixture
def aside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def remove(database: Database, tenant: TenantContext, site: UUID) -> None:
    with database.transaction(tenant) as tx:
        SiteRepository(database).delete(tx, SiteId(site))


def until_it_waits(clone: Clone, one: "Future[Any]") -> None:
    """Until somebody waits for a lock of the tree, or is done without."""
    with clone.connect() as admin:
        for _ in range(3000):
            if one.done() or admin.execute(WAITING).fetchone() == (1,):
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits")


def receipt(site: UUID) -> dict[str, Any]:
    return part([[str(site), "1", MONDAY.isoformat(), "EUR", "10.00", None, [["sku", "1", "10.00"]]]])


def test_a_store_whose_receipts_are_being_written_is_not_removed(
    clone: Clone, database: Database, other: Database, aside: ThreadPoolExecutor, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    site = store(database, acme)
    with database.transaction(acme) as tx:
        RawRepository(uuid7).write_transactions(tx, receipt(site))
        removal = aside.submit(remove, other, acme, site)
        until_it_waits(clone, removal)
    with pytest.raises(SiteInUse):
        removal.result(10)
    assert database.read(acme, "SELECT count(*) FROM sites WHERE id = %s", (site,)) == [(1,)]


def test_a_receipt_of_a_store_that_is_being_removed_finds_none(
    clone: Clone, database: Database, other: Database, aside: ThreadPoolExecutor, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    site = store(database, acme)

    def write() -> tuple[Any, list[int]]:
        with other.transaction(acme) as tx:
            return RawRepository(uuid7).write_transactions(tx, receipt(site))

    with database.transaction(acme) as tx:
        SiteRepository(database).delete(tx, SiteId(site))
        tx.one("SELECT 1")
        writing = aside.submit(write)
        until_it_waits(clone, writing)
    _, unknown = writing.result(10)
    assert unknown == [0]
    assert database.read(acme, "SELECT count(*) FROM sales_day") == [(0,)]


@pytest.mark.parametrize("of", ["store", "zone", "district"])
def test_a_place_that_is_being_counted_is_not_removed(
    clone: Clone, database: Database, other: Database, aside: ThreadPoolExecutor, two_tenants: Tenants, of: str
) -> None:
    acme, _ = two_tenants
    site, sensor = add_sensor(database, acme)
    zone, district = store(database, acme, "zone"), store(database, acme, "district")
    within = (
        "INSERT INTO site_tree (tenant_id, site_id, kind, parent_id, parent_kind, since)"
        " VALUES (%s, %s, %s, %s, %s, now())"
    )
    with database.transaction(acme) as tx:
        tx.run(within, (acme.tenant, site, "site", district, "district"))
        tx.run(within, (acme.tenant, zone, "zone", site, "site"))
        tx.run("UPDATE sensors SET zone_id = %s WHERE id = %s", (zone, sensor))
    with database.transaction(acme) as tx:
        RawRepository(uuid7).write_counts(tx, part([count(sensor, 0, 5, 2)]))
        removal = aside.submit(remove, other, acme, {"store": site, "zone": zone, "district": district}[of])
        until_it_waits(clone, removal)
    with pytest.raises(SiteInUse):
        removal.result(10)


def store(database: Database, tenant: TenantContext, kind: str = "site") -> UUID:
    """A place without sensors."""
    place = uuid7()
    with database.transaction(tenant) as tx:
        tx.run(
            "INSERT INTO sites (tenant_id, id, kind, name, code, time_zone, created_at, updated_at)"
            " VALUES (%s, %s, %s, 'Main', %s, 'UTC', now(), now())",
            (tenant.tenant, place, kind, place.hex[-12:]),
        )
    return place
