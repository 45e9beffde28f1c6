"""Counts of intervals, their revisions and their rollups, written by one statement so that they can never disagree."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec

from shared.measurements import rules
from shared.measurements.errors import TooManyCounts
from shared.measurements.model import Outcome
from shared.measurements.repository.writing import array, share_tree, texts, write
from shared.sites.model import Setup
from tenant_context.postgres import Transaction

COUNT_COLUMNS = ("sensors", "lines", "starts", "ends", "entries", "exits", "raw_entries", "raw_exits")
# One statement, so that raw rows, revisions and rollups of every size can never disagree. What is longer than
# a quarter is spread over those that it covers, evenly and in whole people: what came up to a moment is rounded down.
# What a sensor of kind zone counts in a zone is not its store's; a row stays what it was when it came.
# Rows of every table are taken in one order, tables too (`lined` before what is shared by many), so that nobody who
# writes at the same time waits for somebody who waits for them.
WRITE_COUNTS: LiteralString = """
    WITH input AS (
        SELECT n, sensor_id, line, starts_at, ends_at, entries, exits, raw_entries, raw_exits
        FROM unnest(%(sensors)s::uuid[], %(lines)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
                    %(entries)s::integer[], %(exits)s::integer[], %(raw_entries)s::integer[], %(raw_exits)s::integer[])
             WITH ORDINALITY AS t (sensor_id, line, starts_at, ends_at, entries, exits, raw_entries, raw_exits, n)
    ), known AS (
        SELECT i.*, coalesce(p.site_id, s.site_id) AS site_id,
               CASE WHEN p.site_id IS NULL THEN s.zone_id ELSE p.zone_id END AS zone_id,
               app.zone_alone(s.kind, CASE WHEN p.site_id IS NULL THEN s.zone_id ELSE p.zone_id END) AS zone_alone
        FROM input i
        JOIN sensors s ON s.tenant_id = %(tenant)s AND s.id = i.sensor_id
        LEFT JOIN sensor_placements p ON p.tenant_id = %(tenant)s AND p.sensor_id = i.sensor_id
                                         AND p.since <= i.starts_at AND p.until > i.starts_at
    ), written AS (
        INSERT INTO people_counts AS c (tenant_id, sensor_id, line, starts_at, ends_at, site_id, entries, exits,
                                        received_at, batch_id, raw_entries, raw_exits, zone_id, zone_alone)
        SELECT %(tenant)s, sensor_id, line, starts_at, ends_at, site_id, entries, exits, %(received)s, %(batch)s,
               raw_entries, raw_exits, zone_id, zone_alone
        FROM known ORDER BY sensor_id, starts_at, line
        ON CONFLICT (tenant_id, sensor_id, line, starts_at) DO UPDATE
        SET ends_at = excluded.ends_at, entries = excluded.entries, exits = excluded.exits,
            received_at = CASE WHEN %(kept)s THEN c.received_at ELSE excluded.received_at END,
            batch_id = CASE WHEN %(kept)s THEN c.batch_id ELSE excluded.batch_id END, revision = c.revision + 1,
            raw_entries = excluded.raw_entries, raw_exits = excluded.raw_exits
        WHERE ((coalesce(c.raw_entries, c.entries), coalesce(c.raw_exits, c.exits), c.ends_at) IS DISTINCT FROM
               (coalesce(excluded.raw_entries, excluded.entries), coalesce(excluded.raw_exits, excluded.exits),
                excluded.ends_at)
               OR (%(anew)s AND (c.entries, c.exits) <> (excluded.entries, excluded.exits)))
          AND (%(derived)s OR (c.received_at, c.batch_id) < (excluded.received_at, excluded.batch_id))
        RETURNING old.revision AS old_revision, old.entries AS old_entries, old.exits AS old_exits,
                  old.ends_at AS old_ends_at, old.received_at AS old_received_at,
                  old.batch_id AS old_batch_id, new.*,
                  date_bin('15 minutes', new.starts_at, '2000-01-01 00:15Z') + interval '15 minutes' AS quarter_ends
    ), kept AS (
        INSERT INTO people_count_revisions (tenant_id, sensor_id, line, starts_at, revision, entries, exits,
                                            received_at, batch_id)
        SELECT tenant_id, sensor_id, line, starts_at, old_revision, old_entries, old_exits, old_received_at,
               old_batch_id
        FROM written WHERE old_revision IS NOT NULL
    ), short AS (
        SELECT site_id, zone_id, zone_alone, quarter_ends - interval '15 minutes' AS bucket,
               sum(entries - coalesce(old_entries, 0)) AS entries, sum(exits - coalesce(old_exits, 0)) AS exits,
               count(*) FILTER (WHERE old_revision IS NULL) AS intervals,
               sum(floor(extract(epoch FROM ends_at - starts_at))::bigint / 60
                   - coalesce(floor(extract(epoch FROM old_ends_at - starts_at))::bigint / 60, 0))::bigint AS minutes
        FROM written WHERE greatest(ends_at, old_ends_at) <= quarter_ends
        GROUP BY 1, 2, 3, 4
    ), longer AS (
        SELECT site_id, zone_id, zone_alone, starts_at, ends_at, entries, exits, 1 AS sign,
               (old_revision IS NULL)::integer AS intervals
        FROM written WHERE greatest(ends_at, old_ends_at) > quarter_ends
        UNION ALL
        SELECT site_id, zone_id, zone_alone, starts_at, old_ends_at, old_entries, old_exits, -1, 0
        FROM written WHERE greatest(ends_at, old_ends_at) > quarter_ends AND old_revision IS NOT NULL
    ), spread AS (
        SELECT l.site_id, l.zone_id, l.zone_alone, b.bucket,
               sum(sign * (div(entries * till, whole) - div(entries * since, whole)))::bigint AS entries,
               sum(sign * (div(exits * till, whole) - div(exits * since, whole)))::bigint AS exits,
               sum(CASE WHEN since = 0 THEN intervals ELSE 0 END) AS intervals,
               sum(sign * (div(till, 60) - div(since, 60)))::bigint AS minutes
        FROM longer l
        CROSS JOIN LATERAL generate_series(date_bin('15 minutes', starts_at, '2000-01-01 00:00Z'),
                                           ends_at - interval '1 microsecond', interval '15 minutes') b (bucket)
        CROSS JOIN LATERAL (
            SELECT extract(epoch FROM ends_at - starts_at) AS whole,
                   greatest(0, extract(epoch FROM b.bucket - starts_at)) AS since,
                   extract(epoch FROM least(ends_at, b.bucket + interval '15 minutes') - starts_at) AS till) t
        GROUP BY 1, 2, 3, 4
    ), deltas AS (
        SELECT * FROM short UNION ALL SELECT * FROM spread
    ), lined AS (
        INSERT INTO sensor_lines AS l (tenant_id, sensor_id, line, first_at)
        SELECT tenant_id, sensor_id, line, first_at
        FROM (SELECT tenant_id, sensor_id, line, min(starts_at) AS first_at
              FROM written WHERE old_revision IS NULL GROUP BY 1, 2, 3) f
        WHERE NOT EXISTS (SELECT FROM sensor_lines k WHERE k.tenant_id = f.tenant_id AND k.sensor_id = f.sensor_id
                                                           AND k.line = f.line AND k.first_at <= f.first_at)
        ORDER BY sensor_id, line
        ON CONFLICT (tenant_id, sensor_id, line) DO UPDATE SET first_at = least(l.first_at, excluded.first_at)
        RETURNING 1
    ), rolled AS (
        INSERT INTO footfall_15m AS f (tenant_id, site_id, bucket, entries, exits, intervals, minutes)
        SELECT %(tenant)s, place, bucket, sum(entries), sum(exits), sum(intervals), sum(minutes)
        FROM (SELECT site_id AS place, bucket, entries, exits, intervals, minutes FROM deltas WHERE NOT zone_alone
              UNION ALL
              SELECT zone_id, bucket, entries, exits, intervals, minutes FROM deltas WHERE zone_id IS NOT NULL) d
        WHERE (SELECT count(*) FROM lined) >= 0
        GROUP BY place, bucket ORDER BY place, bucket
        ON CONFLICT (tenant_id, site_id, bucket) DO UPDATE
        SET entries = f.entries + excluded.entries, exits = f.exits + excluded.exits,
            intervals = f.intervals + excluded.intervals, minutes = f.minutes + excluded.minutes
    ), places AS (
        SELECT d.site_id, d.zone_id, app.known_zone(s.time_zone) AS time_zone,
               app.known_zone(coalesce(h.time_zone, s.time_zone)) AS zone_time_zone,
               app.shard_of(d.site_id) AS shard, t.parent_id AS parent, u.parent_id AS grandparent
        FROM (SELECT DISTINCT site_id, zone_id FROM deltas) d
        JOIN sites s ON s.tenant_id = %(tenant)s AND s.id = d.site_id
        LEFT JOIN site_tree t ON t.tenant_id = %(tenant)s AND t.site_id = d.site_id
        LEFT JOIN site_tree u ON u.tenant_id = %(tenant)s AND u.site_id = t.parent_id
        LEFT JOIN site_tree z ON z.tenant_id = %(tenant)s AND z.site_id = d.zone_id
        LEFT JOIN sites h ON h.tenant_id = %(tenant)s AND h.id = z.parent_id
    ), store_days AS MATERIALIZED (
        SELECT d.site_id, p.shard, p.parent, p.grandparent, (d.bucket AT TIME ZONE p.time_zone)::date AS day,
               sum(d.entries) AS entries, sum(d.exits) AS exits, sum(d.intervals) AS intervals,
               sum(d.minutes) AS minutes, max(d.bucket) AS newest
        FROM deltas d JOIN places p ON p.site_id = d.site_id AND p.zone_id IS NOT DISTINCT FROM d.zone_id
        WHERE NOT d.zone_alone GROUP BY 1, 2, 3, 4, 5
    ), days AS MATERIALIZED (
        SELECT place, day, shard, sum(entries) AS entries, sum(exits) AS exits, sum(intervals) AS intervals,
               sum(minutes) AS minutes, max(newest) AS newest
        FROM (
            SELECT a.place, d.day, a.shard, d.entries, d.exits, d.intervals, d.minutes, d.newest
            FROM store_days d CROSS JOIN LATERAL (
                VALUES (d.site_id, 0::smallint), (d.parent, d.shard), (d.grandparent, d.shard),
                       ('00000000-0000-0000-0000-000000000000', d.shard)) a (place, shard)
            WHERE a.place IS NOT NULL
            UNION ALL
            SELECT d.zone_id, (d.bucket AT TIME ZONE p.zone_time_zone)::date, 0::smallint, d.entries, d.exits,
                   d.intervals, d.minutes, d.bucket
            FROM deltas d JOIN places p USING (site_id, zone_id)) levels
        GROUP BY 1, 2, 3
    ), kept_days AS (
        INSERT INTO footfall_day AS f (tenant_id, place_id, day, shard, entries, exits, intervals, minutes, newest)
        SELECT %(tenant)s, place, day, shard, entries, exits, intervals, minutes, newest
        FROM days ORDER BY place, day, shard
        ON CONFLICT (tenant_id, place_id, day, shard) DO UPDATE
        SET entries = f.entries + excluded.entries, exits = f.exits + excluded.exits,
            intervals = f.intervals + excluded.intervals, minutes = f.minutes + excluded.minutes,
            newest = greatest(f.newest, excluded.newest)
    ), noted AS (
        INSERT INTO metric_versions AS v (tenant_id, place_id, month, shard)
        SELECT DISTINCT %(tenant)s::uuid, place, date_trunc('month', day)::date, shard
        FROM days ORDER BY 1, 2, 3, 4
        ON CONFLICT (tenant_id, place_id, month, shard) DO UPDATE SET version = v.version + 1
    )
    SELECT (SELECT count(*) FROM written WHERE old_revision IS NULL),
           (SELECT count(*) FROM written WHERE old_revision IS NOT NULL),
           (SELECT count(*) FROM known),
           ARRAY(SELECT n FROM input WHERE n NOT IN (SELECT n FROM known))"""
_LOCK_COUNTERS: LiteralString = """
    SELECT id, setup FROM sensors WHERE tenant_id = %s AND id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE"""
_CALIBRATED: LiteralString = """
    SELECT id, setup FROM sensors WHERE tenant_id = %s AND id = ANY(%s::uuid[]) AND setup ? 'calibrations'"""
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


def as_set_up(tx: Transaction, rows: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
    """Rows of counts, calibrated as their sensors' setups have it now, whatever that was when they came in.

    The tree is to be shared by now: whoever calibrates anew what is there waits for those who began before, and those
    who begin after see the new setup. So it does not matter which of both is first.
    """
    sensors = sorted({str(row[0]) for row in rows})
    setups = {
        str(sensor): msgspec.convert(setup, Setup) for sensor, setup in tx.all(_CALIBRATED, (tx.tenant.tenant, sensors))
    }
    if not setups and not any(len(row) == rules.WITH_RAW for row in rows):
        return rows
    return [rules.as_set_up(setups.get(str(row[0])), row) for row in rows]


def write_intervals(
    tx: Transaction,
    data: dict[str, Any],
    rows: Sequence[Sequence[Any]],
    *,
    derived: bool = False,
    anew: bool = False,
    kept: bool = False,
) -> tuple[Outcome, list[int]]:
    """Intervals in. Where a calibration was used, two values more say what was counted without it.

    What was counted decides whether a row says something else: a calibration that changed since changes nothing,
    unless it is to be used `anew`. Where nobody told anything new, the rows that are there have their time of arrival
    `kept`: what came in before that was asked, and is written after it, is newer than they are all the same.
    """
    share_tree(tx)
    if not derived and rows:
        rows = as_set_up(tx, rows)
    columns = list(zip(*(rules.padded(row) for row in rows), strict=True)) or [()] * len(COUNT_COLUMNS)
    values = {
        name: texts(column) if name == "lines" else array(column)
        for name, column in zip(COUNT_COLUMNS, columns, strict=True)
    }
    return write(tx, WRITE_COUNTS, data, {**values, "derived": derived, "anew": anew, "kept": kept})


def recalibrate(tx: Transaction, sensor: UUID, start: datetime, end: datetime, batch: UUID) -> tuple[int, int]:
    """Calibrate a sensor's counts of a time as its setup has it now; answers how many there are, and changed.

    What they said before is kept as revisions, and rollups move with them; when they came stays as it was, so that a
    correction that waits to be written still wins. Nobody else may write meanwhile (`hold_tree`).

    Errors: TooManyCounts.
    """
    (setup,) = setups_locked(tx, [sensor]).values()
    values = {"tenant": tx.tenant.tenant, "sensor": sensor, "start": start, "end": end}
    counts = tx.all(_COUNTED, {**values, "most": rules.MOST_AT_ONCE + 1})
    if len(counts) > rules.MOST_AT_ONCE:
        raise TooManyCounts(rules.MOST_AT_ONCE)
    rows = [rules.row(setup, sensor, *one) for one in counts]
    data = {"batch": str(batch), "received_at": tx.now.isoformat()}
    outcome, _ = write_intervals(tx, data, rows, derived=True, anew=True, kept=True)
    return len(rows), outcome.revised
