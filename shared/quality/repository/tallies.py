"""What came for each day of a sensor, noted in the transaction that wrote it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from shared.measurements.rules import is_standing
from shared.quality.rules.tally import told
from tenant_context.postgres import Transaction

_LATE: LiteralString = """
    i.received_at - i.ends_at > greatest(interval '1 hour', n.interval_minutes * interval '2 minutes')"""
_ADDED: LiteralString = """
    ON CONFLICT (tenant_id, sensor_id, day) DO UPDATE
    SET received = q.received + excluded.received, duplicates = q.duplicates + excluded.duplicates,
        revised = q.revised + excluded.revised, late = q.late + excluded.late,
        touched_at = excluded.touched_at, scored_at = NULL"""
_OF_SENSORS: LiteralString = """
    JOIN sensors n ON n.tenant_id = %(tenant)s AND n.id = i.sensor_id
    JOIN sites s ON s.tenant_id = %(tenant)s AND s.id = n.site_id"""
_DAY: LiteralString = "(i.starts_at AT TIME ZONE s.time_zone)::date"
_NEW: LiteralString = f"""
    INSERT INTO quality_days AS q (tenant_id, sensor_id, day, received, late, touched_at)
    SELECT %(tenant)s, i.sensor_id, {_DAY}, count(*), count(*) FILTER (WHERE {_LATE}), %(now)s
    FROM unnest(%(sensors)s::uuid[], %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(received)s::timestamptz[])
         AS i (sensor_id, starts_at, ends_at, received_at) {_OF_SENSORS}
    GROUP BY 2, 3 ORDER BY 2, 3 {_ADDED}"""
# Whoever wrote a row last says whether this batch made it, made another of it, or said nothing new.
_MIXED: LiteralString = f"""
    INSERT INTO quality_days AS q (tenant_id, sensor_id, day, received, late, duplicates, revised, touched_at)
    SELECT %(tenant)s, i.sensor_id, {_DAY}, count(*), count(*) FILTER (WHERE {_LATE}),
           count(*) FILTER (WHERE coalesce(c.batch_id, r.batch_id) IS DISTINCT FROM i.batch_id),
           count(*) FILTER (WHERE coalesce(c.batch_id, r.batch_id) = i.batch_id
                              AND coalesce(c.revision, r.revision) > 1),
           %(now)s
    FROM unnest(%(sensors)s::uuid[], %(lines)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
                %(received)s::timestamptz[], %(batches)s::uuid[])
         AS i (sensor_id, line, starts_at, ends_at, received_at, batch_id) {_OF_SENSORS}
    LEFT JOIN people_counts c ON NOT %(standings)s AND c.tenant_id = %(tenant)s AND c.sensor_id = i.sensor_id
                             AND c.line = i.line AND c.starts_at = i.starts_at
    LEFT JOIN counter_readings r ON %(standings)s AND r.tenant_id = %(tenant)s AND r.sensor_id = i.sensor_id
                                AND r.line = i.line AND r.at = i.starts_at
    GROUP BY 2, 3 ORDER BY 2, 3 {_ADDED}"""
_TOLD: LiteralString = """
    INSERT INTO quality_days AS q (tenant_id, sensor_id, day, duplicates, rejected, leapt, doubtful, ahead, touched_at)
    SELECT %(tenant)s, n.id, coalesce(i.day, (i.at AT TIME ZONE s.time_zone)::date), sum(i.duplicates),
           sum(i.rejected), sum(i.leapt), sum(i.doubtful), sum(i.ahead), %(now)s
    FROM unnest(%(ids)s::uuid[], %(serials)s::text[], %(moments)s::timestamptz[], %(days)s::date[],
                %(duplicates)s::integer[], %(rejected)s::integer[], %(leapt)s::integer[], %(doubtful)s::integer[],
                %(ahead)s::integer[]) AS i (id, serial, at, day, duplicates, rejected, leapt, doubtful, ahead)
    JOIN sensors n ON n.tenant_id = %(tenant)s AND (n.id = i.id OR n.serial = i.serial)
    JOIN sites s ON s.tenant_id = %(tenant)s AND s.id = n.site_id
    GROUP BY 2, 3 ORDER BY 2, 3
    ON CONFLICT (tenant_id, sensor_id, day) DO UPDATE
    SET duplicates = q.duplicates + excluded.duplicates, rejected = q.rejected + excluded.rejected,
        leapt = q.leapt + excluded.leapt, doubtful = q.doubtful + excluded.doubtful, ahead = q.ahead + excluded.ahead,
        touched_at = excluded.touched_at, scored_at = NULL"""
_TOUCH: LiteralString = """
    UPDATE quality_days q SET touched_at = %(now)s, scored_at = NULL
    FROM sensors n JOIN sites s ON s.tenant_id = n.tenant_id AND s.id = n.site_id
    WHERE n.tenant_id = %(tenant)s AND n.id = %(sensor)s AND q.tenant_id = n.tenant_id AND q.sensor_id = n.id
      AND q.day BETWEEN (%(start)s::timestamptz AT TIME ZONE s.time_zone)::date
                    AND (%(end)s::timestamptz AT TIME ZONE s.time_zone)::date"""


class TallyRepository:
    """Notes what came, by sensor and day of its store, and that those days are to be scored anew."""

    def note(self, tx: Transaction, parts: Sequence[Mapping[str, Any]], *, mixed: bool) -> None:
        """Queue the tally of parts; `mixed`: not all of their rows were new. Days are those of the store, by its clock.

        A part is noted in the transaction that writes it, so it is counted once, however often it is delivered.
        """
        values = {"tenant": tx.tenant.tenant, "now": tx.now}
        for standings in (False, True):
            of_parts = [(data, [row for row in data["rows"] if is_standing(row) == standings]) for data in parts]
            rows = [row for _, some in of_parts for row in some]
            if rows:
                columns: dict[str, Any] = {
                    "sensors": _array([row[0] for row in rows]),
                    "starts": _array([row[2] for row in rows]),
                    "ends": _array([row[2 if standings else 3] for row in rows]),
                    "received": _array([data["received_at"] for data, some in of_parts for _ in some]),
                }
                if mixed:
                    columns |= {
                        "lines": [row[1] for row in rows],
                        "batches": _array([data["batch"] for data, some in of_parts for _ in some]),
                    }
                    tx.run(_MIXED, {**values, **columns, "standings": standings})
                else:
                    tx.run(_NEW, {**values, **columns})
        for data in parts:
            self._tell(tx, data, values)

    @staticmethod
    def _tell(tx: Transaction, data: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        found = told(data)
        if not found:
            return
        told_of = ("duplicates", "rejected", "leapt", "doubtful", "ahead")
        columns = {
            "ids": [_id(one.sensor) for one in found],
            "serials": [one.sensor for one in found],
            "moments": [one.moment for one in found],
            "days": [one.day for one in found],
            **{name: [getattr(one, name) for one in found] for name in told_of},
        }
        tx.run(_TOLD, {**columns, "tenant": values["tenant"], "now": values["now"]})

    @staticmethod
    def touch(tx: Transaction, sensor: UUID, start: datetime, end: datetime) -> None:
        """Have the days of a time scored anew: what was counted then was changed."""
        tx.run(_TOUCH, {"tenant": tx.tenant.tenant, "now": tx.now, "sensor": sensor, "start": start, "end": end})


def _array(column: Sequence[object]) -> str:
    """Ids or moments as PostgreSQL writes an array; the driver looks at each, which takes much longer."""
    return "{" + ",".join(map(str, column)) + "}"


def _id(reference: str) -> UUID | None:
    try:
        return UUID(reference)
    except ValueError:
        return None
