"""Raw rows, their revisions and their rollups, written by one statement each so that they can never disagree.

Rows come as arrays (`unnest`), not through COPY into a temporary table, which is a quarter faster but makes RDS Proxy
pin the session (decision record 0007). A row counts once however often it is delivered: the newest received wins, what
it replaces is kept as a revision, and the rollup moves by the difference.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from shared.measurements.errors import BatchNotFound
from shared.measurements.model import Outcome
from tenant_context.clock import NewId
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction

_DEEPEST = 16

_BEGIN_BATCH: LiteralString = """
    INSERT INTO ingest_batches (tenant_id, id, kind, received_at, parts, rows, rejected, duplicates)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, id) DO NOTHING"""
_IS_DONE: LiteralString = """
    SELECT EXISTS (SELECT FROM ingest_parts WHERE tenant_id = %s AND batch_id = %s AND part = %s)"""
_END_PART: LiteralString = """
    INSERT INTO ingest_parts (tenant_id, batch_id, part, stored, unchanged, revised, quarantined, processed_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"""
_REJECT: LiteralString = """
    INSERT INTO rejected_rows (tenant_id, id, batch_id, row, field, code, message, content, at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"""
_MONTHS: LiteralString = "SELECT app.ensure_month(%s, month) FROM unnest(%s::timestamptz[]) AS month"

_WRITE_COUNTS: LiteralString = """
    WITH input AS (
        SELECT n, sensor_id, line, starts_at, ends_at, entries, exits
        FROM unnest(%(sensors)s::uuid[], %(lines)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
                    %(entries)s::integer[], %(exits)s::integer[])
             WITH ORDINALITY AS t (sensor_id, line, starts_at, ends_at, entries, exits, n)
    ), known AS (
        SELECT i.*, s.site_id FROM input i
        JOIN sensors s ON s.tenant_id = %(tenant)s AND s.id = i.sensor_id
    ), written AS (
        INSERT INTO people_counts AS c (tenant_id, sensor_id, line, starts_at, ends_at, site_id, entries, exits,
                                        received_at, batch_id)
        SELECT %(tenant)s, sensor_id, line, starts_at, ends_at, site_id, entries, exits, %(received)s, %(batch)s
        FROM known ORDER BY sensor_id, line, starts_at
        ON CONFLICT (tenant_id, sensor_id, line, starts_at) DO UPDATE
        SET ends_at = excluded.ends_at, entries = excluded.entries, exits = excluded.exits,
            received_at = excluded.received_at, revision = c.revision + 1, batch_id = excluded.batch_id
        WHERE (c.entries, c.exits, c.ends_at) IS DISTINCT FROM (excluded.entries, excluded.exits, excluded.ends_at)
          AND (c.received_at, c.batch_id) < (excluded.received_at, excluded.batch_id)
        RETURNING old.revision AS old_revision, old.entries AS old_entries, old.exits AS old_exits,
                  old.ends_at AS old_ends_at, old.received_at AS old_received_at, new.*
    ), kept AS (
        INSERT INTO people_count_revisions (tenant_id, sensor_id, line, starts_at, revision, entries, exits,
                                            received_at)
        SELECT tenant_id, sensor_id, line, starts_at, old_revision, old_entries, old_exits, old_received_at
        FROM written WHERE old_revision IS NOT NULL
    ), deltas AS (
        SELECT site_id, date_bin('15 minutes', starts_at, '2000-01-01 00:00Z') AS bucket,
               sum(entries - coalesce(old_entries, 0)) AS entries, sum(exits - coalesce(old_exits, 0)) AS exits,
               count(*) FILTER (WHERE old_revision IS NULL) AS intervals,
               sum(extract(epoch FROM ends_at - coalesce(old_ends_at, starts_at)) / 60)::integer AS minutes
        FROM written GROUP BY 1, 2
    ), rolled AS (
        INSERT INTO footfall_15m AS f (tenant_id, site_id, bucket, entries, exits, intervals, minutes)
        SELECT %(tenant)s, site_id, bucket, entries, exits, intervals, minutes FROM deltas ORDER BY site_id, bucket
        ON CONFLICT (tenant_id, site_id, bucket) DO UPDATE
        SET entries = f.entries + excluded.entries, exits = f.exits + excluded.exits,
            intervals = f.intervals + excluded.intervals, minutes = f.minutes + excluded.minutes
    )
    SELECT (SELECT count(*) FROM written WHERE old_revision IS NULL),
           (SELECT count(*) FROM written WHERE old_revision IS NOT NULL),
           (SELECT count(*) FROM known),
           ARRAY(SELECT n FROM input WHERE n NOT IN (SELECT n FROM known))"""

_WRITE_TRANSACTIONS: LiteralString = """
    WITH input AS (
        SELECT n, site_id, id, at, currency, total, units, cancels, lines
        FROM unnest(%(sites)s::uuid[], %(ids)s::text[], %(times)s::timestamptz[], %(currencies)s::text[],
                    %(totals)s::numeric[], %(units)s::numeric[], %(cancels)s::text[], %(lines)s::jsonb[])
             WITH ORDINALITY AS t (site_id, id, at, currency, total, units, cancels, lines, n)
    ), known AS (
        SELECT i.* FROM input i JOIN sites s ON s.tenant_id = %(tenant)s AND s.id = i.site_id
    ), written AS (
        INSERT INTO transactions AS t (tenant_id, site_id, id, at, currency, total, units, cancels, lines, received_at,
                                       batch_id)
        SELECT %(tenant)s, site_id, id, at, currency, total, units, cancels, lines, %(received)s, %(batch)s
        FROM known ORDER BY site_id, id, at
        ON CONFLICT (tenant_id, site_id, id, at) DO UPDATE
        SET currency = excluded.currency, total = excluded.total, units = excluded.units, cancels = excluded.cancels,
            lines = excluded.lines, received_at = excluded.received_at, revision = t.revision + 1,
            batch_id = excluded.batch_id
        WHERE (t.currency, t.total, t.units, t.cancels, t.lines) IS DISTINCT FROM
              (excluded.currency, excluded.total, excluded.units, excluded.cancels, excluded.lines)
          AND (t.received_at, t.batch_id) < (excluded.received_at, excluded.batch_id)
        RETURNING old.revision AS old_revision, old.currency AS old_currency, old.total AS old_total,
                  old.units AS old_units, old.cancels AS old_cancels, old.lines AS old_lines,
                  old.received_at AS old_received_at, new.*
    ), kept AS (
        INSERT INTO transaction_revisions (tenant_id, site_id, id, at, revision, currency, total, units, cancels, lines,
                                           received_at)
        SELECT tenant_id, site_id, id, at, old_revision, old_currency, old_total, old_units, old_cancels, old_lines,
               old_received_at
        FROM written WHERE old_revision IS NOT NULL
    ), moves AS (
        SELECT site_id, at, currency, total, units, cancels IS NOT NULL OR total < 0 AS cancelled, 1 AS sign
        FROM written
        UNION ALL
        SELECT site_id, at, old_currency, old_total, old_units, old_cancels IS NOT NULL OR old_total < 0, -1
        FROM written WHERE old_revision IS NOT NULL
    ), deltas AS (
        SELECT site_id, date_bin('15 minutes', at, '2000-01-01 00:00Z') AS bucket, currency,
               coalesce(sum(sign) FILTER (WHERE NOT cancelled), 0) AS transactions,
               coalesce(sum(sign) FILTER (WHERE cancelled), 0) AS cancellations,
               sum(sign * units) AS units, sum(sign * total) AS revenue
        FROM moves GROUP BY 1, 2, 3
    ), rolled AS (
        INSERT INTO sales_15m AS s (tenant_id, site_id, bucket, currency, transactions, cancellations, units, revenue)
        SELECT %(tenant)s, site_id, bucket, currency, transactions, cancellations, units, revenue
        FROM deltas ORDER BY site_id, bucket, currency
        ON CONFLICT (tenant_id, site_id, bucket, currency) DO UPDATE
        SET transactions = s.transactions + excluded.transactions,
            cancellations = s.cancellations + excluded.cancellations,
            units = s.units + excluded.units, revenue = s.revenue + excluded.revenue
    )
    SELECT (SELECT count(*) FROM written WHERE old_revision IS NULL),
           (SELECT count(*) FROM written WHERE old_revision IS NOT NULL),
           (SELECT count(*) FROM known),
           ARRAY(SELECT n FROM input WHERE n NOT IN (SELECT n FROM known))"""

_SHOW_BATCH: LiteralString = """
    SELECT json_build_object(
        'id', b.id, 'kind', b.kind, 'received_at', app.rfc3339(b.received_at), 'rows', b.rows,
        'rejected', b.rejected, 'duplicates', b.duplicates,
        'state', CASE WHEN count(p.part) = b.parts THEN 'done' ELSE 'processing' END,
        'stored', coalesce(sum(p.stored), 0), 'unchanged', coalesce(sum(p.unchanged), 0),
        'revised', coalesce(sum(p.revised), 0), 'quarantined', coalesce(sum(p.quarantined), 0))::text
    FROM ingest_batches b LEFT JOIN ingest_parts p ON p.tenant_id = b.tenant_id AND p.batch_id = b.id
    WHERE b.tenant_id = %s AND b.id = %s GROUP BY b.tenant_id, b.id"""
_PAGE_REJECTED: LiteralString = """
    SELECT json_build_object('id', id, 'batch', batch_id, 'row', row, 'field', field, 'code', code,
                             'message', message, 'content', content, 'at', app.rfc3339(at))::text, id
    FROM rejected_rows
    WHERE tenant_id = %(tenant)s AND (%(batch)s::uuid IS NULL OR batch_id = %(batch)s)
      AND (%(after)s::uuid IS NULL OR id < %(after)s)
    ORDER BY id DESC LIMIT %(limit)s"""


class RawRepository:
    """Writes the parts of batches, each in the transaction it is given."""

    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id

    def begin(self, tx: Transaction, kind: str, data: dict[str, Any]) -> bool:
        """Note the batch; whether this part of it is still to be done."""
        batch = UUID(data["batch"])
        tx.run(
            _BEGIN_BATCH,
            (
                tx.tenant.tenant,
                batch,
                kind,
                data["received_at"],
                data["parts"],
                data["rows_in_batch"],
                data["rejected_in_batch"],
                data["duplicates"],
            ),
        )
        done = tx.one(_IS_DONE, (tx.tenant.tenant, batch, data["part"]))
        return not (done and done[0])

    def write_counts(self, tx: Transaction, data: dict[str, Any]) -> tuple[Outcome, list[int]]:
        """Counts in; answers what became of them and the places of rows whose sensor is not there."""
        columns = list(zip(*data["rows"], strict=True)) or [()] * 6
        self._months(tx, "people_counts", columns[2])
        return self._write(
            tx,
            _WRITE_COUNTS,
            data,
            {
                "sensors": list(columns[0]),
                "lines": list(columns[1]),
                "starts": list(columns[2]),
                "ends": list(columns[3]),
                "entries": list(columns[4]),
                "exits": list(columns[5]),
            },
        )

    def write_transactions(self, tx: Transaction, data: dict[str, Any]) -> tuple[Outcome, list[int]]:
        """Receipts in, likewise."""
        columns = list(zip(*data["rows"], strict=True)) or [()] * 7
        self._months(tx, "transactions", columns[2])
        return self._write(
            tx,
            _WRITE_TRANSACTIONS,
            data,
            {
                "sites": list(columns[0]),
                "ids": list(columns[1]),
                "times": list(columns[2]),
                "currencies": list(columns[3]),
                "totals": list(columns[4]),
                "cancels": list(columns[5]),
                "units": [_units(lines) for lines in columns[6]],
                "lines": [Jsonb(lines) for lines in columns[6]],
            },
        )

    def reject(self, tx: Transaction, batch: UUID, refused: Sequence[dict[str, Any]]) -> None:
        """Keep refused rows, so that they can be listed and sent again after a fix."""
        for one in refused:
            told = (_storable(one["field"]), one["code"], _storable(one["message"]), Jsonb(_storable(one["content"])))
            values = (one["row"], *told, tx.now)
            tx.run(_REJECT, (tx.tenant.tenant, self._new_id(), batch, *values))

    def end(self, tx: Transaction, data: dict[str, Any], outcome: Outcome) -> None:
        """Note the part as done; a second delivery of it breaks here and changes nothing."""
        tx.run(
            _END_PART,
            (
                tx.tenant.tenant,
                UUID(data["batch"]),
                data["part"],
                outcome.stored,
                outcome.unchanged,
                outcome.revised,
                outcome.quarantined,
                tx.now,
            ),
        )

    @staticmethod
    def _write(
        tx: Transaction, statement: LiteralString, data: dict[str, Any], columns: dict[str, Any]
    ) -> tuple[Outcome, list[int]]:
        values = {"tenant": tx.tenant.tenant, "received": data["received_at"], "batch": UUID(data["batch"])}
        row = tx.one(statement, {**values, **columns})
        if row is None:
            raise AssertionError("a SELECT of counts answers one row")
        stored, revised, known, unknown = row
        outcome = Outcome(stored, known - stored - revised, revised, len(unknown))
        return outcome, [int(place) - 1 for place in unknown]

    @staticmethod
    def _months(tx: Transaction, table: str, moments: Sequence[str]) -> None:
        first = {
            datetime.fromisoformat(moment).astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
            for moment in moments
        }
        tx.run(_MONTHS, (table, sorted(first)))


def _storable(value: Any, depth: int = 0) -> Any:
    """What was refused, without the one character that PostgreSQL cannot keep; what is deep within it as text."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if depth == _DEEPEST and isinstance(value, (dict, list)):
        return msgspec.json.encode(value).decode()
    if isinstance(value, list):
        return [_storable(one, depth + 1) for one in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(one, depth + 1) for name, one in value.items()}
    return value


def _units(lines: Sequence[Sequence[Any]]) -> Decimal:
    return sum((Decimal(line[1]) for line in lines), Decimal(0))


class BatchRepository:
    """Reads what became of batches."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def show(self, tenant: TenantContext, batch: UUID) -> bytes:
        """The JSON of a batch. Errors: BatchNotFound."""
        rows = self._database.read(tenant, _SHOW_BATCH, (tenant.tenant, batch))
        if not rows:
            raise BatchNotFound
        return str(rows[0][0]).encode()

    def rejected(
        self, tenant: TenantContext, *, batch: UUID | None, after: UUID | None, limit: int
    ) -> list[tuple[str, UUID]]:
        """JSON and id of refused rows, newest first."""
        values = {"tenant": tenant.tenant, "batch": batch, "after": after, "limit": limit}
        return [(row[0], row[1]) for row in self._database.read(tenant, _PAGE_REJECTED, values)]
