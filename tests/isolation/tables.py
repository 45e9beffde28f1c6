"""A database in which every table of PostgreSQL's catalog holds a row of each of two tenants.

Rows are made up from the catalog alone (a value for each column by its type), so that a table of a later migration is
judged without a line being written here. For that the checks of values are dropped: they say what a row may tell, not
whose it is. Every id and text of a tenant is the tenant's own, so its rows refer to each other.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import Connection, sql

NOW = datetime.now(UTC).replace(microsecond=0, second=0, minute=0)
UNGRANTED = {"alembic_version"}
"""Tables that functions cannot reach at all."""
PERSONAL = {"users"}
"""Tables whose rows belong to a person, who may be a member of many tenants; policies of their own."""

_COLUMNS: LiteralString = """
    SELECT c.relname, a.attname, format_type(a.atttypid, NULL), a.attgenerated <> '' OR a.attidentity <> ''
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0
          AND NOT a.attisdropped
    ORDER BY c.relname, a.attnum"""
_CHECKS: LiteralString = """
    SELECT conrelid::regclass::text, conname FROM pg_constraint
    WHERE contype = 'c' AND connamespace = 'public'::regnamespace AND coninhcount = 0"""
_UNIQUE: LiteralString = """
    SELECT c.relname, i.indexrelid::regclass::text, i.indisprimary,
           ARRAY(SELECT a.attname::text FROM pg_attribute a
                 WHERE a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) ORDER BY a.attnum)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND i.indisunique AND NOT c.relispartition"""
_FOREIGN: LiteralString = """
    SELECT c.relname, k.conname, k.confrelid::regclass::text,
           ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(num, ord)
                 JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY u.ord),
           ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(num, ord)
                 JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num ORDER BY u.ord)
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace AND NOT c.relispartition"""
_PARENTS: LiteralString = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind = 'p'"""
_MAY: LiteralString = """
    SELECT c.relname, a.attname, p.verb
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped,
    unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) p(verb)
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND has_column_privilege('rmap_app', c.oid, a.attnum, p.verb)"""
_MAY_DELETE: LiteralString = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND has_table_privilege('rmap_app', c.oid, 'DELETE')"""


@dataclass(frozen=True)
class Tenant:
    """One tenant, and what its made-up values are."""

    name: str
    id: UUID
    user: UUID
    number: int

    def value(self, column: str, kind: str) -> Any:
        """The tenant's own value of a type."""
        if column == "tenant_id":
            return self.id
        if column == "user_id":
            return self.user
        if column in {"kind", "site_kind", "parent_kind"}:
            return "site"  # the same word for everybody: it says what a thing is, and not whose
        values: Mapping[str, Any] = {
            "uuid": UUID(int=0xA000 + self.number),
            "text": self.name,
            "character varying": self.name,
            "integer": self.number,
            "smallint": self.number,
            "bigint": self.number,
            "numeric": Decimal(self.number),
            "double precision": float(self.number),
            "boolean": True,
            "jsonb": f'{{"of": "{self.name}"}}',
            "bytea": self.name.encode(),
            "date": date(2026, 1, self.number),
            "timestamp with time zone": NOW + timedelta(minutes=self.number),
            "interval": timedelta(minutes=self.number),
            "text[]": [self.name],
            "integer[]": [self.number],
            "smallint[]": [self.number],
            "uuid[]": [UUID(int=0xA000 + self.number)],
            "inet": f"192.0.2.{self.number}",
        }
        assert kind in values, f"tests/isolation/tables.py makes up no {kind} (column {column}): add a value"
        return values[kind]


ACME = Tenant("acme", UUID(int=0xACE), UUID(int=0xACE1), 3)
GLOBEX = Tenant("globex", UUID(int=0x610BE), UUID(int=0x610BE1), 5)


@dataclass(frozen=True)
class Table:
    """A table as the catalog tells it."""

    name: str
    columns: dict[str, str]
    """Type by column; those that PostgreSQL fills itself are left out."""

    @property
    def owner_column(self) -> str:
        """The column that says whose a row is."""
        return "tenant_id" if "tenant_id" in self.columns else "user_id"

    def owner(self, tenant: Tenant) -> UUID:
        """The owner column's value of a tenant's row."""
        return tenant.id if self.owner_column == "tenant_id" else tenant.user

    def row(self, tenant: Tenant) -> dict[str, Any]:
        """The tenant's row."""
        return {column: tenant.value(column, kind) for column, kind in self.columns.items()}


@dataclass(frozen=True)
class Unique:
    """A unique index."""

    table: str
    name: str
    primary: bool
    columns: frozenset[str]


@dataclass(frozen=True)
class Foreign:
    """A foreign key: column by column, what it refers to."""

    table: str
    name: str
    target: str
    pairs: tuple[tuple[str, str], ...]

    @property
    def free_columns(self) -> tuple[str, ...]:
        """The columns that could name something of another tenant's."""
        return tuple(column for column, _ in self.pairs if column != "tenant_id")


@dataclass
class World:
    """The filled database, seen by its superuser, who can become rmap_app for a transaction."""

    admin: Connection[tuple[Any, ...]]
    tables: dict[str, Table] = field(default_factory=dict)

    def read_catalog(self) -> None:
        """Learn what tables there are."""
        for table, column, kind, filled in self.admin.execute(_COLUMNS).fetchall():
            columns = self.tables.setdefault(table, Table(table, {})).columns
            if not filled:
                columns[column] = kind

    @cached_property
    def uniques(self) -> list[Unique]:
        """Every unique index but those of partitions, which follow their parents."""
        return [
            Unique(table, name, primary, frozenset(columns))
            for table, name, primary, columns in self.admin.execute(_UNIQUE).fetchall()
        ]

    @cached_property
    def foreign_keys(self) -> list[Foreign]:
        """Every foreign key."""
        return [
            Foreign(table, name, target, tuple(zip(mine, theirs, strict=True)))
            for table, name, target, mine, theirs in self.admin.execute(_FOREIGN).fetchall()
        ]

    @cached_property
    def privileges(self) -> dict[tuple[str, str], frozenset[str]]:
        """The columns that rmap_app may touch, by table and verb."""
        found: dict[tuple[str, str], set[str]] = {}
        for table, column, verb in self.admin.execute(_MAY).fetchall():
            found.setdefault((table, verb), set()).add(column)
        return {key: frozenset(columns) for key, columns in found.items()}

    @cached_property
    def deletable(self) -> frozenset[str]:
        """The tables rmap_app may delete from."""
        return frozenset(name for (name,) in self.admin.execute(_MAY_DELETE).fetchall())

    def granted(self, verb: str) -> list[Table]:
        """The tables on which rmap_app holds a verb, on some column at least."""
        return [table for name, table in self.tables.items() if (name, verb) in self.privileges]

    def fill(self) -> None:
        """A row of each tenant in every table."""
        self.drop_checks()
        self.make_months()
        with self.admin.transaction():
            self.admin.execute("SET LOCAL session_replication_role = replica")
            for table in self.tables.values():
                if table.name not in UNGRANTED:
                    for tenant in (ACME, GLOBEX):
                        self.insert(table, table.row(tenant))
            # By a made-up plan it would be starter's limits, by a made-up state nobody could be erased: not looked at.
            self.admin.execute("UPDATE tenants SET plan = 'enterprise', status = 'closed'")
        self.admin.execute("ANALYZE")

    def drop_checks(self) -> None:
        """Take the checks of values away, which made-up rows would not pass."""
        for table, check in self.admin.execute(_CHECKS).fetchall():
            # A check that another one implies may have gone with it.
            self.admin.execute(
                sql.SQL("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}").format(
                    sql.Identifier(table), sql.Identifier(check)
                )
            )

    def make_months(self) -> None:
        """A partition for the rows of now, wherever there are partitions."""
        for (parent,) in self.admin.execute(_PARENTS).fetchall():
            self.admin.execute("SELECT app.ensure_month(%s, %s)", (parent, NOW))

    def insert(
        self, table: Table, row: Mapping[str, Any], columns: frozenset[str] | None = None, *, or_leave: bool = False
    ) -> int:
        """Insert a row, or only some of its columns; answers how many rows that made. `or_leave`: where it is free."""
        named = [name for name in row if columns is None or name in columns]
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) {}").format(
            sql.Identifier(table.name),
            sql.SQL(", ").join(map(sql.Identifier, named)),
            sql.SQL(", ").join(sql.Placeholder() for _ in named),
            sql.SQL("ON CONFLICT DO NOTHING" if or_leave else ""),
        )
        return self.admin.execute(statement, [row[name] for name in named]).rowcount

    @contextmanager
    def undone(self) -> Iterator[None]:
        """A transaction that leaves nothing behind."""
        with self.admin.transaction(force_rollback=True):
            yield

    def become(self, tenant: Tenant | None) -> None:
        """For the rest of the transaction: what functions connect as, entered as a tenant or not at all."""
        self.admin.execute("SET LOCAL session_replication_role = origin")
        self.admin.execute("SET LOCAL ROLE rmap_app")
        if tenant is not None:
            self.admin.execute("SELECT app.enter(%s, %s, 'isolation')", (tenant.id, tenant.user))

    def become_keyless(self, tenant: Tenant | None) -> None:
        """The same with foreign keys asleep, so that whole tables can be emptied in any order."""
        self.become(tenant)
        self.admin.execute("RESET ROLE")
        self.admin.execute("SET LOCAL session_replication_role = replica")
        self.admin.execute("SET LOCAL ROLE rmap_app")

    def forget(self, table: Table, tenant: Tenant) -> None:
        """Take the tenant's row away, as superuser, with foreign keys asleep."""
        self.admin.execute("SET LOCAL session_replication_role = replica")
        self.admin.execute(
            sql.SQL("DELETE FROM {} WHERE {} = %s").format(
                sql.Identifier(table.name), sql.Identifier(table.owner_column)
            ),
            (table.owner(tenant),),
        )

    def attempt(self, query: sql.Composed, parameters: tuple[Any, ...] = ()) -> int | psycopg.Error:
        """How many rows a statement touched, or its error; the transaction goes on either way."""
        try:
            with self.admin.transaction():
                return self.admin.execute(query, parameters).rowcount
        except psycopg.Error as error:
            return error
