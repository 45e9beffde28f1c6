"""Whether anything is watched, and where sensors are."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from tenant_context.postgres import Transaction

_ANY: LiteralString = """
    SELECT EXISTS (SELECT FROM occupancy_limits WHERE tenant_id = %(tenant)s)
           OR EXISTS (SELECT FROM alert_rules WHERE tenant_id = %(tenant)s AND enabled)"""
_PLACES: LiteralString = """
    SELECT DISTINCT p.place FROM sensors n CROSS JOIN LATERAL (VALUES (n.site_id), (n.zone_id)) p (place)
    WHERE n.tenant_id = %s AND n.id = ANY (%s) AND p.place IS NOT NULL"""


class WatchedRepository:
    """What one tenant has to be watched."""

    def any(self, tx: Transaction) -> bool:
        """Whether there is a limit or a rule."""
        row = tx.one(_ANY, {"tenant": tx.tenant.tenant})
        return bool(row and row[0])

    def places(self, tx: Transaction, sensors: Sequence[UUID]) -> list[UUID]:
        """The stores and zones of sensors."""
        return [row[0] for row in tx.all(_PLACES, (tx.tenant.tenant, list(sensors)))]
