"""Webhooks through receivers that cannot be relied on, sandboxes that die and queues that repeat themselves.

125 events for four endpoints each, or as many as RMAP_DRILL_EVENTS says: thousands are for one endpoint each.
"""

import os
import random
import resource
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from botocore.exceptions import ClientError

from shared.webhooks.model import State
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table, TenantTable
from tenant_context.events import Event
from tests.drills.chaos import Chaos
from tests.functions.webhooks.conftest import connections, keys, line, resources
from tests.functions.webhooks.line import Context, Line, bus_record

__all__ = ["connections", "keys", "line", "resources"]

EVENTS = int(os.environ.get("RMAP_DRILL_EVENTS", "125"))
PATHS = ("/any", "/paced", "/ordered", "/ordered-too")
EACH = len(PATHS) if EVENTS < 5_000 else 1
"""Endpoints of an event."""
_TYPES = ("campaign.updated", "campaign.launched", "campaign.paused", "campaign.resumed")
TYPES = dict(zip(PATHS, _TYPES, strict=True)) if EACH == 1 else dict.fromkeys(PATHS, _TYPES[0])
DELIVERIES = EVENTS * EACH
BATCH = 10
"""Events that the fan-out gets at once, at most."""
ENTITIES = max(25, DELIVERIES // 100)
"""Whose events are in order: of each, one at a time is on its way to an endpoint."""
SEED = 7
SANDBOXES = 6
AHEAD = 1_500
"""Deliveries that are on their way at once."""
DEATH = 0.004 if DELIVERIES < 5_000 else min(0.0005, 15 / DELIVERIES)
"""Of a sandbox, at a step: there are some twenty of a batch, and each leaves behind what comes again by time, and some
fifteen connections, as it is a thread."""
HIDDEN_SECONDS = 2 if DELIVERIES < 5_000 else 8
"""For how long a queue hides a message: where more are on their way, batches last longer."""
IDLE = 4 * HIDDEN_SECONDS
"""Looks, half a second each, without anything that came to its end: longer than a queue hides a message."""
WORD_SECONDS = 60
"""How often a long drill says how far it is."""
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
        if self._chance.random() < DEATH:
            self.count += 1
            raise Sandbox


class Shift:
    """Those at work, and who has to be alone: clocks move while nobody is at anything."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._at_work, self._is_closed = 0, False

    @contextmanager
    def work(self) -> Iterator[None]:
        """Be at work."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_closed)
            self._at_work += 1
        try:
            yield
        finally:
            with self._changed:
                self._at_work -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until nobody is at work, and keep it so."""
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: not self._at_work)
        try:
            yield
        finally:
            with self._changed:
                self._is_closed = False
                self._changed.notify_all()


@dataclass
class Crew:
    """Sandboxes of the dispatcher side by side, on queues that give some messages out twice; who dies is followed."""

    line: Line
    chance: random.Random
    shift: Shift = field(default_factory=Shift)
    repeated: int = 0
    handled: int = 0
    """Messages that were seen to their ends."""
    wrong: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.crashes = Crashes(self.chance)
        self._over, self._loading = threading.Event(), threading.Lock()
        queues = [self.line.resources.deliveries] * SANDBOXES + [self.line.resources.slow]
        self._threads = [threading.Thread(target=self._live, args=(queue,), daemon=True) for queue in queues]

    def __enter__(self) -> Self:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for one in self._threads:
            one.join(60)

    def _begin(self) -> Callable[..., Any]:
        with self._loading:
            self.line.restart("webhooks_dispatcher")
            module = self.line.module("webhooks_dispatcher")
        for owner, names in (
            (module.attempts, ("claim", "record", "end")),
            (module.order, ("pass_on",)),
            (module.queue, ("send",)),
            (module.dispatch, ("_count",)),
            (module.gate, ("judge", "leave")),
            (module.health, ("failed",)),
            (module.replays, ("look", "finish")),
            (module.backlog, ("wake",)),
        ):
            for name in names:
                self.crashes.around(owner, name)
        handler: Callable[..., Any] = module.handler
        return handler

    def _live(self, queue: str) -> None:
        try:
            handler = self._begin()
            while not self._over.is_set():
                with self.shift.work():
                    records = self.line.resources.receive(queue, seconds=0)
                    try:
                        self._turn(handler, queue, records)
                    except Sandbox:
                        handler = self._begin()
                if not records:
                    time.sleep(0.1)
        except BaseException as error:  # noqa: BLE001  it is the test's to raise
            self.wrong.append(error)

    def _turn(self, handler: Callable[..., Any], queue: str, records: list[Any]) -> None:
        if not records:
            return
        batch = list(records)
        if self.chance.random() < 0.1:  # a copy in the same batch
            self.repeated += 1
            batch.append({**records[0], "messageId": "copy"})
        failed = self._failed(handler, batch)
        if self.chance.random() < 0.05:  # and all of it once more
            self.repeated += len(records)
            self._failed(handler, records)
        for record in records:
            if record["messageId"] not in failed:
                with suppress(ClientError):  # it was given to another sandbox meanwhile, which is done with it
                    self.line.resources.done(queue, record)
                self.handled += 1

    @staticmethod
    def _failed(handler: Callable[..., Any], records: list[Any]) -> set[str]:
        return {one["itemIdentifier"] for one in handler({"Records": records}, Context())["batchItemFailures"]}


class Fanout:
    """The sandbox of the fan-out, which dies now and then; the bus repeats itself."""

    def __init__(self, line: Line, chance: random.Random) -> None:
        self._line, self._chance = line, chance
        self.crashes = Crashes(chance)
        self._begin()

    def _begin(self) -> None:
        self._line.module("webhooks_fanout").fanout._database.close()
        self._line.restart("webhooks_fanout")
        self._line.module("webhooks_fanout").handler._put_off = None  # nobody takes from its queue here
        fanout = self._line.module("webhooks_fanout").fanout
        for owner, name in (
            (fanout._deliveries, "open_message"),
            (fanout._opener, "begin"),
            (fanout._deliveries, "close_message"),
        ):
            self.crashes.around(owner, name)

    def keep_ahead(self, waiting: list[dict[str, Any]], room: int) -> None:
        """Give it as many of what waits as deliveries have room, each to all endpoints of its tenant."""
        most = min(len(waiting), max(0, -(-room // EACH)))
        given = [waiting.pop(0) for _ in range(most)]
        for start in range(0, most, BATCH):
            self.give(given[start : start + BATCH])

    def give(self, envelopes: list[dict[str, Any]]) -> None:
        """Give it events until it is done with them, and sometimes once more."""
        records = [record for envelope in envelopes for record in bus_record(envelope)["Records"]]
        batch = {"Records": [{**record, "messageId": str(uuid7())} for record in records]}
        left = 1 + (self._chance.random() < 0.05)
        while left:
            try:
                handler = self._line.module("webhooks_fanout").handler
                assert handler(batch, Context()) == {"batchItemFailures": []}
            except Sandbox:
                self._begin()
            else:
                left -= 1


@pytest.fixture
def files() -> Iterator[None]:
    """As many open files as there may be: a sandbox that dies as a thread leaves its connections to the process."""
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


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


def happened(tenant: TenantContext, count: int, types: list[str]) -> list[dict[str, Any]]:
    """Events about some campaigns, in the order in which they happened."""
    campaigns = [uuid7() for _ in range(ENTITIES)]
    return [
        Event(
            types[number % len(types)],
            f"campaign/{campaigns[number // len(types) % ENTITIES]}",
            {"version": number},
        ).envelope(tenant.tenant, utc_now())
        for number in range(count)
    ]


def deliveries(table: TenantTable, event: str) -> tuple[list[Any], dict[str, list[int]]]:
    """Where an event stands with each endpoint, and the attempts of which the log has calls."""
    items, _ = table.query(f"message#{event}", limit=1000)
    logged: dict[str, list[int]] = defaultdict(list)
    for item in items:
        if item["sk"].startswith("attempt#"):
            logged[item["endpoint"]].append(int(item["attempt"]))
    return [item for item in items if item["sk"].startswith("delivery#")], logged


def counted(
    line: Line, chaos: Chaos, events: list[tuple[TenantContext, list[dict[str, Any]]]], made: dict[str, str]
) -> tuple[int, int]:
    """How many calls the log has, and the receiver had, once every delivery and its log are whole."""
    kept = calls = 0
    whole = Table(line.resources.table)  # one for all: each has a connection of its own
    for tenant, some in events:
        table = TenantTable(whole, tenant)
        for envelope in some:
            found, logged = deliveries(table, envelope["id"])
            assert {one["state"] for one in found} == {State.DELIVERED}
            for one in found:
                assert set(logged[one["endpoint"]]) == set(range(1, int(one["attempts"]) + 1))
                kept += len(logged[one["endpoint"]])
                calls += chaos.calls[made[one["endpoint"]]][envelope["id"]]
    return kept, calls


# Sandboxes are threads here, and Powertools keeps an invocation's dimensions once for a process, which a sandbox is.
@pytest.mark.filterwarnings("ignore:Dimension .* has already been added")
@pytest.mark.usefixtures("files")
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
        made[line.endpoint(acme, chaos.url + path, TYPES[path], **how, **more)["id"]] = path
    made[line.endpoint(globex, f"{chaos.url}/globex", "campaign.updated", **how)["id"]] = "/globex"
    line.settle()
    types = sorted(set(TYPES.values()))
    events = [(acme, happened(acme, EVENTS, types)), (globex, happened(globex, 20, [_TYPES[0]]))]
    waiting = [envelope for _, theirs in events for envelope in theirs]
    [mine, theirs] = [len(some) for _, some in events]
    expected = mine * EACH + theirs
    fanout, began, idle = Fanout(line, chance), time.monotonic(), 0
    next_word = began + WORD_SECONDS
    for queue in (line.resources.deliveries, line.resources.slow):
        line.resources.hide(queue, seconds=HIDDEN_SECONDS)
    with Crew(line, chance) as crew:
        while chaos.taken < expected or idle < IDLE:
            before = crew.handled
            fanout.keep_ahead(waiting, AHEAD + chaos.taken - (mine + theirs - len(waiting)) * EACH)
            time.sleep(0.5)
            idle = idle + 1 if crew.handled == before else 0
            if idle:
                with crew.shift.alone():
                    line.forward(seconds=300)
                    line.sweep_due()
            capsys.readouterr()
            assert not crew.wrong, crew.wrong
            told = {path: len(some) for path, some in chaos.accepted.items()}
            assert time.monotonic() - began < PATIENCE_SECONDS, told
            if time.monotonic() > next_word:
                next_word = time.monotonic() + WORD_SECONDS
                with capsys.disabled():
                    handles = sum(1 for _ in Path("/dev/fd").iterdir())
                    print(f"{time.monotonic() - began:.0f} s: {told}, {handles} open files", flush=True)  # noqa: T201

    kept, calls = counted(line, chaos, events, made)
    # A sandbox that dies between calls and their records leaves those of one batch unrecorded, and nothing else does;
    # a kept connection that was reset is no attempt of its own.
    assert 0 <= calls - kept <= 10 * crew.crashes.count + chaos.resets
    ids = {path: [one["id"] for one in events[0][1] if one["type"] == kind] for path, kind in TYPES.items()}
    assert {path: len(set(theirs)) for path, theirs in chaos.accepted.items()} == {
        **{path: len(some) for path, some in ids.items()},
        "/globex": theirs,
    }
    for path in PATHS:
        assert {event for event, _ in chaos.accepted[path]} == set(ids[path])
    for path in ("/ordered", "/ordered-too"):
        by_entity: dict[str, list[str]] = defaultdict(list)
        for event, subject in chaos.accepted[path]:
            by_entity[subject].append(event)
        assert all(theirs == sorted(theirs) for theirs in by_entity.values())
    rate = chaos.repeats / expected
    # A crash between calls and their records repeats them: those of one batch, and nothing else does.
    assert chaos.repeats <= 10 * crew.crashes.count
    took = time.monotonic() - began
    with capsys.disabled():
        print(  # noqa: T201  the figures are what a drill is for
            f"\n{mine + theirs} events, {expected} deliveries, {kept} calls in the log of {calls},"
            f" {chaos.resets} reset; "
            f"{crew.crashes.count} crashes of dispatchers, {fanout.crashes.count} of the fan-out; {crew.repeated} "
            f"repeated messages, {chaos.repeats} duplicates ({rate:.2%}), {took:.0f} s"
        )
