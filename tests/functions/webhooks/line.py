"""The webhook line as it stands in the cloud: each function loaded as Lambda would, on real stores of its own."""

import base64
import importlib
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local.stack import Stack
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext
from tenant_context.events import Event
from tenant_context.postgres import Database
from tests.conftest import Clone

EVENTS = Path(__file__).parents[3] / "events"
ISSUER = "https://api.test.example"


@dataclass(frozen=True)
class Context:
    """The part of Lambda's context that functions read."""

    aws_request_id: str = "test-invocation"


@dataclass(frozen=True)
class Answer:
    """What the API said."""

    status: int
    headers: Mapping[str, str]
    json: Any


class Resources:
    """A table, two queues and a bus of one test's own, and the rule that feeds the first queue."""

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
            answer = self._sqs.receive_message(
                QueueUrl=queue, MaxNumberOfMessages=10, AttributeNames=["ApproximateReceiveCount"]
            )
            if messages := answer.get("Messages", []):
                return [_record(message) for message in messages]
            if time.monotonic() >= deadline:
                return []
            time.sleep(0.05)

    def done(self, queue: str, record: Mapping[str, Any]) -> None:
        """Take a message off its queue."""
        self._sqs.delete_message(QueueUrl=queue, ReceiptHandle=record["receiptHandle"])

    def remove(self) -> None:
        """Take everything down."""
        self._events.remove_targets(Rule=self._rule, EventBusName=self.bus, Ids=["queue"])
        self._events.delete_rule(Name=self._rule, EventBusName=self.bus)
        self._events.delete_event_bus(Name=self.bus)
        for queue in (self.events, self.deliveries):
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


@dataclass(frozen=True)
class Keys:
    """KMS keys of the whole run: one that seals secrets, one that signs tokens."""

    kms: Any
    field: str
    signing: str

    def token(self, tenant: TenantContext) -> str:
        """An access token of a tenant's user."""
        now = int(time.time())
        claims = {
            "sub": str(tenant.user),
            "tid": str(tenant.tenant),
            "role": tenant.role,
            "permissions": sorted(tenant.permissions),
            "sid": tenant.session,
            "iss": ISSUER,
            "aud": "rmap",
            "iat": now,
            "exp": now + 900,
            "jti": str(uuid7()),
        }
        signed = f"{_part({'alg': 'RS256', 'typ': 'JWT', 'kid': self.signing})}.{_part(claims)}"
        answer = self.kms.sign(
            KeyId=self.signing, Message=signed.encode(), MessageType="RAW", SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256"
        )
        return f"{signed}.{_text(answer['Signature'])}"


def _part(content: Mapping[str, Any]) -> str:
    return _text(json.dumps(content).encode())


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@dataclass
class Receiver:
    """A tenant's own system: keeps what it gets and answers with the next of `answers`, else 200."""

    received: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.received.append(
                    (self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                )
                status, headers = receiver.answers.pop(0) if receiver.answers else (200, {})
                self.send_response(status)
                for name, value in {"content-length": "2", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]


class Line:
    """The four functions, wired to one test's stores."""

    def __init__(self, clone: Clone, resources: Resources, keys: Keys, patch: pytest.MonkeyPatch) -> None:
        self.resources = resources
        self._keys = keys
        self._coming = 0
        """Events on their way to the fan-out: every change through the API emits one."""
        found = clone.settings()
        environment = {
            "RMAP_STAGE": "test",
            "RMAP_DATABASE_HOST": found.host,
            "RMAP_DATABASE_PORT": str(found.port),
            "RMAP_DATABASE_NAME": found.name,
            "RMAP_DATABASE_USER": found.user,
            "RMAP_DATABASE_AUTH": found.auth,
            "RMAP_DATABASE_SECRET": found.secret,
            "RMAP_BUS": resources.bus,
            "RMAP_TABLE_DELIVERIES": resources.table,
            "RMAP_QUEUE_DELIVERIES": resources.deliveries,
            "RMAP_FIELD_KEY": keys.field,
            "RMAP_SIGNING_KEYS": keys.signing,
            "RMAP_ISSUER": ISSUER,
            "RMAP_WEBHOOK_ALLOW": "127.0.0.0/8",
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        self._modules = {
            name: _load(name) for name in ("webhooks_api", "webhooks_fanout", "webhooks_dispatcher", "outbox_relay")
        }
        self.fanout: Handler = self._modules["webhooks_fanout"].handler
        self.dispatcher: Handler = self._modules["webhooks_dispatcher"].handler

    def close(self) -> None:
        """Hang up on the database."""
        for module in self._modules.values():
            if hasattr(module, "database"):
                module.database.close()
        self._modules["webhooks_fanout"].fanout._database.close()

    def api(
        self,
        tenant: TenantContext | None,
        method: str,
        path: str,
        body: object = None,
        **headers: str,
    ) -> Answer:
        """One request below /api/v1; headers with underscores for hyphens."""
        event = json.loads((EVENTS / "webhooks_api" / "create_endpoint.json").read_text())
        address, _, query = f"/api/v1/{path}".partition("?")
        event.update(rawPath=address, rawQueryString=query, body="" if body is None else json.dumps(body))
        event["requestContext"]["http"]["method"] = method
        sent = {"content-type": "application/json"} if body is not None else {}
        if tenant is not None:
            sent["authorization"] = f"Bearer {self._keys.token(tenant)}"
        event["headers"] = sent | {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self._modules["webhooks_api"].handler(event, Context())
        content = json.loads(answer["body"]) if answer["body"] else None
        if method != "GET" and answer["statusCode"] < 300 and "idempotent-replayed" not in answer["headers"]:
            self._coming += 1
        return Answer(answer["statusCode"], answer["headers"], content)

    def endpoint(self, tenant: TenantContext, url: str, *types: str) -> Any:
        """A new endpoint, with its secret."""
        made = self.api(tenant, "POST", "webhooks/endpoints", {"url": url, "event_types": types or ["*"]})
        assert made.status == 201, made
        return made.json

    def sweep(self) -> int:
        """One run of the relay."""
        event = json.loads((EVENTS / "outbox_relay" / "every_minute.json").read_text())
        published = int(self._modules["outbox_relay"].handler(event, Context())["started"])
        self._coming += published
        return published

    def fan_out(self) -> None:
        """Give the events that are coming to the fan-out."""
        deadline = time.monotonic() + 20
        while self._coming > 0:
            self._coming -= self._run(self.resources.events, self.fanout, deadline - time.monotonic())
            assert time.monotonic() < deadline, f"{self._coming} events did not arrive"

    def dispatch(self, *, seconds: float = 0) -> int:
        """Give up to ten waiting deliveries to the dispatcher; answers how many there were."""
        return self._run(self.resources.deliveries, self.dispatcher, seconds)

    def settle(self) -> None:
        """Let events and deliveries flow until none is waiting."""
        self.fan_out()
        while self.dispatch():
            pass

    def _run(self, queue: str, handler: Handler, seconds: float) -> int:
        records = self.resources.receive(queue, seconds=seconds)
        if not records:
            return 0
        failed = {item["itemIdentifier"] for item in handler({"Records": records}, Context())["batchItemFailures"]}
        for record in records:
            if record["messageId"] not in failed:
                self.resources.done(queue, record)
        assert not failed
        return len(records)


def _load(function: str) -> Any:
    """The function's handler module, imported anew so that it reads this test's environment."""
    sys.modules.pop(f"functions.{function}.handler", None)
    return importlib.import_module(f"functions.{function}.handler")


def bus_record(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """A queue record with an event of the bus, like the sample's."""
    event: dict[str, Any] = json.loads((EVENTS / "webhooks_fanout" / "campaign_launched.json").read_text())
    body = json.loads(event["Records"][0]["body"])
    body.update({"detail": envelope, "detail-type": envelope["type"]})
    event["Records"][0]["body"] = json.dumps(body)
    return event


def leave_behind(clone: Clone, tenant: TenantContext, *events: Event, seconds: float = 60) -> None:
    """Commit events so long ago, by a function that died before it could publish them."""
    database = Database(clone.settings(), clock=lambda: utc_now() - timedelta(seconds=seconds))
    with database.transaction(tenant) as tx:
        for event in events:
            tx.emit(event)
    database.close()


def moment(text: str) -> datetime:
    """A moment as the API writes it."""
    return datetime.fromisoformat(text).astimezone(UTC)
