"""Every table, every verb, two tenants and none: nobody sees, changes, refers to or probes another tenant's rows."""

from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from tests.isolation.tables import ACME, GLOBEX, PERSONAL, UNGRANTED, Table, Tenant, World

both_ways = pytest.mark.parametrize(("mine", "other"), [(ACME, GLOBEX), (GLOBEX, ACME)], ids=["acme", "globex"])

PUBLIC_NAMES = {"tenants_slug_key", "domains_verified", "custom_domains_verified"}
"""A slug is a subdomain: that it is taken is public by its nature."""


def select(table: str, column: str) -> sql.Composed:
    return sql.SQL("SELECT {} FROM {}").format(sql.Identifier(column), sql.Identifier(table))


def update(table: Table, column: str, tenant: Tenant) -> sql.Composed:
    """Write what the tenant's own row says already: some columns can be written and not read."""
    value = tenant.value(column, table.columns[column])
    return sql.SQL("UPDATE {} SET {} = {}").format(sql.Identifier(table.name), sql.Identifier(column), value)


def where(query: sql.Composed, column: str) -> sql.Composed:
    return sql.SQL("{} WHERE {} = %s").format(query, sql.Identifier(column))


def test_every_table_is_judged_here(world: World) -> None:
    assert {table.name for table in world.granted("SELECT")} == set(world.tables) - UNGRANTED
    assert len(world.tables) > 15


@pytest.mark.parametrize("mine", [ACME, GLOBEX], ids=["acme", "globex"])
def test_a_tenant_sees_its_own_rows_only(world: World, mine: Tenant) -> None:
    seen: dict[str, set[Any]] = {}
    with world.undone():
        world.become(mine)
        for table in world.granted("SELECT"):
            rows = world.admin.execute(select(table.name, table.owner_column)).fetchall()
            seen[table.name] = {owner for (owner,) in rows}
    assert seen == {table.name: {table.owner(mine)} for table in world.granted("SELECT")}


def test_without_a_tenant_no_row_is_seen(world: World) -> None:
    with world.undone():
        world.become(None)
        seen = {
            table.name: world.admin.execute(select(table.name, table.owner_column)).rowcount
            for table in world.granted("SELECT")
        }
    assert {name for name, rows in seen.items() if rows} == set()


def test_a_tenant_is_forgotten_when_its_transaction_ends(world: World) -> None:
    """The setting is then '' and not NULL; either way it names nobody."""
    with world.undone():
        world.become(ACME)
    test_without_a_tenant_no_row_is_seen(world)


@both_ways
def test_another_tenants_rows_cannot_be_updated(world: World, mine: Tenant, other: Tenant) -> None:
    touched: dict[str, Any] = {}
    with world.undone():
        world.become_keyless(mine)
        for table in world.granted("UPDATE"):
            for column in sorted(world.privileges[table.name, "UPDATE"]):
                query = update(table, column, mine)
                foreign = world.attempt(where(query, table.owner_column), (table.owner(other),))
                touched[f"{table.name}.{column}"] = (foreign, world.attempt(query))
    assert touched
    assert {name: counts for name, counts in touched.items() if counts != (0, 1)} == {}


@both_ways
def test_another_tenants_rows_cannot_be_deleted(world: World, mine: Tenant, other: Tenant) -> None:
    touched: dict[str, Any] = {}
    with world.undone():
        world.become_keyless(mine)
        for name in sorted(world.deletable):
            column = world.tables[name].owner_column
            query = sql.SQL("DELETE FROM {}").format(sql.Identifier(name))
            foreign = world.attempt(where(query, column), (world.tables[name].owner(other),))
            touched[name] = (foreign, world.attempt(query))
    assert touched
    assert {name: counts for name, counts in touched.items() if counts != (0, 1)} == {}


def test_without_a_tenant_nothing_is_changed(world: World) -> None:
    touched: dict[str, Any] = {}
    with world.undone():
        world.become_keyless(None)
        for table in world.granted("UPDATE"):
            for column in sorted(world.privileges[table.name, "UPDATE"]):
                touched[f"update {table.name}.{column}"] = world.attempt(update(table, column, ACME))
        for name in sorted(world.deletable):
            touched[f"delete {name}"] = world.attempt(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))
    assert {name: count for name, count in touched.items() if count != 0} == {}


@pytest.mark.parametrize("mine", [ACME, None], ids=["another tenant", "nobody"])
def test_no_row_can_be_planted_with_another_tenant(world: World, mine: Tenant | None) -> None:
    """Refused by row security itself, before any key is looked at: so the answer tells nothing about what is there."""
    told: dict[str, str] = {}
    for table in world.granted("INSERT"):
        with world.undone():
            world.forget(table, GLOBEX)
            world.become(mine)
            told[table.name] = refusal(world, table.name, GLOBEX)
        with world.undone():
            world.become(mine)
            again = refusal(world, table.name, GLOBEX)
            assert again == told[table.name], f"{table.name} tells whether the row is there"
    assert {name: text for name, text in told.items() if "row-level security" not in text} == {}


def refusal(world: World, table: str, owner: Tenant) -> str:
    columns = world.privileges[table, "INSERT"]
    with pytest.raises(errors.InsufficientPrivilege) as caught:
        world.insert(world.tables[table], world.tables[table].row(owner), columns)
    return str(caught.value)


@both_ways
def test_another_tenants_keys_are_free_to_use(world: World, mine: Tenant, other: Tenant) -> None:
    """Unique probing: whatever the other tenant has taken, the same value is free here."""
    taken: dict[str, str] = {}
    for table in world.granted("INSERT"):
        bound = {column for key in world.foreign_keys if key.table == table.name for column, _ in key.pairs}
        row = {
            column: mine.value(column, kind) if column in bound | {"tenant_id"} else other.value(column, kind)
            for column, kind in table.columns.items()
        }
        with world.undone():
            world.forget(table, mine)
            world.become(mine)
            try:
                assert world.insert(table, row, world.privileges[table.name, "INSERT"]) == 1
            except errors.UniqueViolation as error:
                taken[table.name] = error.diag.constraint_name or ""
            except errors.InsufficientPrivilege:
                assert table.name in PERSONAL, "a tenant can write no row of its own: the matrix would prove nothing"
    assert set(taken.values()) <= PUBLIC_NAMES


@both_ways
def test_another_tenants_rows_cannot_be_referred_to(world: World, mine: Tenant, other: Tenant) -> None:
    followed: dict[str, Any] = {}
    for key in world.foreign_keys:
        table = world.tables[key.table]
        if not key.free_columns or key.target in PERSONAL:
            continue
        row = table.row(mine)
        foreign = {column: other.value(column, table.columns[column]) for column in key.free_columns}
        with world.undone():
            world.forget(table, mine)
            world.become(mine)
            followed[f"insert {key.name}"] = inserted(world, key.table, row | foreign)
        if set(key.free_columns) <= world.privileges.get((key.table, "UPDATE"), frozenset()):
            with world.undone():
                world.become(mine)
                followed[f"update {key.name}"] = repointed(world, key.table, foreign)
    assert followed
    assert {name: kind for name, kind in followed.items() if kind is not errors.ForeignKeyViolation} == {}


def inserted(world: World, table: str, row: dict[str, Any]) -> type[psycopg.Error] | int:
    try:
        return world.insert(world.tables[table], row, world.privileges[table, "INSERT"])
    except psycopg.Error as error:
        return type(error)


def repointed(world: World, table: str, columns: dict[str, Any]) -> type[psycopg.Error] | int:
    changes = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(column)) for column in columns)
    answer = world.attempt(sql.SQL("UPDATE {} SET {}").format(sql.Identifier(table), changes), tuple(columns.values()))
    return type(answer) if isinstance(answer, psycopg.Error) else answer


def test_a_tenant_cannot_move_a_row_to_another(world: World) -> None:
    movable = [
        table.name
        for table in world.tables.values()
        if {"tenant_id", "user_id"} & world.privileges.get((table.name, "UPDATE"), frozenset())
    ]
    assert movable == []


def test_statistics_tell_nothing_of_other_tenants_values(world: World) -> None:
    with world.undone():
        world.become(ACME)
        shown = world.admin.execute(
            "SELECT tablename FROM pg_stats WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        ).fetchall()
    assert shown == []


def test_a_colleague_is_seen_and_a_stranger_is_not(world: World) -> None:
    """`users` has no tenant_id: who may be seen follows from memberships."""
    with world.undone():
        world.become(None)
        world.admin.execute("SELECT app.enter(%s, NULL, 'isolation')", (ACME.id,))
        seen = world.admin.execute("SELECT user_id FROM users").fetchall()
    assert seen == [(ACME.user,)]


def test_a_person_without_a_tenant_sees_themselves_only(world: World) -> None:
    with world.undone():
        world.become(None)
        world.admin.execute("SELECT set_config('app.user_id', %s, true)", (str(GLOBEX.user),))
        assert world.admin.execute("SELECT user_id FROM users").fetchall() == [(GLOBEX.user,)]
        assert world.admin.execute("SELECT 1 FROM tenants").fetchall() == []
