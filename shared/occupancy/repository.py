"""Limits in PostgreSQL."""

from collections.abc import Mapping
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from shared.occupancy.model import Limit
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
# Of a zone's sensors both the zone and its store, each with the newest that was pushed of it.
_OF_SENSORS: LiteralString = f"""
    WITH pushed AS (
        SELECT p.place, max(i.newest) AS newest
        FROM unnest(%(sensors)s::uuid[], %(newest)s::timestamptz[]) AS i (sensor_id, newest)
        JOIN sensors n ON n.tenant_id = %(tenant)s AND n.id = i.sensor_id
        CROSS JOIN LATERAL (VALUES (n.site_id), (n.zone_id)) p (place)
        GROUP BY p.place
    )
    SELECT {_COLUMNS}, p.newest FROM pushed p
    JOIN occupancy_limits l ON l.tenant_id = %(tenant)s AND l.site_id = p.place
    ORDER BY l.site_id FOR NO KEY UPDATE OF l"""


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
