"""Incidents in PostgreSQL."""

from collections.abc import Sequence
from datetime import date
from typing import LiteralString
from uuid import UUID

from shared.quality.model import Finding, Incident
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Row, Transaction

_COLUMNS: LiteralString = "id, sensor_id, kind, first_day, last_day, status, reason, found_at, closed_at"
_PRESENT: LiteralString = f"""
    SELECT {_COLUMNS} FROM quality_incidents WHERE tenant_id = %s AND sensor_id = %s ORDER BY found_at, id FOR UPDATE"""
_FOUND: LiteralString = """
    SELECT day, findings FROM quality_days WHERE tenant_id = %s AND sensor_id = %s AND findings <> '{}'"""
_NEWEST: LiteralString = """
    SELECT max(day) FROM quality_days WHERE tenant_id = %s AND sensor_id = %s AND score IS NOT NULL"""
_KEEP: LiteralString = """
    INSERT INTO quality_incidents (tenant_id, id, sensor_id, kind, first_day, last_day, status, reason, found_at,
                                   closed_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (tenant_id, id) DO UPDATE
    SET first_day = excluded.first_day, last_day = excluded.last_day, status = excluded.status,
        reason = excluded.reason, closed_at = excluded.closed_at"""
# Overlaps are told with the first of their times, as they are now, by the store's clock.
_PAGE: LiteralString = """
    SELECT q.id, q.sensor_id, n.site_id, q.kind, q.first_day, q.last_day, q.status, q.reason, q.found_at, q.closed_at,
           CASE WHEN q.kind = 'overlap' AND q.reason <> 'mended' THEN ARRAY(
               SELECT to_char(c.starts_at AT TIME ZONE s.time_zone, 'YYYY-MM-DD HH24:MI') || ' to '
                      || to_char(least(c.ends_at, c.before) AT TIME ZONE s.time_zone, 'HH24:MI')
                      || CASE WHEN c.line = '' THEN '' ELSE ' of ' || c.line END
               FROM (SELECT k.line, k.starts_at, k.ends_at, max(k.ends_at) OVER (
                                PARTITION BY k.line ORDER BY k.starts_at
                                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
                     FROM people_counts k
                     WHERE k.tenant_id = q.tenant_id AND k.sensor_id = q.sensor_id AND k.entries + k.exits > 0
                       AND k.starts_at >= (q.first_day - 1)::timestamp AT TIME ZONE s.time_zone
                       AND k.starts_at < (q.last_day + 1)::timestamp AT TIME ZONE s.time_zone) c
               WHERE least(c.ends_at, c.before) - c.starts_at >= interval '1 minute'
                 AND c.starts_at >= q.first_day::timestamp AT TIME ZONE s.time_zone
               ORDER BY c.starts_at, c.line LIMIT 4) ELSE '{}' END
    FROM quality_incidents q JOIN sensors n ON n.tenant_id = q.tenant_id AND n.id = q.sensor_id
    JOIN sites s ON s.tenant_id = n.tenant_id AND s.id = n.site_id
    WHERE q.tenant_id = %(tenant)s AND (%(after)s::uuid IS NULL OR q.id < %(after)s)
      AND (%(sensor)s::uuid IS NULL OR q.sensor_id = %(sensor)s)
      AND (%(site)s::uuid IS NULL OR n.site_id = %(site)s)
      AND (%(kind)s::text IS NULL OR q.kind = %(kind)s) AND (%(status)s::text IS NULL OR q.status = %(status)s)
    ORDER BY q.id DESC LIMIT %(limit)s"""


class IncidentRepository:
    """Incidents of one tenant at a time."""

    def present(self, tx: Transaction, sensor: UUID) -> list[Incident]:
        """A sensor's incidents, the oldest first, held until the transaction ends."""
        return [Incident(*row) for row in tx.all(_PRESENT, (tx.tenant.tenant, sensor))]

    def found(self, tx: Transaction, sensor: UUID) -> tuple[dict[Finding, list[date]], date | None]:
        """What was found on which of a sensor's days, and the newest that was scored."""
        days: dict[Finding, list[date]] = {}
        for day, findings in tx.all(_FOUND, (tx.tenant.tenant, sensor)):
            for one in findings:
                days.setdefault(Finding(one), []).append(day)
        row = tx.one(_NEWEST, (tx.tenant.tenant, sensor))
        return days, row[0] if row else None

    def keep(self, tx: Transaction, incidents: Sequence[Incident]) -> None:
        """Queue incidents as they are to be."""
        for one in incidents:
            what = (one.id, one.sensor_id, one.kind, one.first_day, one.last_day, one.status, one.reason)
            tx.run(_KEEP, (tx.tenant.tenant, *what, one.found_at, one.closed_at))

    def page(
        self,
        database: Database,
        tenant: TenantContext,
        *,
        sensor: UUID | None,
        site: UUID | None,
        kind: str | None,
        status: str | None,
        after: UUID | None,
        limit: int,
    ) -> list[Row]:
        """Incidents, the newest found first, with the store of each and some of its times."""
        asked = {"sensor": sensor, "site": site, "kind": kind, "status": status, "after": after, "limit": limit}
        return database.read(tenant, _PAGE, {**asked, "tenant": tenant.tenant})
