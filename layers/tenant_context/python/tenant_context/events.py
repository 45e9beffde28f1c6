"""Domain events, and the envelope in which consumers see them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from tenant_context.clock import rfc3339, uuid7

SOURCE = "rmap"
WEBHOOK_AGENT = "RMAP-Webhooks"
"""How a delivery of an event names itself; the doors refuse it, as what calls us makes the next event."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: `type` like `campaign.launched`, `subject` like `campaign/<id>`."""

    type: str
    subject: str
    data: dict[str, Any]
    id: UUID = field(default_factory=uuid7)

    def envelope(self, tenant: UUID, time: datetime) -> dict[str, Any]:
        """The event as consumers see it (CloudEvents 1.0 attributes, JSON form)."""
        return {
            "specversion": "1.0",
            "id": str(self.id),
            "type": self.type,
            "source": SOURCE,
            "subject": self.subject,
            "time": rfc3339(time),
            "tenant": str(tenant),
            "data": self.data,
        }
