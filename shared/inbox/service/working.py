"""From the inbox to whoever works on it: each entry once, none over a newer one, and every failure in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from shared.inbox.model import NOBODY, Kept, Order, Source, State, Verdict, Wanted
from shared.inbox.repository import InboxRepository
from shared.inbox.service.receiving import field_of, message_of
from tenant_context.context import TenantContext, from_schedule
from tenant_context.entry.queue import Message
from tenant_context.errors import NotInState, RmapError, Unavailable
from tenant_context.fields import FieldCipher
from tenant_context.observability import Observability
from tenant_context.postgres import Database, Transaction

MOST_TRIES = 5
"""As often as the queue brings a message."""
LEFT_BEHIND = timedelta(minutes=20)
"""After so long the queue has given a message up, or never had it."""
_SWEPT = 1000

Work = Callable[[Transaction, Kept, bytes], Verdict]
"""Works on one entry, by its body, in its own transaction."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A source's row at work: who works on its entries, and what their order means."""

    work: Work
    order: Order


class Working:
    """Works on entries, one at a time."""

    def __init__(
        self,
        database: Database,
        repository: InboxRepository,
        desks: Mapping[Source, Desk],
        cipher: FieldCipher,
        observability: Observability,
    ) -> None:
        self._database = database
        self._repository = repository
        self._desks = desks
        self._cipher = cipher
        self._observability = observability

    def __call__(self, tenant: TenantContext, message: Message) -> None:
        """Work on the entry of a message; one that is settled, or has gone, is left alone."""
        entry = UUID(message.data["id"])
        try:
            with self._database.transaction(tenant) as tx:
                self._settle(tx, entry)
        except (Unavailable, NotInState):
            raise
        except Exception as error:  # noqa: BLE001  whatever it was, the try is noted, and raised again unless the last
            self._failed(tenant, entry, error)

    def _settle(self, tx: Transaction, entry: UUID) -> None:
        found = self._repository.take(tx, entry)
        if found is None or found[0].state is not State.RECEIVED:
            return
        kept, sealed = found
        verdict = self._judge(tx, kept, sealed)
        self._repository.settle(tx, kept, verdict)
        self._observability.info("settled", source=kept.source, kind=kept.kind, state=verdict.state)

    def _judge(self, tx: Transaction, kept: Kept, sealed: bytes) -> Verdict:
        desk = self._desks[kept.source]
        if desk.order is Order.NEWEST:
            newest = self._repository.newest(tx, kept)
            if newest is not None and newest > kept.occurred_at:
                return Verdict(State.IGNORED, "Something newer of the same subject was worked on before.")
        return desk.work(tx, kept, self._cipher.open(kept.tenant, field_of(kept.id), sealed))

    def _failed(self, tenant: TenantContext, entry: UUID, error: Exception) -> None:
        """Note the try. The last one ends the entry; others raise, so that the queue brings its message again."""
        with self._database.transaction(tenant) as tx:
            state = self._repository.tried(tx, entry, _words(error), MOST_TRIES)
        if state is State.RECEIVED:
            raise error
        self._observability.exception("given up", entry=str(entry))
        self._observability.count("InboxGivenUp")


class Sweep:
    """Timed: what was left behind is told to the worker again, the platform's own old entries go, numbers are told."""

    def __init__(
        self,
        database: Database,
        repository: InboxRepository,
        send: Callable[[Sequence[Message]], None],
        observability: Observability,
    ) -> None:
        self._database = database
        self._repository = repository
        self._send = send
        self._observability = observability

    def __call__(self, run: str, _schedule: object) -> int:
        """Sweep once; how many entries were told of."""
        for name, value in self._repository.health(self._database).items():
            self._observability.count(_METRICS[name], value)
        wanted = Wanted(state=State.RECEIVED, until=self._database.clock() - LEFT_BEHIND)
        left = self._repository.page(self._database, wanted, after=None, limit=_SWEPT, ascending=True)
        self._send([message_of(kept, run) for kept in left])
        with self._database.transaction(from_schedule(NOBODY, run)) as tx:
            self._repository.forget(tx)
        return len(left)


_METRICS = {
    "rmap_inbox_waiting": "InboxWaiting",
    "rmap_inbox_oldest_seconds": "InboxOldestSeconds",
    "rmap_inbox_failed": "InboxFailed",
}


def _words(error: Exception) -> str:
    """Why a try failed, without what it was about: that stays sealed."""
    if isinstance(error, RmapError):
        return error.detail
    return f"An unforeseen {type(error).__name__}; the log of inbox_worker has it."
