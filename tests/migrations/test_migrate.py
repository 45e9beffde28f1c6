"""Migrations: from nothing, again, side by side, from the release before with data in it, and one that fails."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from psycopg import sql

from functions.migrations import runner
from functions.migrations.runner import migrate, script_directory
from local.stack import Stack
from tests.isolation.tables import ACME, GLOBEX, UNGRANTED, World
from tests.migrations.conftest import Connection, Empty

PREVIOUS_RELEASE = "0004"
"""The revision that deployments are at; raise it with each release."""
HEAD = script_directory().get_current_head() or ""


def shape(connection: Connection) -> list[tuple[object, ...]]:
    """Everything of a schema that a migration can change: columns, keys, policies, functions, grants."""
    queries = (
        """SELECT 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
                  coalesce(pg_get_expr(d.adbin, d.adrelid), ''), coalesce(a.attacl::text, '')
           FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
           LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
           WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped""",
        """SELECT 'table', relname, relkind::text, relrowsecurity::text, relforcerowsecurity::text,
                  relowner::regrole::text, coalesce(relacl::text, '')
           FROM pg_class WHERE relnamespace = 'public'::regnamespace""",
        """SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '', ''
           FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
        """SELECT 'index', tablename, indexname, indexdef, '', '', '' FROM pg_indexes WHERE schemaname = 'public'""",
        """SELECT 'policy', tablename, policyname, roles::text, cmd, coalesce(qual, ''), coalesce(with_check, '')
           FROM pg_policies""",
        """SELECT 'function', proname, pg_get_functiondef(oid), proowner::regrole::text, coalesce(proacl::text, ''),
                  '', ''
           FROM pg_proc WHERE pronamespace = 'app'::regnamespace""",
    )
    return sorted(
        (row for query in queries for row in connection.execute(query).fetchall()),
        key=str,
    )


def test_from_nothing_to_the_newest(empty: Empty) -> None:
    assert empty.migrate() == ("empty", HEAD)
    with empty.admin() as admin:
        tables = {name for (name,) in admin.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert {"tenants", "campaigns", "people_counts", "outbox", "webhook_endpoints"} <= tables


def test_again_changes_nothing(empty: Empty) -> None:
    empty.migrate()
    with empty.admin() as admin:
        before = shape(admin)
        assert empty.migrate() == (HEAD, HEAD)
        assert shape(admin) == before


def test_two_deployments_at_once_take_turns(empty: Empty) -> None:
    with ThreadPoolExecutor(max_workers=2) as workers:
        came_to = sorted(workers.map(lambda _: empty.migrate(), range(2)))
    assert came_to == [(HEAD, HEAD), ("empty", HEAD)]


def test_step_by_step_comes_to_the_same(empty: Empty, servers: Stack, template: str) -> None:
    before = "empty"
    for revision in sorted(script.revision for script in script_directory().walk_revisions()):
        assert empty.migrate(revision) == (before, revision)
        before = revision
    with empty.admin() as stepped, psycopg.connect(servers.database_admin_url, dbname=template) as at_once:
        assert shape(stepped) == shape(at_once)


@pytest.fixture
def released(empty: Empty) -> Iterator[World]:
    """The release before, with a row of each of two tenants in every table."""
    assert empty.migrate(PREVIOUS_RELEASE) == ("empty", PREVIOUS_RELEASE)
    with empty.admin() as admin:
        world = World(admin)
        world.read_catalog()
        with kept_checks(world):
            world.fill()
        yield world


@contextmanager
def kept_checks(world: World) -> Iterator[None]:
    """Made-up rows break checks of values; the checks come back without looking at them."""
    query = """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
               WHERE contype = 'c' AND connamespace = 'public'::regnamespace AND coninhcount = 0"""
    found = world.admin.execute(query).fetchall()
    yield
    for table, name, definition in found:
        statement = "ALTER TABLE {} ADD CONSTRAINT {} {} NOT VALID"
        world.admin.execute(sql.SQL(statement).format(sql.Identifier(table), sql.Identifier(name), sql.SQL(definition)))


def contents(world: World) -> dict[str, list[str]]:
    """Every row of every table, in the columns that the world knew when it began."""
    return {
        table.name: [
            str(row)
            for row in world.admin.execute(
                sql.SQL("SELECT {} FROM {} t ORDER BY t::text").format(
                    sql.SQL(", ").join(map(sql.Identifier, table.columns)), sql.Identifier(table.name)
                )
            ).fetchall()
        ]
        for table in world.tables.values()
        if table.name not in UNGRANTED
    }


def test_the_release_before_keeps_its_data(empty: Empty, released: World) -> None:
    before = contents(released)
    assert all(len(rows) == 2 for rows in before.values())
    assert empty.migrate() == (PREVIOUS_RELEASE, HEAD)
    assert contents(released) == before


def test_the_release_before_ends_in_the_same_schema(
    empty: Empty, released: World, servers: Stack, template: str
) -> None:
    """Or else a fresh deployment and an old one would part. Months that data needed are the one difference."""
    empty.migrate()

    def without_months(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
        return [
            tuple(str(part).replace(" NOT VALID", "") for part in row)
            for row in rows
            if not re.search(r"_20\d\d_\d\d", f"{row[1]} {row[2]}")
        ]

    with psycopg.connect(servers.database_admin_url, dbname=template) as fresh:
        assert without_months(shape(released.admin)) == without_months(shape(fresh))


def test_functions_of_the_release_before_still_work_after_the_migration(empty: Empty, released: World) -> None:
    """Expand and contract: they go on running until the deploy has replaced them."""
    before = {name: rows for name, rows in released.privileges.items() if name[0] not in UNGRANTED}
    empty.migrate()
    after = World(released.admin)
    after.read_catalog()
    lost = {key: columns - after.privileges.get(key, frozenset()) for key, columns in before.items()}
    assert {key: columns for key, columns in lost.items() if columns} == {}
    for name, table in released.tables.items():
        demanded = after.tables[name].columns.keys() - table.columns.keys()
        assert demanded <= optional(after, name), f"a row of the release before can no longer be written to {name}"
    with empty.app() as app, app.transaction():
        app.execute("SELECT app.enter(%s, %s, 'old')", (ACME.id, ACME.user))
        app.execute("UPDATE sites SET name = 'renamed', version = version + 1")
        assert app.execute("SELECT tenant_id, name FROM sites").fetchall() == [(ACME.id, "renamed")]
    kept = released.admin.execute("SELECT name FROM sites WHERE tenant_id = %s", (GLOBEX.id,)).fetchall()
    assert kept == [("globex",)]


def optional(world: World, table: str) -> set[str]:
    query = """SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0
               AND (NOT attnotnull OR atthasdef OR attidentity <> '')"""
    return {str(name) for (name,) in world.admin.execute(query, (table,)).fetchall()}


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The migrations, and one more that fails after it has changed much."""
    versions = Path(script_directory().versions)
    for file in versions.glob("[0-9]*.py"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "9999_broken.py").write_text(
        '"""Fails at its end."""\n'
        "from alembic import op\n"
        f'revision, down_revision = "9999", "{HEAD}"\n'
        "def upgrade():\n"
        '    op.execute("ALTER TABLE campaigns ADD half_done text")\n'
        '    op.execute("DELETE FROM outbox")\n'
        '    op.execute("SELECT 1/0")\n'
    )
    home = str(versions.parent)
    monkeypatch.setattr(runner, "script_directory", lambda: ScriptDirectory(home, version_locations=[str(tmp_path)]))


@pytest.mark.usefixtures("broken")
def test_a_migration_that_fails_changes_nothing(empty: Empty, released: World) -> None:
    before, rows = shape(released.admin), contents(released)
    with pytest.raises(Exception, match="division by zero"):
        empty.migrate()
    assert shape(released.admin) == before
    assert contents(released) == rows
    assert released.admin.execute("SELECT version_num FROM alembic_version").fetchall() == [(PREVIOUS_RELEASE,)]


@pytest.mark.usefixtures("broken")
def test_after_a_failure_the_next_attempt_is_not_held_up(empty: Empty) -> None:
    with pytest.raises(Exception, match="division by zero"):
        empty.migrate()
    assert empty.migrate(HEAD) == ("empty", HEAD)


def test_revisions_are_one_line() -> None:
    """Two heads would leave the order of migrations to chance."""
    scripts = script_directory()
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert scripts.get_heads() == revisions[:1]
    assert revisions == [f"{number:04}" for number in range(len(revisions), 0, -1)]


def test_nothing_is_ever_taken_down() -> None:
    """Forward only: a mistake is mended by the next revision."""
    for script in script_directory().walk_revisions():
        assert not hasattr(script.module, "downgrade")


def test_a_migration_waits_for_the_lock(empty: Empty) -> None:
    """Whoever holds the lock holds up the others, on whatever machine they run."""
    with empty.owner() as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s)", (runner._LOCK,))
        with empty.owner() as impatient:
            impatient.execute("SET lock_timeout = '200ms'")
            impatient.commit()
            with pytest.raises(Exception, match="lock timeout"):
                migrate(impatient)
    assert empty.migrate() == ("empty", HEAD)


def test_a_database_ahead_of_the_code_stays_as_it_is(empty: Empty) -> None:
    """A release is rolled back by deploying the one before, whose code the newer schema still serves."""
    empty.migrate()
    with empty.owner() as owner:
        owner.execute("UPDATE alembic_version SET version_num = '9999'")
        before = shape(owner)
    assert empty.migrate() == ("9999", "9999")
    with empty.owner() as owner:
        assert shape(owner) == before


def test_a_revision_from_nowhere_is_refused(empty: Empty) -> None:
    empty.migrate()
    with empty.owner() as owner:
        owner.execute("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(CommandError, match="0000"):
        empty.migrate()
