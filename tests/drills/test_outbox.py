"""Functions that die between their commit and the bus, or between the bus and their mark: no event is lost."""

import json
import os
import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from multiprocessing import get_context
from uuid import UUID

import pytest

from shared.events import service as events
from shared.events.rules.catalogue import BY_NAME
from tenant_context.bus import Bus, OutboxPublisher
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext
from tenant_context.events import Event
from tenant_context.observability import Observability
from tenant_context.postgres import Database
from tenant_context.settings import DatabaseSettings
from tests.conftest import Clone
from tests.functions.webhooks.conftest import connections, keys, line, receiver, resources
from tests.functions.webhooks.line import Context, Line
from tests.functions.webhooks.stores import Receiver

__all__ = ["connections", "keys", "line", "receiver", "resources"]

CHANGES = 200
SIDE_BY_SIDE = 2
A_LIFE = 25
KILLED = 9
Tenants = tuple[TenantContext, TenantContext]


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
        if self._chance.random() < 0.05:
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


def committed(clone: Clone, things: list[str]) -> dict[str, int]:
    """How many changes of each thing there were."""
    with clone.connect() as admin:
        rows = admin.execute("SELECT subject, count(*) FROM outbox GROUP BY subject").fetchall()
    return {str(subject): int(str(count)) for subject, count in rows if subject in things}


def flow(line: Line) -> None:
    """Let what is on the bus come to the receiver."""
    while records := line.resources.receive(line.resources.events, seconds=0.5):
        assert line.fanout({"Records": records}, Context()) == {"batchItemFailures": []}
        for record in records:
            line.resources.done(line.resources.events, record)
    while line.dispatch(seconds=1):
        pass


@pytest.mark.timeout(600)
def test_what_functions_committed_arrives_whenever_they_die_and_in_order_of_its_thing(
    line: Line,
    receiver: Receiver,
    clone: Clone,
    two_tenants: Tenants,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    acme, _ = two_tenants
    line.endpoint(acme, receiver.url, "campaign.updated", ordering="entity")
    line.settle()
    things = [f"campaign/{uuid7()}" for _ in range(8)]
    spawn, deaths, seed = get_context("spawn"), 0, 0
    while sum(committed(clone, things).values()) < CHANGES:
        lives = []
        for _ in range(SIDE_BY_SIDE):
            seed += 1
            told = (clone.settings(), line.resources.bus, acme, things, seed)
            lives.append(spawn.Process(target=live, args=told))
        for one in lives:
            one.start()
        for one in lives:
            one.join()
            assert one.exitcode in {0, KILLED}
            deaths += one.exitcode == KILLED
        flow(line)
    monkeypatch.setattr(events, "PATIENCE", events.PATIENCE * 0)
    while line.sweep():
        flow(line)
    flow(line)

    arrived: dict[str, list[int]] = defaultdict(list)
    for _, _, body in receiver.received:
        said = json.loads(body)
        if said["data"]["version"] not in arrived[said["subject"]]:
            arrived[said["subject"]].append(said["data"]["version"])
    assert arrived == {thing: list(range(1, count + 1)) for thing, count in committed(clone, things).items()}
    assert deaths > 0
    with capsys.disabled():
        print(  # noqa: T201  the figures are what a drill is for
            f"\n{sum(map(len, arrived.values()))} changes, {deaths} deaths, "
            f"{len(receiver.received) - sum(map(len, arrived.values()))} duplicates"
        )
