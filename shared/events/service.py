"""The relay: events that were committed but not published get onto the bus all the same."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from shared.events.repository import OutboxRepository
from tenant_context.events import Event
from tenant_context.postgres import Database, Transaction

PATIENCE = timedelta(seconds=30)
"""How long a function has to publish its own events before the relay does."""
TENANTS_A_RUN = 200
EVENTS_A_TURN = 200


class EventBus(Protocol):
    """Takes envelopes and answers the ids of those it took."""

    def put(self, envelopes: Sequence[dict[str, object]]) -> list[str]:
        """Send them."""


class Relay:
    """Publishes tenant by tenant, each in its own transaction.

    The mark follows the bus: a run that is killed between the two publishes again, and consumers drop an event id
    they have seen.
    """

    def __init__(self, database: Database, bus: EventBus, repository: OutboxRepository | None = None) -> None:
        self._database = database
        self._bus = bus
        self._repository = repository or OutboxRepository()

    def tenants(self, now: datetime) -> list[UUID]:
        """Who has events that were left behind, the longest waiting first."""
        return self._repository.tenants(self._database, now - PATIENCE, TENANTS_A_RUN)

    def publish(self, tx: Transaction) -> int:
        """One turn of a tenant; answers how many events the bus took. Raises `AwsError` when it does not answer."""
        events = self._repository.waiting(tx, tx.now - PATIENCE, EVENTS_A_TURN)
        if not events:
            return 0
        taken = self._bus.put(
            [
                Event(event.type, event.subject, event.data, event.id).envelope(tx.tenant.tenant, event.at)
                for event in events
            ]
        )
        self._repository.published(tx, [UUID(event) for event in taken])
        return len(taken)
