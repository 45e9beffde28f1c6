"""What a tenant's people ask of exports; a worker makes them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from shared.exports.gateway.archives import Archives, key_of
from shared.exports.model import ExportId
from shared.exports.repository.exports import ExportRepository
from tenant_context.clock import Clock, NewId, rfc3339
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.postgres import Transaction

LINK_SECONDS = 600
Send = Callable[[list[Message]], object]


class Exports:
    """Asks for archives, tells how far they are, hands them out."""

    def __init__(self, exports: ExportRepository, archives: Archives, send: Send, new_id: NewId, clock: Clock) -> None:
        self._exports = exports
        self._archives = archives
        self._send = send
        self._new_id = new_id
        self._clock = clock

    def create(self, tx: Transaction) -> tuple[ExportId, bytes]:
        """Ask for an archive; one that was asked for and not begun is asked for again. Errors: ExportUnderWay."""
        waiting = self._exports.waiting(tx)
        if waiting is not None and waiting[1] == "queued":
            export = waiting[0]
        else:
            export = ExportId(self._new_id())
            # While one runs, this is refused.
            self._exports.add(tx, export, "export", key_of(tx.tenant.tenant, export))
        self._start(tx, "export", export)
        return export, self._exports.shown(tx, export)

    def show(self, tenant: TenantContext, export: ExportId) -> bytes:
        """The JSON of an export. Errors: ExportNotFound."""
        return self._exports.show(tenant, export)

    def page(self, tenant: TenantContext, *, after: UUID | None, limit: int) -> list[tuple[str, UUID]]:
        """JSON and id of exports, newest first."""
        return self._exports.page(tenant, after=after, limit=limit)

    def link(self, tenant: TenantContext, export: ExportId) -> dict[str, Any]:
        """An address to load the archive down from, for ten minutes. Errors: ExportNotFound, ExportNotReady."""
        key = self._exports.archive(tenant, export)
        until = self._clock() + timedelta(seconds=LINK_SECONDS)
        return {"url": self._archives.link(key, f"{export}.tar", LINK_SECONDS), "expires_at": rfc3339(until)}

    def delete(self, tx: Transaction, export: ExportId) -> None:
        """Delete an archive, or stop its making; an import stops, and its archive stays. Errors: ExportNotFound."""
        if self._exports.delete(tx, export) == "export":
            self._start(tx, "delete", export)

    def _start(self, tx: Transaction, kind: str, export: ExportId) -> None:
        message = Message(tx.tenant.tenant, tx.tenant.request_id, kind, {"export": str(export)})
        # After the commit, so that the worker finds the row. Should it fail, the same may be asked again.
        tx.after_commit(lambda: self._send([message]))
