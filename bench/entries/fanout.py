"""One event for ten thousand webhook endpoints: what its fan-out takes, and what AWS asks for it."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any, LiteralString

import msgspec

from bench.contestants import WrongAnswerError
from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Figures, Row, compete
from bench.world import World, queue, silence, table, wire_function, world
from shared.events.rules.catalogue import BY_NAME
from shared.webhooks.service.shares import Shares
from tenant_context.aws import AwsClient
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext, from_message
from tenant_context.entry.queue import read_message
from tenant_context.events import Event

_COLUMNS = (
    Column("split_s", "event to parts s", 2),
    Column("open_s", "all parts s", 2),
    Column("part_s", "a part s", 2),
    Column("calls", "calls of AWS"),
    Column("cents", "US cents", 3),
)
_ENDPOINTS = 10_000
_FILL: LiteralString = """
    INSERT INTO webhook_endpoints (
        tenant_id, id, url, description, event_types, conditions, site_ids, campaign_ids, secret_headers,
        payload_version, timeout_seconds, ordering, secret_keys, secret, enabled, must_prove, version, created_at,
        updated_at)
    SELECT %(tenant)s, uuidv7(), 'https://hooks.example.com/' || n, '', '{campaign.*}', '[]', '{}', '{}', '{}', 1, 15,
           %(ordering)s, %(keys)s::jsonb, '\\x00', true, false, 1, now() - interval '1 hour', now() - interval '1 hour'
    FROM generate_series(1, %(endpoints)s) n"""
_STATEMENTS = "statements"
"""Of calls that write many items: each is a write."""
_PRICES = {
    "PutItem": 0.625,
    "UpdateItem": 0.625,
    "GetItem": 0.125,
    "Query": 0.125,
    "SendMessageBatch": 0.4,
    _STATEMENTS: 0.625,
}
"""US dollars a million, on demand in us-east-1, items of a kilobyte at most."""
_BATCH_GET = 0.0625 * 100
"""A call reads up to a hundred items, not the latest."""


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds, endpoints = (2, _ENDPOINTS // 10) if quick else (5, _ENDPOINTS)
    with ExitStack() as kept:
        place = kept.enter_context(world(campaigns=1))
        kept.enter_context(silence())
        contestants = []
        for name, ordering, tenant in zip(("no order", "in order"), ("none", "entity"), place.tenants(), strict=True):
            tell(f"{endpoints} endpoints, {name}")
            _fill(place, from_message(tenant, "bench"), ordering, endpoints)
            one = _Fanout(place, kept, from_message(tenant, "bench"), endpoints)
            contestants.append(Contestant(name, f"{endpoints} endpoints, each gets the event", one.turn))
        rows = compete(contestants, rounds, {}, tell)
        with place.database() as admin:
            admin.execute("DELETE FROM webhook_endpoints")
    return Result("fanout", __doc__ or "", rounds, _COLUMNS, rows, _goals(rows), _NOTES)


def _fill(place: World, tenant: TenantContext, ordering: str, endpoints: int) -> None:
    key = {"id": str(uuid7()), "algorithm": "hmac", "ciphertext": "", "created_at": "2026-01-01T00:00:00Z"}
    values = {
        "tenant": tenant.tenant,
        "ordering": ordering,
        "endpoints": endpoints,
        "keys": msgspec.json.encode([{**key, "until": None, "public": ""}]).decode(),
    }
    with place.database() as admin:
        admin.execute("SET session_replication_role = replica")  # the limits of plans are not what is measured
        admin.execute(_FILL, values)


class _Fanout:
    """The real fan-out, and the dispatcher's opening of parts; nothing is called."""

    def __init__(self, place: World, kept: ExitStack, tenant: TenantContext, endpoints: int) -> None:
        self._queue = kept.enter_context(queue(place.stack))
        environment = place.environment() | {
            "RMAP_FIELD_KEY": "nothing is sealed",
            "RMAP_TABLE_DATA_KEYS": "nothing is sealed",
            "RMAP_TABLE_DELIVERIES": kept.enter_context(table(place.stack, indexed=True)),
            "RMAP_QUEUE_DELIVERIES": self._queue,
            "RMAP_QUEUE_SLOW_DELIVERIES": self._queue,
            "RMAP_QUEUE_USAGE": "nothing is called",
            "RMAP_QUEUE_MAILS": "nothing fails",
            "RMAP_QUEUE_WEBHOOK_EVENTS": "nobody is crowded out",
            "RMAP_BUS": "nobody listens",
            "RMAP_PUBLIC_URL": "https://api.example.com",
        }
        self._fan_out: ModuleType = wire_function("webhooks_fanout", environment)
        self._opener = wire_function("webhooks_dispatcher", environment).opener
        self._tenant, self._endpoints = tenant, endpoints

    def turn(self) -> Figures:
        """One event."""
        with _counted() as calls:
            began = time.perf_counter()
            self._send()
            split = time.perf_counter() - began
            parts = self._parts()
            began = time.perf_counter()
            for part in parts:
                self._opener.work(self._tenant, part)
            opened = time.perf_counter() - began
        asked = {name: count for name, count in calls.items() if name not in {"ReceiveMessage", "DeleteMessageBatch"}}
        self._empty()
        return {
            "split_s": split,
            "open_s": opened,
            "part_s": opened / max(1, len(parts)),
            "calls": sum(asked.values()) - asked.get(_STATEMENTS, 0),
            "cents": _cents(asked),
        }

    def _send(self) -> None:
        self._fan_out.fanout._shares = Shares()  # noqa: SLF001  one such event is within a tenant's share, two are not
        campaign = uuid7()
        data = {**BY_NAME["campaign.launched"].example, "id": str(campaign)}
        envelope = Event("campaign.launched", f"campaign/{campaign}", data).envelope(self._tenant.tenant, utc_now())
        body = msgspec.json.encode({"detail": envelope, "detail-type": envelope["type"]}).decode()
        record = {"messageId": envelope["id"], "body": body, "attributes": {}}
        if self._fan_out.handler({"Records": [record]}, None)["batchItemFailures"]:
            raise WrongAnswerError("an event was not fanned out")

    def _parts(self) -> list[Any]:
        found = [read_message(body) for body in self._received()]
        opened = sum(len(part.data["openings"]) for part in found)
        if opened != self._endpoints:
            raise WrongAnswerError(f"{opened} deliveries of {self._endpoints}")
        return found

    def _empty(self) -> None:
        if sum(1 for _ in self._received()) != self._endpoints:
            raise WrongAnswerError("not every delivery was queued")

    def _received(self) -> Iterator[str]:
        client = AwsClient("sqs")
        asked = {"QueueUrl": self._queue, "MaxNumberOfMessages": 10, "VisibilityTimeout": 600}
        while found := client.call("ReceiveMessage", asked).get("Messages", []):
            yield from (one["Body"] for one in found)
            entries = [{"Id": str(at), "ReceiptHandle": one["ReceiptHandle"]} for at, one in enumerate(found)]
            client.call("DeleteMessageBatch", {"QueueUrl": self._queue, "Entries": entries})
        client.close()


@contextmanager
def _counted() -> Iterator[Counter[str]]:
    """Calls of AWS by operation."""
    calls, call = Counter[str](), AwsClient.call

    def counting(client: AwsClient, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        calls[operation] += 1
        calls[_STATEMENTS] += len(payload.get("Statements", ()))
        return call(client, operation, payload)

    AwsClient.call = counting  # type: ignore[method-assign, assignment]
    try:
        yield calls
    finally:
        AwsClient.call = call  # type: ignore[method-assign]


def _cents(calls: Mapping[str, int]) -> float:
    prices = {**_PRICES, "BatchGetItem": _BATCH_GET}
    return sum(count * prices.get(name, 0) for name, count in calls.items()) / 1e6 * 100


def _goals(rows: list[Row]) -> list[Goal]:
    goals = []
    for row in rows:
        took = row.median("part_s")
        goals.append(Goal(f"a part of {row.name} within 6 s, ten within a run", f"{took:.2f} s", took <= 6))  # noqa: PLR2004
    return goals


_NOTES = (
    "What is timed and costed is to open the deliveries, not to make them.",
    "Parts are worked on one after the other here; on Lambda, fifty sandboxes share them.",
    "The first event after a sandbox's start, which is not counted here, also shows the dispatcher every endpoint.",
    "Cost is of DynamoDB and SQS: 10,000 deliveries and their messages; calls to receivers come on top.",
)
