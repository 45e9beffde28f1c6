"""Every table with rows of tenants, found in PostgreSQL's catalog; read and written table by table."""

from collections.abc import Container, Iterator, Sequence
from typing import LiteralString

import msgspec
from psycopg import errors, sql

from shared.exports.errors import Damaged
from shared.exports.model import Chunk, Table
from shared.exports.model import Column as Col
from shared.exports.rules import archive
from shared.exports.rules.contents import in_order, is_secret, shown
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction

_FETCH = 500
_TABLES: LiteralString = """
    SELECT c.relname,
           json_agg(json_build_object('name', a.attname, 'kind', format_type(a.atttypid, a.atttypmod),
                                      'required', a.attnotnull AND NOT a.atthasdef) ORDER BY a.attnum)::text,
           (SELECT array_agg(k.attname::text ORDER BY array_position(i.indkey::int2[], k.attnum))
            FROM pg_index i JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = ANY (i.indkey)
            WHERE i.indrelid = c.oid AND i.indisprimary AND k.attname <> 'tenant_id'),
           (SELECT array_agg(DISTINCT f.confrelid::regclass::text) FROM pg_constraint f
            WHERE f.conrelid = c.oid AND f.contype = 'f'),
           (SELECT p.attname::text FROM pg_partitioned_table d
            JOIN pg_attribute p ON p.attrelid = d.partrelid AND p.attnum = d.partattrs[0] WHERE d.partrelid = c.oid)
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attname = 'tenant_id')
    GROUP BY c.oid, c.relname"""
_UTC: LiteralString = "SELECT set_config('TimeZone', 'UTC', true)"
_JUDGED: LiteralString = """
    SELECT set_config('app.moment', %s::timestamptz::text, true), set_config('app.importing', 'yes', true)"""
_OPEN: LiteralString = """
    DECLARE export NO SCROLL CURSOR FOR
    SELECT row_to_json(r)::text, json_build_array({texts})::text
    FROM (SELECT {columns} FROM {table} WHERE tenant_id = %s AND {later} ORDER BY {key} LIMIT %s) r"""
_NEXT: LiteralString = f"FETCH {_FETCH} FROM export"
_PEOPLE: LiteralString = """
    SELECT json_build_object('user_id', u.user_id, 'name', u.name, 'email', u.email)::text, u.user_id::text
    FROM memberships m JOIN users u USING (user_id)
    WHERE m.tenant_id = %(tenant)s AND (%(after)s::uuid IS NULL OR u.user_id > %(after)s)
    ORDER BY u.user_id LIMIT %(limit)s"""
_MEMBERS: LiteralString = """
    SELECT count(*) FROM memberships m JOIN json_populate_recordset(NULL::memberships, %(rows)s) r USING (user_id)
    WHERE m.tenant_id = %(tenant)s"""
_ANY: LiteralString = "SELECT EXISTS (SELECT FROM {table} WHERE tenant_id = %s)"
_ADD: LiteralString = """
    INSERT INTO {table} ({columns})
    SELECT {values} FROM json_populate_recordset(NULL::{table}, %(rows)s) r
    WHERE NOT EXISTS (SELECT FROM {table} t WHERE t.tenant_id = %(tenant)s AND {same})
    ON CONFLICT DO NOTHING"""
"""What is there already is kept from the triggers too, which would count it against a limit once more."""
_MONTHS: LiteralString = """
    SELECT app.ensure_month(%(table)s, m.month) FROM (
        SELECT DISTINCT date_trunc('month', {moment}, 'UTC') AS month
        FROM json_populate_recordset(NULL::{table}, %(rows)s)) m"""


class TableRepository:
    """One tenant's rows of any table, through row level security like every other query."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Table]:
        """Every table of tenants, those referred to first."""
        return in_order(_table(*row) for row in self._database.door(_TABLES))

    def chunk(self, tenant: TenantContext, table: Table, after: Sequence[str] | None) -> Chunk:
        """The next file's rows, in one consistent read by a cursor: what is held is a file, however long the table."""
        writer = archive.Writer()
        with self._database.transaction(tenant) as tx:
            tx.run(_UTC)
            tx.run(_reading(table, after), [tenant.tenant, *(after or ()), archive.FILE_ROWS if table.key else None])
            while rows := tx.all(_NEXT):
                for line, key in rows:
                    writer.add(line.encode())
                    # What has no key cannot be gone on with, and is one row of each tenant.
                    if writer.full and table.key:
                        return writer.chunk(msgspec.json.decode(key))
        return writer.chunk(None)

    def people(self, tenant: TenantContext, after: str | None) -> Chunk:
        """The next file of who the members are, by name and mail address."""
        writer = archive.Writer()
        values = {"tenant": tenant.tenant, "after": after, "limit": archive.FILE_ROWS}
        with self._database.transaction(tenant) as tx:
            found = tx.all(_PEOPLE, values)
        for line, user in found:
            writer.add(line.encode())
            if writer.full:
                return writer.chunk(user)
        return writer.chunk(None)

    def has_rows(self, tenant: TenantContext, table: Table) -> bool:
        """Whether the tenant has any row in a table."""
        with self._database.transaction(tenant) as tx:
            row = tx.one(sql.SQL(_ANY).format(table=sql.Identifier(table.name)), (tenant.tenant,))
        return row is not None and bool(row[0])

    def add(self, tenant: TenantContext, table: Table, lines: Sequence[bytes]) -> int:
        """Add rows of an archive as the tenant's; answers how many could not be, as what they refer to is not here.

        Rows that are there already stay as they are, so that a file may be added twice. Errors: Damaged, LimitReached,
        FeatureNotInPlan.
        """
        try:
            with self._database.transaction(tenant) as tx:
                self._add(tx, table, lines)
        except errors.ForeignKeyViolation:
            if len(lines) == 1:
                return 1
            half = len(lines) // 2
            return self.add(tenant, table, lines[:half]) + self.add(tenant, table, lines[half:])
        except (errors.DataError, errors.IntegrityError) as error:
            raise Damaged(f"A row of {table.name} cannot be kept: {error.diag.message_primary}.") from error
        return 0

    def members(self, tenant: TenantContext, lines: Sequence[bytes]) -> int:
        """How many of an archive's memberships are of people who are members of the tenant."""
        values = {"tenant": tenant.tenant, "rows": (b"[" + b",".join(lines) + b"]").decode()}
        return int(self._database.read(tenant, _MEMBERS, values)[0][0])

    @staticmethod
    def _add(tx: Transaction, table: Table, lines: Sequence[bytes]) -> None:
        rows = (b"[" + b",".join(lines) + b"]").decode()
        name = sql.Identifier(table.name)
        tx.run(_UTC)
        # Limits and features are judged by what the tenant has now; the rows say when they were made elsewhere. Rollups
        # are rows of the archive too: nothing that a row moves is to move them again.
        tx.run(_JUDGED, (tx.now,))
        if table.by_month:
            tx.run(
                sql.SQL(_MONTHS).format(table=name, moment=sql.Identifier(table.by_month)),
                {"table": table.name, "rows": rows},
            )
        values = dict(_values(table, _told(table, lines[0])))
        tx.run(
            sql.SQL(_ADD).format(
                table=name,
                columns=sql.SQL(", ").join(map(sql.Identifier, values)),
                values=sql.SQL(", ").join(values.values()),
                same=sql.SQL(" AND ").join(
                    sql.SQL("t.{0} = r.{0}").format(sql.Identifier(column)) for column in table.key
                )
                if table.key
                else sql.SQL("true"),
            ),
            {"tenant": tx.tenant.tenant, "rows": rows},
        )


def _table(name: str, columns: str, key: list[str] | None, references: list[str] | None, by_month: str | None) -> Table:
    known = msgspec.json.decode(columns, type=list[Col])
    return Table(name, tuple(known), tuple(key or ()), frozenset(references or ()), by_month or "")


def _reading(table: Table, after: Sequence[str] | None) -> sql.Composed:
    """The cursor's query; the key's columns are compared as one row, so that the primary key finds the place."""
    if after is not None and len(after) != len(table.key):
        raise Damaged(f"the key of {table.name} has changed while it was read")
    names = sql.SQL(", ").join(map(sql.Identifier, table.key))
    later: sql.Composable = sql.SQL("true")
    if after:
        given = sql.SQL(", ").join(sql.SQL("%s::" + table.kind(column)) for column in table.key)
        later = sql.SQL("({}) > ({})").format(names, given)
    return sql.SQL(_OPEN).format(
        texts=sql.SQL(", ").join(sql.SQL("r.{}::text").format(sql.Identifier(column)) for column in table.key),
        columns=sql.SQL(", ").join(map(sql.Identifier, shown(table))),
        table=sql.Identifier(table.name),
        later=later,
        key=names if table.key else sql.SQL("1"),
    )


def _told(table: Table, line: bytes) -> Container[str]:
    """The columns that an archive's rows tell of; of what cannot be read all, so that PostgreSQL says what is wrong."""
    try:
        return msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        return {column.name for column in table.columns}


def _values(table: Table, told: Container[str]) -> Iterator[tuple[str, sql.Composable]]:
    """What each column of a new row is: the tenant that was entered, what the archive says, or an empty secret.

    A column that is newer than the archive, of which it tells nothing, is left to its default.
    """
    yield "tenant_id", sql.SQL("%(tenant)s")
    for column in table.columns:
        if column.name == "tenant_id":
            continue
        if not is_secret(column):
            if column.name not in told:
                continue
            yield column.name, sql.SQL("r.{}").format(sql.Identifier(column.name))
        elif column.required:
            yield column.name, sql.SQL("''")
