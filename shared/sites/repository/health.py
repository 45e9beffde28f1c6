"""Changes of sensors' health, each found once."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from shared.sites.model import HealthChange
from tenant_context.postgres import Transaction

# A sensor that was never heard of has no health to change. Two who find a change wait for one another at its row.
_CHANGES: LiteralString = """
    INSERT INTO sensor_health AS h (tenant_id, sensor_id, health, since)
    SELECT n.tenant_id, n.id, app.sensor_health(n.interval_minutes, b, %(now)s), %(now)s
    FROM sensors n JOIN sensor_beats b ON b.tenant_id = n.tenant_id AND b.sensor_id = n.id
    LEFT JOIN sensor_health k ON k.tenant_id = n.tenant_id AND k.sensor_id = n.id
    WHERE n.tenant_id = %(tenant)s AND n.status = 'active' AND (%(sensors)s::uuid[] IS NULL OR n.id = ANY (%(sensors)s))
      AND k.health IS DISTINCT FROM app.sensor_health(n.interval_minutes, b, %(now)s)
    ORDER BY n.id
    ON CONFLICT (tenant_id, sensor_id) DO UPDATE SET health = excluded.health, since = excluded.since
    WHERE h.health <> excluded.health AND h.since <= excluded.since
    RETURNING sensor_id, old.health, new.health,
              (SELECT n.site_id FROM sensors n WHERE n.tenant_id = h.tenant_id AND n.id = h.sensor_id),
              (SELECT n.zone_id FROM sensors n WHERE n.tenant_id = h.tenant_id AND n.id = h.sensor_id),
              (SELECT n.serial FROM sensors n WHERE n.tenant_id = h.tenant_id AND n.id = h.sensor_id)"""


class HealthRepository:
    """What was last told of the health of one tenant's sensors."""

    @staticmethod
    def changes(tx: Transaction, sensors: Sequence[UUID] | None) -> list[HealthChange]:
        """Sensors whose health is another than was told, noted as told; of some, or all."""
        values = {"tenant": tx.tenant.tenant, "now": tx.now, "sensors": None if sensors is None else list(sensors)}
        return [HealthChange(*row) for row in tx.all(_CHANGES, values)]
