"""Limits, and what was counted today, in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from shared.figures.model import Place
from shared.occupancy.model import Day, Limit, Today
from tenant_context.postgres import Transaction

_COLUMNS: LiteralString = (
    "l.site_id, l.capacity, l.clear_at, l.reached, l.changed_at, l.measured_until, l.version, l.updated_at"
)
_FIND: LiteralString = f"SELECT {_COLUMNS} FROM occupancy_limits l WHERE l.tenant_id = %s AND l.site_id = %s"
# Whoever adds one waits for who adds others: so the count before is exact.
_HOLD: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended('occupancy_limits:' || %s::text, 0))"
_COUNT: LiteralString = "SELECT count(*) FROM occupancy_limits WHERE tenant_id = %s"
_KEEP: LiteralString = """
    INSERT INTO occupancy_limits AS l (tenant_id, site_id, capacity, clear_at, reached, changed_at, measured_until,
                                       version, updated_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (tenant_id, site_id) DO UPDATE
    SET capacity = excluded.capacity, clear_at = excluded.clear_at, reached = excluded.reached,
        changed_at = excluded.changed_at, measured_until = excluded.measured_until, version = excluded.version,
        updated_at = excluded.updated_at"""
_FORGET: LiteralString = "DELETE FROM occupancy_limits WHERE tenant_id = %s AND site_id = %s"
_ALL: LiteralString = f"""
    SELECT {_COLUMNS} FROM occupancy_limits l WHERE l.tenant_id = %s ORDER BY l.site_id FOR NO KEY UPDATE"""
# Of a zone's sensors the zone and, unless they count for it alone, its store, each with the newest pushed of it.
_OF_SENSORS: LiteralString = f"""
    WITH pushed AS (
        SELECT p.place, max(i.newest) AS newest
        FROM unnest(%(sensors)s::uuid[], %(newest)s::timestamptz[]) AS i (sensor_id, newest)
        JOIN sensors n ON n.tenant_id = %(tenant)s AND n.id = i.sensor_id
        CROSS JOIN LATERAL (VALUES (CASE WHEN NOT app.zone_alone(n.kind, n.zone_id) THEN n.site_id END),
                                   (n.zone_id)) p (place)
        GROUP BY p.place
    )
    SELECT {_COLUMNS}, p.newest FROM pushed p
    JOIN occupancy_limits l ON l.tenant_id = %(tenant)s AND l.site_id = p.place
    ORDER BY l.site_id FOR NO KEY UPDATE OF l"""

# The whole organization is the place of zeros.
_STORES: LiteralString = """
    WITH RECURSIVE below AS (
        SELECT %(place)s::uuid AS id
        UNION ALL
        SELECT t.site_id FROM below b JOIN site_tree t ON t.tenant_id = %(tenant)s AND t.parent_id = b.id
        WHERE t.kind <> 'zone'
    )
    SELECT s.id, s.kind, s.name, s.time_zone, s.hours FROM sites s
    WHERE s.tenant_id = %(tenant)s AND s.kind = 'site'
      AND (%(place)s = '00000000-0000-0000-0000-000000000000'::uuid OR s.id IN (SELECT id FROM below))
    ORDER BY s.id LIMIT %(limit)s"""
_CLOCK: LiteralString = """
    SELECT coalesce((SELECT time_zone FROM tenant_settings WHERE tenant_id = %s), 'UTC')"""
# The days of the two weeks before: whole ones from days, what is at both of their ends from quarters. Days on which
# quality found a jump of one of the place's counters tell nothing of what its counters miss.
_SPANS: LiteralString = """
    WITH spans AS MATERIALIZED (
        SELECT s.id, s.start, s.start - %(before)s AS since, z.zone,
               (s.start AT TIME ZONE z.zone)::date AS last,
               ((s.start - %(before)s) AT TIME ZONE z.zone)::date + 1 AS first
        FROM unnest(%(places)s::uuid[], %(starts)s::timestamptz[], %(zones)s::text[]) s (id, start, named)
        CROSS JOIN LATERAL (SELECT app.known_zone(s.named) AS zone) z
    ), jumped AS MATERIALIZED (
        SELECT p.place, q.day FROM sensors n
        CROSS JOIN LATERAL (VALUES (CASE WHEN NOT app.zone_alone(n.kind, n.zone_id) THEN n.site_id END),
                                   (n.zone_id)) p (place)
        JOIN quality_days q ON q.tenant_id = %(tenant)s AND q.sensor_id = n.id AND q.findings <> '{}'
        WHERE n.tenant_id = %(tenant)s AND (n.site_id = ANY (%(places)s) OR n.zone_id = ANY (%(places)s))
          AND 'jump' = ANY (q.findings)
          AND q.day BETWEEN (SELECT min(first) - 1 FROM spans) AND (SELECT max(last) FROM spans)
    )"""
_LEARNT: LiteralString = """
        SELECT coalesce(json_agg(json_build_array(y.entries, y.exits)), '[]') AS days FROM (
            SELECT sum(x.entries)::bigint AS entries, sum(x.exits)::bigint AS exits FROM (
                SELECT d.day, d.entries, d.exits FROM footfall_day d
                WHERE d.tenant_id = %(tenant)s AND d.place_id = s.id AND d.day >= s.first AND d.day < s.last
                UNION ALL
                SELECT (f.bucket AT TIME ZONE s.zone)::date, f.entries, f.exits FROM footfall_15m f
                WHERE f.tenant_id = %(tenant)s AND f.site_id = s.id AND f.bucket >= s.since
                      AND f.bucket < s.first::timestamp AT TIME ZONE s.zone
                UNION ALL
                SELECT s.last, f.entries, f.exits FROM footfall_15m f
                WHERE f.tenant_id = %(tenant)s AND f.site_id = s.id AND f.bucket < s.start
                      AND f.bucket >= s.last::timestamp AT TIME ZONE s.zone) x
            WHERE NOT EXISTS (SELECT FROM jumped j WHERE j.place = s.id AND j.day = x.day)
            GROUP BY x.day) y"""
_BEFORE: LiteralString = f"{_SPANS} SELECT b.days FROM spans s CROSS JOIN LATERAL ({_LEARNT}) b"
_TODAY: LiteralString = f"""{_SPANS}, service AS MATERIALIZED (
        SELECT p.id, v.since, v.until
        FROM app.in_service(%(tenant)s, %(places)s, %(places)s) v
        JOIN sensors n ON n.tenant_id = %(tenant)s AND n.id = v.sensor_id
        CROSS JOIN LATERAL (VALUES (CASE WHEN NOT app.zone_alone(n.kind, v.zone_id) THEN v.site_id END),
                                   (v.zone_id)) p (id)
    ), told AS MATERIALIZED (
        SELECT s.id, s.start, n.* FROM spans s CROSS JOIN LATERAL (
            SELECT coalesce(sum(f.entries), 0)::bigint AS entries, coalesce(sum(f.exits), 0)::bigint AS exits,
                   coalesce(sum(f.minutes), 0)::bigint AS minutes, max(f.bucket) + interval '15 minutes' AS until
            FROM footfall_15m f
            WHERE f.tenant_id = %(tenant)s AND f.site_id = s.id AND f.bucket >= s.start AND f.bucket < %(now)s) n
    ), served AS MATERIALIZED (
        SELECT t.id, sum(extract(epoch FROM least(coalesce(v.until, t.until), t.until) - greatest(v.since, t.start)))
                     AS seconds
        FROM told t JOIN service v ON v.id = t.id
        WHERE v.since < t.until AND coalesce(v.until, t.until) > t.start GROUP BY 1
    )
    SELECT s.id, n.entries, n.exits, n.minutes, coalesce(v.seconds, 0)::float8 / 60,
           n.until - interval '15 minutes', b.days
    FROM spans s JOIN told n ON n.id = s.id LEFT JOIN served v ON v.id = s.id
    CROSS JOIN LATERAL ({_LEARNT}) b"""
_COUNTED: LiteralString = """
    SELECT coalesce((SELECT sum(f.minutes) FROM footfall_15m f
                     WHERE f.tenant_id = %(tenant)s AND f.site_id = %(place)s
                           AND f.bucket >= %(start)s AND f.bucket < %(end)s), 0)::bigint,
           coalesce((SELECT sum(extract(epoch FROM least(v.until, %(end)s) - greatest(v.since, %(start)s)))
                     FROM app.in_service(%(tenant)s, ARRAY[%(place)s]::uuid[], ARRAY[%(place)s]::uuid[]) v
                     WHERE v.since < %(end)s AND coalesce(v.until, %(end)s) > %(start)s), 0)::float8 / 60"""
EVERYBODY = UUID(int=0)
"""The organization as a whole, as a place."""


class InsideRepository:
    """What is added up to who is inside, of many places at once."""

    def stores(self, tx: Transaction, place: UUID, limit: int) -> list[Place]:
        """The stores that are in a place, or all of them."""
        values = {"tenant": tx.tenant.tenant, "place": place, "limit": limit}
        return [Place(*row) for row in tx.all(_STORES, values)]

    def clock(self, tx: Transaction) -> str:
        """The organization's own time zone."""
        row = tx.one(_CLOCK, (tx.tenant.tenant,))
        return str(row[0]) if row else "UTC"

    def today(
        self, tx: Transaction, places: Sequence[Place], days: Sequence[Day], before: timedelta
    ) -> dict[UUID, Today]:
        """What was counted in stores and zones since their days began, and in a time before."""
        values = {**_spans(tx, places, days, before), "now": tx.now}
        return {row[0]: Today(*row[1:]) for row in tx.all(_TODAY, values)}

    def counted(self, tx: Transaction, place: Place, start: datetime, end: datetime) -> tuple[int, float]:
        """The minutes counted in a store or zone from a quarter of an hour to another, and those in service."""
        row = tx.one(_COUNTED, {"tenant": tx.tenant.tenant, "place": place.id, "start": start, "end": end})
        return (int(row[0]), float(row[1])) if row else (0, 0.0)

    def before(self, tx: Transaction, place: Place, day: Day, before: timedelta) -> Sequence[tuple[int, int]]:
        """Who came to a store or zone, and left it, on each day of a time before one; without implausible ones."""
        row = tx.one(_BEFORE, _spans(tx, [place], [day], before))
        return row[0] if row else ()


def _spans(tx: Transaction, places: Sequence[Place], days: Sequence[Day], before: timedelta) -> dict[str, object]:
    return {
        "tenant": tx.tenant.tenant,
        "places": [place.id for place in places],
        "starts": [day.start for day in days],
        "zones": [place.time_zone for place in places],
        "before": before,
    }


class LimitRepository:
    """Limits of one tenant at a time."""

    def find(self, tx: Transaction, site: UUID, *, hold: bool = False) -> Limit | None:
        """A place's limit, held until the transaction ends where that is asked."""
        row = tx.one(_FIND + " FOR NO KEY UPDATE" if hold else _FIND, (tx.tenant.tenant, site))
        return Limit(*row) if row else None

    def count(self, tx: Transaction) -> int:
        """How many there are; nobody else adds any until the transaction ends."""
        tx.run(_HOLD, (tx.tenant.tenant,))
        row = tx.one(_COUNT, (tx.tenant.tenant,))
        return int(row[0]) if row else 0

    def keep(self, tx: Transaction, limit: Limit) -> None:
        """Queue a limit as it is to be."""
        said = (limit.site_id, limit.capacity, limit.clear_at, limit.reached, limit.changed_at, limit.measured_until)
        tx.run(_KEEP, (tx.tenant.tenant, *said, limit.version, limit.updated_at))

    def forget(self, tx: Transaction, site: UUID) -> None:
        """Queue the end of a limit; none is no error."""
        tx.run(_FORGET, (tx.tenant.tenant, site))

    def all(self, tx: Transaction) -> list[Limit]:
        """Every limit, held until the transaction ends."""
        return [Limit(*row) for row in tx.all(_ALL, (tx.tenant.tenant,))]

    def of_sensors(self, tx: Transaction, newest: Mapping[UUID, datetime]) -> list[tuple[Limit, datetime]]:
        """Limits of the places that sensors are in, held, with the newest that was pushed of each."""
        values = {"tenant": tx.tenant.tenant, "sensors": list(newest), "newest": list(newest.values())}
        return [(Limit(*row[:-1]), row[-1]) for row in tx.all(_OF_SENSORS, values)]
