"""One run of the relay: a turn for each tenant that has events waiting, until the time is up.

An event that the bus refuses keeps back none behind it: a run passes it over once it was refused, and counts it.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from shared.events.service import Relay, Turn
from tenant_context.aws import AwsError
from tenant_context.context import from_schedule
from tenant_context.observability import Observability
from tenant_context.postgres import Database, Transaction

BUDGET_SECONDS = 35.0
"""A run ends by itself well before its function's time is up; the next minute's run goes on."""


class Sweep:
    """The job of the schedule."""

    def __init__(
        self,
        database: Database,
        relay: Relay,
        observability: Observability,
        *,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._relay = relay
        self._observability = observability
        self._elapsed = elapsed

    def __call__(self, run: str, _input: Mapping[str, Any]) -> int:
        """Publish what waits; answers how many events. A tenant whose events the bus refuses stops no other."""
        deadline = self._elapsed() + BUDGET_SECONDS
        waiting = self._relay.tenants(self._database.clock())
        # Before anything is published: neither a bus that is down nor a run that dies is to keep it from being told.
        self._observability.seconds("OutboxOldestSeconds", self._relay.oldest() if waiting else 0.0)
        published = 0
        refused: dict[UUID, set[UUID]] = defaultdict(set)
        while waiting and self._elapsed() < deadline:
            again = []
            for tenant in waiting:
                if self._elapsed() >= deadline:
                    break
                with self._database.transaction(from_schedule(tenant, run)) as tx:
                    turn = self._turn(tx, refused[tenant])
                published += turn.published
                refused[tenant] |= {one.event for one in turn.refused}
                if turn.goes_on:
                    again.append(tenant)
            waiting = again
        self._observability.count("RelayedEvents", published)
        self._observability.count("RefusedEvents", sum(map(len, refused.values())))
        return published

    def _turn(self, tx: Transaction, but: set[UUID]) -> Turn:
        tenant = str(tx.tenant.tenant)
        try:
            turn = self._relay.publish(tx, but=but)
        except AwsError as error:
            self._observability.warning("events wait on", tenant=tenant, reason=str(error))
            return Turn()
        for one in turn.refused:
            about = {"event": str(one.event), "event_type": one.type, "reason": one.reason}
            self._observability.warning("the bus refuses an event", tenant=tenant, **about)
        return turn
