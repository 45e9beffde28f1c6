"""Webhooks of a quiet tenant, from their fan-out to the receiver: alone, beside others, beside receivers that hang."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, LiteralString, Self
from uuid import UUID

import msgspec

from bench.contestants import WrongAnswerError
from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Figures, Row, compete
from bench.world import World, queue, silence, table, wire_function, world
from shared.events.rules.catalogue import BY_NAME
from shared.webhooks.model import Algorithm, Endpoint, EndpointId, Filters, KeyId, Manner
from shared.webhooks.model import SigningKey as Key
from tenant_context.aws import AwsClient
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext, from_message
from tenant_context.events import Event

_COLUMNS = (
    Column("p50_ms", "p50 ms", 1),
    Column("p99_ms", "p99 ms", 1),
    Column("mean_ms", "mean ms", 1),
    Column("noise", "noise asked /s"),
    Column("heard", "noise sent /s"),
)
_GOAL = 1.2
_DISPATCHERS, _OF_SLOW = 3, 2
_PAUSE_S = 0.1
"""Between events of the quiet tenant."""
_WARM_S = 2.0
"""Of noise, before anything is timed."""
_PATIENCE_S = 120.0
_TENANT: LiteralString = """
    INSERT INTO tenants (tenant_id, slug, name, created_at, updated_at) VALUES (%s, %s, %s, now(), now())"""
_HANGING = 5
"""Endpoints of the noisy tenant that hang, for each of its events."""
_SLOW_EVENTS_S = 0.2
"""Between events of the tenant whose receivers hang."""
_BUSY_S = 0.04
"""Between events of a busy tenant."""
_ALONE, _BUSY, _CROWD, _HANGS = "alone", "beside a busy tenant", "beside a crowd", "beside hanging receivers"


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds, seconds = (2, 4.0) if quick else (3, 12.0)
    with ExitStack() as kept:
        place = kept.enter_context(world(campaigns=1))
        receiver = kept.enter_context(_receiver())
        kept.enter_context(silence())
        turns = {}
        for name, about, pause in (
            (_ALONE, "nobody else", None),
            (_BUSY, f"{1 / _BUSY_S:.0f} events of a tenant a second at most", _BUSY_S),
            (_CROWD, "a tenant's events as fast as a fan-out takes them", 0.0),
            (_HANGS, f"{_HANGING} endpoints of a tenant hang for 30 s, for five events a second", _SLOW_EVENTS_S),
        ):
            tell(name)
            line = kept.enter_context(_line(place, receiver, hang=name == _HANGS, pause=pause))
            turns[name, about] = _Turns(line, receiver, seconds)
        rows = compete([Contestant(*key, one.turn) for key, one in turns.items()], rounds, {}, tell)
        rows = [replace(row, facts=turns[row.name, row.about].facts()) for row in rows]
    return Result("crowds", __doc__ or "", rounds, _COLUMNS, rows, _goals(rows), _NOTES)


@dataclass(frozen=True)
class _Receiver:
    """A process that takes everything and knows when it came."""

    url: str
    pipe: Connection

    def came(self) -> dict[str, float]:
        """When each message came, by its id, since this was asked last."""
        self.pipe.send("what came?")
        answer: dict[str, float] = self.pipe.recv()
        return answer


class _Worker:
    """A process that does something while it is told to."""

    def __init__(self, work: Callable[..., None], *told: Any) -> None:
        spawn = get_context("spawn")
        self._here, self._there = spawn.Pipe()
        self._process = spawn.Process(target=work, args=(self._there, *told), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self._there.close()
        self._here.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._here.send(None)
        self._process.join()

    def begin(self) -> None:
        """Go on until `end`."""
        self._here.send("begin")

    def end(self) -> int:
        """Stop; how much was done."""
        self._here.send("end")
        done: int = self._here.recv()
        return done


@dataclass(frozen=True)
class _Line:
    """Functions on a table and queues of their own."""

    quiet: TenantContext
    fan_out: Callable[[TenantContext], str]
    workers: list[_Worker]
    noise: _Worker | None


class _Turns:
    """Some seconds of one quiet event after another; percentiles are of all turns but the first."""

    def __init__(self, line: _Line, receiver: _Receiver, seconds: float) -> None:
        self._line, self._receiver, self._seconds = line, receiver, seconds
        self._turns: list[list[float]] = []
        self._noise: list[tuple[int, int, float]] = []

    def turn(self) -> Figures:
        """Take a turn."""
        line, sent = self._line, dict[str, float]()
        for worker in line.workers:
            worker.begin()
        began = time.monotonic()
        if line.noise is not None:
            line.noise.begin()
            time.sleep(_WARM_S)
        until = time.monotonic() + self._seconds
        while time.monotonic() < until:
            at = time.monotonic()
            sent[line.fan_out(line.quiet)] = at
            time.sleep(max(0.0, _PAUSE_S - (time.monotonic() - at)))
        came = self._receiver.came()
        while not sent.keys() <= came.keys():
            if time.monotonic() > until + _PATIENCE_S:
                raise WrongAnswerError(f"{len(sent.keys() - came.keys())} webhooks did not arrive")
            time.sleep(0.05)
            came |= self._receiver.came()
        asked = line.noise.end() if line.noise is not None else 0
        took = time.monotonic() - began
        for worker in line.workers:
            worker.end()
        waits = [(came[one] - at) * 1000 for one, at in sent.items()]
        self._turns.append(waits)
        self._noise.append((asked, len(came.keys() - sent.keys()), took))
        return {"mean_ms": sum(waits) / len(waits)}

    def facts(self) -> Figures:
        """Of all events that count."""
        waits = sorted(one for turn in self._turns[1:] for one in turn)
        took = sum(seconds for *_, seconds in self._noise[1:])
        return {
            "p50_ms": waits[len(waits) // 2],
            "p99_ms": waits[len(waits) * 99 // 100],
            "noise": sum(asked for asked, *_ in self._noise[1:]) / took,
            "heard": sum(heard for _, heard, _ in self._noise[1:]) / took,
        }


@contextmanager
def _line(place: World, receiver: _Receiver, *, hang: bool, pause: float | None) -> Iterator[_Line]:
    with ExitStack() as kept:
        deliveries, slow = (kept.enter_context(queue(place.stack)) for _ in range(2))
        environment = place.environment() | {
            "RMAP_FIELD_KEY": place.stack.client("kms").create_key()["KeyMetadata"]["KeyId"],
            "RMAP_TABLE_DATA_KEYS": kept.enter_context(table(place.stack)),
            "RMAP_TABLE_DELIVERIES": kept.enter_context(table(place.stack, indexed=True)),
            "RMAP_QUEUE_DELIVERIES": deliveries,
            "RMAP_QUEUE_SLOW_DELIVERIES": slow,
            "RMAP_QUEUE_USAGE": kept.enter_context(queue(place.stack)),
            "RMAP_QUEUE_MAILS": kept.enter_context(queue(place.stack)),
            "RMAP_QUEUE_WEBHOOK_EVENTS": kept.enter_context(queue(place.stack)),
            "RMAP_BUS": "nobody listens",
            "RMAP_PUBLIC_URL": "https://api.example.com",
            "RMAP_OUTBOUND_ALLOW": "127.0.0.0/8",
        }
        fan_out = _fan_out(environment)
        quiet, noisy = (from_message(_tenant(place), "bench") for _ in range(2))
        _endpoints(environment, quiet, [receiver.url])
        _endpoints(environment, noisy, [f"{receiver.url}hang"] * _HANGING if hang else [f"{receiver.url}noise"])
        queues = [deliveries] * _DISPATCHERS + [slow] * _OF_SLOW
        workers = [kept.enter_context(_Worker(dispatch, environment, one)) for one in queues]
        noise = None if pause is None else kept.enter_context(_Worker(crowd, environment, noisy, pause))
        yield _Line(quiet, fan_out, workers, noise)


def dispatch(pipe: Connection, environment: dict[str, str], address: str) -> None:
    """A sandbox of the dispatcher, and the poller that Lambda would be."""
    _mute()
    os.environ.update(environment)
    module, client = wire_function("webhooks_dispatcher", environment), AwsClient("sqs", timeout=30)
    asked = {"QueueUrl": address, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1, "VisibilityTimeout": 360}
    asked["AttributeNames"] = ["ApproximateReceiveCount"]

    def once() -> int:
        found = client.call("ReceiveMessage", asked).get("Messages", [])
        if not found:
            return 0
        records = [{"messageId": one["MessageId"], "body": one["Body"], "attributes": {}} for one in found]
        failed = {one["itemIdentifier"] for one in module.handler({"Records": records}, None)["batchItemFailures"]}
        entries = [
            {"Id": str(number), "ReceiptHandle": one["ReceiptHandle"]}
            for number, one in enumerate(found)
            if one["MessageId"] not in failed
        ]
        if entries:
            client.call("DeleteMessageBatch", {"QueueUrl": address, "Entries": entries})
        return len(entries)

    _serve(pipe, once)


def crowd(pipe: Connection, environment: dict[str, str], noisy: TenantContext, pause: float) -> None:
    """A sandbox of the fan-out that is given events of one tenant."""
    _mute()
    os.environ.update(environment)
    fan_out = _fan_out(environment)

    def once() -> int:
        fan_out(noisy)
        time.sleep(pause)
        return 1

    _serve(pipe, once)


def _serve(pipe: Connection, once: Callable[[], int]) -> None:
    pipe.send("ready")
    while pipe.recv() == "begin":
        done = 0
        while not pipe.poll():
            done += once()
        pipe.recv()
        pipe.send(done)


def _mute() -> None:
    sys.stdout.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _fan_out(environment: dict[str, str]) -> Callable[[TenantContext], str]:
    """The real handler; answers the id of an event that it fanned out."""
    module = wire_function("webhooks_fanout", environment)

    def send(tenant: TenantContext) -> str:
        campaign = uuid7()
        data = {**BY_NAME["campaign.launched"].example, "id": str(campaign)}
        envelope = Event("campaign.launched", f"campaign/{campaign}", data).envelope(tenant.tenant, utc_now())
        body = msgspec.json.encode({"detail": envelope, "detail-type": envelope["type"]}).decode()
        record = {"messageId": envelope["id"], "body": body, "attributes": {}}
        if module.handler({"Records": [record]}, None)["batchItemFailures"]:
            raise WrongAnswerError("an event was not fanned out")
        return str(envelope["id"])

    return send


def _tenant(place: World) -> UUID:
    tenant = uuid7()
    with place.database() as admin:
        admin.execute(_TENANT, (tenant, f"bench-{tenant.hex[-12:]}", "Bench"))
    return tenant


def _endpoints(environment: dict[str, str], tenant: TenantContext, urls: list[str]) -> None:
    module = wire_function("webhooks_api", environment)
    for url in urls:
        made = EndpointId(uuid7())
        sealed = module.endpoints._keys.seal(tenant, made, bytes(range(32)))  # noqa: SLF001
        key = Key(KeyId(uuid7()), Algorithm.HMAC, sealed, utc_now())
        with module.database.transaction(tenant) as tx:
            module.stores.endpoints.insert(tx, _endpoint(made, url, key))


def _endpoint(made: EndpointId, url: str, key: Key) -> Endpoint:
    return Endpoint(
        id=made,
        url=url,
        description="",
        filters=Filters(("*",)),
        manner=Manner(timeout_seconds=30),
        headers={},
        keys=(key,),
        disabled=None,
        must_prove=False,
        version=1,
        created_at=utc_now(),
        updated_at=utc_now(),
    )


@contextmanager
def _receiver() -> Iterator[_Receiver]:
    spawn = get_context("spawn")
    mine, its = spawn.Pipe()
    process = spawn.Process(target=receive, args=(its,), daemon=True)
    process.start()
    yield _Receiver(f"http://127.0.0.1:{mine.recv()}/", mine)
    process.terminate()
    process.join()


def receive(pipe: Connection) -> None:
    """Take requests; those to /hang are not answered for half a minute."""
    came: dict[str, float] = {}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                came.setdefault(head.partition("webhook-id:")[2].partition("\r\n")[0].strip(), time.monotonic())
                await reader.readexactly(int(head.partition("content-length:")[2].partition("\r\n")[0]))
                if head.startswith("post /hang"):
                    await asyncio.sleep(30)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)

        def told() -> None:
            pipe.recv()
            pipe.send(dict(came))
            came.clear()

        asyncio.get_running_loop().add_reader(pipe.fileno(), told)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def _goals(rows: list[Row]) -> list[Goal]:
    alone, *others = rows
    goals = []
    for row in others:
        ratio = row.median("p99_ms") / alone.median("p99_ms")
        reason = "" if ratio <= _GOAL else "Noise, queue, table and the quiet share what two cores have."
        goals.append(Goal(f"p99 {row.name} at most {_GOAL} of alone", f"{ratio:.2f}", ratio <= _GOAL, reason))
    return goals


_NOTES = (
    f"Each row has {_DISPATCHERS} sandboxes of the dispatcher, {_OF_SLOW} for slow receivers, one of the fan-out.",
    "The queue is the local endpoint's, which knows no message groups: what is fair here is the platform's own doing.",
    "From the call of the fan-out to the first byte at the receiver, one event each tenth of a second.",
)
