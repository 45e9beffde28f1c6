"""Every function of ours in PostgreSQL, called by one tenant with the other's id: it answers as for nobody's.

From the catalog: a function of a later migration that takes an id is called with what the other tenant has, and answers
must be the same as with an id that nobody has. Those that see beyond a tenant by design are named, and why.
"""

from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg import errors, sql

from tests.isolation.tables import ACME, GLOBEX, NOW, Tenant, World
from tests.isolation.test_catalog import REVIEWED

NOBODY = Tenant(GLOBEX.name, UUID(int=0xBAD), UUID(int=0xBAD1), 7)
"""Ids that nobody has; the same words, as some functions say the words they were given."""
_FUNCTIONS: LiteralString = """
    SELECT p.proname::text, ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) t)::text[],
           coalesce(p.proargnames, '{}')::text[]
    FROM pg_proc p WHERE p.pronamespace = 'app'::regnamespace AND p.prorettype <> 'trigger'::regtype
          AND has_function_privilege('rmap_app', p.oid, 'EXECUTE')"""
DOORS = {
    "enter": "who enters says who they are: only the kernel does, by a context that was proved",
    "enter_in": "the same",
    "look": "the same",
    "find_login": "asked before a tenant is known: by a mail address, whose password is then proved",
    "find_user": "the same, by a mail address that was proved",
    "find_account": "the same",
    "memberships_of": "asked before a tenant is known: by the id of a user who was proved",
    "places_of": "the same",
    "places": "the same",
    "provider_place": "asked before a tenant is known: the organization that owns a mail domain",
    "tenants_at_work": "timed work: ids alone",
    "tenants_in": "the same",
    "tenants_due": "the same",
    "tenants_with_waiting_events": "the same",
    "tenants_to_erase": "the same",
    "place_at": "names and looks, by a slug or a verified domain: public, and no id",
    "holder_of": "for our code alone: who holds a domain that the entered tenant claims, and what is in its DNS",
    "inbox_entries": "for operators and the sweep: what was posted, by whom and what became of it, without its body",
    "own_word": "says again what it was given, and looks at no row",
    "words": "the same",
    "shard_of": "a number made of the id that it was given; looks at no row",
    "operations": "numbers of all tenants together, for operators",
}
MAY_REFUSE = {"erase_rows", "erase_person", "ensure_month", "find_sites"}
"""Raise for whoever may not, or find nothing; the answer is compared."""


def called(world: World, name: str, kinds: list[str], whose: Tenant) -> Any:
    """What a function answers to somebody's ids and names."""
    values = {"timestamp with time zone": NOW, "integer": 10}
    given = [values.get(kind, whose.value("tenant_id" if kind == "uuid" else "", kind)) for kind in kinds]
    query = sql.SQL("SELECT * FROM {}({})").format(
        sql.Identifier("app", name),
        sql.SQL(", ").join(sql.SQL("%s::" + kind) for kind in kinds),
    )
    try:
        with world.admin.transaction():
            return world.admin.execute(query, given).fetchall()
    except psycopg.Error as error:
        return type(error), str(error).partition("\n")[0]


def functions(world: World) -> list[tuple[str, list[str], list[str]]]:
    return [(str(name), kinds, names) for name, kinds, names in world.admin.execute(_FUNCTIONS).fetchall()]


def test_every_function_that_sees_beyond_a_tenant_is_judged(world: World) -> None:
    names = {name for name, _, _ in functions(world)}
    assert set(REVIEWED) - set(DOORS) == MAY_REFUSE
    assert {"limits", "usage", "allowance", "has_feature", "erase_rows", "erase_person"} <= names - set(DOORS)


def test_another_tenants_id_is_answered_as_nobodys(world: World) -> None:
    told: dict[str, tuple[Any, Any]] = {}
    for name, kinds, _ in functions(world):
        if name in DOORS or "uuid" not in kinds:
            continue
        with world.undone():
            world.become(ACME)
            told[name] = called(world, name, kinds, GLOBEX), called(world, name, kinds, NOBODY)
    assert len(told) > 4
    assert {name: pair for name, pair in told.items() if pair[0] != pair[1]} == {}


@pytest.mark.parametrize("what", ["users", "campaigns", "sites", "sensors", "webhook_endpoints"])
def test_limits_and_usage_of_another_tenant_are_nothing(world: World, what: str) -> None:
    with world.undone():
        world.become(ACME)
        ask: Any = world.admin.execute
        assert ask("SELECT app.usage(%s, %s, %s)", (GLOBEX.id, what, NOW)).fetchone() == (0,)
        assert ask("SELECT app.usage(%s, %s, %s)", (ACME.id, what, NOW)).fetchone() != (0,)
        mine = ask("SELECT used FROM app.limits(%s, %s, %s)", (GLOBEX.id, [what], NOW)).fetchall()
        assert mine == [(0,)]
        assert ask("SELECT allowed FROM app.allowance(%s, %s, %s)", (GLOBEX.id, what, NOW)).fetchone() == (None,)


def test_timed_work_learns_ids_alone(world: World) -> None:
    with world.undone():
        world.become(None)
        ask: Any = world.admin.execute
        for query in (
            "SELECT * FROM app.tenants_in('{acme,globex}', NULL, 10)",
            "SELECT * FROM app.tenants_due('usage', now(), '{active}', NULL, 10)",
            "SELECT * FROM app.tenants_to_erase(10)",
        ):
            cursor = ask(query)
            assert [column.name for column in cursor.description] == ["tenant_id"]


def test_nobodys_rows_are_erased_but_by_their_own_tenants_erasure(world: World) -> None:
    """Even while Globex is being erased, its worker takes nothing of Acme's."""
    with world.undone():
        ask: Any = world.admin.execute
        ask("SET LOCAL session_replication_role = replica")
        ask("UPDATE tenants SET status = 'closed' WHERE tenant_id = %s", (GLOBEX.id,))
        ask("UPDATE erasures SET finished_at = NULL WHERE tenant_id = %s", (GLOBEX.id,))
        ask("SET LOCAL session_replication_role = origin")
        before = ask("SELECT count(*) FROM people_counts WHERE tenant_id = %s", (ACME.id,)).fetchone()
        world.become(GLOBEX)
        assert ask("SELECT app.erase_rows('people_counts', 10)").fetchone() == (1,)
        assert ask("SELECT app.erase_rows('people_counts', 10)").fetchone() == (0,)
        ask("RESET ROLE")
        assert ask("SELECT count(*) FROM people_counts WHERE tenant_id = %s", (ACME.id,)).fetchone() == before


def test_copying_out_gives_a_tenants_own_rows_only_and_copying_in_is_judged(world: World) -> None:
    """COPY is another way to read and write; PostgreSQL holds reading to row security, and refuses to write past it."""
    with world.undone():
        world.become(ACME)
        for table in world.granted("SELECT"):
            query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(
                sql.Identifier(table.owner_column), sql.Identifier(table.name)
            )
            with world.admin.cursor().copy(query) as copy:
                told = {bytes(line).decode().strip() for line in copy}
            assert told <= {str(table.owner(ACME))}, table.name
    for table in world.granted("INSERT"):
        query = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table.name), sql.Identifier(table.owner_column)
        )
        with world.undone():
            world.become(ACME)
            with (
                pytest.raises((errors.FeatureNotSupported, errors.InsufficientPrivilege)),
                world.admin.transaction(),
                world.admin.cursor().copy(query) as copy,
            ):
                copy.write_row((table.owner(GLOBEX),))


def test_no_table_can_be_emptied_locked_or_looked_into(world: World) -> None:
    for name in world.tables:
        for statement in ("TRUNCATE {}", "TRUNCATE {} CASCADE", "ALTER TABLE {} RENAME TO gone", "DROP TABLE {}"):
            with world.undone():
                world.become(ACME)
                answer = world.attempt(sql.SQL(statement).format(sql.Identifier(name)))
                assert isinstance(answer, errors.InsufficientPrivilege), (name, statement)
