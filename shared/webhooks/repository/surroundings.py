"""What places are in: a zone in its store, that in its district, its region."""

from collections.abc import Collection
from typing import LiteralString

from tenant_context.context import TenantContext
from tenant_context.postgres import Database

_ABOVE: LiteralString = """
    WITH RECURSIVE above (id) AS (
        SELECT unnest(%(places)s::uuid[])
        UNION
        SELECT t.parent_id FROM above a JOIN site_tree t ON t.tenant_id = %(tenant)s AND t.site_id = a.id)
    SELECT id FROM above"""


class SurroundingRepository:
    """Reads the tree of places, as it is now."""

    def with_all_above(self, database: Database, tenant: TenantContext, places: Collection[str]) -> frozenset[str]:
        """Some places, and everything that they are in."""
        if not places:
            return frozenset()
        rows = database.read(tenant, _ABOVE, {"tenant": tenant.tenant, "places": list(places)})
        return frozenset(str(row[0]) for row in rows)
