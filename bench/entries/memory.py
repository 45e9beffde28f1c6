"""Memory of the door and of the processor, from the smallest batch to the largest that they are ever given.

Files are `bulk`'s.
"""

import base64
import gzip
import json
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from bench.contestants import WrongAnswerError
from bench.entries.pushes import door_key
from bench.feed import PER_MESSAGE, Feed, chain
from bench.harness.cpu import peak_mb
from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Figures, Row, compete
from bench.world import World, http_event, queue, silence, table, wire_function, world
from infra.catalog import FUNCTIONS
from tenant_context.context import from_message
from tenant_context.dynamo import Table, TenantTable

_COLUMNS = (Column("memory_mb", "peak MB"), Column("kb", "input, kB"))
_SENSORS = 100
_TAKEN = 202
_MOST_COUNTS = 10_000
_INVOCATION_BYTES = 6_000_000
"""What Lambda hands over at once."""
_SHARE = 0.25
"""Of the memory that a function has: it has so much for the processor time that comes with it."""
_Event = Mapping[str, Any]


def give(name: str, environment: dict[str, str], text: str, answer: "multiprocessing.SimpleQueue[float]") -> None:
    """Give a function's handler an event, as JSON like Lambda, three times; the most memory that took, in MB."""
    os.environ.update(environment)
    with silence():
        module = wire_function(name, environment)
        for _ in range(3):
            event = json.loads(text)
            answered = module.handler(event, None)
            if answered.get("statusCode", _TAKEN) != _TAKEN or answered.get("batchItemFailures"):
                raise WrongAnswerError(str(answered)[:1000])
    answer.put(peak_mb())


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds = 1 if quick else 3
    with world(campaigns=1) as place, ExitStack() as kept:
        with place.database() as admin:
            feed = chain(admin, place.tenant, _SENSORS, datetime(2026, 1, 1, tzinfo=UTC))
        environment, key = _door(place, kept, feed)
        contestants = [
            Contestant(name, about, _turn("sensors_ingest", environment, _pushed(body, key, packed=packed)))
            for name, about, body, packed in _bodies(feed)
        ] + [
            Contestant(name, about, _turn("sensors_processor", environment, feed.event(parts)))
            for name, about, parts in _batches(feed)
        ]
        rows = compete(contestants, rounds, {}, tell)
    return Result("memory", __doc__ or "", rounds, _COLUMNS, rows, _goals(rows), _NOTES)


def _door(place: World, kept: ExitStack, feed: Feed) -> tuple[dict[str, str], str]:
    keys, devices = (kept.enter_context(table(place.stack)) for _ in range(2))
    messages = kept.enter_context(queue(place.stack))
    known = TenantTable(Table(devices), from_message(place.tenant, "bench"))
    for number, sensor in enumerate(feed.sensors):
        known.put("sensors", f"door-{number}", {"id": str(sensor)})
    environment = place.environment() | {
        "RMAP_TABLE_API_KEYS": keys,
        "RMAP_TABLE_DEVICES": devices,
        "RMAP_QUEUE_COUNTS": messages,
        "RMAP_QUEUE_TRANSACTIONS": messages,
    }
    return environment, door_key(keys, place.tenant)


def _bodies(feed: Feed) -> list[tuple[str, str, bytes, bool]]:
    many = _csv(feed, _MOST_COUNTS, "")
    return [
        ("door, one", "a push of one count", _json(feed, 1), False),
        ("door, most JSON", f"{_MOST_COUNTS:,} counts, as many as a push may have", _json(feed, _MOST_COUNTS), False),
        ("door, most CSV", "the same as CSV", many, False),
        ("door, packed", "and by gzip", gzip.compress(many), True),
        ("door, refused", "all refused and kept, near the five megabytes of a body",
         _csv(feed, _MOST_COUNTS, "x" * 400), False),
    ]  # fmt: skip


def _json(feed: Feed, number: int) -> bytes:
    rows = [
        {"sensor": f"door-{place % _SENSORS}", "start": row[2], "end": row[3], "entries": row[4], "exits": row[5]}
        for place, row in enumerate(feed.rows(number))
    ]
    return json.dumps({"counts": rows}).encode()


def _csv(feed: Feed, number: int, wrong: str) -> bytes:
    lines = ["sensor,start,end,entries,exits"]
    lines += [
        f"door-{place % _SENSORS},{row[2]},{row[3]},{row[4]}{wrong},{row[5]}"
        for place, row in enumerate(feed.rows(number))
    ]
    return "\n".join(lines).encode()


def _pushed(body: bytes, key: str, *, packed: bool) -> _Event:
    headers = {"x-api-key": key, "content-type": "application/json" if body[:1] == b"{" else "text/csv"}
    if not packed:
        return http_event("POST", "/api/v1/ingest/counts", headers=headers, body=body.decode())
    headers |= {"content-encoding": "gzip", "content-type": "text/csv"}
    event = http_event("POST", "/api/v1/ingest/counts", headers=headers, body=base64.b64encode(body).decode())
    return {**event, "isBase64Encoded": True}


def _batches(feed: Feed) -> list[tuple[str, str, Sequence[Sequence[list[Any]]]]]:
    bytes_each = len(feed.record(feed.rows(PER_MESSAGE))["body"])
    most = _INVOCATION_BYTES // bytes_each
    return [
        ("processor, one", "a message of one count", [feed.rows(1)]),
        ("processor, ten", f"messages of {PER_MESSAGE:,} counts", [feed.rows(PER_MESSAGE) for _ in range(10)]),
        ("processor, most", f"{most} such messages, six megabytes", [feed.rows(PER_MESSAGE) for _ in range(most)]),
    ]


def _turn(name: str, environment: dict[str, str], event: _Event) -> Callable[[], Figures]:
    """In a process of its own, whose memory is its own."""
    text = json.dumps(event)

    def turn() -> Figures:
        context = multiprocessing.get_context("spawn")
        answer = context.SimpleQueue()
        process = context.Process(target=give, args=(name, environment, text, answer))
        process.start()
        process.join()
        if process.exitcode:
            raise RuntimeError("the function failed")
        return {"memory_mb": answer.get(), "kb": len(text) / 1000}

    return turn


def _goals(rows: list[Row]) -> list[Goal]:
    found = {row.name: row.median("memory_mb") for row in rows}
    memory = {one.name: one.memory_mb for one in FUNCTIONS}
    goals = []
    for what, function in (("door", "sensors_ingest"), ("processor", "sensors_processor")):
        most = max(peak for name, peak in found.items() if name.startswith(what))
        bound = _SHARE * memory[function]
        goals.append(
            Goal(
                f"{what}: whatever it is given, at most {_SHARE:.0%} of its {memory[function]} MB",
                f"{most:.0f} MB",
                most <= bound,
            )
        )
    return goals


_NOTES = (
    "Resident memory of a process of its own: interpreter, everything imported, what the benchmark itself imports too.",
    "Each event is given three times: what is kept from one invocation to the next would show.",
    "An invocation is bounded: 5 MB a push, packed or not, and six megabytes of messages.",
)
