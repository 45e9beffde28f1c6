"""Webhooks through receivers that cannot be relied on, a dispatcher that dies and a queue that repeats itself.

800 deliveries, or as many as RMAP_DRILL_DELIVERIES says (100,000 take hours on one machine).
"""

import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.webhooks.model import State
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table, TenantTable
from tenant_context.events import Event
from tests.drills.chaos import Chaos
from tests.functions.webhooks.conftest import connections, keys, line, resources
from tests.functions.webhooks.line import Context, Line, bus_record

__all__ = ["connections", "keys", "line", "resources"]

DELIVERIES = int(os.environ.get("RMAP_DRILL_DELIVERIES", "800"))
PATHS = ("/any", "/paced", "/ordered", "/ordered-too")
ENTITIES = 25
SEED = 7
PATIENCE_SECONDS = max(900.0, DELIVERIES * 1.0)
Tenants = tuple[TenantContext, TenantContext]


class Sandbox(BaseException):
    """The sandbox is gone: no code of ours runs after this."""


class Crashes:
    """Lets a dispatcher die before or after a step, as chance has it."""

    def __init__(self, chance: random.Random) -> None:
        self.count = 0
        self._chance = chance

    def around(self, owner: Any, name: str) -> None:
        """Take over a step of one sandbox."""
        step: Callable[..., Any] = getattr(owner, name)

        def fragile(*args: Any, **named: Any) -> Any:
            self._maybe()
            done = step(*args, **named)
            self._maybe()
            return done

        setattr(owner, name, fragile)

    def _maybe(self) -> None:
        if self._chance.random() < 0.004:  # about one batch in twenty, and one attempt in two hundred
            self.count += 1
            raise Sandbox


class Dispatcher:
    """Sandboxes of the dispatcher, one after the other, on a queue that gives some messages out twice."""

    def __init__(self, line: Line, chance: random.Random) -> None:
        self._line = line
        self._chance = chance
        self.crashes, self.repeated = Crashes(chance), 0
        self._begin()

    def _begin(self) -> None:
        self._line.restart("webhooks_dispatcher")
        module = self._line.module("webhooks_dispatcher")
        for owner, name in (
            (module.attempts, "claim"),
            (module.attempts, "record"),
            (module.attempts, "end"),
            (module.order, "pass_on"),
            (module.queue, "send"),
            (module.dispatch, "_count"),
        ):
            self.crashes.around(owner, name)

    def turn(self, seconds: float) -> int:
        """Work on up to ten messages; answers how many there were."""
        queue = self._line.resources.deliveries
        records = self._line.resources.receive(queue, seconds=seconds)
        if not records:
            return 0
        batch = list(records)
        if self._chance.random() < 0.1:  # a copy in the same batch
            self.repeated += 1
            batch.append({**records[0], "messageId": "copy"})
        try:
            failed = {one["itemIdentifier"] for one in self._work(batch)}
            if self._chance.random() < 0.05:  # and all of it once more
                self.repeated += len(records)
                self._work(records)
        except Sandbox:
            self._begin()
            return len(records)
        for record in records:
            if record["messageId"] not in failed:
                self._line.resources.done(queue, record)
        return len(records)

    def _work(self, records: list[Any]) -> list[Any]:
        failed: list[Any] = self._line.dispatcher({"Records": records}, Context())["batchItemFailures"]
        return failed


@pytest.fixture
def chaos() -> Iterator[Chaos]:
    """The receiver."""
    count = DELIVERIES // len(PATHS)
    made = Chaos(
        random.Random(SEED),  # noqa: S311  chance that can be repeated
        down=range(count // 2, count // 2 + 13),
    )
    yield made
    made.close()


def happened(tenant: TenantContext, count: int) -> list[dict[str, Any]]:
    """Events about some campaigns, in the order in which they happened."""
    campaigns = [uuid7() for _ in range(ENTITIES)]
    return [
        Event("campaign.updated", f"campaign/{campaigns[number % ENTITIES]}", {"version": number}).envelope(
            tenant.tenant, utc_now()
        )
        for number in range(count)
    ]


def deliveries(line: Line, tenant: TenantContext, event: str) -> tuple[list[Any], dict[str, list[int]]]:
    """Where an event stands with each endpoint, and the numbers of its attempts in the log."""
    table = TenantTable(Table(line.resources.table), tenant)
    items, _ = table.query(f"message#{event}", limit=1000)
    logged: dict[str, list[int]] = defaultdict(list)
    for item in items:
        if item["sk"].startswith("attempt#"):
            logged[item["endpoint"]].append(int(item["attempt"]))
    return [item for item in items if item["sk"].startswith("delivery#")], logged


def counted(
    line: Line, chaos: Chaos, events: list[tuple[TenantContext, list[dict[str, Any]]]], made: dict[str, str]
) -> tuple[int, int]:
    """How many attempts the log has, and calls the receiver had, once every delivery and its log are whole."""
    attempts = calls = 0
    for tenant, some in events:
        for envelope in some:
            found, logged = deliveries(line, tenant, envelope["id"])
            assert {one["state"] for one in found} == {State.DELIVERED}
            for one in found:
                assert logged[one["endpoint"]] == list(range(1, int(one["attempts"]) + 1))
                attempts += int(one["attempts"])
                calls += chaos.calls[made[one["endpoint"]]][envelope["id"]]
    assert calls >= attempts
    return attempts, calls


@pytest.mark.timeout(int(PATIENCE_SECONDS) + 300)
def test_every_event_is_delivered_logged_and_in_order_whatever_happens(
    line: Line, chaos: Chaos, two_tenants: Tenants, capsys: pytest.CaptureFixture[str]
) -> None:
    acme, globex = two_tenants
    chance = random.Random(SEED)  # noqa: S311  chance that can be repeated
    how: dict[str, Any] = {"retry_schedule": [1] * 12, "timeout_seconds": 1, "replay_per_second": 50}
    made = {}
    for path in PATHS:
        more: dict[str, Any] = {"ordering": "entity"} if "ordered" in path else {}
        more |= {"rate_per_second": 100, "max_concurrency": 8} if path == "/paced" else {}
        made[line.endpoint(acme, chaos.url + path, "campaign.updated", **how, **more)["id"]] = path
    made[line.endpoint(globex, f"{chaos.url}/globex", "campaign.updated", **how)["id"]] = "/globex"
    line.settle()
    events = [(acme, happened(acme, DELIVERIES // len(PATHS))), (globex, happened(globex, 20))]
    waiting = [envelope for _, theirs in events for envelope in theirs]
    [mine, theirs] = [len(some) for _, some in events]
    expected = mine * len(PATHS) + theirs
    dispatcher, began, idle = Dispatcher(line, chance), time.monotonic(), 0
    while waiting or sum(map(len, chaos.accepted.values())) < expected or idle < 3:
        for _ in range(min(3, len(waiting))):
            envelope = waiting.pop(0)
            for _ in range(1 + (chance.random() < 0.05)):  # the bus repeats itself
                assert line.fanout(bus_record(envelope), Context()) == {"batchItemFailures": []}
        idle = 0 if dispatcher.turn(0.05 if waiting else 0.5) else idle + 1
        if idle and not waiting:
            line.forward(seconds=300)
            line.sweep_due()
        capsys.readouterr()
        assert time.monotonic() - began < PATIENCE_SECONDS, {path: len(some) for path, some in chaos.accepted.items()}

    attempts, calls = counted(line, chaos, events, made)
    assert {path: len(set(theirs)) for path, theirs in chaos.accepted.items()} == {
        **dict.fromkeys(PATHS, mine),
        "/globex": theirs,
    }
    for path in PATHS:
        assert {event for event, _ in chaos.accepted[path]} == {one["id"] for one in events[0][1]}
    for path in ("/ordered", "/ordered-too"):
        by_entity: dict[str, list[str]] = defaultdict(list)
        for event, subject in chaos.accepted[path]:
            by_entity[subject].append(event)
        assert all(theirs == sorted(theirs) for theirs in by_entity.values())
    rate = chaos.repeats / expected
    # A crash between calls and their records repeats them: those of one batch, and nothing else does.
    assert chaos.repeats <= 10 * dispatcher.crashes.count
    took = time.monotonic() - began
    with capsys.disabled():
        print(  # noqa: T201  the figures are what a drill is for
            f"\n{expected} deliveries, {attempts} attempts, {calls} calls, {dispatcher.crashes.count} crashes, "
            f"{dispatcher.repeated} repeated messages, {chaos.repeats} duplicates ({rate:.2%}), {took:.0f} s"
        )
