"""The requests that have budgets, sent through the real handlers; what each one costs when it is sent warm."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from time import sleep
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import psycopg

from bench.contestants import WrongAnswerError
from bench.harness.wire import Traffic, Wire, wire
from bench.world import FAST, World, http_event, table, token, wire_function, world
from tenant_context import revocations
from tenant_context.api_keys import key_hash, make_key
from tenant_context.aws import AwsClient
from tenant_context.clock import rfc3339, utc_now, uuid7
from tenant_context.dynamo_values import encode
from tenant_context.plans import USUAL
from tenant_context.secrets import secret


@dataclass(frozen=True)
class Count:
    """What one warm request costs: statements (BEGIN and COMMIT among them), waits for PostgreSQL, AWS calls."""

    statements: int
    round_trips: int
    aws_calls: int = 0


Handler = Callable[[Mapping[str, Any], object], dict[str, Any]]
_GOOD = range(200, 300)


class Calls:
    """Counts calls to AWS services by everyone in this process."""

    def __init__(self) -> None:
        self.made = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count for as long as the block lasts."""
        real = AwsClient._send  # noqa: SLF001  every way to call

        def send(client: AwsClient, operation: str, payload: Mapping[str, Any], attempts: int) -> dict[str, Any]:
            self.made += 1
            return real(client, operation, payload, attempts)

        with patch.object(AwsClient, "_send", send):
            yield


class Desk:
    """Sends requests as the owner of the first tenant, and as one of its devices."""

    def __init__(self, place: World, names: Mapping[str, str]) -> None:
        environment = place.environment()
        environment |= {f"RMAP_{name}": value for name, value in names.items() if name != "BUS"}
        self._place = place
        self.campaigns = wire_function("campaigns", environment)
        self.sites = wire_function("sites", environment)
        self.analytics = wire_function("analytics", environment)
        self.ingest = wire_function("sensors_ingest", environment)
        self.telling = wire_function("campaigns", environment | {"RMAP_BUS": names["BUS"]})
        self.key = make_key("bench")

    def send(
        self, handler: Handler, method: str, path: str, body: object = None, *, query: str = "", **headers: str
    ) -> dict[str, Any]:
        """One request; answers the parsed body."""
        sent = {"authorization": f"Bearer {self._place.token}", "content-type": "application/json", **headers}
        text = "" if body is None else json.dumps(body)
        answer = handler(http_event(method, path, query=query, headers=sent, body=text), None)
        if answer["statusCode"] not in _GOOD:
            raise WrongAnswerError(f"{method} {path}: {answer['body']}")
        parsed: dict[str, Any] = json.loads(answer["body"])
        return parsed

    def create(self, sites: list[str]) -> UUID:
        """A campaign under an Idempotency-Key of its own."""
        body = {"name": "Spring offer", "budget": "1250.00", "site_ids": sites}
        made = self.send(self.campaigns.handler, "POST", "/api/v1/campaigns", body, **{"idempotency-key": uuid4().hex})
        return UUID(made["id"])

    def launch(self, handler: Handler, campaign: UUID) -> None:
        """Launch a draft."""
        self.send(handler, "POST", f"/api/v1/campaigns/{campaign}/launch")

    def close(self) -> None:
        """Let go of the database."""
        for module in (self.campaigns, self.sites, self.analytics, self.telling):
            module.database.close()


def costs() -> dict[str, Count]:
    """Every request's cost, by its name in the budgets."""
    calls = Calls()
    with (
        world(campaigns=30) as place,
        # Read once in three seconds, whatever the number of requests: no part of what one of them costs.
        patch.object(revocations, "_PAUSE_SECONDS", inf),
        _resources(place) as names,
        calls.counting(),
        wire(place.address.host, place.address.port) as way,
        closing(Desk(place.through(way.port), names)) as desk,
    ):
        _admit(place, desk, names)
        return {name: _cost(way, calls, request) for name, request in _requests(place, desk).items()}


def _cost(way: Wire, calls: Calls, request: Iterator[None]) -> Count:
    """A request is an iterator: everything before its last step is preparation."""
    next(request)
    way.traffic, calls.made = Traffic(), 0
    for _ in request:
        pass
    return Count(way.traffic.statements, way.traffic.round_trips, calls.made)


def _requests(place: World, desk: Desk) -> dict[str, Iterator[None]]:
    campaigns, sites, stores = desk.campaigns.handler, desk.sites.handler, _sites(place)
    now = utc_now()
    span = f"metric=footfall&granularity=hour&from={rfc3339(now - timedelta(days=1))}&to={rfc3339(now)}"

    def twice(work: Callable[[], object]) -> Iterator[None]:
        work()
        yield
        work()

    def launched(handler: Handler) -> Iterator[None]:
        desk.launch(handler, desk.create([]))
        draft = desk.create([])
        yield
        desk.launch(handler, draft)

    def new_site() -> object:
        body = {"name": "Store", "code": uuid4().hex[:12], "time_zone": "Europe/Berlin"}
        return desk.send(sites, "POST", "/api/v1/sites", body)

    usual = token(place.ring, uuid7(), uuid7(), USUAL.rate)

    def hundred_lists() -> None:
        for _ in range(100):
            sleep(0.01)  # starter's rate
            desk.send(campaigns, "GET", "/api/v1/campaigns", query="limit=20", authorization=f"Bearer {usual}")

    known = desk.create([])
    return {
        "list campaigns": twice(lambda: desk.send(campaigns, "GET", "/api/v1/campaigns", query="limit=20")),
        "a hundred lists for a tenant on starter": twice(hundred_lists),
        "read a campaign": twice(lambda: desk.send(campaigns, "GET", f"/api/v1/campaigns/{known}")),
        "create a campaign, idempotently": twice(lambda: desk.create([])),
        "create a campaign at two stores": twice(lambda: desk.create(stores)),
        "launch a campaign": launched(campaigns),
        "launch a campaign and tell the bus": launched(desk.telling.handler),
        "list sites": twice(lambda: desk.send(sites, "GET", "/api/v1/sites")),
        "create a site": twice(new_site),
        "read a metric of a site": twice(
            lambda: desk.send(desk.analytics.handler, "GET", f"/api/v1/sites/{stores[0]}/metrics", query=span)
        ),
        "push counts": twice(lambda: _push(desk)),
    }


def _push(desk: Desk) -> None:
    start = utc_now().replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
    counts = [
        {
            "sensor": "door",
            "start": rfc3339(start + timedelta(minutes=15 * step)),
            "end": rfc3339(start + timedelta(minutes=15 * (step + 1))),
            "entries": step,
            "exits": step,
        }
        for step in range(50)
    ]
    key = {"x-api-key": desk.key.text}
    receipt = desk.send(desk.ingest.handler, "POST", "/api/v1/ingest/counts", {"counts": counts}, **key)
    if receipt["accepted"] != len(counts):
        raise WrongAnswerError(f"the push was not taken: {receipt}")


def _admit(place: World, desk: Desk, names: Mapping[str, str]) -> None:
    """Give a device of the tenant its key, and list its sensor."""
    client = place.stack.client("dynamodb")
    item = {
        "pk": {"S": f"key#{desk.key.prefix}"},
        "sk": {"S": "key"},
        "tenant": {"S": str(place.tenant)},
        "digest": {"S": key_hash(desk.key.text, secret("rmap/local/pepper"))},
        "scopes": {"L": [{"S": "ingest.write"}]},
        "rate": encode(FAST.claim()),
    }
    client.put_item(TableName=names["TABLE_API_KEYS"], Item=item)
    sensor = {"pk": {"S": f"tenant#{place.tenant}#sensors"}, "sk": {"S": "door"}, "id": {"S": str(uuid4())}}
    client.put_item(TableName=names["TABLE_DEVICES"], Item=sensor)


def _sites(place: World) -> list[str]:
    with psycopg.connect(place.stack.database_admin_url, dbname=place.address.name, autocommit=True) as admin:
        found = admin.execute("SELECT id FROM sites WHERE tenant_id = %s ORDER BY id", (place.tenant,)).fetchall()
    return [str(site) for (site,) in found]


@contextmanager
def _resources(place: World) -> Iterator[dict[str, str]]:
    """Tables, queues and a bus of this run, by the names of their variables."""
    mark = uuid4().hex[:12]
    sqs, events = place.stack.client("sqs"), place.stack.client("events")
    queues = {
        f"QUEUE_{name}": str(sqs.create_queue(QueueName=f"bench-{mark}-{name.lower()}")["QueueUrl"])
        for name in ("COUNTS", "TRANSACTIONS")
    }
    bus = f"bench-{mark}"
    events.create_event_bus(Name=bus)
    try:
        with (
            table(place.stack) as keys,
            table(place.stack) as devices,
            table(place.stack) as rates,
            table(place.stack) as answers,
        ):
            yield {
                "TABLE_ANSWERS": answers,
                "TABLE_API_KEYS": keys,
                "TABLE_DEVICES": devices,
                "TABLE_RATES": rates,
                **queues,
                "BUS": bus,
            }
    finally:
        events.delete_event_bus(Name=bus)
        for url in queues.values():
            sqs.delete_queue(QueueUrl=url)
