"""What PostgreSQL's catalog says about isolation: nothing is left open by default, and each exception is known."""

from typing import LiteralString

import pytest
from psycopg import errors

from tests.isolation.tables import ACME, NOW, UNGRANTED, World

POLICY = "(tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)"
DOOR_TABLES = {"tenants", "users", "memberships", "outbox", "roles", "identity_providers", "domains", "erasures",
               "custom_domains", "tenant_branding", "inbox", "sites", "site_tree", "campaigns", "quality_days",
               "sensor_beats", "occupancy_limits", "alert_rules", "usage_events", "usage_hourly",
               "usage_pushes"}  # fmt: skip
"""What the reviewed functions may read, in the columns they need."""
OWN_POLICIES = {"users": {"fellow_members", "oneself", "own_row", "door", "leaving"}}
WITHOUT_TENANT = {"tenants_slug_key", "users_email_key", "users_pkey", "domains_verified", "custom_domains_verified"}
"""Unique keys without tenant_id: a slug is public; a person is one across tenants (unguessable id, own policies);
a domain is verified by who holds its DNS."""
REFERENCES_TO_PEOPLE = {("memberships", "users")}
REVIEWED = {
    "find_login": "rmap_door",
    "memberships_of": "rmap_door",
    "find_user": "rmap_door",
    "places_of": "rmap_door",
    "places": "rmap_door",
    "find_account": "rmap_door",
    "provider_place": "rmap_door",
    "place_at": "rmap_door",
    "holder_of": "rmap_door",
    "find_sites": "rmap_door",
    "tenants_at_work": "rmap_door",
    "tenants_in": "rmap_door",
    "tenants_due": "rmap_door",
    "tenants_with_waiting_events": "rmap_door",
    "operations": "rmap_door",
    "inbox_entries": "rmap_door",
    "tenants_to_erase": "rmap_door",
    "erase_rows": "rmap_owner",
    "erase_person": "rmap_owner",
    "ensure_month": "rmap_owner",
}
"""SECURITY DEFINER functions and their owners. A new one belongs here after a review: it sees beyond one tenant."""
SEARCH_PATH = "search_path=pg_catalog, public, pg_temp"


def ask(world: World, query: LiteralString) -> list[tuple[object, ...]]:
    return world.admin.execute(query).fetchall()


def names(world: World, query: LiteralString) -> set[object]:
    return {row[0] for row in ask(world, query)}


def test_row_security_is_enabled_and_forced_on_every_table_and_partition(world: World) -> None:
    open_tables = names(
        world,
        """SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
                 AND n.nspname !~ '^pg_toast' AND NOT (c.relrowsecurity AND c.relforcerowsecurity)""",
    )
    assert open_tables == UNGRANTED


def test_every_table_is_in_the_public_schema(world: World) -> None:
    elsewhere = names(
        world,
        """SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^(pg_|information_schema)'""",
    )
    assert elsewhere == {"public"}


def test_every_table_carries_the_same_policy(world: World) -> None:
    policies = ask(world, "SELECT tablename, policyname, permissive, roles, cmd, qual, with_check FROM pg_policies")
    judged = set()
    for table, policy, permissive, roles, verb, using, check in policies:
        if policy == "door":
            assert (roles, verb) == (["rmap_door"], "SELECT")
            assert table in DOOR_TABLES
        elif table in OWN_POLICIES:
            assert policy in OWN_POLICIES[str(table)]
        else:
            assert (policy, permissive, roles, verb) == ("tenant_isolation", "PERMISSIVE", ["public"], "ALL")
            assert (using, check) == (POLICY, POLICY)
            judged.add(table)
    assert judged >= set(world.tables) - UNGRANTED - set(OWN_POLICIES)


def test_a_month_made_by_a_function_is_protected_too(world: World) -> None:
    with world.undone():
        world.become(ACME)
        world.admin.execute("SELECT app.ensure_month('people_counts', %s - interval '14 months')", (NOW,))
        world.admin.execute("RESET ROLE")
        test_row_security_is_enabled_and_forced_on_every_table_and_partition(world)
        test_every_table_carries_the_same_policy(world)
        test_functions_touch_partitions_through_their_parents_only(world)


def test_functions_touch_partitions_through_their_parents_only(world: World) -> None:
    granted = names(
        world,
        """SELECT c.relname FROM pg_class c WHERE c.relispartition AND c.relkind = 'r'
           AND has_any_column_privilege('rmap_app', c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')""",
    )
    assert granted == set()


@pytest.mark.parametrize("parent", ["tenants", "pg_authid", "people_counts; DROP TABLE sites", "people_counts_2026_01"])
def test_months_are_made_of_reviewed_tables_only(world: World, parent: str) -> None:
    with world.undone():
        world.become(ACME)
        with pytest.raises(errors.RaiseException):
            world.admin.execute("SELECT app.ensure_month(%s, %s)", (parent, NOW))


def test_every_unique_key_is_unique_within_a_tenant(world: World) -> None:
    assert {key.name for key in world.uniques if "tenant_id" not in key.columns} == WITHOUT_TENANT | {
        "alembic_version_pkc"
    }


def test_every_foreign_key_stays_within_a_tenant(world: World) -> None:
    loose = {(key.table, key.target) for key in world.foreign_keys if ("tenant_id", "tenant_id") not in key.pairs}
    assert loose == REFERENCES_TO_PEOPLE


def test_every_table_but_users_says_whose_its_rows_are(world: World) -> None:
    assert {name for name, table in world.tables.items() if "tenant_id" not in table.columns} == {
        "users", "alembic_version",
    }  # fmt: skip
    nullable = names(
        world,
        """SELECT a.attrelid::regclass FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
           WHERE a.attname = 'tenant_id' AND NOT a.attnotnull AND c.relkind IN ('r', 'p')""",
    )
    assert nullable == set()


def test_nothing_else_serves_rows(world: World) -> None:
    """Views, materialized views, foreign tables, rules, publications and triggers could all pass row security by."""
    relations = names(
        world,
        """SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relkind IN ('v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')""",
    )
    rules = names(world, "SELECT rulename FROM pg_rules WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")
    triggers = names(world, "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
    publications = names(world, "SELECT pubname FROM pg_publication")
    assert (relations, rules, publications) == (set(), set(), set())
    # They act as whoever writes, so row security binds them.
    assert triggers == {"keep_limit", "keep_limit_back", "keep_feature", "keep_people", "keep_placement", "hold_tree",
                        "move_days", "turn_days", "next_epoch"}  # fmt: skip
    definers = names(
        world,
        """SELECT p.proname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
           WHERE NOT t.tgisinternal AND p.prosecdef""",
    )
    assert definers == set()


def test_sequences_count_across_tenants_so_there_are_none(world: World) -> None:
    assert names(world, "SELECT relname FROM pg_class WHERE relkind = 'S'") == set()


def test_functions_that_see_beyond_a_tenant_are_the_reviewed_ones(world: World) -> None:
    found = ask(
        world,
        """SELECT p.proname, r.rolname, p.proconfig, p.proacl::text FROM pg_proc p
           JOIN pg_roles r ON r.oid = p.proowner WHERE p.prosecdef""",
    )
    assert {str(name): owner for name, owner, _, _ in found} == REVIEWED
    for name, _, settings, granted in found:
        assert settings == [SEARCH_PATH], name
        assert granted is not None, f"{name} is PUBLIC's"
        assert not str(granted).startswith("{=X"), f"{name} is PUBLIC's"
        assert ",=X" not in str(granted), f"{name} is PUBLIC's"


def test_the_doors_owner_reads_a_few_columns_and_nothing_more(world: World) -> None:
    found = ask(
        world,
        """SELECT c.relname, array_agg(a.attname::text ORDER BY a.attname)
           FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
           WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
                 AND has_column_privilege('rmap_door', c.oid, a.attnum, 'SELECT')
           GROUP BY 1""",
    )
    assert {str(table): columns for table, columns in found} == {
        "tenants": [
            "dunning_stage",
            "held_state",
            "mfa_required",
            "name",
            "plan",
            "slug",
            "sso_only",
            "status",
            "status_since",
            "tenant_id",
        ],
        "users": ["email", "email_verified_at", "name", "password_hash", "user_id"],
        "roles": ["name", "permissions", "tenant_id"],
        "identity_providers": ["issuer", "tenant_id"],
        "domains": ["domain", "tenant_id", "verified_at"],
        "custom_domains": ["challenge", "domain", "tenant_id", "verified_at"],
        "tenant_branding": [
            "accent_color",
            "display_name",
            "footer",
            "logo_alt",
            "logo_url",
            "primary_color",
            "support_email",
            "support_url",
            "tenant_id",
        ],
        "memberships": ["created_at", "role", "tenant_id", "user_id"],
        "outbox": ["created_at", "published_at", "tenant_id"],
        "erasures": ["finished_at", "tenant_id"],
        # Whether a tenant has timed work.
        "campaigns": ["starts_at", "status", "tenant_id"],
        "quality_days": ["tenant_id"],
        "sensor_beats": ["tenant_id"],
        "occupancy_limits": ["tenant_id"],
        "alert_rules": ["enabled", "tenant_id"],
        "usage_events": ["id", "source", "tenant_id"],
        "usage_hourly": ["planned", "quantity", "tenant_id"],
        "usage_pushes": ["state", "tenant_id"],
        "sites": ["code", "id", "kind", "metadata", "position", "sort_name", "tenant_id", "words"],
        "site_tree": ["kind", "parent_id", "site_id", "tenant_id"],
        # What was posted and what became of it, and no body.
        "inbox": [
            "external_id",
            "id",
            "kind",
            "occurred_at",
            "reason",
            "received_at",
            "settled_at",
            "source",
            "state",
            "subject",
            "tenant_id",
            "tries",
            "waits_since",
        ],
    }
    writes = ask(
        world,
        """SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
           AND (has_any_column_privilege('rmap_door', c.oid, 'INSERT, UPDATE, REFERENCES')
                OR has_table_privilege('rmap_door', c.oid, 'DELETE, TRUNCATE, TRIGGER'))""",
    )
    assert writes == []


@pytest.mark.parametrize("role", ["rmap_app", "rmap_door"])
def test_no_role_of_functions_is_above_row_security(world: World, role: str) -> None:
    (flags,) = world.admin.execute(
        """SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication
           FROM pg_roles WHERE rolname = %s""",
        (role,),
    ).fetchall()
    assert not any(flags)


def test_nobody_logs_in_as_the_door(world: World) -> None:
    assert ask(world, "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'rmap_door'") == [(False,)]


def test_functions_cannot_become_another_role(world: World) -> None:
    memberships = names(
        world,
        """SELECT roleid::regrole::text FROM pg_auth_members WHERE member = 'rmap_app'::regrole
           AND roleid::regrole::text <> 'rds_iam'""",
    )
    assert memberships == set()
    for role in ("rmap_door", "rmap_owner", "postgres"):
        with world.undone():
            world.admin.execute("SET LOCAL SESSION AUTHORIZATION rmap_app")
            with pytest.raises(errors.InsufficientPrivilege):
                world.admin.execute(f"SET LOCAL ROLE {role}")


def test_functions_own_nothing(world: World) -> None:
    owned = ask(
        world,
        """SELECT classid::regclass, objid FROM pg_shdepend
           WHERE refobjid = 'rmap_app'::regrole AND deptype = 'o'""",
    )
    assert owned == []


def test_functions_can_make_nothing_that_lasts(world: World) -> None:
    schemas = names(
        world,
        """SELECT nspname FROM pg_namespace WHERE has_schema_privilege('rmap_app', oid, 'CREATE')
           AND nspname !~ '^pg_(toast_)?temp'""",
    )
    assert schemas == set()


def test_functions_hold_no_privilege_that_passes_row_security_by(world: World) -> None:
    """TRUNCATE empties a table for all; REFERENCES and TRIGGER look at every row."""
    found = names(
        world,
        """SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
           AND has_table_privilege('rmap_app', c.oid, 'TRUNCATE, REFERENCES, TRIGGER, MAINTAIN')""",
    )
    assert found == set()


def test_functions_cannot_touch_the_history_of_migrations(world: World) -> None:
    with world.undone():
        world.become(ACME)
        with pytest.raises(errors.InsufficientPrivilege):
            world.admin.execute("SELECT * FROM alembic_version")


def test_a_password_hash_cannot_be_read_from_its_table(world: World) -> None:
    with world.undone():
        world.become(ACME)
        with pytest.raises(errors.InsufficientPrivilege):
            world.admin.execute("SELECT password_hash FROM users")


def test_row_security_cannot_be_loosened_by_functions(world: World) -> None:
    for statement in ("SELECT app.protect('sites')", "ALTER TABLE sites DISABLE ROW LEVEL SECURITY",
                      "DROP POLICY tenant_isolation ON sites", "CREATE POLICY all_of_it ON sites USING (true)",
                      "SET LOCAL session_replication_role = replica"):  # fmt: skip
        with world.undone():
            world.admin.execute("SET LOCAL SESSION AUTHORIZATION rmap_app")
            with pytest.raises(errors.InsufficientPrivilege):
                world.admin.execute(statement)
