"""Erases a closed tenant: items, objects, the keys of its fields, rows, and people who belong nowhere else.

Whatever is deleted is counted once, however often a worker dies: rows are counted in the transaction that deletes
them; of other stores a page is counted and its keys kept before it goes, so that the next worker deletes those again
and counts them no more. Items and keys go before rows, and people last. What comes late for a table that was empty goes
with the tenant's own row, which nobody can refer to any more by then.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from uuid import UUID, uuid5

from shared.erasure.errors import Untold
from shared.erasure.model import Erasure, Store
from shared.erasure.repository import ErasureRepository
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.events import Event
from tenant_context.postgres import Database, Publisher
from tenant_context.queues import Queue

PAGE = 10_000
BUDGET_SECONDS = 200.0
"""After that the rest is left to another run, well before Lambda ends this one."""
ERASE = "erase"
_CERTIFICATES = "erasures"
_TENANTS = "tenants"
_AT_ONCE = 100


class Eraser:
    """Erases one tenant at a time. `tables` names every table of tenants, those that refer to others first."""

    def __init__(
        self,
        database: Database,
        erasures: ErasureRepository,
        stores: Mapping[str, Store],
        tables: Callable[[], list[str]],
        forget_person: Callable[[UUID], object],
        queue: Queue,
        publisher: Publisher,
        *,
        elapsed: Callable[[], float] = time.monotonic,
        page: int = PAGE,
    ) -> None:
        self._database = database
        self._erasures = erasures
        self._stores = stores
        self._tables = tables
        self._forget_person = forget_person
        self._queue = queue
        self._publisher = publisher
        self._elapsed = elapsed
        self._page = page

    def start(self, run: str, _schedule: object) -> int:
        """Queue every tenant that is to be erased; one that is at it already is no harm."""
        due = self._erasures.due(_AT_ONCE)
        self._queue.send([Message(tenant, run, ERASE, {}) for tenant in due])
        return len(due)

    def erase(self, tenant: TenantContext, message: Message) -> None:
        """Erase the tenant, or go on with it; nothing when that was done. Errors: NotClosed, Busy."""
        with self._database.transaction(tenant) as tx:
            erasure = self._erasures.claim(tx)
        if erasure is None:
            return
        try:
            ended = self._go_on(tenant, erasure)
        except Exception:
            self._release(tenant)
            raise
        if not ended:
            self._release(tenant)
            self._queue.send([message])

    def _go_on(self, tenant: TenantContext, erasure: Erasure) -> bool:
        until = self._elapsed() + BUDGET_SECONDS

        def late() -> bool:
            return self._elapsed() > until

        for name, store in self._stores.items():
            if name not in erasure.mark.done and not self._empty(tenant, erasure, name, store, late):
                return False
        tables = [table for table in self._tables() if table not in {_CERTIFICATES, _TENANTS}]
        for table in tables:
            done = f"postgresql/{table}" in erasure.mark.done
            if not done and not self._clear(tenant, erasure, table, late):
                return False
        if late():
            return False
        self._tenant(tenant, erasure, tables)
        self._people(tenant, erasure)
        self._tell(tenant, erasure)
        with self._database.transaction(tenant) as tx:
            self._erasures.finish(tx, erasure)
        return True

    def _tell(self, tenant: TenantContext, erasure: Erasure) -> None:
        """Say that it is erased, before that is noted: a death in between says it again, by the same id."""
        data = {"id": str(tenant.tenant), "counts": erasure.counts}
        told = uuid5(tenant.tenant, "tenant.erased")
        event = Event("tenant.erased", f"tenant/{tenant.tenant}", data, told)
        # Not through the outbox, which is empty and is to stay so: no relay would send what the bus did not take.
        if told not in self._publisher.publish(tenant, [event], self._database.clock()):
            raise Untold

    def _empty(
        self, tenant: TenantContext, erasure: Erasure, name: str, store: Store, late: Callable[[], bool]
    ) -> bool:
        """Take away what a store has; whether there was time for all of it."""
        mark = erasure.mark
        while True:
            if mark.pending:
                store.delete(mark.pending)
                mark.pending = []
                if mark.after is None:
                    break
            if late():
                self._note(tenant, erasure)
                return False
            keys, mark.after = store.page(tenant.tenant, mark.after)
            if keys:
                erasure.counts[name] = erasure.counts.get(name, 0) + len(keys)
                mark.pending = keys
                self._note(tenant, erasure)
            elif mark.after is None:
                break
        erasure.counts.setdefault(name, 0)
        mark.done.append(name)
        self._note(tenant, erasure)
        return True

    def _clear(self, tenant: TenantContext, erasure: Erasure, table: str, late: Callable[[], bool]) -> bool:
        """Take away a table's rows; whether there was time for all of them."""
        name, gone = f"postgresql/{table}", self._page
        while gone:
            if late():
                return False
            with self._database.transaction(tenant) as tx:
                gone = self._erasures.rows(tx, table, self._page)
                counted = erasure.counts.get(name, 0) + gone
                kept = Erasure(erasure.mark, {**erasure.counts, name: counted})
                self._erasures.note(tx, kept)
            erasure.counts = kept.counts
        erasure.mark.done.append(name)
        return True

    def _tenant(self, tenant: TenantContext, erasure: Erasure, tables: list[str]) -> None:
        """Take away the tenant's own row, and what came late for tables that were empty; nothing comes after it."""
        name = f"postgresql/{_TENANTS}"
        if name in erasure.mark.done:
            return
        counts = dict(erasure.counts)
        kept = Erasure(replace(erasure.mark, done=[*erasure.mark.done, name]), counts)
        with self._database.transaction(tenant) as tx:
            self._erasures.hold(tx)
            for table in (*tables, _TENANTS):
                late = f"postgresql/{table}"
                counts.setdefault(late, 0)
                while gone := self._erasures.rows(tx, table, self._page):
                    counts[late] += gone
            self._erasures.note(tx, kept)
        erasure.mark, erasure.counts = kept.mark, counts

    def _people(self, tenant: TenantContext, erasure: Erasure) -> None:
        """Take away who belongs to no other tenant: what proves them first, as it is found by their id."""
        erasure.counts.setdefault("people", 0)
        for user in list(erasure.mark.people):
            with self._database.transaction(tenant) as tx:
                gone = self._erasures.person(tx, UUID(user))
                if gone:
                    # Should this fail, the row comes back with the transaction.
                    self._forget_person(UUID(user))
                    erasure.counts["people"] += 1
                erasure.mark.people.remove(user)
                self._erasures.note(tx, erasure)

    def _note(self, tenant: TenantContext, erasure: Erasure) -> None:
        with self._database.transaction(tenant) as tx:
            self._erasures.note(tx, erasure)

    def _release(self, tenant: TenantContext) -> None:
        with self._database.transaction(tenant) as tx:
            self._erasures.release(tx)
