"""What is told of incidents."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from shared.quality.model import Incident
from tenant_context.events import Event
from tenant_context.postgres import Transaction


def tell(
    tx: Transaction, places: Mapping[str, str | None], before: Sequence[Incident], after: Sequence[Incident]
) -> None:
    """Emit sensor.incident_opened of what is new, and sensor.incident_closed of what is over, by what has changed.

    One that is found once it is over is told as both. Days that are added or taken, and what is mended after its end,
    tell nothing more.
    """
    were = {one.id: one.status for one in before}
    for one in after:
        was = were.get(one.id, "closed")
        if one.id not in were or (was, one.status) == ("closed", "open"):
            was = "open"
            tx.emit(_event("sensor.incident_opened", places, replace(one, status="open", reason="")))
        if (was, one.status) == ("open", "closed"):
            tx.emit(_event("sensor.incident_closed", places, one))


def _event(kind: str, places: Mapping[str, str | None], one: Incident) -> Event:
    data = {
        "id": str(one.id),
        "sensor_id": str(one.sensor_id),
        **places,
        "kind": one.kind,
        "first_day": one.first_day.isoformat(),
        "last_day": one.last_day.isoformat(),
        "status": one.status,
        "reason": one.reason,
    }
    return Event(kind, f"sensor/{one.sensor_id}", data)
