"""Who is inside, from the 15-minute rollups."""

from collections.abc import Mapping
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from shared.metrics.errors import SiteNotFound
from tenant_context.context import TenantContext
from tenant_context.postgres import Database

_OCCUPANCY: LiteralString = """
    SELECT json_build_object(
        'site', s.id, 'time_zone', s.time_zone, 'since', app.rfc3339(d.midnight),
        'entries', coalesce(sum(f.entries), 0), 'exits', coalesce(sum(f.exits), 0),
        'occupancy', greatest(0, coalesce(sum(f.entries) - sum(f.exits), 0)),
        'as_of', app.rfc3339(max(f.bucket) + interval '15 minutes'))::text
    FROM sites s
    CROSS JOIN LATERAL (SELECT date_trunc('day', %(now)s::timestamptz, s.time_zone) AS midnight) d
    LEFT JOIN footfall_15m f ON f.tenant_id = s.tenant_id AND f.site_id = s.id
                            AND f.bucket >= d.midnight AND f.bucket <= %(now)s::timestamptz
    WHERE s.tenant_id = %(tenant)s AND s.id = %(site)s
    GROUP BY s.id, s.time_zone, d.midnight"""


class OccupancyRepository:
    """Reads who is inside as the JSON that PostgreSQL builds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def occupancy(self, tenant: TenantContext, site: UUID, now: datetime) -> bytes:
        """People inside since the site's midnight. Errors: SiteNotFound."""
        return self._one(tenant, _OCCUPANCY, {"tenant": tenant.tenant, "site": site, "now": now})

    def _one(self, tenant: TenantContext, query: LiteralString, values: Mapping[str, object]) -> bytes:
        rows = self._database.read(tenant, query, values)
        if not rows:
            raise SiteNotFound
        return str(rows[0][0]).encode()
