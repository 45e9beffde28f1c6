"""Counts of intervals, their revisions and their rollups, written by one statement so that they can never disagree."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec

from shared.measurements import rules
from shared.measurements.errors import TooManyCounts
from shared.measurements.model import Outcome
from shared.measurements.repository.writing import write
from shared.sites.model import Setup
from tenant_context.postgres import Transaction

_COUNT_COLUMNS = ("sensors", "lines", "starts", "ends", "entries", "exits", "raw_entries", "raw_exits")
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


def setups_locked(tx: Transaction, sensors: Sequence[UUID]) -> dict[UUID, Setup]:
    """How these sensors are read, each held until the transaction ends; one after another, as everybody does."""
    return {
        sensor: msgspec.convert(setup, Setup)
        for sensor, setup in tx.all(_LOCK_COUNTERS, (tx.tenant.tenant, list(sensors)))
    }


def write_intervals(
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
    return write(tx, _WRITE_COUNTS, data, {**values, "derived": derived, "anew": anew})


def recalibrate(tx: Transaction, sensor: UUID, start: datetime, end: datetime, batch: UUID) -> tuple[int, int]:
    """Calibrate a sensor's counts of a time as its setup has it now; answers how many there are, and changed.

    What they said before is kept as revisions, and rollups move with them. Errors: TooManyCounts.
    """
    (setup,) = setups_locked(tx, [sensor]).values()
    values = {"tenant": tx.tenant.tenant, "sensor": sensor, "start": start, "end": end}
    counts = tx.all(_COUNTED, {**values, "most": rules.MOST_AT_ONCE + 1})
    if len(counts) > rules.MOST_AT_ONCE:
        raise TooManyCounts(rules.MOST_AT_ONCE)
    rows = [rules.row(setup, sensor, *one) for one in counts]
    data = {"batch": str(batch), "received_at": tx.now.isoformat()}
    outcome, _ = write_intervals(tx, data, rows, derived=True, anew=True)
    return len(rows), outcome.revised
