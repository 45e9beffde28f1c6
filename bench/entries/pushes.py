"""Pushes of one count each: through the door onto the queue, and from there into raw rows and rollups."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from types import ModuleType
from typing import Any, LiteralString
from uuid import UUID

from bench.contestants import WrongAnswerError
from bench.harness.cpu import metered
from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Figures, Row, compete
from bench.world import FAST, World, http_event, queue, silence, table, wire_function, world
from shared.sensors.gateway import BatchQueue, count_row
from shared.sensors.model import CountRow
from shared.uploads.gateway import Gathered
from tenant_context.api_keys import key_hash, make_key
from tenant_context.aws import AwsClient
from tenant_context.clock import rfc3339, uuid7
from tenant_context.context import TenantContext, from_message
from tenant_context.dynamo import Table, TenantTable
from tenant_context.secrets import secret

_COLUMNS = (
    Column("per_core", "messages /s and core"),
    Column("cpu_us", "CPU µs", 0),
    Column("client_us", "of it ours", 0),
    Column("database_us", "of it PostgreSQL", 0),
)
_PUBLISHED, _TIMES, _CORES = 1_111, 10, 2
"""ThingsBoard on PostgreSQL, as its makers published; what is wanted of it; on how many processors."""
_FIRST = datetime(2024, 1, 1, tzinfo=UTC)
_SENSOR: LiteralString = """
    INSERT INTO sensors (tenant_id, id, site_id, name, serial, kind, interval_minutes, created_at, updated_at)
    SELECT %s, %s, (SELECT id FROM sites WHERE tenant_id = %s LIMIT 1), 'Door', 'door', 'line', 1, now(), now()"""
_TAKEN = 202


class Line:
    """The door's and the processor's real handlers, in a world of their own."""

    def __init__(self, place: World, kept: ExitStack) -> None:
        self._steps = count()
        self.place = place
        self.tenant: TenantContext = from_message(place.tenant, "bench")
        self.sensor = uuid7()
        keys, devices = (kept.enter_context(table(place.stack)) for _ in range(2))
        self.queue = kept.enter_context(queue(place.stack))
        self.devices = devices
        environment = place.environment() | {
            "RMAP_TABLE_API_KEYS": keys,
            "RMAP_TABLE_DEVICES": devices,
            "RMAP_QUEUE_COUNTS": self.queue,
            "RMAP_QUEUE_TRANSACTIONS": self.queue,
        }
        self.key = door_key(keys, place.tenant)
        with place.database() as admin:
            admin.execute(_SENSOR, (place.tenant, self.sensor, place.tenant))
        TenantTable(Table(devices), self.tenant).put("sensors", "door", {"id": str(self.sensor)})
        self.door: ModuleType = wire_function("sensors_ingest", environment)
        self.processor: ModuleType = wire_function("sensors_processor", environment)

    def _moments(self) -> tuple[datetime, datetime]:
        start = _FIRST + timedelta(minutes=next(self._steps))
        return start, start + timedelta(minutes=1)

    def push(self, times: int) -> None:
        """So many pushes of one count each, through the door."""
        for _ in range(times):
            start, end = map(rfc3339, self._moments())
            body = json.dumps({"counts": [{"sensor": "door", "start": start, "end": end, "entries": 1, "exits": 1}]})
            headers = {"x-api-key": self.key, "content-type": "application/json"}
            answer = self.door.handler(http_event("POST", "/api/v1/ingest/counts", headers=headers, body=body), None)
            if answer["statusCode"] != _TAKEN:
                raise WrongAnswerError(answer["body"])

    def messages(self, times: int) -> Iterator[str]:
        """The bodies of what such pushes leave on the queue."""
        gathered = Gathered()
        sender = BatchQueue(gathered, "counts")
        for _ in range(times):
            start, end = self._moments()
            row = count_row(CountRow("door", start, end, 1, 1), self.sensor)
            sender.send(self.tenant, uuid7(), start, [row], (), 0)
        return (message.encode().decode() for message in gathered.messages)

    def processed(self, size: int, receives: int) -> Callable[[int], None]:
        """Work on so many messages in batches of a size; what came before is worked on one by one."""

        def work(times: int) -> None:
            bodies = list(self.messages(times))
            for start in range(0, times, size):
                records = [
                    {
                        "messageId": str(start + place),
                        "body": body,
                        "attributes": {"ApproximateReceiveCount": str(receives)},
                    }
                    for place, body in enumerate(bodies[start : start + size])
                ]
                if self.processor.handler({"Records": records}, None)["batchItemFailures"]:
                    raise WrongAnswerError("a message failed")

        return work

    def calls(self, times: int) -> None:
        """The two calls of AWS that a push cannot do without: the directory's, and the queue's."""
        dynamodb, sqs = AwsClient("dynamodb"), AwsClient("sqs")
        bodies = self.messages(times)
        key = {"pk": {"S": f"tenant#{self.place.tenant}#sensors"}, "sk": {"S": "door"}}
        for body in bodies:
            dynamodb.call("BatchGetItem", {"RequestItems": {self.devices: {"Keys": [key]}}})
            entry = {"Id": "0", "MessageBody": body, "MessageGroupId": str(self.place.tenant)}
            sqs.call("SendMessageBatch", {"QueueUrl": self.queue, "Entries": [entry]})


def door_key(keys: str, tenant: UUID) -> str:
    """A key that may push, in a table of keys."""
    made = make_key("bench")
    digest = key_hash(made.text, secret("rmap/local/pepper"))
    item: dict[str, Any] = {
        "pk": f"key#{made.prefix}", "sk": "key", "tenant": tenant, "scopes": ["ingest.write"], "revoked": False,
        "valid_until": 0, "digest": digest, "rate": FAST.claim(),
    }  # fmt: skip
    Table(keys).put(item)
    return made.text


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds, times = (3, 200) if quick else (7, 1_000)
    with world(campaigns=1) as place, ExitStack() as kept:
        line = Line(place, kept)
        kept.enter_context(silence())

        def turn(work: Callable[[int], object]) -> Callable[[], Figures]:
            measured = metered(work, times, backends=place.backends)

            def figures() -> Figures:
                found = measured()
                return {**found, "per_core": 1e6 / found["cpu_us"]}

            return figures

        rows = compete(
            [
                Contestant("the door", "key, directory, checks, queue: the real handler", turn(line.push)),
                Contestant("its two calls alone", "BatchGetItem and SendMessageBatch, signed", turn(line.calls)),
                Contestant("processor, 1 each", "a transaction for each message", turn(line.processed(10, 2))),
                Contestant("processor, 10 together", "a transaction for ten", turn(line.processed(10, 1))),
                Contestant("processor, 50 together", "a transaction for fifty", turn(line.processed(50, 1))),
            ],
            rounds,
            {},
            tell,
        )
    return Result("pushes", __doc__ or "", rounds, _COLUMNS, rows, _goals(rows), _NOTES)


def _goals(rows: list[Row]) -> list[Goal]:
    found = {row.name: row.median("cpu_us") for row in rows}
    whole = _CORES * 1e6 / (found["the door"] + found["processor, 50 together"])
    ratio = whole / _PUBLISHED
    gain = found["processor, 1 each"] / found["processor, 50 together"]
    return [
        Goal(
            f"{_TIMES} times ThingsBoard's {_PUBLISHED} messages a second, on {_CORES} processors",
            f"{whole:.0f} a second, {ratio:.1f} times",
            ratio >= _TIMES,
            "a push is acknowledged after two calls of AWS, each a signed HTTP request of its own",
        ),
        Goal("messages that share a transaction cost less than half", f"a {gain:.1f}th", gain >= _CORES),
    ]


_NOTES = (
    "The queue's and the directory's own processor time is the local endpoint's and is not counted, as AWS's is not.",
    "Nothing is published: the bus takes ten events a call, so a group of fifty makes five calls in place of fifty.",
)
