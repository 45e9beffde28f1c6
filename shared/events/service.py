"""The relay: events that were committed but not published get onto the bus all the same."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from shared.events.repository import OutboxRepository
from tenant_context.bus import Given
from tenant_context.events import Event
from tenant_context.postgres import Database, Transaction

PATIENCE = timedelta(seconds=30)
"""How long a function has to publish its own events before the relay does."""
TENANTS_A_RUN = 200
EVENTS_A_TURN = 200


class EventBus(Protocol):
    """Takes envelopes and answers what became of them."""

    def give(self, envelopes: Sequence[dict[str, object]]) -> Given:
        """Send them."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that the bus will not take, and why."""

    event: UUID
    type: str
    reason: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What became of a turn: how many events the bus took, which it refused, and whether more may wait behind them."""

    published: int = 0
    refused: Sequence[Refused] = ()
    goes_on: bool = False


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

    def oldest(self) -> float:
        """For how many seconds the longest waiting event of any tenant has waited, one that was refused included."""
        return self._repository.oldest(self._database)

    def publish(self, tx: Transaction, *, but: Collection[UUID] = ()) -> Turn:
        """One turn of a tenant, without the events that were refused. Raises `AwsError` when the bus does not answer.

        What is refused stays where it is and is asked about again by the next run: its being there tells of it.
        """
        events = self._repository.waiting(tx, tx.now - PATIENCE, EVENTS_A_TURN, but=but)
        if not events:
            return Turn()
        given = self._bus.give(
            [
                Event(event.type, event.subject, event.data, event.id).envelope(tx.tenant.tenant, event.at)
                for event in events
            ]
        )
        self._repository.published(tx, [UUID(event) for event in given.taken])
        reasons = {UUID(event): reason for event, reason in given.refused.items()}
        refused = [Refused(event.id, event.type, reasons[event.id]) for event in events if event.id in reasons]
        answered = len(given.taken) + len(refused)
        return Turn(len(given.taken), refused, goes_on=answered == EVENTS_A_TURN)
