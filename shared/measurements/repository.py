"""Raw rows, their revisions and their rollups, written by one statement each so that they can never disagree.

Rows come as arrays (`unnest`), not through COPY into a temporary table, which is a quarter faster but makes RDS Proxy
pin the session (decision record 0007). A row counts once however often it is delivered: the newest received wins, what
it replaces is kept as a revision, and the rollup moves by the difference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from shared.measurements import rules
from shared.measurements.errors import BatchNotFound, RejectedNotFound
from shared.measurements.model import Outcome, RejectedRow
from shared.sites.model import Setup
from tenant_context.clock import NewId
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction

_OF_A_READING = 5
"""Values of a counter's standing in the queue: sensor, line, moment, entries, exits."""
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
_HEAR: LiteralString = """
    INSERT INTO sensor_beats AS b (tenant_id, sensor_id, seen_at, measured_at, lag_s, steady_since, clock_s)
    SELECT %(tenant)s, i.sensor_id, r.at, i.measured_at, extract(epoch FROM r.at - i.measured_at), r.at,
           extract(epoch FROM r.at - i.clock_at)
    FROM unnest(%(sensors)s::uuid[], %(newest)s::timestamptz[], %(clocks)s::timestamptz[])
         AS i (sensor_id, measured_at, clock_at)
    JOIN sensors s ON s.tenant_id = %(tenant)s AND s.id = i.sensor_id
    CROSS JOIN (SELECT %(received)s::timestamptz AS at) r
    ORDER BY i.sensor_id
    ON CONFLICT (tenant_id, sensor_id) DO UPDATE
    SET seen_at = excluded.seen_at, measured_at = coalesce(excluded.measured_at, b.measured_at),
        lag_s = coalesce(excluded.lag_s, b.lag_s), clock_s = coalesce(excluded.clock_s, b.clock_s),
        steady_since = CASE WHEN excluded.lag_s IS NULL OR abs(excluded.lag_s - b.lag_s) <= %(steady)s
                            THEN b.steady_since ELSE excluded.seen_at END
    WHERE b.seen_at <= excluded.seen_at"""
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
          AND (%(derived)s OR (c.received_at, c.batch_id) < (excluded.received_at, excluded.batch_id))
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

_LOCK_COUNTERS: LiteralString = """
    SELECT id, setup FROM sensors WHERE tenant_id = %s AND id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE"""
_WRITE_READINGS: LiteralString = """
    WITH input AS (
        SELECT n, sensor_id, line, at, entries, exits
        FROM unnest(%(sensors)s::uuid[], %(lines)s::text[], %(times)s::timestamptz[], %(entries)s::bigint[],
                    %(exits)s::bigint[])
             WITH ORDINALITY AS t (sensor_id, line, at, entries, exits, n)
    ), known AS (
        SELECT i.* FROM input i JOIN sensors s ON s.tenant_id = %(tenant)s AND s.id = i.sensor_id
    ), written AS (
        INSERT INTO counter_readings AS r (tenant_id, sensor_id, line, at, entries, exits, received_at, batch_id)
        SELECT %(tenant)s, sensor_id, line, at, entries, exits, %(received)s, %(batch)s
        FROM known ORDER BY sensor_id, line, at
        ON CONFLICT (tenant_id, sensor_id, line, at) DO UPDATE
        SET entries = excluded.entries, exits = excluded.exits, received_at = excluded.received_at,
            batch_id = excluded.batch_id, revision = r.revision + 1
        WHERE (r.entries, r.exits) IS DISTINCT FROM (excluded.entries, excluded.exits)
          AND (r.received_at, r.batch_id) < (excluded.received_at, excluded.batch_id)
        RETURNING old.revision AS old_revision
    )
    SELECT (SELECT count(*) FROM written WHERE old_revision IS NULL),
           (SELECT count(*) FROM written WHERE old_revision IS NOT NULL),
           (SELECT count(*) FROM known),
           ARRAY(SELECT n FROM input WHERE n NOT IN (SELECT n FROM known))"""
_FOLLOWING: LiteralString = """
    WITH touched AS (
        SELECT DISTINCT sensor_id, line, at
        FROM unnest(%(sensors)s::uuid[], %(lines)s::text[], %(times)s::timestamptz[]) AS t (sensor_id, line, at)
    ), ends AS (
        SELECT sensor_id, line, at FROM touched
        UNION
        SELECT t.sensor_id, t.line, n.at FROM touched t CROSS JOIN LATERAL (
            SELECT r.at FROM counter_readings r
            WHERE r.tenant_id = %(tenant)s AND r.sensor_id = t.sensor_id AND r.line = t.line AND r.at > t.at
            ORDER BY r.at LIMIT 1) n
    )
    SELECT EXISTS (SELECT FROM people_counts c
                   WHERE c.tenant_id = %(tenant)s AND c.sensor_id = e.sensor_id AND c.line = e.line
                     AND c.starts_at = b.at),
           e.sensor_id, e.line, b.at, r.at, b.entries, b.exits, r.entries, r.exits
    FROM ends e
    JOIN counter_readings r
      ON r.tenant_id = %(tenant)s AND r.sensor_id = e.sensor_id AND r.line = e.line AND r.at = e.at
    CROSS JOIN LATERAL (
        SELECT b.at, b.entries, b.exits FROM counter_readings b
        WHERE b.tenant_id = %(tenant)s AND b.sensor_id = e.sensor_id AND b.line = e.line AND b.at < e.at
        ORDER BY b.at DESC LIMIT 1) b
    WHERE r.at - b.at <= %(longest)s"""

_WRITE_TRANSACTIONS: LiteralString = """
    WITH input AS (
        SELECT n, site_id, id, at, currency, total, units, cancels, lines
        FROM unnest(%(sites)s::uuid[], %(ids)s::text[], %(times)s::timestamptz[], %(currencies)s::text[],
                    %(totals)s::numeric[], %(units)s::numeric[], %(cancels)s::text[], %(lines)s::jsonb[])
             WITH ORDINALITY AS t (site_id, id, at, currency, total, units, cancels, lines, n)
    ), known AS (
        SELECT i.* FROM input i JOIN sites s ON s.tenant_id = %(tenant)s AND s.id = i.site_id AND s.kind = 'site'
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
_TAKE_REJECTED: LiteralString = """
    SELECT b.kind, r.content, r.resubmitted_as
    FROM rejected_rows r JOIN ingest_batches b ON b.tenant_id = r.tenant_id AND b.id = r.batch_id
    WHERE r.tenant_id = %s AND r.id = %s FOR UPDATE OF r"""
_MARK_RESUBMITTED: LiteralString = """
    UPDATE rejected_rows SET resubmitted_as = %s, resubmitted_at = %s WHERE tenant_id = %s AND id = %s"""
_PAGE_REJECTED: LiteralString = """
    SELECT json_build_object('id', id, 'batch', batch_id, 'row', row, 'field', field, 'code', code,
                             'message', message, 'content', content, 'at', app.rfc3339(at),
                             'resubmitted_as', resubmitted_as)::text, id
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
        """Counts in; answers what became of them and the places of rows whose sensor is not there.

        Rows with a value less are counters' standings: each is kept, and makes intervals with its neighbours.
        """
        places: dict[bool, list[int]] = {True: [], False: []}
        for place, row in enumerate(data["rows"]):
            places[len(row) == _OF_A_READING].append(place)
        if not places[True]:
            self._months(tx, "people_counts", [row[2] for row in data["rows"]])
            return self._write_intervals(tx, data, data["rows"])
        readings, rows = ([data["rows"][place] for place in places[kind]] for kind in (True, False))
        setups = self._lock(tx, readings, rows)
        first, unknown = self._write_intervals(tx, data, rows)
        second, missing = self._write_readings(tx, data, readings, setups)
        both = zip(astuple(first), astuple(second), strict=True)
        return Outcome(*map(sum, both)), [places[False][one] for one in unknown] + [
            places[True][one] for one in missing
        ]

    def _lock(
        self, tx: Transaction, readings: Sequence[Sequence[Any]], rows: Sequence[Sequence[Any]]
    ) -> dict[UUID, Setup]:
        """Hold the sensors of standings, one after another as everybody does, and answer how they are read.

        Two who put standings between the same neighbours must see each other's. Months are made before anything is
        written: whoever makes one waits for those who write, and must not hold what they wait for.
        """
        sensors = sorted({row[0] for row in readings})
        setups = {
            sensor: msgspec.convert(setup, Setup)
            for sensor, setup in tx.all(_LOCK_COUNTERS, (tx.tenant.tenant, sensors))
        }
        ends = [datetime.fromisoformat(row[2]) for row in readings]
        starts = [moment.isoformat() for end in ends for moment in (end, end - rules.LONGEST)]
        self._months(tx, "people_counts", [*starts, *(row[2] for row in rows)])
        return setups

    def _write_intervals(
        self, tx: Transaction, data: dict[str, Any], rows: Sequence[Sequence[Any]], *, derived: bool = False
    ) -> tuple[Outcome, list[int]]:
        columns = list(zip(*rows, strict=True)) or [()] * 6
        names = ("sensors", "lines", "starts", "ends", "entries", "exits")
        values = {name: list(column) for name, column in zip(names, columns, strict=True)}
        return self._write(tx, _WRITE_COUNTS, data, {**values, "derived": derived})

    def _write_readings(
        self, tx: Transaction, data: dict[str, Any], rows: Sequence[Sequence[Any]], setups: Mapping[UUID, Setup]
    ) -> tuple[Outcome, list[int]]:
        """Standings in, and the intervals that end or begin at them anew, whatever came in which order."""
        sensors, lines, times, entries, exits = (list(column) for column in zip(*rows, strict=True))
        touched = {"sensors": sensors, "lines": lines, "times": times}
        found = self._write(tx, _WRITE_READINGS, data, {**touched, "entries": entries, "exits": exits})
        following = tx.all(_FOLLOWING, {**touched, "tenant": tx.tenant.tenant, "longest": rules.LONGEST})
        intervals = [row for known, *one in following if (row := rules.interval(setups[one[0]], *one, known=known))]
        self._write_intervals(tx, data, intervals, derived=True)
        return found

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
                "units": [rules.units(lines) for lines in columns[6]],
                "lines": [Jsonb(lines) for lines in columns[6]],
            },
        )

    def reject(self, tx: Transaction, batch: UUID, refused: Sequence[dict[str, Any]]) -> None:
        """Keep refused rows, so that they can be listed and sent again after a fix."""
        for one in refused:
            told = (
                rules.storable(one["field"]),
                one["code"],
                rules.storable(one["message"]),
                Jsonb(rules.storable(one["content"])),
            )
            values = (one["row"], *told, tx.now)
            tx.run(_REJECT, (tx.tenant.tenant, self._new_id(), batch, *values))

    def take_rejected(self, tx: Transaction, rejected: UUID) -> RejectedRow:
        """A refused row, held until the transaction ends. Errors: RejectedNotFound."""
        row = tx.one(_TAKE_REJECTED, (tx.tenant.tenant, rejected))
        if row is None:
            raise RejectedNotFound
        return RejectedRow(*row)

    def mark_resubmitted(self, tx: Transaction, rejected: UUID, batch: UUID) -> None:
        """Note that a refused row was taken after all."""
        tx.run(_MARK_RESUBMITTED, (batch, tx.now, tx.tenant.tenant, rejected))

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
    def hear(tx: Transaction, received_at: str, beats: Sequence[Sequence[Any]]) -> None:
        """Note of which sensors was heard, each with the newest it told of; an older word changes nothing."""
        sensors, newest, clocks = (list(column) for column in zip(*beats, strict=True))
        values = {"sensors": sensors, "newest": newest, "clocks": clocks, "received": received_at}
        tx.run(_HEAR, {**values, "tenant": tx.tenant.tenant, "steady": rules.STEADY.total_seconds()})

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
