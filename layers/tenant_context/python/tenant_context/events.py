"""Domain events and their outbox: an event is a row of the same transaction as the change it tells of."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from tenant_context.clock import rfc3339, uuid7
from tenant_context.context import TenantContext

SOURCE = "rmap"


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


class Outbox:
    """The rows that carry events out of a transaction."""

    _INSERT: LiteralString = """
        WITH audited AS (
            INSERT INTO audit_log (tenant_id, id, at, actor, action, subject, request_id, details)
            VALUES (%(tenant)s, %(id)s, %(at)s, %(actor)s, %(type)s, %(subject)s, %(request)s, %(data)s)
        )
        INSERT INTO outbox (tenant_id, id, type, subject, data, created_at)
        VALUES (%(tenant)s, %(id)s, %(type)s, %(subject)s, %(data)s, %(at)s)"""

    @classmethod
    def statement(cls, tenant: TenantContext, event: Event, now: datetime) -> tuple[LiteralString, dict[str, Any]]:
        """One statement that writes the outbox row and the audit entry of an event."""
        return cls._INSERT, {
            "tenant": tenant.tenant,
            "id": event.id,
            "at": now,
            "actor": tenant.actor,
            "type": event.type,
            "subject": event.subject,
            "request": tenant.request_id,
            "data": Jsonb(event.data),
        }
