"""What operators do with the inbox: look, replay one entry or a stretch of time, let one go."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from shared.inbox.errors import EntryMissing
from shared.inbox.model import Kept, State, Verdict, Wanted
from shared.inbox.repository import InboxRepository
from shared.inbox.service.receiving import message_of
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.postgres import Database

MOST = 10_000
"""Entries that one command replays; the answer says where to go on."""
_PAGE = 500

AtTenant = Callable[[UUID], TenantContext]
"""The operator's context in a tenant."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many entries wait again; `after` is the last of them where there are more."""

    entries: int
    after: UUID | None = None


class Replaying:
    """For operators alone."""

    def __init__(
        self, database: Database, repository: InboxRepository, send: Callable[[Sequence[Message]], None]
    ) -> None:
        self._database = database
        self._repository = repository
        self._send = send

    def page(self, wanted: Wanted, *, after: UUID | None, limit: int) -> list[Kept]:
        """Entries, newest first."""
        return self._repository.page(self._database, wanted, after=after, limit=limit)

    def show(self, entry: UUID) -> Kept:
        """One entry. Errors: EntryMissing."""
        found = self.page(Wanted(id=entry), after=None, limit=1)
        if not found:
            raise EntryMissing
        return found[0]

    def replay(self, entry: UUID, at: AtTenant) -> None:
        """Have one entry worked on again, whatever became of it. Errors: EntryMissing."""
        self._again([self.show(entry)], at)

    def replay_all(self, wanted: Wanted, at: AtTenant, *, after: UUID | None = None) -> Replayed:
        """Have all entries of a stretch worked on again, oldest first."""
        count = 0
        while count < MOST:
            found = self._repository.page(self._database, wanted, after=after, limit=_PAGE, ascending=True)
            if not found:
                return Replayed(count)
            self._again(found, at)
            count, after = count + len(found), found[-1].id
        return Replayed(count, after)

    def let_go(self, entry: UUID, reason: str, at: AtTenant) -> None:
        """Settle an entry without working on it. Errors: EntryMissing."""
        kept = self.show(entry)
        with self._database.transaction(at(kept.tenant)) as tx:
            self._repository.settle(tx, kept, Verdict(State.IGNORED, reason))

    def _again(self, found: Sequence[Kept], at: AtTenant) -> None:
        for tenant, group in groupby(sorted(found, key=lambda kept: kept.tenant), key=lambda kept: kept.tenant):
            entries = {kept.id: kept for kept in group}
            operator = at(tenant)
            with self._database.transaction(operator) as tx:
                reopened = self._repository.reopen(tx, list(entries))
            self._send([message_of(entries[entry], operator.request_id) for entry in reopened])
