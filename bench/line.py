"""The line of webhooks for benchmarks: fan-out and dispatcher as in sandboxes, on stores and queues of a run's own."""

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import msgspec
import psycopg

from bench.world import World, queue, wire_function
from local.stack import Stack
from shared.webhooks.model import Algorithm, Endpoint, EndpointId, Filters, KeyId, Manner, SigningKey
from shared.webhooks.repository.endpoints import EndpointRepository
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext, from_message
from tenant_context.events import Event

SECRET = bytes(range(32))
LOOPBACK = "127.0.0.0/8,::1/128"
EVENT = "campaign.launched"
_TENANT = """
    INSERT INTO tenants (tenant_id, slug, name, plan, status, created_at, updated_at)
    VALUES (%(tenant)s, %(tenant)s, 'One of many', 'enterprise', 'active', now(), now())"""


@contextmanager
def indexed_table(stack: Stack) -> Iterator[str]:
    """An empty table of DynamoDB with the index of deliveries, by its name; gone when the block ends."""
    client = stack.client("dynamodb")
    name = f"bench-{uuid7().hex}"
    keys = ("pk", "sk", "gsi1pk", "gsi1sk")
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=_schema("pk", "sk"),
        GlobalSecondaryIndexes=[
            {"IndexName": "gsi1", "KeySchema": _schema("gsi1pk", "gsi1sk"), "Projection": {"ProjectionType": "ALL"}}
        ],
    )
    yield name
    client.delete_table(TableName=name)


def _schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


@dataclass(frozen=True)
class Line:
    """A line: `environment` makes as many sandboxes of it as are wanted."""

    place: World
    environment: Mapping[str, str]

    @property
    def deliveries(self) -> str:
        """The queue between the two, by its address."""
        return self.environment["RMAP_QUEUE_DELIVERIES"]

    def fanout(self) -> ModuleType:
        """A sandbox of the fan-out."""
        return wire_function("webhooks_fanout", self.environment)

    def dispatcher(self, trust: ssl.SSLContext | None = None) -> ModuleType:
        """A sandbox of the dispatcher; it trusts the certificates of this run."""
        module = wire_function("webhooks_dispatcher", self.environment)
        if trust is not None:
            module.receivers.means.tls = trust
        return module

    def tenants(self, count: int) -> list[TenantContext]:
        """New tenants: one that has more events than its share of the queue waits for itself."""
        made = [uuid7() for _ in range(count)]
        stack = self.place.stack
        with psycopg.connect(stack.database_admin_url, dbname=self.place.address.name, autocommit=True) as admin:
            for one in made:
                admin.execute(_TENANT, {"tenant": one})
        return [from_message(one, "bench") for one in made]

    def endpoints(self, urls: Sequence[tuple[TenantContext, str]]) -> None:
        """An endpoint of each tenant that asks for every event and needs no proof."""
        dispatcher, database = self.dispatcher(), self.fanout().fanout._database  # noqa: SLF001  white box
        for tenant, url in urls:
            made, now = EndpointId(uuid7()), utc_now()
            sealed = dispatcher.keys.seal(tenant, made, SECRET)
            endpoint = Endpoint(
                id=made,
                url=url,
                description="",
                filters=Filters(("*",)),
                manner=Manner(),
                headers={},
                keys=(SigningKey(KeyId(uuid7()), Algorithm.HMAC, sealed, now),),
                disabled=None,
                must_prove=False,
                version=1,
                created_at=now,
                updated_at=now,
            )
            with database.transaction(tenant) as tx:
                EndpointRepository().insert(tx, endpoint)
        database.close()


@contextmanager
def line(place: World) -> Iterator[Line]:
    """A line for as long as the block lasts."""
    with ExitStack() as kept:
        made = kept.enter_context(indexed_table(place.stack))
        yield Line(
            place,
            place.environment()
            | {
                "RMAP_BUS": "nobody listens",
                "RMAP_PUBLIC_URL": "https://api.example.com",
                "RMAP_FIELD_KEY": place.stack.client("kms").create_key()["KeyMetadata"]["KeyId"],
                "RMAP_TABLE_DATA_KEYS": made,
                "RMAP_TABLE_DELIVERIES": made,
                "RMAP_TABLE_REVOCATIONS": made,
                "RMAP_QUEUE_DELIVERIES": kept.enter_context(queue(place.stack)),
                "RMAP_QUEUE_SLOW_DELIVERIES": kept.enter_context(queue(place.stack)),
                "RMAP_QUEUE_USAGE": kept.enter_context(queue(place.stack)),
                "RMAP_QUEUE_MAILS": kept.enter_context(queue(place.stack)),
                "RMAP_QUEUE_WEBHOOK_EVENTS": kept.enter_context(queue(place.stack)),
                "RMAP_OUTBOUND_ALLOW": LOOPBACK,
            },
        )


def bus_event(tenant: TenantContext) -> tuple[str, dict[str, Any]]:
    """An event as the queue of the fan-out gives it to the function, and its id."""
    campaign = uuid7()
    event = Event(EVENT, f"campaign/{campaign}", {"id": str(campaign), "name": "x" * 400})
    envelope = event.envelope(tenant.tenant, utc_now())
    body = msgspec.json.encode({"detail-type": EVENT, "detail": envelope}).decode()
    return str(event.id), {"Records": [{"messageId": str(event.id), "body": body, "attributes": {}}]}
