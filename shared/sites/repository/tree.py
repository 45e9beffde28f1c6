"""What is in what, and was before, in PostgreSQL."""

from datetime import datetime
from typing import LiteralString
from uuid import UUID

from psycopg import errors

from shared.sites.errors import SiteNotFound, TreeTooLarge, WrongParent, ZoneInUse
from shared.sites.model import Kind, Node, Placement, Site, SiteId
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction

MOST_NODES = 5_000
_KIND: LiteralString = "SELECT kind FROM sites WHERE tenant_id = %s AND id = %s"
_PAST: LiteralString = """
    INSERT INTO site_placements (tenant_id, site_id, since, until, parent_id)
    SELECT tenant_id, site_id, since, %(now)s, parent_id FROM site_tree
    WHERE tenant_id = %(tenant)s AND site_id = %(site)s AND since < %(now)s"""
_LEAVE: LiteralString = "DELETE FROM site_tree WHERE tenant_id = %(tenant)s AND site_id = %(site)s RETURNING 1"
_PUT: LiteralString = """
    INSERT INTO site_tree (tenant_id, site_id, kind, parent_id, parent_kind, since)
    VALUES (%(tenant)s, %(site)s, %(kind)s, %(parent)s, %(parent_kind)s, %(now)s)
    ON CONFLICT (tenant_id, site_id) DO UPDATE
    SET parent_id = excluded.parent_id, parent_kind = excluded.parent_kind, since = excluded.since
    RETURNING 1"""
_PLACEMENTS: LiteralString = """
    SELECT p.parent_id, s.name, p.since, p.until
    FROM (SELECT parent_id, since, NULL::timestamptz AS until FROM site_tree
          WHERE tenant_id = %(tenant)s AND site_id = %(site)s
          UNION ALL
          SELECT parent_id, since, until FROM site_placements
          WHERE tenant_id = %(tenant)s AND site_id = %(site)s) p
    LEFT JOIN sites s ON s.tenant_id = %(tenant)s AND s.id = p.parent_id
    ORDER BY p.since DESC LIMIT 1000"""
_TREE: LiteralString = """
    WITH RECURSIVE below AS (
        SELECT s.id, NULL::uuid AS parent_id, s.kind, s.name, s.code, 0 AS depth,
               ARRAY[]::text[] AS way
        FROM sites s WHERE s.tenant_id = %(tenant)s AND s.id = %(site)s
        UNION ALL
        SELECT s.id, b.id, s.kind, s.name, s.code, b.depth + 1, b.way || s.sort_name || s.id::text
        FROM below b
        CROSS JOIN LATERAL (
            SELECT t.site_id FROM site_tree t
            WHERE t.tenant_id = %(tenant)s AND t.parent_id = b.id
                  AND (%(at)s::timestamptz IS NULL OR t.since <= %(at)s)
            UNION ALL
            SELECT p.site_id FROM site_placements p
            WHERE p.tenant_id = %(tenant)s AND p.parent_id = b.id
                  AND p.since <= %(at)s::timestamptz AND p.until > %(at)s) c
        JOIN sites s ON s.tenant_id = %(tenant)s AND s.id = c.site_id
        WHERE b.depth < 4
    )
    SELECT id, parent_id, kind, name, code, depth FROM below ORDER BY way LIMIT %(limit)s"""


class TreeRepository:
    """The tree of one tenant at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def kind(self, tx: Transaction, site: SiteId) -> Kind:
        """What a place to be in is. Errors: WrongParent, where there is none."""
        row = tx.one(_KIND, (tx.tenant.tenant, site))
        if row is None:
            raise _no_parent()
        return Kind(row[0])

    def put(self, tx: Transaction, site: Site, parent: SiteId, parent_kind: Kind) -> None:
        """Put a site into another from now on; where it was before is kept. Errors: WrongParent, ZoneInUse."""
        place = {"tenant": tx.tenant.tenant, "site": site.id, "now": tx.now}
        tx.run(_PAST, place)
        try:
            tx.one(_PUT, {**place, "kind": site.kind, "parent": parent, "parent_kind": parent_kind})
        except errors.ForeignKeyViolation as error:
            if error.diag.constraint_name == "sensors_zone":
                raise ZoneInUse from error
            raise _no_parent() from error

    def leave(self, tx: Transaction, site: Site) -> None:
        """Put a site into nothing from now on, likewise."""
        place = {"tenant": tx.tenant.tenant, "site": site.id, "now": tx.now}
        tx.run(_PAST, place)
        tx.one(_LEAVE, place)

    def placements(self, tenant: TenantContext, site: SiteId) -> list[Placement]:
        """What a site is in and was, newest first; of somebody else's, or none, nothing."""
        rows = self._database.read(tenant, _PLACEMENTS, {"tenant": tenant.tenant, "site": site})
        return [Placement(*row) for row in rows]

    def below(self, tenant: TenantContext, site: SiteId, at: datetime | None) -> list[Node]:
        """A site and all that is within it, or was at a moment, by name. Errors: SiteNotFound, TreeTooLarge."""
        values: dict[str, UUID | datetime | int | None]
        values = {"tenant": tenant.tenant, "site": site, "at": at, "limit": MOST_NODES + 1}
        rows = self._database.read(tenant, _TREE, values)
        if not rows:
            raise SiteNotFound
        if len(rows) > MOST_NODES:
            raise TreeTooLarge(MOST_NODES)
        return [Node(*row) for row in rows]


def _no_parent() -> WrongParent:
    return WrongParent("names a place that does not exist", "unknown-parent")
