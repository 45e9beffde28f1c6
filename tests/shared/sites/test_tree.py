"""The tree of regions, districts, stores and zones: kinds, moves, history, and what keeps it a tree."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from shared.sites.errors import (
    SiteInUse,
    SiteNotFound,
    UnknownSite,
    UnknownZone,
    WrongParent,
    ZoneInUse,
)
from shared.sites.gateway import Directory
from shared.sites.model import Kind, Near, Order, SensorDraft, Site, SiteId, Wanted
from shared.sites.service.sensors import Sensors
from shared.sites.service.sites import Sites
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.errors import LimitReached, PreconditionFailed
from tenant_context.postgres import Database
from tests.conftest import Clone
from tests.shared.sites.conftest import PLAIN, Make


def test_a_store_is_in_a_district_which_is_in_a_region(sites: Sites, make: Make, acme: TenantContext) -> None:
    region = make("region", name="North")
    district = make("district", region.id, name="Coast")
    store = make("site", district.id, name="Harbour")
    zone = make("zone", store.id, name="Entrance")
    direct = make("site", region.id, name="Airport")
    told = [(node.name, node.kind, node.depth) for node in sites.tree(acme, region.id, None)]
    assert told == [
        ("North", "region", 0),
        ("Airport", "site", 1),
        ("Coast", "district", 1),
        ("Harbour", "site", 2),
        ("Entrance", "zone", 3),
    ]
    assert sites.show(acme, zone.id).parent_id == store.id
    assert [node.parent_id for node in sites.tree(acme, store.id, None)] == [None, store.id]
    assert direct.parent_id == region.id


@pytest.mark.parametrize(
    ("kind", "parent"),
    [
        ("region", "region"),
        ("region", "site"),
        ("district", "district"),
        ("district", "site"),
        ("site", "site"),
        ("site", "zone"),
        ("zone", "region"),
        ("zone", "district"),
        ("zone", "zone"),
        ("zone", None),
    ],
)
def test_what_a_kind_cannot_be_in_is_refused(make: Make, kind: str, parent: str | None) -> None:
    region = make("region")
    store = make("site", region.id)
    places = {
        "region": region.id,
        "district": make("district", region.id).id,
        "site": store.id,
        "zone": make("zone", store.id).id,
        None: None,
    }
    with pytest.raises(WrongParent):
        make(kind, places[parent])


def test_nothing_is_moved_into_what_is_within_it(
    database: Database, sites: Sites, make: Make, acme: TenantContext
) -> None:
    region = make("region")
    district = make("district", region.id)
    for inner in (district.id, region.id):
        with pytest.raises(WrongParent), database.transaction(acme) as tx:
            sites.move(tx, region.id, inner, region.version)


def test_another_tenants_region_is_no_place(
    database: Database, sites: Sites, make: Make, acme: TenantContext, globex: TenantContext
) -> None:
    theirs = make("region", whose=globex)
    with pytest.raises(WrongParent) as foreign:
        make("district", theirs.id)
    with pytest.raises(WrongParent) as missing:
        make("district", SiteId(uuid7()))
    assert foreign.value.errors == missing.value.errors
    store = make("site")
    with pytest.raises(WrongParent), database.transaction(acme) as tx:
        sites.move(tx, store.id, theirs.id, store.version)
    with pytest.raises(SiteNotFound):
        sites.tree(acme, theirs.id, None)
    assert sites.page(acme, Wanted(kind=None, within=theirs.id), after=None, limit=10) == []


def test_a_move_keeps_where_a_store_was(database: Database, sites: Sites, make: Make, acme: TenantContext) -> None:
    north, south = make("region", name="North"), make("region", name="South")
    store = make("site", north.id)
    with database.transaction(acme) as tx:
        moved = sites.move(tx, store.id, south.id, store.version)
        when = tx.now
    assert (moved.parent_id, moved.version) == (south.id, store.version + 1)
    told = [(one.parent_name, one.since, one.until) for one in sites.placements(acme, store.id)]
    assert told == [("South", when, None), ("North", store.created_at, when)]
    before, after = ([node.id for node in sites.tree(acme, north.id, at)] for at in (when - timedelta(0, 0, 1), None))
    assert (before, after) == ([north.id, store.id], [north.id])
    with database.transaction(acme) as tx:
        sites.move(tx, store.id, None, moved.version)
    assert [one.parent_name for one in sites.placements(acme, store.id)] == ["South", "North"]
    assert sites.show(acme, store.id).parent_id is None


def test_a_move_names_the_version_it_read(database: Database, sites: Sites, make: Make, acme: TenantContext) -> None:
    region, store = make("region"), make("site")
    with pytest.raises(PreconditionFailed), database.transaction(acme) as tx:
        sites.move(tx, store.id, region.id, store.version + 1)


def test_what_holds_something_is_not_removed(database: Database, sites: Sites, make: Make, acme: TenantContext) -> None:
    region = make("region")
    store = make("site", region.id)
    zone = make("zone", store.id)
    for held in (region, store):
        with pytest.raises(SiteInUse), database.transaction(acme) as tx:
            sites.remove(tx, held.id)
    for free in (zone, store, region):
        with database.transaction(acme) as tx:
            sites.remove(tx, free.id)
    with pytest.raises(SiteNotFound):
        sites.show(acme, region.id)


def test_a_store_with_receipts_is_not_removed(
    database: Database, sites: Sites, make: Make, acme: TenantContext
) -> None:
    store = make("site")
    with database.transaction(acme) as tx:
        tx.run("INSERT INTO sales_15m VALUES (%s, %s, now(), 'EUR', 1, 0, 1, 1)", (acme.tenant, store.id))
    with pytest.raises(SiteInUse), database.transaction(acme) as tx:
        sites.remove(tx, store.id)


def test_plans_count_stores_and_nothing_else(clone: Clone, database: Database, make: Make, acme: TenantContext) -> None:
    with clone.connect() as admin:
        admin.execute("UPDATE tenants SET plan = 'free' WHERE tenant_id = %s", (acme.tenant,))
    region = make("region")
    for _ in range(3):
        make("district", region.id)
    store = make("site", region.id)
    for _ in range(3):
        make("zone", store.id)
    with pytest.raises(LimitReached) as reached:
        make("site", region.id)
    assert reached.value.members["usage"] == 1
    used = database.read(acme, "SELECT app.usage(%s, 'sites', now())", (acme.tenant,))
    assert used == [(1,)]


def test_sensors_are_at_stores_and_in_zones_of_theirs(
    database: Database, sites: Sites, sensors: Sensors, make: Make, acme: TenantContext
) -> None:
    region = make("region")
    store, other = make("site", region.id), make("site", region.id)
    zone = make("zone", store.id)

    def draft(site: SiteId, within: SiteId | None) -> SensorDraft:
        return SensorDraft(site, "Door", f"door-{uuid7().hex}", "zone", "", 15, within)

    for nowhere in (region.id, zone.id, SiteId(uuid7())):
        with pytest.raises(UnknownSite), database.transaction(acme) as tx:
            sensors.register(tx, draft(nowhere, None))
    for elsewhere in (region.id, store.id, SiteId(uuid7())):
        with pytest.raises(UnknownZone), database.transaction(acme) as tx:
            sensors.register(tx, draft(store.id, elsewhere))
    with pytest.raises(UnknownZone), database.transaction(acme) as tx:
        sensors.register(tx, draft(other.id, zone.id))
    with database.transaction(acme) as tx:
        sensor = sensors.register(tx, draft(store.id, zone.id))
    assert sensors.show(acme, sensor.id).zone_id == zone.id
    found = sensors.page(acme, site=None, zone=zone.id, health=None, after=None, limit=10)
    assert [one.id for one in found] == [sensor.id]
    with pytest.raises(ZoneInUse), database.transaction(acme) as tx:
        sites.move(tx, zone.id, other.id, zone.version)
    with pytest.raises(SiteInUse), database.transaction(acme) as tx:
        sites.remove(tx, zone.id)


def test_the_door_knows_stores_alone(directory: Directory, make: Make, acme: TenantContext) -> None:
    region = make("region")
    store = make("site", region.id)
    known = directory.find(acme, "sites", {region.code, str(region.id), store.code, str(store.id)})
    assert known == {store.code: store.id, str(store.id): store.id}


@pytest.mark.parametrize(
    ("kind", "parent_kind"),
    [("region", "region"), ("site", "site"), ("zone", "region"), ("district", "site"), ("region", "zone")],
)
def test_postgresql_itself_keeps_the_kinds(
    database: Database, make: Make, acme: TenantContext, kind: str, parent_kind: str
) -> None:
    """Whatever code comes: by a check of the pair, and by keys that say what each really is."""
    region = make("region")
    store = make("site", region.id)
    ids = {"region": region.id, "site": store.id, "zone": make("zone", store.id).id}
    ids["district"] = make("district", region.id).id
    fresh = make(kind).id if kind in {"region", "district", "site"} else make("zone", store.id).id
    row = (acme.tenant, fresh, kind, ids[parent_kind], parent_kind)
    statement = (
        "INSERT INTO site_tree VALUES (%s, %s, %s, %s, %s, now())"
        " ON CONFLICT (tenant_id, site_id)"
        " DO UPDATE SET parent_id = excluded.parent_id, parent_kind = excluded.parent_kind"
    )
    with pytest.raises(psycopg.errors.CheckViolation), database.transaction(acme) as tx:
        tx.one(f"{statement} RETURNING 1", row)
    lies = (acme.tenant, fresh, "district", ids[parent_kind], "region")
    if (kind, parent_kind) != ("district", "region"):
        with pytest.raises(psycopg.errors.IntegrityError), database.transaction(acme) as tx:
            tx.one(f"{statement} RETURNING 1", lies)


def names(found: list[tuple[Site, str | None]]) -> list[str]:
    return [site.name for site, _ in found]


def test_what_is_somewhere_within_a_region_is_listed(sites: Sites, make: Make, acme: TenantContext) -> None:
    north, south = make("region"), make("region")
    coast = make("district", north.id)
    harbour = make("site", coast.id, name="Harbour")
    make("site", north.id, name="Airport")
    make("site", south.id, name="Valley")
    make("site", name="Nowhere")
    make("zone", harbour.id, name="Entrance")

    def told(**wanted: object) -> list[str]:
        return names(sites.page(acme, Wanted(order=Order.NAME, **wanted), after=None, limit=10))  # type: ignore[arg-type]

    assert told(within=north.id) == ["Airport", "Harbour"]
    assert told(within=coast.id) == ["Harbour"]
    assert told(within=north.id, kind=Kind.ZONE) == ["Entrance"]
    assert told(within=north.id, kind=None) == ["A district", "Airport", "Entrance", "Harbour"]
    assert told(parent=north.id, kind=None) == ["A district", "Airport"]
    assert told(roots=True) == ["Nowhere"]
    assert told(roots=True, kind=None) == ["A region", "A region", "Nowhere"]


def test_moves_and_removals_at_once_leave_a_tree(clone: Clone, make: Make, acme: TenantContext) -> None:
    """A region that goes while a store is put into it: one of the two is refused, by the key."""
    region, store = make("region"), make("site")
    row = (acme.tenant, store.id, region.id)

    def put(other: psycopg.Connection[tuple[object, ...]]) -> None:
        with other.transaction():
            other.execute("SET LOCAL lock_timeout = '200ms'")
            other.execute("SELECT app.enter(%s, NULL, 'test')", (acme.tenant,))
            other.execute("INSERT INTO site_tree VALUES (%s, %s, 'site', %s, 'region', now())", row)

    with clone.connect("app") as one, clone.connect("app") as two:
        with one.transaction():
            one.execute("SELECT app.enter(%s, NULL, 'test')", (acme.tenant,))
            one.execute("DELETE FROM sites WHERE id = %s", (region.id,))
            with pytest.raises(psycopg.errors.LockNotAvailable):
                put(two)
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            put(two)


def test_nearness_is_of_a_sphere_over_the_date_line_and_the_pole(sites: Sites, make: Make, acme: TenantContext) -> None:
    places = {
        "Suva": (-18.14, 178.44),
        "Apia": (-13.83, -171.77),
        "Alert": (82.5, -62.33),
        "Barentsburg": (78.07, 14.22),
        "Berlin": (52.52, 13.405),
        "Potsdam": (52.39, 13.065),
    }
    for name, (latitude, longitude) in places.items():
        make("site", name=name, latitude=latitude, longitude=longitude)
    make("site", name="Unknown")

    def near(*point: float, radius: float | None = None) -> list[str]:
        wanted = Wanted(near=Near(point[0], point[1], radius), order=Order.DISTANCE)
        return names(sites.page(acme, wanted, after=None, limit=3))

    assert near(-16.0, -179.9)[:2] == ["Suva", "Apia"]
    assert near(89.9, 0.0)[:2] == ["Alert", "Barentsburg"]
    assert near(52.5, 13.4, radius=30_000) == ["Berlin", "Potsdam"]
    assert near(52.5, 13.4, radius=20_000) == ["Berlin"]
    (potsdam,) = sites.page(
        acme, Wanted(near=Near(52.52, 13.405), order=Order.DISTANCE, words="potsdam"), after=None, limit=3
    )
    assert potsdam[0].distance_m == pytest.approx(27_180, rel=0.01)


def test_particulars_are_replaced_and_kind_and_place_stay(
    database: Database, sites: Sites, make: Make, acme: TenantContext
) -> None:
    region = make("region")
    store = make("site", region.id)
    draft = replace(PLAIN, name="Harbour", city="Kiel", country="DE", latitude=54.3, longitude=10.1, area_m2=900.0)
    with database.transaction(acme) as tx:
        sites.amend(tx, store.id, draft, store.version)
    shown = sites.show(acme, store.id)
    assert (shown.kind, shown.parent_id) == ("site", region.id)
    assert (shown.city, shown.country, shown.latitude, shown.area_m2) == ("Kiel", "DE", 54.3, 900.0)


def test_history_of_a_thousand_years_ago_is_empty(sites: Sites, make: Make, acme: TenantContext) -> None:
    region = make("region")
    make("site", region.id)
    old = datetime(1026, 1, 1, tzinfo=UTC)
    assert [node.id for node in sites.tree(acme, region.id, old)] == [region.id]
