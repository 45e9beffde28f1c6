"""What the line stands on, for one test: a table, queues and a bus of its own, and a receiver."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

from local.stack import Stack


class Resources:
    """A table, queues and a bus of one test's own, and the rule that feeds the first queue."""

    def __init__(self, servers: Stack) -> None:
        self._sqs = servers.client("sqs")
        self._dynamodb = servers.client("dynamodb")
        self._events = servers.client("events")
        suffix = uuid4().hex[:12]
        self.table, self.bus, self._rule = f"deliveries-{suffix}", f"bus-{suffix}", f"rule-{suffix}"
        self._dynamodb.create_table(
            TableName=self.table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "gsi1pk", "gsi1sk")
            ],
            KeySchema=_key("pk", "sk"),
            GlobalSecondaryIndexes=[
                {"IndexName": "gsi1", "KeySchema": _key("gsi1pk", "gsi1sk"), "Projection": {"ProjectionType": "ALL"}}
            ],
        )
        self.events = self._queue(f"events-{suffix}")
        self.deliveries = self._queue(f"deliveries-{suffix}")
        self.slow = self._queue(f"slow-{suffix}")
        self.usage = self._queue(f"usage-{suffix}")
        self.mails = self._queue(f"mails-{suffix}")
        self._events.create_event_bus(Name=self.bus)
        self._events.put_rule(Name=self._rule, EventBusName=self.bus, EventPattern='{"source":["rmap"]}')
        self._events.put_targets(
            Rule=self._rule, EventBusName=self.bus, Targets=[{"Id": "queue", "Arn": self._arn(self.events)}]
        )

    def _queue(self, name: str) -> str:
        url: str = self._sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "2"})["QueueUrl"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": self._arn(url),
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return url

    def _arn(self, url: str) -> str:
        arn: str = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        return arn

    def receive(self, queue: str, *, seconds: float) -> list[dict[str, Any]]:
        """Up to ten messages as Lambda would be given them; waits so long for the first."""
        deadline = time.monotonic() + seconds
        while True:
            late = time.monotonic() >= deadline  # then this is the last look
            answer = self._sqs.receive_message(
                QueueUrl=queue, MaxNumberOfMessages=10, AttributeNames=["ApproximateReceiveCount"]
            )
            if messages := answer.get("Messages", []):
                return [_record(message) for message in messages]
            if late:
                return []
            time.sleep(0.05)

    def count(self, queue: str) -> int:
        """How many messages it holds, those that are held back included."""
        kinds = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]
        told = self._sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=kinds)["Attributes"]
        return sum(int(told[kind]) for kind in kinds)

    def hide(self, queue: str, *, seconds: int) -> None:
        """Have a message that is being worked on come back after so long."""
        self._sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": str(seconds)})

    def done(self, queue: str, record: Mapping[str, Any]) -> None:
        """Take a message off its queue, unless its time was over and somebody else has it by now."""
        with suppress(self._sqs.exceptions.ReceiptHandleIsInvalid):
            self._sqs.delete_message(QueueUrl=queue, ReceiptHandle=record["receiptHandle"])

    def remove(self) -> None:
        """Take everything down."""
        self._events.remove_targets(Rule=self._rule, EventBusName=self.bus, Ids=["queue"])
        self._events.delete_rule(Name=self._rule, EventBusName=self.bus)
        self._events.delete_event_bus(Name=self.bus)
        for queue in (self.events, self.deliveries, self.usage, self.mails):
            self._sqs.delete_queue(QueueUrl=queue)
        self._dynamodb.delete_table(TableName=self.table)
        for client in (self._sqs, self._dynamodb, self._events):
            client.close()


def _key(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


def _record(message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "eventSource": "aws:sqs",
    }


@dataclass
class Receiver:
    """A tenant's own system: keeps what it gets and answers with the next of `answers`, else 200.

    A challenge is answered as asked, with 200 and the challenge, unless `answers_challenges` says what else.
    """

    received: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    challenges: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers_challenges: Callable[[str], tuple[int, bytes]] = lambda challenge: (200, challenge.encode())

    def __post_init__(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                got = (self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                said = json.loads(body)
                if said["type"] == "webhook.verification":
                    receiver.challenges.append(got)
                    status, answer = receiver.answers_challenges(said["data"]["challenge"])
                    self._say(status, {}, answer)
                else:
                    receiver.before()
                    receiver.received.append(got)
                    status, headers = receiver.answers.pop(0) if receiver.answers else (200, {})
                    self._say(status, headers, b"ok")

            def _say(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in {"content-length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket.listen(128)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def before(self) -> None:
        """An event has come and is not taken yet."""

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class Slow(Receiver):
    """Answers when it is told to; knows how many calls it had at once."""

    def __post_init__(self) -> None:
        self.go, self.at_once, self.most, self._lock = threading.Event(), 0, 0, threading.Lock()
        super().__post_init__()

    def before(self) -> None:
        """A call has come."""
        with self._lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        self.go.wait(20)
        with self._lock:
            self.at_once -= 1
