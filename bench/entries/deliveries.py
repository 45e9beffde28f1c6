"""Webhooks delivered over TLS: the dispatcher, its calls without its bookkeeping, and the plainest client there is."""

import asyncio
import datetime as dt
import multiprocessing
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.contestants import WrongAnswerError
from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Figures, Row, compete
from bench.world import World, queue, silence, table, wire_function, world
from shared.outbound.gateway.client import Strangers
from shared.outbound.gateway.kept import KeptConnections
from shared.outbound.rules.addresses import allow_list
from shared.webhooks.model import Algorithm, Delivery, Endpoint, EndpointId, Filters, KeyId, Manner, Message, MessageId
from shared.webhooks.model import SigningKey as Key
from shared.webhooks.rules import signature
from shared.webhooks.service.queue import to_message
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext, from_message

_COLUMNS = (Column("per_core", "deliveries /s and core"), Column("per_second", "deliveries /s"))
_GOAL = 0.6
_SECRET = bytes(range(32))
_BODY = b'{"type":"campaign.launched","data":' + b'{"name":"' + b"x" * 400 + b'"}}'
_CONNECTIONS = 10
_LOOPBACK = "127.0.0.0/8"
_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds, times = (3, 200) if quick else (7, 1000)
    with ExitStack() as kept:
        place = kept.enter_context(world(campaigns=1))
        pair = kept.enter_context(_certificate())
        port = kept.enter_context(_receiver(pair))
        trust = ssl.create_default_context(cafile=str(pair))
        tell("the dispatcher")
        ours = _Ours(place, kept, f"https://127.0.0.1:{port}/", trust)
        calls = Strangers(allow_list((_LOOPBACK,)), tls=trust, kept=KeptConnections())
        kept.enter_context(silence())
        rows = compete(
            [
                Contestant(
                    "ours", "claimed, judged, signed, called, logged, counted, ended", _turn(ours.deliver, times)
                ),
                Contestant("ours, calls alone", "signed, address checked, called", _turn(_alone(calls, port), times)),
                Contestant("limit", "signed, one asyncio loop, connections kept", _turn(_plain(trust, port), times)),
            ],
            rounds,
            {},
            tell,
        )
    return Result("deliveries", __doc__ or "", rounds, _COLUMNS, rows, _goals(rows), _NOTES)


class _Ours:
    """The real handler on a table and queues of its own; deliveries are opened outside of what is measured."""

    def __init__(self, place: World, kept: ExitStack, url: str, trust: ssl.SSLContext) -> None:
        field = place.stack.client("kms").create_key()["KeyMetadata"]["KeyId"]
        environment = {
            "RMAP_BUS": "nobody listens",
            "RMAP_FIELD_KEY": field,
            "RMAP_TABLE_DATA_KEYS": kept.enter_context(table(place.stack)),
            "RMAP_TABLE_DELIVERIES": kept.enter_context(table(place.stack)),
            "RMAP_QUEUE_DELIVERIES": kept.enter_context(queue(place.stack)),
            "RMAP_QUEUE_USAGE": kept.enter_context(queue(place.stack)),
            "RMAP_OUTBOUND_ALLOW": _LOOPBACK,
        }
        self._module: ModuleType = wire_function("webhooks_dispatcher", place.environment() | environment)
        self._module.receivers._tls = trust  # noqa: SLF001  the certificate is of this run
        self._tenant: TenantContext = from_message(place.tenant, "bench")
        self._endpoint = EndpointId(uuid7())
        sealed = self._module.keys.seal(self._tenant, self._endpoint, _SECRET)
        key = Key(KeyId(uuid7()), Algorithm.HMAC, sealed, utc_now())
        self._module.targets.put(self._tenant, _endpoint(self._endpoint, url, key))

    def deliver(self, times: int) -> float:
        """So many, in batches of ten; answers the processor time, in seconds."""
        batches = [self._batch() for _ in range(times // _CONNECTIONS)]
        began = time.process_time()
        for batch in batches:
            if self._module.handler(batch, None)["batchItemFailures"]:
                raise WrongAnswerError("a delivery failed")
        return time.process_time() - began

    def _batch(self) -> dict[str, Any]:
        records = []
        for _ in range(_CONNECTIONS):
            later = int(utc_now().timestamp()) + 86_400
            message = Message(MessageId(uuid7()), "campaign.launched", _BODY.decode(), later)
            self._module.deliveries.open_delivery(self._tenant, message, self._endpoint, utc_now())
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


def _alone(calls: Strangers, port: int) -> Callable[[int], float]:
    def work(times: int) -> float:
        began = time.process_time()
        for _ in range(times):
            if calls.post(f"https://127.0.0.1:{port}/", _headers(), _BODY).status != 200:  # noqa: PLR2004  HTTP's OK
                raise WrongAnswerError("a call failed")
        return time.process_time() - began

    return work


def _plain(trust: ssl.SSLContext, port: int) -> Callable[[int], float]:
    async def lane(times: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
        for _ in range(times):
            head = "".join(f"{name}: {value}\r\n" for name, value in _headers().items())
            writer.write(f"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {len(_BODY)}\r\n{head}\r\n".encode() + _BODY)
            if await reader.readexactly(len(_OK)) != _OK:
                raise WrongAnswerError("a call failed")
        writer.close()

    async def lanes(times: int) -> None:
        await asyncio.gather(*(lane(times // _CONNECTIONS) for _ in range(_CONNECTIONS)))

    def work(times: int) -> float:
        began = time.process_time()
        asyncio.run(lanes(times))
        return time.process_time() - began

    return work


def _turn(work: Callable[[int], float], times: int) -> Callable[[], Figures]:
    def turn() -> Figures:
        began = time.perf_counter()
        used = work(times)
        return {"per_core": times / used, "per_second": times / (time.perf_counter() - began)}

    return turn


@contextmanager
def _receiver(pair: Path) -> Iterator[int]:
    """A receiver in a process of its own, that answers everything at once; its port."""
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=serve, args=(str(pair), its), daemon=True)
    process.start()
    yield int(mine.recv())
    process.terminate()
    process.join()


def serve(pair: str, told: Connection) -> None:
    """Take requests until the end."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                await reader.readexactly(int(head.partition("content-length:")[2].partition("\r\n")[0]))
                writer.write(_OK)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair)
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


@contextmanager
def _certificate() -> Iterator[Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pair.pem"
        path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
        yield path


def _goals(rows: list[Row]) -> list[Goal]:
    ours, alone, limit = (row.median("per_core") for row in rows)
    return [
        Goal(
            f"ours at least {_GOAL} of the limit",
            f"{ours / limit:.2f}",
            ours / limit >= _GOAL,
            "Seven calls of AWS go with a delivery: claim, endpoint, record, end, usage.",
        ),
        Goal(f"calls alone at least {_GOAL} of the limit", f"{alone / limit:.2f}", alone / limit >= _GOAL,
             "http.client's requests and answers, under one deadline, cost more than writing bytes."),
    ]  # fmt: skip


_NOTES = (
    "Processor time of this process alone: the receiver, DynamoDB, SQS and KMS have processes of their own.",
    "The limit keeps its connections, checks no address, bounds nothing and remembers nothing.",
)
