"""The matrix finds what it looks for: a table of a careless migration is judged without being named anywhere."""

from collections.abc import Callable
from typing import LiteralString

import pytest

from tests.isolation import test_catalog as catalog
from tests.isolation import test_rows as rows
from tests.isolation.tables import ACME, GLOBEX, World

OPEN: LiteralString = """
    CREATE TABLE careless (tenant_id uuid NOT NULL, id uuid, code text, PRIMARY KEY (tenant_id, id));
    GRANT SELECT, INSERT, UPDATE, DELETE ON careless TO rmap_app;"""
GUARDED: LiteralString = f"{OPEN} SELECT app.protect('careless');"
READ_ONLY_GUARD: LiteralString = f"""{OPEN}
    ALTER TABLE careless ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY reading ON careless FOR SELECT
        USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
    CREATE POLICY changing ON careless FOR UPDATE USING (true) WITH CHECK (true);
    CREATE POLICY removing ON careless FOR DELETE USING (true);
    CREATE POLICY planting ON careless FOR INSERT WITH CHECK (true);"""
REFERRING: LiteralString = f"""{GUARDED}
    CREATE UNIQUE INDEX moments ON campaigns (created_at);
    ALTER TABLE careless ADD seen timestamptz REFERENCES campaigns (created_at);"""

CARELESS: dict[str, tuple[LiteralString, Callable[[World], None]]] = {
    "no row security, by its flag": (
        OPEN,
        catalog.test_row_security_is_enabled_and_forced_on_every_table_and_partition,
    ),
    "no row security, by its rows": (OPEN, lambda world: rows.test_a_tenant_sees_its_own_rows_only(world, ACME)),
    "no row security, without a tenant": (OPEN, rows.test_without_a_tenant_no_row_is_seen),
    "another policy": (READ_ONLY_GUARD, catalog.test_every_table_carries_the_same_policy),
    "rows to plant": (
        READ_ONLY_GUARD,
        lambda world: rows.test_no_row_can_be_planted_with_another_tenant(world, ACME),
    ),
    "rows to change by nobody": (OPEN, rows.test_without_a_tenant_nothing_is_changed),
    "rows to change": (OPEN, lambda world: rows.test_another_tenants_rows_cannot_be_updated(world, ACME, GLOBEX)),
    "rows to delete": (OPEN, lambda world: rows.test_another_tenants_rows_cannot_be_deleted(world, ACME, GLOBEX)),
    "a row to move": (GUARDED, rows.test_a_tenant_cannot_move_a_row_to_another),
    "a key of all tenants, by its columns": (
        f"{GUARDED} CREATE UNIQUE INDEX one_code ON careless (code);",
        catalog.test_every_unique_key_is_unique_within_a_tenant,
    ),
    "a key of all tenants, by probing": (
        f"{GUARDED} CREATE UNIQUE INDEX one_code ON careless (code);",
        lambda world: rows.test_another_tenants_keys_are_free_to_use(world, ACME, GLOBEX),
    ),
    "a reference across tenants": (
        REFERRING,
        lambda world: rows.test_another_tenants_rows_cannot_be_referred_to(world, ACME, GLOBEX),
    ),
    "a reference across tenants, by its columns": (
        REFERRING,
        catalog.test_every_foreign_key_stays_within_a_tenant,
    ),
    "a view": (
        "CREATE VIEW peep AS SELECT * FROM campaigns; GRANT SELECT ON peep TO rmap_app;",
        catalog.test_nothing_else_serves_rows,
    ),
    "a function of its owner": (
        "CREATE FUNCTION app.peep() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM campaigns';",
        catalog.test_functions_that_see_beyond_a_tenant_are_the_reviewed_ones,
    ),
    "a sequence": ("CREATE SEQUENCE orders;", catalog.test_sequences_count_across_tenants_so_there_are_none),
    "a role above row security": (
        "ALTER ROLE rmap_door BYPASSRLS;",
        lambda world: catalog.test_no_role_of_functions_is_above_row_security(world, "rmap_door"),
    ),
    "a table of the functions' own": (
        "CREATE TABLE own (tenant_id uuid); ALTER TABLE own OWNER TO rmap_app;",
        catalog.test_functions_own_nothing,
    ),
}


@pytest.mark.parametrize("fault", CARELESS)
def test_a_careless_migration_is_found(world: World, fault: str) -> None:
    statements, judge = CARELESS[fault]
    with world.undone():
        world.admin.execute(statements)
        fresh = World(world.admin)
        fresh.read_catalog()
        if "careless" in fresh.tables:
            for tenant in (ACME, GLOBEX):
                fresh.insert(fresh.tables["careless"], fresh.tables["careless"].row(tenant))
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            judge(fresh)
