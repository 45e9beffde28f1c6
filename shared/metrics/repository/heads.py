"""A place, and the state that its numbers are in: one cheap query tells whether an answer still holds."""

from collections.abc import Sequence
from datetime import date
from typing import LiteralString
from uuid import UUID

from shared.metrics.errors import SiteNotFound
from shared.metrics.model import Group, Head
from tenant_context.context import TenantContext
from tenant_context.postgres import Database

MOST_GROUPS = 200
_HEAD: LiteralString = """
    SELECT p.id, p.kind, p.name, p.time_zone,
           (SELECT epoch FROM metric_epochs WHERE tenant_id = %(tenant)s),
           (SELECT sum(v.version) FROM unnest(%(firsts)s::date[], %(lasts)s::date[]) r (first, last)
            JOIN metric_versions v ON v.tenant_id = %(tenant)s AND v.place_id = p.id
                                      AND v.month >= date_trunc('month', r.first)::date AND v.month < r.last)::bigint,
           (SELECT max(newest) FROM footfall_day f WHERE f.tenant_id = %(tenant)s AND f.place_id = p.id AND f.day > (
                SELECT max(day) - 3 FROM footfall_day WHERE tenant_id = %(tenant)s AND place_id = p.id)),
           (SELECT max(newest) FROM sales_day f WHERE f.tenant_id = %(tenant)s AND f.place_id = p.id AND f.day > (
                SELECT max(day) - 3 FROM sales_day WHERE tenant_id = %(tenant)s AND place_id = p.id))
    FROM (SELECT s.id, s.kind, s.name, s.time_zone FROM sites s WHERE s.tenant_id = %(tenant)s AND s.id = %(place)s
          UNION ALL
          SELECT %(place)s, 'organization', t.name, coalesce(o.time_zone, 'UTC')
          FROM tenants t LEFT JOIN tenant_settings o ON o.tenant_id = t.tenant_id
          WHERE t.tenant_id = %(tenant)s AND %(place)s = '00000000-0000-0000-0000-000000000000'::uuid) p"""
# A zone's days are by its store's clock.
_CLOCK: LiteralString = """
    SELECT h.time_zone FROM site_tree t JOIN sites h ON h.tenant_id = t.tenant_id AND h.id = t.parent_id
    WHERE t.tenant_id = %s AND t.site_id = %s AND t.kind = 'zone'"""
_CHILDREN: LiteralString = """
    SELECT s.id, s.name, s.kind FROM sites s
    LEFT JOIN site_tree t ON t.tenant_id = s.tenant_id AND t.site_id = s.id
    WHERE s.tenant_id = %(tenant)s
      AND CASE WHEN %(place)s = '00000000-0000-0000-0000-000000000000'::uuid
               THEN t.site_id IS NULL AND s.kind <> 'zone' ELSE t.parent_id = %(place)s END
    ORDER BY s.sort_name, s.id LIMIT %(limit)s"""
_WITHIN: LiteralString = """
    WITH RECURSIVE below AS (
        SELECT id AS key, id FROM unnest(%(keys)s::uuid[]) id
        UNION ALL
        SELECT b.key, t.site_id FROM below b
        JOIN site_tree t ON t.tenant_id = %(tenant)s AND t.parent_id = b.id AND t.kind <> 'zone'
    )
    SELECT b.key, s.id FROM below b JOIN sites s ON s.tenant_id = %(tenant)s AND s.id = b.id AND s.kind = 'site'"""
_ALL: LiteralString = "SELECT %s::uuid, id FROM sites WHERE tenant_id = %s AND kind = 'site'"


class HeadRepository:
    """Places as they are now, of one tenant at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def head(self, tenant: TenantContext, place: UUID, days: Sequence[tuple[date, date]]) -> Head:
        """A place, and the state of its numbers of some days. Errors: SiteNotFound."""
        values = {
            "tenant": tenant.tenant,
            "place": place,
            "firsts": [first for first, _ in days],
            "lasts": [last for _, last in days],
        }
        rows = self._database.read(tenant, _HEAD, values)
        if not rows:
            raise SiteNotFound
        found, kind, name, time_zone, epoch, version, fresh, sold = rows[0]
        if kind == "zone":
            clock = self._database.read(tenant, _CLOCK, (tenant.tenant, place))
            time_zone = clock[0][0] if clock else time_zone
        return Head(found, kind, name, time_zone, epoch or 0, int(version or 0), fresh, sold)

    def children(self, tenant: TenantContext, place: UUID) -> list[Group]:
        """What is right within a place, by name: one more than an answer bears."""
        values = {"tenant": tenant.tenant, "place": place, "limit": MOST_GROUPS + 1}
        return [Group(*row) for row in self._database.read(tenant, _CHILDREN, values)]

    def stores(self, tenant: TenantContext, places: Sequence[Group], *, everybody: bool) -> list[tuple[UUID, UUID]]:
        """Which of some places, and which store in it; places that are none are in nothing."""
        if everybody:
            rows = self._database.read(tenant, _ALL, (places[0].key, tenant.tenant))
        else:
            values = {"tenant": tenant.tenant, "keys": [place.key for place in places]}
            rows = self._database.read(tenant, _WITHIN, values)
        return [(row[0], row[1]) for row in rows]
