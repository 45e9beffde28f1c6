"""Sensors whose health has changed, told once for each change."""

from collections.abc import Sequence
from uuid import UUID

from shared.sites.model import where
from shared.sites.repository.health import HealthRepository
from tenant_context.events import Event
from tenant_context.postgres import Transaction


def tell_health(tx: Transaction, sensors: Sequence[UUID] | None = None) -> int:
    """Emit sensor.health_changed for each of them, or of all, that is not as it was told before; answers how many."""
    changes = HealthRepository.changes(tx, sensors)
    for one in changes:
        data = {"id": str(one.sensor_id), **where(one.site_id, one.zone_id), "serial": one.serial}
        tx.emit(
            Event("sensor.health_changed", f"sensor/{one.sensor_id}", {**data, "from": one.before, "to": one.after})
        )
    return len(changes)
