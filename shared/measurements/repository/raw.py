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
from shared.measurements.errors import RejectedNotFound, TooManyCounts
from shared.measurements.model import Outcome, RejectedRow
from shared.sites.model import Setup
from tenant_context.clock import NewId
from tenant_context.postgres import Transaction

_COUNT_COLUMNS = ("sensors", "lines", "starts", "ends", "entries", "exits", "raw_entries", "raw_exits")
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
_MONTHS: LiteralString = "SELECT app.ensure_month(%s, month) FROM unnest(%s::timestamptz[]) AS month"

_WRITE_COUNTS: LiteralString = """
    WITH input AS (
        SELECT n, sensor_id, line, starts_at, ends_at, entries, exits, raw_entries, raw_exits
        FROM unnest(%(sensors)s::uuid[], %(lines)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
                    %(entries)s::integer[], %(exits)s::integer[], %(raw_entries)s::integer[], %(raw_exits)s::integer[])
             WITH ORDINALITY AS t (sensor_id, line, starts_at, ends_at, entries, exits, raw_entries, raw_exits, n)
    ), known AS (
        SELECT i.*, s.site_id FROM input i
        JOIN sensors s ON s.tenant_id = %(tenant)s AND s.id = i.sensor_id
    ), written AS (
        INSERT INTO people_counts AS c (tenant_id, sensor_id, line, starts_at, ends_at, site_id, entries, exits,
                                        received_at, batch_id, raw_entries, raw_exits)
        SELECT %(tenant)s, sensor_id, line, starts_at, ends_at, site_id, entries, exits, %(received)s, %(batch)s,
               raw_entries, raw_exits
        FROM known ORDER BY sensor_id, line, starts_at
        ON CONFLICT (tenant_id, sensor_id, line, starts_at) DO UPDATE
        SET ends_at = excluded.ends_at, entries = excluded.entries, exits = excluded.exits,
            received_at = excluded.received_at, revision = c.revision + 1, batch_id = excluded.batch_id,
            raw_entries = excluded.raw_entries, raw_exits = excluded.raw_exits
        WHERE ((coalesce(c.raw_entries, c.entries), coalesce(c.raw_exits, c.exits), c.ends_at) IS DISTINCT FROM
               (coalesce(excluded.raw_entries, excluded.entries), coalesce(excluded.raw_exits, excluded.exits),
                excluded.ends_at)
               OR (%(anew)s AND (c.entries, c.exits) <> (excluded.entries, excluded.exits)))
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
_COUNTED: LiteralString = """
    SELECT line, starts_at, ends_at, coalesce(raw_entries, entries), coalesce(raw_exits, exits) FROM people_counts
    WHERE tenant_id = %(tenant)s AND sensor_id = %(sensor)s AND starts_at >= %(start)s AND starts_at < %(end)s
    ORDER BY line, starts_at LIMIT %(most)s FOR UPDATE"""
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

_TAKE_REJECTED: LiteralString = """
    SELECT b.kind, r.content, r.resubmitted_as
    FROM rejected_rows r JOIN ingest_batches b ON b.tenant_id = r.tenant_id AND b.id = r.batch_id
    WHERE r.tenant_id = %s AND r.id = %s FOR UPDATE OF r"""
_MARK_RESUBMITTED: LiteralString = """
    UPDATE rejected_rows SET resubmitted_as = %s, resubmitted_at = %s WHERE tenant_id = %s AND id = %s"""


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
        self,
        tx: Transaction,
        data: dict[str, Any],
        rows: Sequence[Sequence[Any]],
        *,
        derived: bool = False,
        anew: bool = False,
    ) -> tuple[Outcome, list[int]]:
        """Intervals in. Where a calibration was used, two values more say what was counted without it.

        What was counted decides whether a row says something else: a calibration that changed since changes nothing,
        unless it is to be used `anew`.
        """
        columns = list(zip(*(rules.padded(row) for row in rows), strict=True)) or [()] * len(_COUNT_COLUMNS)
        values = {name: list(column) for name, column in zip(_COUNT_COLUMNS, columns, strict=True)}
        return self._write(tx, _WRITE_COUNTS, data, {**values, "derived": derived, "anew": anew})

    def recalibrate(
        self, tx: Transaction, sensor: UUID, start: datetime, end: datetime, batch: UUID
    ) -> tuple[int, int]:
        """Calibrate a sensor's counts of a time as its setup has it now; answers how many there are, and changed.

        What they said before is kept as revisions, and rollups move with them. Errors: TooManyCounts.
        """
        ((_, found),) = tx.all(_LOCK_COUNTERS, (tx.tenant.tenant, [sensor]))
        setup = msgspec.convert(found, Setup)
        values = {"tenant": tx.tenant.tenant, "sensor": sensor, "start": start, "end": end}
        counts = tx.all(_COUNTED, {**values, "most": rules.MOST_AT_ONCE + 1})
        if len(counts) > rules.MOST_AT_ONCE:
            raise TooManyCounts(rules.MOST_AT_ONCE)
        rows = [rules.row(setup, sensor, *one) for one in counts]
        data = {"batch": str(batch), "received_at": tx.now.isoformat()}
        outcome, _ = self._write_intervals(tx, data, rows, derived=True, anew=True)
        return len(rows), outcome.revised

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
