"""The outbox: an event is a row of the same transaction as the change it tells of."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from tenant_context.context import TenantContext
from tenant_context.events import Event


class Outbox:
    """The rows that carry events out of a transaction."""

    _INSERT: LiteralString = """
        WITH audited AS (
            INSERT INTO audit_log (tenant_id, id, at, actor, action, subject, request_id, source_ip, details)
            VALUES (%(tenant)s, %(id)s, %(at)s, %(actor)s, %(type)s, %(subject)s, %(request)s, %(from)s, %(data)s)
        )
        INSERT INTO outbox (tenant_id, id, type, subject, data, created_at)
        VALUES (%(tenant)s, %(id)s, %(type)s, %(subject)s, %(data)s, %(at)s)"""

    _INSERT_MANY: LiteralString = """
        WITH told AS MATERIALIZED (
            SELECT * FROM jsonb_to_recordset(%(told)s)
                AS t (id uuid, actor text, type text, subject text, request text, "from" text, data jsonb)
        ), audited AS (
            INSERT INTO audit_log (tenant_id, id, at, actor, action, subject, request_id, source_ip, details)
            SELECT %(tenant)s, id, %(at)s, actor, type, subject, request, "from", data FROM told
        )
        INSERT INTO outbox (tenant_id, id, type, subject, data, created_at)
        SELECT %(tenant)s, id, type, subject, data, %(at)s FROM told"""

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
            "from": tenant.source_ip,
            "data": Jsonb(event.data),
        }

    @classmethod
    def statement_of_many(
        cls, told: Sequence[tuple[TenantContext, Event]], now: datetime
    ) -> tuple[LiteralString, dict[str, Any]]:
        """The same for several events of one tenant, each as the request that it came of."""
        rows = [
            {
                "id": event.id,
                "actor": tenant.actor,
                "type": event.type,
                "subject": event.subject,
                "request": tenant.request_id,
                "from": tenant.source_ip,
                "data": event.data,
            }
            for tenant, event in told
        ]
        return cls._INSERT_MANY, {"tenant": told[0][0].tenant, "at": now, "told": Jsonb(rows)}
