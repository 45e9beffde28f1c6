"""Webhooks delivered over TLS: the dispatcher, its calls without its bookkeeping, and the plainest clients."""

import asyncio
import ssl
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import ModuleType
from typing import Any

from bench.contestants import WrongAnswerError
from bench.harness.cpu import process_us
from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Figures, Row, compete
from bench.receiver import HOST, OK, certificate, receiver
from bench.requests import Calls
from bench.world import World, queue, silence, table, wire_function, world
from local import stack as local_stack
from local.instance import BENCH, Instance
from shared.outbound.gateway.client import KEPT_BODY, Strangers
from shared.outbound.gateway.conversation import Request
from shared.outbound.gateway.kept import KeptConnections
from shared.outbound.model import Outcome
from shared.outbound.rules.addresses import allow_list
from shared.webhooks.model import Algorithm, Delivery, Endpoint, EndpointId, Filters, KeyId, Manner, Message, MessageId
from shared.webhooks.model import SigningKey as Key
from shared.webhooks.rules import signature
from shared.webhooks.service.queue import to_message
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext, from_message

_COLUMNS = (
    Column("per_core", "deliveries /s and core"),
    Column("own_us", "own processor µs"),
    Column("per_second", "deliveries /s here"),
    Column("aws_us", "local AWS's processor µs"),
    Column("aws_calls", "AWS calls", 2),
)
_GOAL = 0.6
_REUSE = 5
_SECRET = bytes(range(32))
_BODY = b'{"type":"campaign.launched","data":' + b'{"name":"' + b"x" * 400 + b'"}}'
_AT_ONCE = 10
"""As many connections as a batch has messages."""
_LOOPBACK = "127.0.0.0/8", "::1/128"
_GOOD = 200


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds, times = (3, 200) if quick else (7, 1000)
    with ExitStack() as kept:
        place = kept.enter_context(world(campaigns=1))
        pair = kept.enter_context(certificate())
        port = kept.enter_context(receiver(pair)).port
        trust = ssl.create_default_context(cafile=str(pair))
        tell("the dispatcher")
        ours = Ours(place, kept, f"https://{HOST}:{port}/", trust)
        calls = Strangers(allow_list(_LOOPBACK), tls=trust, kept=KeptConnections())
        anew = Strangers(allow_list(_LOOPBACK), tls=trust)
        kept.enter_context(silence())
        rows = compete(
            [
                Contestant(
                    "ours", "claimed, judged, signed, called, logged, counted, ended", _turn(ours.deliver, times)
                ),
                Contestant(
                    "ours, calls alone", "signed, name resolved, address checked, called",
                    _turn(_alone(calls, port), times),
                ),
                Contestant(
                    "ours, a handshake each", "the same, a connection for each call", _turn(_alone(anew, port), times)
                ),
                Contestant("asyncio, streams", "signed, connections kept", _turn(_plain(_streams, trust, port), times)),
                Contestant(
                    "limit", "asyncio, bare protocols: signed, connections kept",
                    _turn(_plain(_protocols, trust, port), times),
                ),
            ],
            rounds,
            {"ours": ours.facts(times)},
            tell,
        )  # fmt: skip
    return Result("deliveries", __doc__ or "", rounds, _COLUMNS, rows, _goals(rows), _NOTES)


class Ours:
    """The real handler on a table and queues of its own; deliveries are opened outside of what is measured."""

    def __init__(self, place: World, kept: ExitStack, url: str, trust: ssl.SSLContext) -> None:
        field = place.stack.client("kms").create_key()["KeyMetadata"]["KeyId"]
        environment = {
            "RMAP_BUS": "nobody listens",
            "RMAP_FIELD_KEY": field,
            "RMAP_TABLE_DATA_KEYS": kept.enter_context(table(place.stack)),
            "RMAP_TABLE_DELIVERIES": kept.enter_context(table(place.stack)),
            "RMAP_QUEUE_DELIVERIES": kept.enter_context(queue(place.stack)),
            "RMAP_QUEUE_SLOW_DELIVERIES": kept.enter_context(queue(place.stack)),
            "RMAP_QUEUE_USAGE": kept.enter_context(queue(place.stack)),
            "RMAP_OUTBOUND_ALLOW": ",".join(_LOOPBACK),
        }
        self.module: ModuleType = wire_function("webhooks_dispatcher", place.environment() | environment)
        self.module.receivers.means.tls = trust  # the certificate is of this run
        self._tenant: TenantContext = from_message(place.tenant, "bench")
        self._endpoint = EndpointId(uuid7())
        sealed = self.module.keys.seal(self._tenant, self._endpoint, _SECRET)
        key = Key(KeyId(uuid7()), Algorithm.HMAC, sealed, utc_now())
        self.module.targets.put(self._tenant, _endpoint(self._endpoint, url, key))

    def deliver(self, times: int) -> float:
        """So many, in batches of ten; answers the processor time, in seconds."""
        batches = [self.batch() for _ in range(times // _AT_ONCE)]
        began = time.process_time()
        self.work(batches)
        return time.process_time() - began

    def work(self, batches: list[dict[str, Any]]) -> None:
        """Give batches to the handler."""
        for batch in batches:
            if self.module.handler(batch, None)["batchItemFailures"]:
                raise WrongAnswerError("a delivery failed")

    def facts(self, times: int) -> Figures:
        """Of one delivery: the calls of AWS, and what they cost the local endpoint."""
        [aws] = [pid for name, pid, *_ in local_stack.status(Instance.of(BENCH)) if name == "aws" and pid]
        batches, calls = [self.batch() for _ in range(times // _AT_ONCE)], Calls()
        self.work(batches[:1])
        used = process_us(aws)
        with calls.counting():
            self.work(batches[1:])
        made = len(batches[1:]) * _AT_ONCE
        return {"aws_us": (process_us(aws) - used) / made, "aws_calls": calls.made / made}

    def batch(self) -> dict[str, Any]:
        """Ten deliveries, opened and not yet made."""
        records = []
        for _ in range(_AT_ONCE):
            later = int(utc_now().timestamp()) + 86_400
            message = Message(MessageId(uuid7()), "campaign.launched", _BODY.decode(), later)
            self.module.deliveries.open_deliveries(self._tenant, message, {self._endpoint: ""}, utc_now())
            body = to_message(self._tenant, Delivery(message, self._endpoint, 1)).encode().decode()
            records.append({"messageId": str(message.id), "body": body, "attributes": {}})
        return {"Records": records}


def _endpoint(made: EndpointId, url: str, key: Key) -> Endpoint:
    return Endpoint(
        id=made,
        url=url,
        description="",
        filters=Filters(("*",)),
        manner=Manner(),
        headers={},
        keys=(key,),
        disabled=None,
        must_prove=False,
        version=1,
        created_at=utc_now(),
        updated_at=utc_now(),
    )


def _headers() -> dict[str, str]:
    return signature.headers([(Algorithm.HMAC, _SECRET)], str(uuid7()), int(time.time()), _BODY)


def _alone(strangers: Strangers, port: int) -> Callable[[int], float]:
    def work(times: int) -> float:
        began = time.process_time()
        for _ in range(times // _AT_ONCE):
            with strangers.side_by_side() as calls:
                for number in range(_AT_ONCE):
                    calls.begin(number, Request("POST", f"https://{HOST}:{port}/", _headers(), _BODY, 15.0, KEPT_BODY))
                ended = calls.wait(gather=5.0)
            if sum(isinstance(one, Outcome) and one.status == _GOOD for _, one in ended) < _AT_ONCE:
                raise WrongAnswerError("a call failed")
        return time.process_time() - began

    return work


def _asked() -> bytes:
    head = "".join(f"{name}: {value}\r\n" for name, value in _headers().items())
    return f"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {len(_BODY)}\r\n{head}\r\n".encode() + _BODY


_Lane = Callable[[int, ssl.SSLContext, int], Any]


def _plain(lane: _Lane, trust: ssl.SSLContext, port: int) -> Callable[[int], float]:
    async def lanes(times: int) -> None:
        await asyncio.gather(*(lane(times // _AT_ONCE, trust, port) for _ in range(_AT_ONCE)))

    def work(times: int) -> float:
        began = time.process_time()
        asyncio.run(lanes(times))
        return time.process_time() - began

    return work


async def _streams(times: int, trust: ssl.SSLContext, port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
    for _ in range(times):
        writer.write(_asked())
        if await reader.readexactly(len(OK)) != OK:
            raise WrongAnswerError("a call failed")
    writer.close()


async def _protocols(times: int, trust: ssl.SSLContext, port: int) -> None:
    done = asyncio.get_running_loop().create_future()
    await asyncio.get_running_loop().create_connection(lambda: _Asker(times, done), "127.0.0.1", port, ssl=trust)
    await done


class _Asker(asyncio.Protocol):
    """Asks the next time when it was answered."""

    def __init__(self, times: int, done: "asyncio.Future[None]") -> None:
        self._left = times
        self._done = done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The first time."""
        self._transport = transport
        transport.write(_asked())  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """An answer: they are short."""
        if data != OK:
            self._done.set_exception(WrongAnswerError("a call failed"))
        self._left -= 1
        if self._left:
            self._transport.write(_asked())  # type: ignore[attr-defined]
        else:
            self._transport.close()
            self._done.set_result(None)


def _turn(work: Callable[[int], float], times: int) -> Callable[[], Figures]:
    def turn() -> Figures:
        began = time.perf_counter()
        used = work(times)
        wall = time.perf_counter() - began
        return {"per_core": times / used, "own_us": used * 1e6 / times, "per_second": times / wall}

    return turn


def _goals(rows: list[Row]) -> list[Goal]:
    ours, alone, anew, _, limit = (row.median("per_core") for row in rows)
    return [
        Goal(
            f"ours at least {_GOAL} of the limit",
            f"{ours / limit:.2f}",
            ours / limit >= _GOAL,
            "" if ours / limit >= _GOAL else _REASON,
        ),
        Goal(
            f"calls alone at least {_GOAL} of the limit",
            f"{alone / limit:.2f}",
            alone / limit >= _GOAL,
            "" if alone / limit >= _GOAL else _REASON_OF_CALLS,
        ),
        Goal(f"reuse of connections gains {_REUSE} times", f"{alone / anew:.1f}", alone / anew >= _REUSE),
    ]


_REASON = (
    "Half a call of AWS and one line of log go with a delivery, and all of it is Python: reading it, judging its"
    " endpoint and writing its claim, log, count and end take longer than asyncio's call, and our call as long as that."
)
_REASON_OF_CALLS = (
    "A call of ours resolves its name, checks each address, bounds headers, body and time, and tells how long each part"
    " took: as much again as to send and to read it, which is all that the limit does."
)
_NOTES = (
    "Processor time of this process alone: the receiver, DynamoDB, SQS and KMS have processes of their own. What the",
    "local AWS endpoint needs for its part is in a column of its own, and in no other.",
    "Of a machine that others kept busy: each wait for AWS ends with cold caches, which the limit has none of.",
    "The limit keeps its connections, resolves and checks nothing, bounds nothing and remembers nothing.",
)
