"""Standings of cumulative counters, and the intervals that each two neighbours of them make."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from shared.measurements import rules
from shared.measurements.model import Outcome
from shared.measurements.repository.counts import setups_locked, write_intervals
from shared.measurements.repository.writing import ensure_months, hold_tree, share_tree, write
from shared.sites.model import Setup
from tenant_context.postgres import Transaction

_WRITE_READINGS: LiteralString = """
    WITH input AS (
        SELECT n, sensor_id, line, at, entries, exits, since
        FROM unnest(%(sensors)s::uuid[], %(lines)s::text[], %(times)s::timestamptz[], %(entries)s::bigint[],
                    %(exits)s::bigint[], %(begun)s::timestamptz[])
             WITH ORDINALITY AS t (sensor_id, line, at, entries, exits, since, n)
    ), known AS (
        SELECT i.* FROM input i JOIN sensors s ON s.tenant_id = %(tenant)s AND s.id = i.sensor_id
    ), written AS (
        INSERT INTO counter_readings AS r (tenant_id, sensor_id, line, at, entries, exits, since, received_at, batch_id)
        SELECT %(tenant)s, sensor_id, line, at, entries, exits, since, %(received)s, %(batch)s
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
                     AND c.starts_at = s.at),
           NOT EXISTS (SELECT FROM sensor_devices d
                       WHERE d.tenant_id = %(tenant)s AND d.sensor_id = e.sensor_id
                         AND d.until > s.at AND d.until <= r.at),
           e.sensor_id, e.line, s.at, r.at, s.entries, s.exits, r.entries, r.exits,
           CASE WHEN s.at > b.at AND EXISTS (SELECT FROM people_counts c
                                             WHERE c.tenant_id = %(tenant)s AND c.sensor_id = e.sensor_id
                                               AND c.line = e.line AND c.starts_at = b.at) THEN b.at END
    FROM ends e
    JOIN counter_readings r
      ON r.tenant_id = %(tenant)s AND r.sensor_id = e.sensor_id AND r.line = e.line AND r.at = e.at
    CROSS JOIN LATERAL (
        SELECT b.at, b.entries, b.exits FROM counter_readings b
        WHERE b.tenant_id = %(tenant)s AND b.sensor_id = e.sensor_id AND b.line = e.line AND b.at < e.at
        ORDER BY b.at DESC LIMIT 1) b
    CROSS JOIN LATERAL (
        SELECT b.at, b.entries, b.exits WHERE r.since IS NULL OR r.since < b.at
        UNION ALL
        SELECT r.since, 0, 0 WHERE r.since >= b.at) s (at, entries, exits)
    WHERE r.at - s.at <= %(longest)s"""

_FIRST_SINCE: LiteralString = """
    SELECT line, min(at) FROM counter_readings
    WHERE tenant_id = %(tenant)s AND sensor_id = %(sensor)s AND at >= %(at)s GROUP BY line ORDER BY line"""


def write_counts(tx: Transaction, data: dict[str, Any]) -> tuple[Outcome, list[int]]:
    """Counts in; answers what became of them and the places of rows whose sensor is not there.

    Some rows are counters' standings: each is kept, and makes intervals with its neighbours.
    """
    places: dict[bool, list[int]] = {True: [], False: []}
    for place, row in enumerate(data["rows"]):
        places[rules.is_standing(row)].append(place)
    if not places[True]:
        ensure_months(tx, "people_counts", [row[2] for row in data["rows"]])
        return write_intervals(tx, data, data["rows"])
    readings, rows = ([data["rows"][place] for place in places[kind]] for kind in (True, False))
    setups = _lock(tx, readings, rows)
    first, unknown = write_intervals(tx, data, rows)
    second, missing = _write_readings(tx, data, readings, setups)
    both = zip(astuple(first), astuple(second), strict=True)
    return Outcome(*map(sum, both)), [places[False][one] for one in unknown] + [places[True][one] for one in missing]


def _lock(tx: Transaction, readings: Sequence[Sequence[Any]], rows: Sequence[Sequence[Any]]) -> dict[UUID, Setup]:
    """Hold the sensors of standings, and answer how they are read.

    Two who put standings between the same neighbours must see each other's. Months are made before anything is
    written: whoever makes one waits for those who write, and must not hold what they wait for. The tree comes before
    sensors, as for whoever calibrates.
    """
    ends = [datetime.fromisoformat(row[2]) for row in readings]
    starts = [moment.isoformat() for end in ends for moment in (end, end - rules.LONGEST)]
    ensure_months(tx, "people_counts", [*starts, *(row[2] for row in rows)])
    (hold_tree if rows else share_tree)(tx)
    return setups_locked(tx, sorted({row[0] for row in readings}))


def _write_readings(
    tx: Transaction, data: dict[str, Any], rows: Sequence[Sequence[Any]], setups: Mapping[UUID, Setup]
) -> tuple[Outcome, list[int]]:
    """Standings in, and the intervals that end or begin at them anew, whatever came in which order."""
    padded = [(*row, None)[:6] for row in rows]
    sensors, lines, times, entries, exits, begun = (list(column) for column in zip(*padded, strict=True))
    touched = {"sensors": sensors, "lines": lines, "times": times}
    found = write(tx, _WRITE_READINGS, data, {**touched, "entries": entries, "exits": exits, "begun": begun})
    _derive(tx, data, touched, setups)
    return found


def _derive(
    tx: Transaction, data: dict[str, Any], touched: dict[str, Any], setups: Mapping[UUID, Setup], *, kept: bool = False
) -> None:
    """The intervals that end or begin at standings, anew; `kept`: nobody told anything new of them."""
    intervals: list[list[Any]] = []
    values = {**touched, "tenant": tx.tenant.tenant, "longest": rules.LONGEST}
    for known, is_one, sensor, line, *told, before in tx.all(_FOLLOWING, values):
        row = rules.interval(setups[sensor], sensor, line, *told, known=known, one=is_one)
        # A counter began anew between the two: what begins at the one before ends at no standing.
        over = rules.nothing(sensor, line, before) if before is not None else None
        intervals += [one for one in (row, over) if one is not None]
    write_intervals(tx, data, intervals, derived=True, kept=kept)


def part_devices(tx: Transaction, sensor: UUID, at: datetime, batch: UUID) -> None:
    """Make the intervals around a moment anew, at which another device took the sensor's place."""
    setups = setups_locked(tx, [sensor])
    following = tx.all(_FIRST_SINCE, {"tenant": tx.tenant.tenant, "sensor": sensor, "at": at})
    if following:
        lines, times = (list(column) for column in zip(*following, strict=True))
        data = {"batch": str(batch), "received_at": tx.now.isoformat()}
        _derive(tx, data, {"sensors": [sensor] * len(lines), "lines": lines, "times": times}, setups, kept=True)
