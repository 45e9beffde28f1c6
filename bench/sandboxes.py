"""Sandboxes of the webhook line in processes of their own, each of which tells what it did when."""

import os
import queue as queues
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any, Self
from unittest.mock import patch

import msgspec

from bench.line import Line
from tenant_context.aws import AwsClient

_SPAWN = get_context("spawn")
_SQS_WAITS = 1
_AT_ONCE = 10

Interval = tuple[float, float]


@dataclass
class Told:
    """What a sandbox did with some events: when it began and when it was done with AWS, call by call.

    `sent` is when their deliveries were in the queue, in the fan-out.
    """

    events: list[str]
    began: float
    calls: list[Interval] = field(default_factory=list)
    sent: float = 0.0


class Sandboxes:
    """Some sandboxes of one function; `tell` gives what they did since it was last asked."""

    def __init__(self, work: Callable[..., None], line: Line, count: int, *given: Any) -> None:
        self._told: Any = _SPAWN.Queue()
        self._over: Any = _SPAWN.Event()
        self._ready: Any = _SPAWN.Semaphore(0)
        arguments = (dict(line.environment), self._told, self._over, self._ready, *given)
        self._processes = [_SPAWN.Process(target=work, args=arguments, daemon=True) for _ in range(count)]

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        for _ in self._processes:
            if not self._ready.acquire(timeout=180):
                raise TimeoutError("a sandbox does not begin")
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for process in self._processes:
            process.join(5)
            process.terminate()

    def tell(self) -> list[Told]:
        """What they did."""
        found: list[Told] = []
        while True:
            try:
                found.append(self._told.get(timeout=0.2))
            except queues.Empty:
                return found


class _Clocked:
    """Notes when calls of AWS are made; or, `canned`, answers them at once, as what is wanted stood there."""

    def __init__(self, canned: Any = None) -> None:
        self.calls: list[Interval] = []
        self.sent = 0.0
        self._canned = canned
        self._known: dict[str, Any] = {}

    def __enter__(self) -> Self:
        real = AwsClient._send  # noqa: SLF001  every way to call
        clocked = self

        def send(client: AwsClient, operation: str, payload: Mapping[str, Any], attempts: int) -> dict[str, Any]:
            began = time.time()
            answer = clocked.answer(operation, payload)
            if answer is None:
                answer = real(client, operation, payload, attempts)
                if operation == "BatchGetItem":
                    clocked.learn(answer)
            ended = time.time()
            clocked.calls.append((began, ended))
            if operation == "SendMessageBatch":
                clocked.sent = ended
            return answer

        self._patch = patch.object(AwsClient, "_send", send)
        self._patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.stop()

    def take(self, events: list[str], began: float) -> Told:
        told = Told(events, began, self.calls, self.sent)
        self.calls = []
        return told

    def learn(self, answer: dict[str, Any]) -> None:
        """Items that are asked for again and again: endpoints, as the dispatcher sees them."""
        for items in answer.get("Responses", {}).values():
            self._known |= {item["pk"]["S"]: item for item in items}

    def answer(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any] | None:  # noqa: PLR0911  by operation
        """At once, where that is wanted and known."""
        if self._canned is None:
            return None
        match operation:
            case "BatchGetItem":
                [(name, wanted)] = payload["RequestItems"].items()
                keys = [key["pk"]["S"] for key in wanted["Keys"]]
                if all(key in self._known for key in keys):
                    return {"Responses": {name: [self._known[key] for key in keys]}}
                return None
            case "BatchExecuteStatement":
                return {"Responses": [{"Item": {}} for _ in payload["Statements"]]}
            case "SendMessageBatch":
                if b"webhooks.deliver" in msgspec.json.encode(payload["Entries"][0]):
                    for entry in payload["Entries"]:
                        self._canned.put(entry["MessageBody"])
                return {}
            case "PutItem" | "UpdateItem" | "BatchWriteItem":
                return {"Attributes": {}}
        return None


def _begin(environment: Mapping[str, str], ready: Any) -> None:
    os.environ.update(environment)
    sys.stdout.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    del ready


def fan_out(environment: Mapping[str, str], told: Any, over: Any, ready: Any, events: Any, canned: Any = None) -> None:
    """A sandbox of the fan-out: takes events from a queue of this machine."""
    _begin(environment, ready)
    from bench.world import wire_function  # noqa: PLC0415  the environment is known by now

    handler = wire_function("webhooks_fanout", environment).handler
    ready.release()
    with _Clocked(canned) as clocked:
        while not over.is_set():
            try:
                name, event = events.get(timeout=0.2)
            except queues.Empty:
                continue
            began = time.time()
            if handler(event, None)["batchItemFailures"]:
                raise RuntimeError("an event failed")
            told.put(clocked.take([name], began))


def dispatch(environment: Mapping[str, str], told: Any, over: Any, ready: Any, pair: str, canned: Any = None) -> None:
    """A sandbox of the dispatcher: takes batches of up to ten, from SQS or from a queue of this machine."""
    _begin(environment, ready)
    from bench.world import wire_function  # noqa: PLC0415  the environment is known by now

    module = wire_function("webhooks_dispatcher", environment)
    module.receivers.means.tls = ssl.create_default_context(cafile=pair)
    source = _Local(canned) if canned is not None else _Sqs(environment["RMAP_QUEUE_DELIVERIES"])
    ready.release()
    with _Clocked(canned) as clocked:
        while not over.is_set():
            records = source.receive()
            if not records:
                continue
            began = time.time()
            clocked.calls.clear()
            if module.handler({"Records": records}, None)["batchItemFailures"]:
                raise RuntimeError("a delivery failed")
            told.put(clocked.take([_message_of(record) for record in records], began))
            source.done(records)


def _message_of(record: Mapping[str, Any]) -> str:
    return str(msgspec.json.decode(record["body"])["data"].get("message"))


class _Sqs:
    """The queue, polled as Lambda does."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = AwsClient("sqs")

    def receive(self) -> list[dict[str, Any]]:
        """Up to ten messages."""
        asked = {"QueueUrl": self._url, "MaxNumberOfMessages": _AT_ONCE, "WaitTimeSeconds": _SQS_WAITS}
        found = self._client.call("ReceiveMessage", asked).get("Messages") or []
        return [
            {
                "messageId": one["MessageId"],
                "receiptHandle": one["ReceiptHandle"],
                "body": one["Body"],
                "attributes": {},
            }
            for one in found
        ]

    def done(self, records: list[dict[str, Any]]) -> None:
        """Take them off."""
        entries = [{"Id": str(n), "ReceiptHandle": one["receiptHandle"]} for n, one in enumerate(records)]
        self._client.call("DeleteMessageBatch", {"QueueUrl": self._url, "Entries": entries})


class _Local:
    """A queue of this machine, which costs next to nothing."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self._number = 0

    def receive(self) -> list[dict[str, Any]]:
        """Up to ten messages."""
        records: list[dict[str, Any]] = []
        try:
            while len(records) < _AT_ONCE:
                body = self._queue.get(timeout=0 if records else 0.2)
                self._number += 1
                records.append({"messageId": str(self._number), "body": body, "attributes": {}})
        except queues.Empty:
            pass
        return records

    def done(self, records: list[dict[str, Any]]) -> None:
        """They are off it already."""
