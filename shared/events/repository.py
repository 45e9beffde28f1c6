"""Outbox rows that were left behind."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from shared.events.model import WaitingEvent
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction

_OLDEST: LiteralString = "SELECT value FROM app.operations() WHERE name = 'rmap_outbox_oldest_seconds'"
_TENANTS: LiteralString = "SELECT tenant_id FROM app.tenants_with_waiting_events(%s, %s)"
# Rows that another run holds are skipped: it is publishing them.
_WAITING: LiteralString = """
    SELECT id, type, subject, data, created_at FROM outbox
    WHERE tenant_id = %s AND published_at IS NULL AND created_at < %s AND id <> ALL(%s)
    ORDER BY created_at, id LIMIT %s FOR UPDATE SKIP LOCKED"""
_EARLIER: LiteralString = """
    SELECT id, type, subject, data, created_at FROM outbox
    WHERE tenant_id = %s AND subject = %s AND id < %s AND id >= %s ORDER BY id DESC LIMIT %s"""
_PUBLISHED: LiteralString = "UPDATE outbox SET published_at = %s WHERE tenant_id = %s AND id = ANY(%s)"


class OutboxRepository:
    """Finds and marks waiting events."""

    def tenants(self, database: Database, older_than: datetime, limit: int) -> list[UUID]:
        """Tenants with events that wait since before a moment, the longest waiting first."""
        return [row[0] for row in database.door(_TENANTS, (older_than, limit))]

    def oldest(self, database: Database) -> float:
        """For how many seconds the longest waiting event of any tenant has waited."""
        return max(float(row[0]) for row in database.door(_OLDEST))

    def waiting(
        self, tx: Transaction, older_than: datetime, limit: int, *, but: Collection[UUID] = ()
    ) -> list[WaitingEvent]:
        """The longest waiting of the tenant's events in the order they happened, held until the transaction ends."""
        rows = tx.all(_WAITING, (tx.tenant.tenant, older_than, list(but), limit))
        return sorted((WaitingEvent(*row) for row in rows), key=lambda event: event.id)

    def earlier(
        self, database: Database, tenant: TenantContext, subject: str, event: UUID, *, since: datetime, limit: int
    ) -> list[WaitingEvent]:
        """What happened to a thing before an event of it, published or not, latest first, since a moment at most.

        Changes of one thing wait for each other, so that those before an event are there when it is.
        """
        lowest = UUID(int=int(since.timestamp() * 1000) << 80)
        rows = database.read(tenant, _EARLIER, (tenant.tenant, subject, event, lowest, limit))
        return [WaitingEvent(*row) for row in rows]

    def published(self, tx: Transaction, events: Sequence[UUID]) -> None:
        """Queue the mark that the bus took them."""
        tx.run(_PUBLISHED, (tx.now, tx.tenant.tenant, list(events)))
