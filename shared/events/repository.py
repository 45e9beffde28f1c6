"""Outbox rows that were left behind."""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from shared.events.model import WaitingEvent
from tenant_context.postgres import Database, Transaction

_TENANTS: LiteralString = "SELECT tenant_id FROM app.tenants_with_waiting_events(%s, %s)"
# Rows that another run holds are skipped: it is publishing them.
_WAITING: LiteralString = """
    SELECT id, type, subject, data, created_at FROM outbox
    WHERE tenant_id = %s AND published_at IS NULL AND created_at < %s
    ORDER BY created_at, id LIMIT %s FOR UPDATE SKIP LOCKED"""
_PUBLISHED: LiteralString = "UPDATE outbox SET published_at = %s WHERE tenant_id = %s AND id = ANY(%s)"


class OutboxRepository:
    """Finds and marks waiting events."""

    def tenants(self, database: Database, older_than: datetime, limit: int) -> list[UUID]:
        """Tenants with events that wait since before a moment, the longest waiting first."""
        return [row[0] for row in database.door(_TENANTS, (older_than, limit))]

    def waiting(self, tx: Transaction, older_than: datetime, limit: int) -> list[WaitingEvent]:
        """The tenant's waiting events in the order they happened, held until the transaction ends."""
        return [WaitingEvent(*row) for row in tx.all(_WAITING, (tx.tenant.tenant, older_than, limit))]

    def published(self, tx: Transaction, events: Sequence[UUID]) -> None:
        """Queue the mark that the bus took them."""
        tx.run(_PUBLISHED, (tx.now, tx.tenant.tenant, list(events)))
