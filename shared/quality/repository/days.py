"""Days of sensors to be scored, what was counted on them, and what they were found to be worth."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from shared.quality.errors import SensorNotFound
from shared.quality.model import Balance, Hour, Tally, Verdict, Watched
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction

LONGEST_SILENCE = 400
"""Days between two that something came for, of which none is taken for missing: the sensor was not there."""
# Days without anything, between those that something came for, and up to yesterday while the sensor is in service.
_FILL: LiteralString = """
    WITH due AS (
        SELECT d.sensor_id, d.day FROM quality_days d WHERE d.tenant_id = %(tenant)s AND d.scored_at IS NULL
    ), edges AS (
        SELECT d.sensor_id, p.day AS first, d.day AS last FROM due d CROSS JOIN LATERAL (
            SELECT q.day FROM quality_days q
            WHERE q.tenant_id = %(tenant)s AND q.sensor_id = d.sensor_id AND q.day < d.day
            ORDER BY q.day DESC LIMIT 1) p
        UNION
        SELECT d.sensor_id, d.day, f.day FROM due d CROSS JOIN LATERAL (
            SELECT q.day FROM quality_days q
            WHERE q.tenant_id = %(tenant)s AND q.sensor_id = d.sensor_id AND q.day > d.day
            ORDER BY q.day LIMIT 1) f
        UNION
        SELECT n.id, l.day, (%(now)s::timestamptz AT TIME ZONE s.time_zone)::date
        FROM sensors n JOIN sites s ON s.tenant_id = n.tenant_id AND s.id = n.site_id
        CROSS JOIN LATERAL (
            SELECT q.day FROM quality_days q WHERE q.tenant_id = %(tenant)s AND q.sensor_id = n.id
            ORDER BY q.day DESC LIMIT 1) l
        WHERE n.tenant_id = %(tenant)s AND n.status = 'active'
    )
    INSERT INTO quality_days (tenant_id, sensor_id, day, touched_at)
    SELECT %(tenant)s, e.sensor_id, e.first + ahead, %(now)s
    FROM edges e, generate_series(1, e.last - e.first - 1) AS ahead
    WHERE e.last - e.first BETWEEN 2 AND %(silence)s
    ORDER BY 2, 3
    ON CONFLICT DO NOTHING"""
_DUE: LiteralString = """
    SELECT d.sensor_id, d.day, d.received, d.duplicates, d.revised, d.late, d.rejected, d.leapt, d.doubtful, d.ahead,
           d.touched_at
    FROM quality_days d
    JOIN sensors n ON n.tenant_id = d.tenant_id AND n.id = d.sensor_id
    JOIN sites s ON s.tenant_id = d.tenant_id AND s.id = n.site_id
    WHERE d.tenant_id = %(tenant)s AND d.scored_at IS NULL
      AND d.day < (%(now)s::timestamptz AT TIME ZONE s.time_zone)::date
    ORDER BY d.sensor_id, d.day LIMIT %(limit)s"""
_WATCHED: LiteralString = """
    SELECT n.id, n.site_id, n.zone_id, CASE WHEN app.zone_alone(n.kind, n.zone_id) THEN n.zone_id ELSE n.site_id END,
           n.interval_minutes, s.time_zone, s.hours,
           n.status = 'active' AND app.sensor_health(n.interval_minutes, b, %(now)s) = 'clock_skewed'
    FROM sensors n JOIN sites s ON s.tenant_id = n.tenant_id AND s.id = n.site_id
    LEFT JOIN sensor_beats b ON b.tenant_id = n.tenant_id AND b.sensor_id = n.id
    WHERE n.tenant_id = %(tenant)s AND n.id = ANY (%(sensors)s)"""
# Hours of the store's own day, counted from its midnight: days of 23 and 25 of them are what they are. Time that an
# earlier interval of the line has counted already is counted once; less than a minute of it is a device's clock.
_COUNTED: LiteralString = """
    SELECT day, floor(extract(epoch FROM c.starts_at - midnight) / 3600)::integer,
           sum(c.entries), sum(c.exits),
           sum(c.minutes - c.again) / count(DISTINCT c.line), count(*),
           coalesce(sum(c.doubled) FILTER (WHERE c.doubled >= 1), 0),
           max((c.entries + c.exits) / greatest(c.minutes, 1))
    FROM (
        SELECT k.line, k.starts_at, k.entries, k.exits,
               extract(epoch FROM k.ends_at - k.starts_at)::double precision / 60 AS minutes,
               greatest(0, extract(epoch FROM least(k.ends_at, coalesce(max(k.ends_at) OVER w, k.starts_at))
                                              - k.starts_at))::double precision / 60 AS again,
               CASE WHEN k.entries + k.exits = 0 THEN 0 ELSE
                   greatest(0, extract(epoch FROM least(k.ends_at, coalesce(max(k.ends_at) FILTER (
                                   WHERE k.entries + k.exits > 0) OVER w, k.starts_at)) - k.starts_at))
               END::double precision / 60 AS doubled
        FROM people_counts k
        WHERE k.tenant_id = %(tenant)s AND k.sensor_id = %(sensor)s
          AND k.starts_at >= %(first)s::date::timestamp AT TIME ZONE %(zone)s
          AND k.starts_at < (%(last)s::date + 1)::timestamp AT TIME ZONE %(zone)s
        WINDOW w AS (PARTITION BY k.line ORDER BY k.starts_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) c
    CROSS JOIN LATERAL (SELECT date_trunc('day', c.starts_at, %(zone)s) AS midnight) m
    CROSS JOIN LATERAL (SELECT (c.starts_at AT TIME ZONE %(zone)s)::date AS day) d
    GROUP BY day, 2 ORDER BY day, 2"""
_PLACE_DAYS: LiteralString = """
    SELECT (f.bucket AT TIME ZONE %(zone)s)::date AS day, sum(f.entries), sum(f.exits) FROM footfall_15m f
    WHERE f.tenant_id = %(tenant)s AND f.site_id = %(place)s
      AND f.bucket >= %(first)s::date::timestamp AT TIME ZONE %(zone)s
      AND f.bucket < (%(last)s::date + 1)::timestamp AT TIME ZONE %(zone)s
    GROUP BY 1"""
# What came while it was being scored waits for the next time.
_KEEP: LiteralString = """
    UPDATE quality_days d SET score = i.score, parts = i.parts, findings = string_to_array(i.findings, ' '),
                              scored_at = %(now)s
    FROM unnest(%(days)s::date[], %(touched)s::timestamptz[], %(scores)s::smallint[], %(parts)s::jsonb[],
                %(findings)s::text[]) AS i (day, touched_at, score, parts, findings)
    WHERE d.tenant_id = %(tenant)s AND d.sensor_id = %(sensor)s AND d.day = i.day AND d.touched_at = i.touched_at"""
_SHOW: LiteralString = """
    SELECT CASE WHEN d.day IS NOT NULL THEN json_build_object(
        'day', d.day, 'score', d.score, 'parts', d.parts, 'findings', d.findings, 'received', d.received,
        'duplicates', d.duplicates, 'revised', d.revised, 'late', d.late, 'rejected', d.rejected,
        'scored_at', app.rfc3339(d.scored_at))::text END
    FROM sensors n
    LEFT JOIN quality_days d ON d.tenant_id = n.tenant_id AND d.sensor_id = n.id
                            AND d.day BETWEEN %(first)s AND %(last)s
    WHERE n.tenant_id = %(tenant)s AND n.id = %(sensor)s ORDER BY d.day DESC"""


class DayRepository:
    """Days of one tenant's sensors."""

    def fill(self, tx: Transaction) -> None:
        """Queue the days for which nothing came, so that they are scored as well."""
        tx.run(_FILL, {"tenant": tx.tenant.tenant, "now": tx.now, "silence": LONGEST_SILENCE})

    def due(self, tx: Transaction, limit: int) -> dict[UUID, list[Tally]]:
        """Days that are over and wait for a score, by sensor and in order."""
        found: dict[UUID, list[Tally]] = {}
        for sensor, *tally in tx.all(_DUE, {"tenant": tx.tenant.tenant, "now": tx.now, "limit": limit}):
            found.setdefault(sensor, []).append(Tally(*tally))
        return found

    def watched(self, tx: Transaction, sensors: Sequence[UUID]) -> list[Watched]:
        """Sensors and the days of their stores."""
        values = {"tenant": tx.tenant.tenant, "now": tx.now, "sensors": list(sensors)}
        return [Watched(*row) for row in tx.all(_WATCHED, values)]

    def counted(self, tx: Transaction, sensor: Watched, first: date, last: date) -> dict[date, list[tuple[Hour, int]]]:
        """What was counted in each hour of days, and of how many rows."""
        values = {"tenant": tx.tenant.tenant, "sensor": sensor.id, "zone": sensor.time_zone}
        days: dict[date, list[tuple[Hour, int]]] = {}
        for day, number, entries, exits, minutes, rows, doubled, fastest in tx.all(
            _COUNTED, {**values, "first": first, "last": last}
        ):
            hour = Hour(number, int(entries), int(exits), minutes, doubled, fastest)
            days.setdefault(day, []).append((hour, rows))
        return days

    def of_place(self, tx: Transaction, sensor: Watched, first: date, last: date) -> dict[date, Balance]:
        """Who came to what the sensor counts for on each day, and who left: its store, or its zone alone."""
        values = {"tenant": tx.tenant.tenant, "place": sensor.counts_for, "zone": sensor.time_zone}
        rows = tx.all(_PLACE_DAYS, {**values, "first": first, "last": last})
        return {day: Balance(int(entries), int(exits)) for day, entries, exits in rows}

    def keep(self, tx: Transaction, sensor: UUID, tallies: Sequence[Tally], verdicts: Sequence[Verdict]) -> None:
        """Queue what days were found to be worth, but for those that were touched meanwhile."""
        tx.run(
            _KEEP,
            {
                "tenant": tx.tenant.tenant,
                "sensor": sensor,
                "now": tx.now,
                "days": [one.day for one in verdicts],
                "touched": [one.touched_at for one in tallies],
                "scores": [one.score for one in verdicts],
                "parts": [Jsonb({part.value: value for part, value in one.parts.items()}) for one in verdicts],
                "findings": [" ".join(one.value for one in verdict.findings) for verdict in verdicts],
            },
        )

    def show(self, database: Database, tenant: TenantContext, sensor: UUID, first: date, last: date) -> list[str]:
        """The JSON of a sensor's days, newest first. Errors: SensorNotFound."""
        values: Mapping[str, Any] = {"tenant": tenant.tenant, "sensor": sensor, "first": first, "last": last}
        rows = database.read(tenant, _SHOW, values)
        if not rows:
            raise SensorNotFound
        return [row[0] for row in rows if row[0] is not None]
