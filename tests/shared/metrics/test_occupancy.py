"""Who is inside: entries less exits since the store's own midnight."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.metrics.errors import SiteNotFound
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.postgres import Database
from tests.asking import metrics_of

Tenants = tuple[TenantContext, TenantContext]


def add_site(database: Database, tenant: TenantContext, zone: str, *buckets: tuple[str, int, int]) -> UUID:
    """A site and its quarters of an hour: when, entries, exits."""
    site = uuid7()
    with database.transaction(tenant) as tx:
        tx.run(
            "INSERT INTO sites (tenant_id, id, name, code, time_zone, created_at, updated_at)"
            " VALUES (%s, %s, 'Main', %s, %s, now(), now())",
            (tenant.tenant, site, site.hex, zone),
        )
        for bucket, entries, exits in buckets:
            tx.run(
                "INSERT INTO footfall_15m (tenant_id, site_id, bucket, entries, exits, intervals, minutes)"
                " VALUES (%s, %s, %s, %s, %s, 1, 15)",
                (tenant.tenant, site, bucket, entries, exits),
            )
    return site


def occupancy(database: Database, tenant: TenantContext, site: UUID, now: str) -> dict[str, Any]:
    moment = datetime.fromisoformat(now)
    found: dict[str, Any] = json.loads(metrics_of(database, clock=lambda: moment).occupancy(tenant, site))
    return found


def test_it_counts_from_the_stores_own_midnight_until_now(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    site = add_site(
        database, acme, "Europe/Berlin",
        ("2026-03-01T22:45Z", 500, 0),  # 23:45 of the day before, there
        ("2026-03-01T23:00Z", 10, 1),
        ("2026-03-02T09:00Z", 30, 14),
        ("2026-03-02T09:15Z", 900, 0),  # not yet
    )  # fmt: skip
    assert occupancy(database, acme, site, "2026-03-02T09:14:59Z") == {
        "site": str(site),
        "time_zone": "Europe/Berlin",
        "since": "2026-03-01T23:00:00Z",
        "entries": 40,
        "exits": 15,
        "occupancy": 25,
        "as_of": "2026-03-02T09:15:00Z",
    }


@pytest.mark.parametrize(
    ("now", "midnight"),
    [("2026-03-29T12:00Z", "2026-03-28T23:00:00Z"), ("2026-10-25T12:00Z", "2026-10-24T22:00:00Z")],
    ids=["a day of 23 hours", "a day of 25 hours"],
)
def test_midnight_is_right_on_days_when_clocks_change(
    database: Database, two_tenants: Tenants, now: str, midnight: str
) -> None:
    acme, _ = two_tenants
    site = add_site(database, acme, "Europe/Berlin", (midnight, 3, 0))
    shown = occupancy(database, acme, site, now)
    assert (shown["since"], shown["occupancy"]) == (midnight, 3)


def test_nobody_is_inside_less_than_nobody(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    site = add_site(database, acme, "UTC", ("2026-03-02T09:00Z", 2, 9))
    shown = occupancy(database, acme, site, "2026-03-02T12:00Z")
    assert (shown["entries"], shown["exits"], shown["occupancy"]) == (2, 9, 0)


def test_a_store_that_nothing_is_known_of_says_so(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    shown = occupancy(database, acme, add_site(database, acme, "UTC"), "2026-03-02T12:00Z")
    assert (shown["entries"], shown["exits"], shown["occupancy"], shown["as_of"]) == (0, 0, 0, None)


def test_globex_cannot_look_into_acmes_store(database: Database, two_tenants: Tenants) -> None:
    acme, globex = two_tenants
    site = add_site(database, acme, "UTC", ("2026-03-02T09:00Z", 2, 0))
    for missing in (site, uuid4()):
        with pytest.raises(SiteNotFound):
            occupancy(database, globex, missing, "2026-03-02T12:00Z")
