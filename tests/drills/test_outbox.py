"""Functions that die between their commit and the bus, or between the bus and their mark: no event is lost."""

import json
from collections import defaultdict
from multiprocessing import get_context

import pytest

from shared.events import service as events
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tests.conftest import Clone
from tests.drills.lives import KILLED, live
from tests.functions.webhooks.conftest import connections, keys, line, receiver, resources
from tests.functions.webhooks.line import Context, Line
from tests.functions.webhooks.stores import Receiver

__all__ = ["connections", "keys", "line", "receiver", "resources"]

CHANGES = 200
SIDE_BY_SIDE = 2
Tenants = tuple[TenantContext, TenantContext]


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
