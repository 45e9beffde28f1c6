"""What a sensor of kind zone counts in a zone is the zone's alone: its store's people came in by the doors."""

from collections.abc import Iterator
from datetime import timedelta
from typing import LiteralString
from uuid import UUID

import psycopg
import pytest

from shared.figures.repository import FigureRepository
from shared.occupancy.model import Day
from shared.occupancy.repository import InsideRepository, LimitRepository
from shared.quality.model import Finding
from tenant_context.context import TenantContext
from tenant_context.postgres import Database
from tests.asking import asked
from tests.conftest import Clone
from tests.integration.chain import Chain, kept, recompute
from tests.integration.counted import Line, add_sensor, add_zone, known
from tests.integration.test_occupancy import NOON, QUARTER, Store
from tests.integration.test_quality import Door

Tenants = tuple[TenantContext, TenantContext]
BORDER = 4
"""The sensor of the chain that is of kind zone, in the foyer of alpha."""
_QUARTERS: LiteralString = """
    SELECT s.name, sum(entries)::integer FROM footfall_15m f JOIN sites s ON s.id = f.site_id GROUP BY 1"""
_DAYS: LiteralString = """
    SELECT coalesce(s.name, 'everybody'), sum(entries)::integer
    FROM footfall_day d LEFT JOIN sites s ON s.id = d.place_id GROUP BY 1"""


@pytest.fixture
def chain(database: Database, two_tenants: Tenants) -> Chain:
    return Chain(database, two_tenants[0]).build().with_border()


@pytest.fixture
def store(database: Database, two_tenants: Tenants) -> Store:
    return Store(database, two_tenants[0])


@pytest.fixture
def admin(clone: Clone) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with clone.connect() as connection:
        yield connection


def of_kind_zone(admin: psycopg.Connection[tuple[object, ...]], sensor: UUID) -> None:
    """Nobody changes a sensor's kind by the API."""
    admin.execute("UPDATE sensors SET kind = 'zone' WHERE id = %s", (sensor,))


def test_an_inner_border_counts_for_its_zone_and_for_nothing_larger(chain: Chain) -> None:
    chain.push(
        [(0, 1, 40, 15, 5, 0), (1, 1, 40, 60, 20, 0), (BORDER, 1, 40, 15, 7, 0), (BORDER, 1, 41, 60, 8, 0)], at=0
    )
    whole = dict.fromkeys(("alpha", "north", "region", "everybody"), 25)
    assert dict(chain.read(_QUARTERS)) == {"alpha": 25, "foyer": 20}
    assert dict(chain.read(_DAYS)) == {**whole, "foyer": 20}
    chain.push([(BORDER, 1, 40, 15, 9, 0), (BORDER, 1, 41, 30, 6, 0)], at=1)
    assert dict(chain.read(_DAYS)) == {**whole, "foyer": 20}
    assert kept(chain) == recompute(chain)


def test_conversion_and_coverage_of_a_store_are_of_its_doors(chain: Chain) -> None:
    for sensor in (0, 1):
        chain.push([(sensor, 1, step, 15, 10, 10) for step in range(40, 44)], at=0)
    chain.push([(BORDER, 1, 40, 15, 900, 900)], at=1)  # and then it is silent
    chain.sell([("alpha", n, 41, "EUR", 5, False) for n in range(8)], at=2)
    about = ("2026-03-28T10:00", "2026-03-28T11:00", "hour", "footfall", "conversion_rate")
    [footfall, conversion] = asked(chain.database, chain.tenant, chain.places["alpha"], *about)["series"]
    assert (footfall["total"], conversion["total"]) == (80, 0.1)
    assert [point["coverage"] for point in footfall["points"]] == [1]
    foyer = asked(chain.database, chain.tenant, chain.places["foyer"], *about[:-1])
    assert [(point["value"], point["coverage"]) for point in foyer["points"]] == [(940, 0.625)]


def test_a_border_without_a_zone_counts_for_its_store(chain: Chain) -> None:
    chain.carry(BORDER, "alpha", None)  # on the 12th of March
    chain.push([(BORDER, 0, 40, 15, 5, 0), (BORDER, 1, 40, 15, 7, 0)], at=0)
    assert dict(chain.read(_QUARTERS)) == {"foyer": 5, "alpha": 7}


def test_a_row_that_was_its_stores_is_corrected_there(
    chain: Chain, admin: psycopg.Connection[tuple[object, ...]]
) -> None:
    chain.push([(0, 1, 40, 15, 5, 0)], at=0)
    of_kind_zone(admin, chain.sensors[0])  # as one of the release before, whose row is its store's
    chain.push([(0, 1, 40, 15, 8, 0), (0, 1, 41, 15, 1, 0)], at=1)
    assert dict(chain.read(_QUARTERS)) == {"alpha": 8, "foyer": 9}
    assert dict(chain.read(_DAYS))["everybody"] == 8


def test_occupancy_of_a_store_and_of_its_zone_is_each_of_its_own(
    store: Store, admin: psycopg.Connection[tuple[object, ...]]
) -> None:
    with store.database.transaction(store.tenant) as tx:
        zone = add_zone(tx, store.site)
        inner = add_sensor(tx, store.site, "inner", 15, zone)
        both = add_sensor(tx, store.site, "both", 15, zone)
    of_kind_zone(admin, inner)
    store.limit(30, 20)
    store.limit(30, 20, site=zone)
    for sensor, people in ((store.sensor, 10), (both, 5), (inner, 40)):
        store.push((NOON - QUARTER, people, 0), sensor=sensor)
    assert (store.inside().raw, store.inside(zone).raw) == (15, 45)
    assert [data["site_id"] for _, data in store.told("occupancy.limit_reached")] == [str(zone)]
    with store.database.transaction(store.tenant) as tx:
        judged = LimitRepository().of_sensors(tx, {inner: NOON})
        assert [limit.site_id for limit, _ in judged] == [zone]
        places = [FigureRepository().place(tx, one) for one in (store.site, zone)]
        day = Day(NOON - 4 * QUARTER, NOON + 4 * QUARTER)
        told = InsideRepository().today(tx, places, [day, day], timedelta(days=14))
    # A door that is in the zone is expected of both, asked together as well; the border of the zone alone.
    assert {one: told[one].minutes for one in told} == {store.site: 30, zone: 30}
    assert told[store.site].expected == told[zone].expected


def test_a_silent_border_holds_up_no_period_of_its_store(
    store: Store, admin: psycopg.Connection[tuple[object, ...]]
) -> None:
    with store.database.transaction(store.tenant) as tx:
        zone = add_zone(tx, store.site)
        inner = add_sensor(tx, store.site, "inner", 15, zone)
    of_kind_zone(admin, inner)
    store.push((NOON - 3 * QUARTER, 1, 0), sensor=inner)
    store.push((NOON - QUARTER, 1, 0))
    figures = FigureRepository()
    with store.database.transaction(store.tenant) as tx:
        told = [figures.slowest(tx, one, NOON - 8 * QUARTER, NOON, "traffic") for one in (store.site, zone)]
    assert told == [NOON, NOON - 2 * QUARTER]


def test_who_comes_and_goes_has_to_agree_where_the_sensor_counts(
    database: Database, two_tenants: Tenants, admin: psycopg.Connection[tuple[object, ...]]
) -> None:
    door = Door(database, two_tenants[0])
    with database.transaction(door.tenant) as tx:
        zone = add_zone(tx, door.site)
        inner = add_sensor(tx, door.site, "inner", 60, zone)
    of_kind_zone(admin, inner)
    line = Line(database, door.tenant, {"inner": known(inner, "Europe/Berlin")})
    for ahead in range(3):
        door.push_csv("door", door.day(ahead))
        line.push_csv("inner", [(time, entries, entries // 2) for time, entries, _ in door.day(ahead)])
    door.score()
    told: dict[str, bool] = dict(
        database.read(
            door.tenant,
            "SELECT n.name, bool_or(%s = ANY (findings)) FROM quality_days d JOIN sensors n ON n.id = d.sensor_id"
            " GROUP BY 1",
            (Finding.IMBALANCE.value,),
        )
    )
    assert told == {"door": False, "inner": True}
