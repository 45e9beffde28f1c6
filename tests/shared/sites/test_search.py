"""Sites are found by words, metadata and place, each by an index; lists go on where they ended, in any order."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.sites.model import After, Order, SiteId, Wanted
from shared.sites.service.sites import Sites
from tenant_context.context import TenantContext
from tenant_context.postgres import Database
from tests.conftest import Clone
from tests.shared.sites.conftest import Make


def found(sites: Sites, tenant: TenantContext, **wanted: Any) -> set[str]:
    return {site.name for site, _ in sites.page(tenant, Wanted(**wanted), after=None, limit=200)}


@pytest.mark.parametrize(
    "words",
    [
        "café",
        "CAFE",
        "caf",
        "munchen",
        "MÜNCHEN",
        "strasse",
        "Straße",
        "m-01",
        "80331",
        "munchen cafe",
        "zentral munch",
        "cafe; munchen!",
        "flagship",
        "espresso",
        "1984",
    ],
)
def test_words_are_found_by_their_beginnings_whatever_case_and_accents(
    sites: Sites, make: Make, acme: TenantContext, words: str
) -> None:
    make(
        name="Café Zentral",
        code="M-01",
        address="Große Straße 7",
        city="München",
        postal_code="80331",
        metadata={"format": {"tags": ["Flagship", "espresso"]}, "since": 1984},
    )
    make(name="Elsewhere")
    assert found(sites, acme, words=words) == {"Café Zentral"}


def test_all_words_but_the_last_are_whole(sites: Sites, make: Make, acme: TenantContext) -> None:
    make(name="Café Zentral")
    assert found(sites, acme, words="zentral caf") == {"Café Zentral"}
    assert found(sites, acme, words="caf zentral") == set()


@pytest.mark.parametrize(
    "words",
    [
        "' OR 1=1 --",
        "a & | ! ( ) <-> :*",
        "cafe':* | elsewhere",
        "\\",
        "%",
        "$$; DROP TABLE sites; --",
        "!!!",
        "   ",
        "x" * 200,
        "é" * 200,
        "a " * 100,
        "\U0001f600",
        "ﷺ" * 11,
    ],
)
def test_whatever_is_typed_is_words_and_nothing_else(sites: Sites, make: Make, acme: TenantContext, words: str) -> None:
    # Its code is said, as one that is made up may begin as what is typed does.
    make(name="Café Zentral", code="cafe-1")
    assert found(sites, acme, words=words) == set()


def test_metadata_is_found_by_a_part_of_it(sites: Sites, make: Make, acme: TenantContext) -> None:
    make(name="One", metadata={"floor": 1, "tags": ["a", "b"], "owner": {"name": "Ada"}})
    make(name="Two", metadata={"floor": "1", "tags": ["b"]})
    assert found(sites, acme, metadata={"floor": 1}) == {"One"}
    assert found(sites, acme, metadata={"tags": ["b"]}) == {"One", "Two"}
    assert found(sites, acme, metadata={"owner": {"name": "Ada"}}) == {"One"}
    assert found(sites, acme, metadata={"owner": {"name": "Ada"}, "floor": 2}) == set()
    assert found(sites, acme, metadata={}) == {"One", "Two"}
    assert found(sites, acme, metadata={"tags": ["b"]}, words="two") == {"Two"}


def test_nobody_finds_what_is_another_tenants(sites: Sites, make: Make, globex: TenantContext) -> None:
    make(name="Café Zentral", metadata={"floor": 1}, latitude=52.5, longitude=13.4)
    for wanted in ({}, {"words": "cafe"}, {"metadata": {"floor": 1}}):
        assert found(sites, globex, **wanted) == set()


def test_the_door_function_tells_ids_of_the_entered_tenant_alone(
    clone: Clone, make: Make, acme: TenantContext, globex: TenantContext
) -> None:
    """Asked as functions ask it, without the row security of the query around it."""
    ask = """SELECT count(*) FROM app.find_sites(NULL, NULL, NULL, NULL, %s, false, NULL, NULL, NULL, 'name', NULL,
                                                 NULL, 9)"""
    region = make("region")
    make("site", region.id)
    with clone.connect("app") as app:
        for whose, within, seen in ((acme, None, 2), (acme, region.id, 1), (globex, None, 0), (globex, region.id, 0)):
            with app.transaction():
                app.execute("SELECT app.enter(%s, NULL, 'test')", (whose.tenant,))
                assert app.execute(ask, (within,)).fetchone() == (seen,)
        assert app.execute(ask, (None,)).fetchone() == (0,)


NAMES = st.lists(st.sampled_from(["Zoo", "zoo", "Äpfel", "apfel", "B", "b", "Ω", "1"]), min_size=0, max_size=12)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    given_names=NAMES,
    order=st.sampled_from([one for one in Order if one is not Order.DISTANCE]),
    size=st.integers(1, 5),
)
def test_pages_show_each_site_once_and_in_order(
    database: Database, sites: Sites, make: Make, acme: TenantContext, given_names: list[str], order: Order, size: int
) -> None:
    with database.transaction(acme) as tx:
        tx.run("DELETE FROM sites WHERE tenant_id = %s", (acme.tenant,))
    made = {make(name=name).id for name in given_names}
    seen: list[SiteId] = []
    keys: list[Any] = []
    after: After | None = None
    while page := sites.page(acme, Wanted(order=order), after=after, limit=size):
        seen += [site.id for site, _ in page]
        keys += [(key, site.id) if key else site.id for site, key in page]
        after = After(page[-1][1], page[-1][0].id)
    assert (len(seen), set(seen)) == (len(made), made)
    assert keys == sorted(keys, reverse=order.startswith("-"))


def plans(clone: Clone, tenant: TenantContext, **wanted: Any) -> str:
    """The plan of the query within the door function, as it ran for a tenant: PostgreSQL notes it by itself."""
    names = [
        "kind",
        "words",
        "metadata",
        "parent",
        "within",
        "roots",
        "latitude",
        "longitude",
        "radius",
        "order",
        "key",
        "after",
        "limit",
    ]
    values = {"kind": "site", "roots": False, "order": "name", "limit": 51, **wanted}
    notes: list[str] = []
    with clone.connect() as admin:
        admin.add_notice_handler(lambda note: notes.append(note.message_primary or ""))
        admin.execute("LOAD 'auto_explain'")
        for setting in ("log_min_duration = 0", "log_nested_statements = on", "log_level = notice"):
            admin.execute(f"SET auto_explain.{setting}")
        marks = ", ".join(["%s"] * len(names))
        ask: Any = f"SELECT * FROM app.find_sites({marks})"
        with admin.transaction():
            admin.execute("SET LOCAL ROLE rmap_app")
            admin.execute("SELECT app.enter(%s, NULL, 'test')", (tenant.tenant,))
            admin.execute(ask, [values.get(name) for name in names]).fetchall()
    return next(note for note in notes if "FROM sites s WHERE s.tenant_id" in note)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({"words": "store76"}, "sites_found"),
        ({"metadata": '{"number": 76}'}, "sites_found"),
        ({"words": "berlin", "metadata": '{"number": 76}'}, "sites_found"),
        ({}, "sites_by_name"),
        ({"order": "-name"}, "sites_by_name"),
        ({"order": "code"}, "sites_by_code"),
        ({"order": "-created"}, "sites_by_age"),
        ({"latitude": 52.5, "longitude": 13.4, "order": "distance"}, "sites_near"),
        ({"latitude": 52.5, "longitude": 13.4, "radius": 2000.0}, "sites_near"),
    ],
)
def test_sites_are_found_by_an_index(clone: Clone, acme: TenantContext, wanted: dict[str, Any], index: str) -> None:
    with clone.connect() as admin:
        admin.execute(
            """INSERT INTO sites (tenant_id, id, kind, name, code, city, time_zone, metadata, latitude, longitude,
                                  created_at, updated_at)
               SELECT %s, uuidv7(), CASE n %% 4 WHEN 0 THEN 'site' ELSE 'zone' END, 'store' || n, 'S' || n, 'Berlin',
                      'UTC', jsonb_build_object('number', n), 52 + n %% 100 / 100.0, 13 + n / 5000.0, now(), now()
               FROM generate_series(1, 5000) n""",
            (acme.tenant,),
        )
        admin.execute("ANALYZE sites")
    plan = plans(clone, acme, **wanted)
    assert index in plan, plan
    assert "Seq Scan" not in plan
