"""The webhook line as it stands in the cloud: each function loaded as Lambda would, on real stores of its own."""

import base64
import importlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from local.rings import publish
from shared.events.rules.catalogue import BY_NAME
from shared.webhooks.model import Proof
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table, TenantTable
from tenant_context.events import Event
from tenant_context.kernel import Kernel
from tenant_context.postgres import Database
from tests.conftest import Clone
from tests.functions.webhooks.stores import Resources

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
            "nbf": now,
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


Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]


class Line:
    """The five functions, wired to one test's stores."""

    def __init__(self, clone: Clone, resources: Resources, keys: Keys, patch: pytest.MonkeyPatch) -> None:
        self.resources = resources
        self._clone = clone
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
            "RMAP_TABLE_DATA_KEYS": resources.table,
            "RMAP_QUEUE_DELIVERIES": resources.deliveries,
            "RMAP_QUEUE_SLOW_DELIVERIES": resources.slow,
            "RMAP_QUEUE_WEBHOOK_EVENTS": resources.events,
            "RMAP_QUEUE_USAGE": resources.usage,
            "RMAP_QUEUE_MAILS": resources.mails,
            "RMAP_PUBLIC_URL": ISSUER,
            "RMAP_FIELD_KEY": keys.field,
            "RMAP_TABLE_SIGNING_KEYS": resources.table,
            "RMAP_TABLE_REVOCATIONS": resources.table,
            "RMAP_TABLE_API_KEYS": resources.table,
            "RMAP_PEPPER_SECRET": "rmap/local/pepper",
            "RMAP_ISSUER": ISSUER,
            "RMAP_OUTBOUND_ALLOW": "127.0.0.0/8",
            "RMAP_OWN_ADDRESSES": f"{ISSUER},shops.test.example",
        }
        publish(Table(resources.table), keys.kms, keys.signing)
        for name, value in environment.items():
            patch.setenv(name, value)
        self.moved = timedelta(0)
        """How far the clock of what sends is ahead."""
        self._modules = {name: _load(name) for name in ("webhooks_api", "webhooks_fanout", "outbox_relay")}
        patch.setitem(Kernel.__init__.__kwdefaults__ or {}, "clock", lambda: utc_now() + self.moved)
        self._modules |= {name: _load(name) for name in ("webhooks_dispatcher", "webhooks_sweeper")}
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
        if answer.get("isBase64Encoded"):
            lines = base64.b64decode(answer["body"]).decode().splitlines()
            return Answer(answer["statusCode"], answer["headers"], [json.loads(one) for one in lines])
        content = json.loads(answer["body"]) if answer["body"] else None
        quiet = address.endswith(("/skip", "/resend", "/recover"))
        if (
            method != "GET"
            and not quiet
            and answer["statusCode"] < 300
            and "idempotent-replayed" not in answer["headers"]
        ):
            self._coming += 1
        return Answer(answer["statusCode"], answer["headers"], content)

    def lines(self, tenant: TenantContext, path: str) -> tuple[list[Any], Mapping[str, str]]:
        """What an address answers as JSON Lines, and its headers."""
        answer = self.api(tenant, "GET", path)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
        return answer.json, answer.headers

    def endpoint(self, tenant: TenantContext, url: str, *types: str, proved: bool = True, **more: Any) -> Any:
        """A new endpoint, with its secret; its URL counts as verified, unless that is what a test is about."""
        made = self.api(tenant, "POST", "webhooks/endpoints", {"url": url, "event_types": types or ["*"], **more})
        assert made.status == 201, made
        if proved:
            self.prove(tenant, made.json["id"])
        return made.json

    def admin(self) -> Any:
        """A connection to the test's database that may everything."""
        return self._clone.connect()

    def campaign(self, tenant: TenantContext, campaign: UUID | None = None) -> str:
        """A campaign that filters may name."""
        made = campaign or uuid7()
        with self.admin() as admin:
            admin.execute(
                "INSERT INTO campaigns (tenant_id, id, name, type, status, budget, currency, created_by, created_at,"
                " updated_at) VALUES (%s, %s, 'Spring', 'in_store', 'draft', 1, 'EUR', %s, now(), now())",
                (tenant.tenant, made, tenant.user),
            )
        return str(made)

    def place(self, tenant: TenantContext) -> str:
        """A store that filters may name."""
        made = uuid7()
        with self.admin() as admin:
            admin.execute(
                "INSERT INTO sites (tenant_id, id, name, code, time_zone, created_at, updated_at)"
                " VALUES (%s, %s, 'Store', %s, 'UTC', now(), now())",
                (tenant.tenant, made, made.hex),
            )
        return str(made)

    def prove(self, tenant: TenantContext, endpoint: str) -> None:
        """Take an endpoint's URL for verified, as if it had answered its challenge."""
        stores = self._modules["webhooks_api"].stores
        found = stores.endpoints.show(stores.database, tenant, endpoint)
        stores.targets.put(tenant, found)
        target = stores.targets.find(tenant, found.id)
        stores.targets.mark_challenged(tenant, target, Proof.VERIFIED, "", utc_now())

    def target(self, tenant: TenantContext, endpoint: str) -> Any:
        """An endpoint as the dispatcher sees it."""
        return self._modules["webhooks_api"].stores.targets.find(tenant, endpoint)

    def ends(self, tenant: TenantContext, message_id: str) -> list[int]:
        """When each item of a message ends."""
        table = TenantTable(Table(self.resources.table), tenant)
        return [int(item["expires_at"]) for item in table.query(f"message#{message_id}")[0]]

    def sweep(self) -> int:
        """One run of the relay."""
        event = json.loads((EVENTS / "outbox_relay" / "every_minute.json").read_text())
        published = int(self._modules["outbox_relay"].handler(event, Context())["started"])
        self._coming += published
        return published

    def forward(self, **time: float) -> None:
        """Let time pass for the dispatcher and the sweep, as the words of `timedelta` say."""
        self.moved += timedelta(**time)

    def sweep_due(self) -> int:
        """One run of the sweep of what is due; answers how much it queued."""
        event = json.loads((EVENTS / "webhooks_sweeper" / "every_minute.json").read_text())
        return int(self._modules["webhooks_sweeper"].handler(event, Context())["started"])

    def restart(self, function: str) -> None:
        """A sandbox of what sends is gone, and another one begins."""
        self._modules[function] = _load(function)
        self.dispatcher = self._modules["webhooks_dispatcher"].handler

    def expect(self, events: int) -> None:
        """So many events were published by something else than the API."""
        self._coming += events

    def module(self, function: str) -> Any:
        """A function's handler module."""
        return self._modules[function]

    def fan_out(self) -> None:
        """Give the events that are coming to the fan-out."""
        deadline = time.monotonic() + 20
        while self._coming > 0:
            self._coming -= self._run(self.resources.events, self.fanout, deadline - time.monotonic())
            assert time.monotonic() < deadline, f"{self._coming} events did not arrive"

    def dispatch(self, *, seconds: float = 0) -> int:
        """Give up to ten waiting deliveries, or calls that may last, to the dispatcher; answers how many there were."""
        deadline = time.monotonic() + seconds
        while True:
            late = time.monotonic() >= deadline  # then this is the last look
            for queue in (self.resources.deliveries, self.resources.slow):
                if found := self._run(queue, self.dispatcher, 0):
                    return found
            if late:
                return 0
            time.sleep(0.05)

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


def campaign_event(kind: str, **data: Any) -> Event:
    """An event of a campaign of its own."""
    campaign = uuid7()
    return Event(kind, f"campaign/{campaign}", {**BY_NAME[kind].example, "id": str(campaign), **data})


def launched(tenant: TenantContext) -> dict[str, Any]:
    """The envelope of an event as the bus carries it."""
    event = campaign_event("campaign.launched")
    return event.envelope(tenant.tenant, datetime.now(UTC))


def fan_out(line: Line, envelope: Mapping[str, Any]) -> None:
    """Give one event to the fan-out, as the bus would."""
    assert line.fanout(bus_record(envelope), Context()) == {"batchItemFailures": []}


def message(line: Line, tenant: TenantContext, envelope: Mapping[str, Any]) -> Any:
    """A message of a tenant as the API shows it."""
    answer = line.api(tenant, "GET", f"webhooks/messages/{envelope['id']}")
    assert answer.status == 200, answer
    return answer.json
