"""The processor of the ingest line: writes the parts of batches."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from shared.measurements.model import Outcome
from shared.measurements.repository import RawRepository
from shared.usage.service.ledger import Ledger
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.events import Event
from tenant_context.postgres import Database, Transaction

Write = Callable[[RawRepository, Transaction, dict[str, Any]], tuple[Outcome, list[int]]]


class Processor:
    """Writes one part of a batch, once, however often it is delivered."""

    def __init__(self, database: Database, raw: RawRepository, kind: str, write: Write) -> None:
        self._database = database
        self._raw = raw
        self._kind = kind
        self._write = write
        self._ledger = Ledger()

    def __call__(self, tenant: TenantContext, message: Message) -> None:
        """Rows, revisions, rollups and the note that they are done, in one transaction."""
        data = message.data
        batch = UUID(data["batch"])
        with self._database.transaction(tenant) as tx:
            if not self._raw.begin(tx, self._kind, data):
                return
            outcome, unknown = self._write(self._raw, tx, data)
            refused = [*data["refused"], *(_vanished(place, data["rows"][place]) for place in unknown)]
            self._raw.reject(tx, batch, refused)
            self._raw.end(tx, data, outcome)
            tx.emit(_processed(self._kind, batch, data, outcome))
            self._ledger.ingested(tx, batch, data["part"], outcome.stored + outcome.revised)


def _vanished(place: int, row: Any) -> dict[str, Any]:
    message = "was there when the row came in, but no longer when it was written"
    return {"row": place, "field": "", "code": "vanished", "message": message, "content": row}


def _processed(kind: str, batch: UUID, data: dict[str, Any], outcome: Outcome) -> Event:
    return Event(
        "batch.processed",
        f"batch/{batch}",
        {
            "batch": str(batch),
            "kind": kind,
            "part": data["part"],
            "parts": data["parts"],
            "stored": outcome.stored,
            "unchanged": outcome.unchanged,
            "revised": outcome.revised,
            "quarantined": outcome.quarantined,
        },
    )
