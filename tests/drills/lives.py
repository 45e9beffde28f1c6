"""Functions' lives, each a process: they change things, and die between their commit and the bus, or after the bus.

Apart from the drill, so that a process begins with little.
"""

import os
import random
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from shared.events.rules.catalogue import BY_NAME
from tenant_context.bus import Bus, OutboxPublisher
from tenant_context.clock import utc_now
from tenant_context.context import TenantContext
from tenant_context.events import Event
from tenant_context.observability import Observability
from tenant_context.postgres import Database
from tenant_context.settings import DatabaseSettings

A_LIFE = 50
"""Changes, at most."""
KILLED = 9
_DEATH = 0.02


class Mortal:
    """Publishes as functions do, but for the deaths."""

    def __init__(self, bus: str, chance: random.Random) -> None:
        self._publisher = OutboxPublisher(Bus(bus), Observability("drill"))
        self._chance = chance

    def publish(self, tenant: TenantContext, emitted: Sequence[Event], now: datetime) -> list[UUID]:
        """Die before, after, or not at all."""
        self._maybe()
        taken = self._publisher.publish(tenant, emitted, now)
        self._maybe()
        return taken

    def _maybe(self) -> None:
        if self._chance.random() < _DEATH:
            os._exit(KILLED)


def live(settings: DatabaseSettings, bus: str, tenant: TenantContext, things: list[str], seed: int) -> None:
    """A function's life: changes of some things, each of which waits for the one before it of its thing."""
    chance = random.Random(seed)  # noqa: S311  chance that can be repeated
    database = Database(settings, clock=utc_now, publisher=Mortal(bus, chance))
    for _ in range(A_LIFE):
        thing = chance.choice(things)
        with database.transaction(tenant) as tx:
            tx.run("SELECT pg_advisory_xact_lock(hashtext(%s))", (thing,))
            row = tx.one("SELECT count(*) FROM outbox WHERE tenant_id = %s AND subject = %s", (tenant.tenant, thing))
            assert row is not None
            example = BY_NAME["campaign.updated"].example
            data = {**example, "id": thing.partition("/")[2], "version": int(row[0]) + 1}
            tx.emit(Event("campaign.updated", thing, data))
