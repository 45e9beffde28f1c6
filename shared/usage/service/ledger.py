"""What was used, written down once, whoever tells it how often."""

from datetime import datetime
from uuid import UUID

from shared.usage.model import Calls, Delivered, Meter, Use
from shared.usage.repository import UsageRepository
from shared.usage.rules import month_of
from tenant_context.postgres import Transaction


class Ledger:
    """Records in the caller's transaction, as the last thing in it: the sums' rows are then locked for an instant."""

    def __init__(self, repository: UsageRepository | None = None) -> None:
        self._repository = repository or UsageRepository()

    def ingested(self, tx: Transaction, *parts: tuple[UUID, int, int]) -> None:
        """Parts of batches were written: of which batch, the how-manieth, and so many rows are new or changed."""
        uses = [
            Use(Meter.INGESTED_ROWS, "ingest", f"{batch}/{part}", tx.now, rows) for batch, part, rows in parts if rows
        ]
        self._repository.record_all(tx, uses)

    def called(self, tx: Transaction, calls: Calls) -> None:
        """What a sandbox counted."""
        month = month_of(calls.at)
        people = [Use(Meter.ACTIVE_USERS, "users", f"{month:%Y-%m}/{user}", calls.at, 1) for user in calls.users]
        used = Use(Meter.API_CALLS, "calls", calls.flush, calls.at, calls.quantity)
        self._repository.record_all(tx, [used, *people])

    def delivered(self, tx: Transaction, delivered: Delivered) -> None:
        """A message reached an endpoint."""
        name = f"{delivered.message}/{delivered.endpoint}"
        self._repository.record(tx, Use(Meter.WEBHOOK_DELIVERIES, "webhooks", name, delivered.at, 1))

    def stored(self, tx: Transaction, size: int, at: datetime) -> None:
        """What a day finds stored, in bytes: a month's storage is its greatest day's."""
        before = self._repository.of_month(tx, Meter.STORAGE_BYTES, month_of(at))
        use = Use(Meter.STORAGE_BYTES, "storage", f"{at:%Y-%m-%d}", at, max(0, size - before))
        self._repository.record(tx, use)
