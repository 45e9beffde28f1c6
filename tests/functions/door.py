"""The door of devices with everything behind it replaced by memory: a queue, a directory, a key that everybody has."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec

from functions.sensors_ingest.routes import Door, routes
from shared.sensors.gateway import BatchQueue
from shared.sensors.service import Ingest
from shared.sites.model import Known, Profile, Setup
from shared.vendors.service import Vendors
from tenant_context.aws import AwsError
from tenant_context.clock import uuid7
from tenant_context.context import Source, TenantContext, from_credentials
from tenant_context.entry.http import HttpEntry
from tenant_context.entry.queue import Message
from tenant_context.errors import Unauthenticated
from tenant_context.observability import Observability
from tenant_context.plans import Rate
from tenant_context.queues import Queue
from tenant_context.rate import RateLimiter
from tenant_context.refusals import RowsOfDayTaken
from tenant_context.routing import Proof

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
COUNTS, VENDORS = "/api/v1/ingest/counts", "/api/v1/ingest/vendors"
OWN: dict[str, Any] = {
    "sensor": "door", "start": "2026-03-02T09:00:00Z", "end": "2026-03-02T09:15:00Z", "entries": 3, "exits": 2,
}  # fmt: skip


class Kept(Queue):
    """A queue that keeps what it is sent, or fails when told to."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.failing = False

    def send(self, messages: Any, *, delay_seconds: int = 0) -> None:
        """Keep them."""
        del delay_seconds
        if self.failing:
            raise AwsError("InternalFailure", "down", 500)
        self.messages += messages


class Holder:
    """Proves anybody as a device of one tenant."""

    def __init__(self) -> None:
        self.tenant = uuid4()

    def prove(self, credential: str, request_id: str, address: str = "") -> TenantContext:
        """The device."""
        del address
        if credential != "k":
            raise Unauthenticated
        found = from_credentials(self.tenant, uuid4(), Source.KEY, request_id)
        return replace(found, permissions=frozenset({"ingest.write"}), rate=Rate(10**6, 10**6, None))


@dataclass
class World:
    """The function, its queue and the sensors that there are."""

    sensors: dict[str, Known] = field(default_factory=dict)
    sites: dict[str, UUID] = field(default_factory=dict)
    queue: Kept = field(default_factory=Kept)
    tills: Kept = field(default_factory=Kept)
    rows_left: int = 10**9

    def __post_init__(self) -> None:
        ingest = Ingest(
            self.find, self.look, BatchQueue(self.queue, "counts"), BatchQueue(self.tills, "transactions"),
            lambda: NOW, uuid7, rows=self,
        )  # fmt: skip
        self.entry = HttpEntry(
            routes,
            Door(ingest, Vendors(ingest, self.look)),
            observability=Observability("door"),
            limiter=RateLimiter(lambda: NOW),
            clock=lambda: NOW,
            provers={Proof.KEY: Holder()},
        )

    def take(self, tenant: UUID, limit: int | None, rows: int) -> dict[str, str]:
        """Count a push's rows against what is left of the day; None: no limit."""
        del tenant, limit
        if rows > self.rows_left:
            raise RowsOfDayTaken(self.rows_left, 0, NOW + timedelta(hours=12), NOW.timestamp())
        self.rows_left -= rows
        return {"ratelimit": f'"rows";r={self.rows_left}'}

    def give_back(self, tenant: UUID, rows: int) -> None:
        """What was not kept after all."""
        del tenant
        self.rows_left += rows

    def find(self, tenant: TenantContext, kind: str, references: set[str]) -> dict[str, UUID]:
        """The sites that there are of those."""
        del tenant, kind
        return {name: self.sites[name] for name in references & self.sites.keys()}

    def look(self, tenant: TenantContext, references: set[str]) -> dict[str, Known]:
        """The sensors that there are of those."""
        del tenant
        return {name: self.sensors[name] for name in references & self.sensors.keys()}

    def add(self, *names: str, zone: str = "Europe/Berlin", setup: Setup | None = None) -> UUID:
        """A sensor, by its names."""
        known = Known(uuid4(), Profile(zone, 15, setup or Setup()))
        self.sensors |= dict.fromkeys(names, known)
        return known.id

    def post(
        self, path: str, body: object, content_type: str = "application/json", query: str = "", **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Status and answer."""
        raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        event: Mapping[str, Any] = {
            "rawPath": path,
            "rawQueryString": query,
            "headers": {"x-api-key": "k", "content-type": content_type, **headers},
            "requestContext": {"http": {"method": "POST", "sourceIp": "192.0.2.1"}, "requestId": "r"},
            "body": base64.b64encode(raw).decode(),
            "isBase64Encoded": True,
        }
        answer = self.entry(event, None)
        return answer["statusCode"], json.loads(answer["body"])

    def rows(self) -> list[list[Any]]:
        """What was queued, in the queue's form."""
        return [msgspec.json.decode(row) for message in self.queue.messages for row in message.data["rows"]]
