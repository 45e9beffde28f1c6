"""One campaign created with an Idempotency-Key, its outbox row and its audit entry."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import uuid4

import psycopg

from bench.contestants import Ours, Peer, asgi_request
from bench.harness.cpu import metered, repeated
from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Figures, Row, compete
from bench.harness.wire import counted, wire
from bench.world import World, http_event, silence, world
from tenant_context.clock import uuid7

_PATH = "/api/v1/campaigns"
_BODY = json.dumps({"name": "Spring offer", "type": "in_store", "budget": "1250.00", "currency": "EUR"})
_CREATED = 201
_COLUMNS = (
    Column("client_us", "client µs"),
    Column("database_us", "database µs"),
    Column("cpu_us", "together µs"),
    Column("wall_us", "wall µs"),
    Column("statements", "statements"),
    Column("round_trips", "round trips"),
)

_CAMPAIGN: LiteralString = """
    INSERT INTO campaigns (tenant_id, id, name, type, status, budget, currency, version, created_by, created_at,
                           updated_at)
    VALUES (%(tenant)s, %(id)s, 'Spring offer', 'in_store', 'draft', 1250.00, 'EUR', 1, %(user)s, %(at)s, %(at)s)"""
_AUDIT: LiteralString = """
    WITH audited AS (
        INSERT INTO audit_log (tenant_id, id, at, actor, action, subject, request_id, details)
        VALUES (%(tenant)s, %(id)s, %(at)s, 'user:limit', 'campaign.created', 'campaign', 'limit', %(data)s))
    INSERT INTO outbox (tenant_id, id, type, subject, data, created_at)
    VALUES (%(tenant)s, %(id)s, 'campaign.created', 'campaign', %(data)s, %(at)s)"""
_KEY: LiteralString = """
    INSERT INTO idempotency_keys (tenant_id, actor, key, request_hash, status, headers, body, created_at)
    VALUES (%(tenant)s, 'user:limit', %(key)s, %(hash)s, 201, '{}', %(body)s, %(at)s)"""


class Limit:
    """psycopg alone: the same rows in one pipeline on a ready connection."""

    def __init__(self, place: World) -> None:
        self._connection = psycopg.connect(place.address.conninfo, autocommit=True, prepare_threshold=None)
        self._place = place

    def write(self) -> None:
        """One campaign and what belongs to it."""
        connection, campaign = self._connection, uuid7()
        values: dict[str, Any] = {"tenant": self._place.tenant, "user": self._place.user, "id": campaign}
        values |= {"at": datetime.now(UTC), "data": _BODY, "key": str(campaign), "body": _BODY.encode()}
        values["hash"] = hashlib.sha256(_BODY.encode()).digest()
        with connection.pipeline():
            connection.execute("BEGIN")
            connection.execute("SELECT app.enter(%s, %s, %s)", (self._place.tenant, self._place.user, "limit"))
            for statement in (_CAMPAIGN, _AUDIT, _KEY):
                connection.execute(statement, values)
            connection.execute("COMMIT")

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()


class Writers:
    """The contestants in one world, each ready to create one campaign."""

    def __init__(self, place: World, bus: str) -> None:
        self._place = place
        self.ours, self.peer, self.limit = Ours(place), Peer(place), Limit(place)
        self.publishing = Ours(place, bus=bus)

    def event(self) -> dict[str, Any]:
        """A request with a key of its own."""
        headers = {"authorization": f"Bearer {self._place.token}", "idempotency-key": str(uuid4())}
        return http_event("POST", _PATH, headers={**headers, "content-type": "application/json"}, body=_BODY)

    def by_ours(self) -> None:
        """Through the real handler."""
        self.ours.send(self.event(), _CREATED)

    def by_ours_and_bus(self) -> None:
        """The same, with the event put on the bus and its outbox row marked."""
        self.publishing.send(self.event(), _CREATED)

    def by_peer(self, times: int = 1) -> None:
        """Through the peer."""
        self.peer.send([asgi_request(self.event()) for _ in range(times)], _BODY.encode(), _CREATED)

    def close(self) -> None:
        """Let go of the database."""
        for one in (self.ours, self.publishing, self.peer, self.limit):
            one.close()


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds, times = (3, 50) if quick else (9, 200)
    with world() as place, _bus(place) as bus, silence():
        facts = _counts(place, bus)
        with ExitStack() as stack:
            writers = Writers(place, bus)
            stack.callback(writers.close)
            _same(place, writers)

            def turn(work: Callable[[int], object]) -> Callable[[], Figures]:
                return metered(work, times, backends=place.backends)

            contestants = [
                Contestant("ours", "the real handler, nothing published", turn(repeated(writers.by_ours))),
                Contestant("peer", "FastAPI + SQLAlchemy 2 + PyJWT, nothing published", turn(writers.by_peer)),
                Contestant(
                    "limit", "psycopg alone, the same rows in one pipeline", turn(repeated(writers.limit.write))
                ),
                Contestant("ours and the bus", "PutEvents, then marked", turn(repeated(writers.by_ours_and_bus))),
            ]
            rows = compete(contestants, rounds, facts, tell)
    return Result("write", __doc__ or "", rounds, _COLUMNS, rows, _goals(rows), _NOTES)


@contextmanager
def _bus(place: World) -> Iterator[str]:
    client, name = place.stack.client("events"), f"bench-{uuid4().hex[:12]}"
    client.create_event_bus(Name=name)
    yield name
    client.delete_event_bus(Name=name)


def _counts(place: World, bus: str) -> dict[str, Figures]:
    """Statements and round trips of a warm request."""
    with wire(place.address.host, place.address.port) as way:
        writers = Writers(place.through(way.port), bus)
        try:
            return {
                "ours": counted(way, writers.by_ours),
                "peer": counted(way, writers.by_peer),
                "limit": counted(way, writers.limit.write),
                "ours and the bus": counted(way, writers.by_ours_and_bus),
            }
        finally:
            writers.close()


def _same(place: World, writers: Writers) -> None:
    """Everyone leaves the same rows behind."""
    left = []
    with psycopg.connect(place.stack.database_admin_url, dbname=place.address.name, autocommit=True) as admin:

        def rows() -> list[int]:
            tables: tuple[LiteralString, ...] = ("campaigns", "audit_log", "outbox", "idempotency_keys")
            found = [admin.execute("SELECT count(*) FROM " + table).fetchone() for table in tables]
            return [row[0] for row in found if row]

        for work in (writers.by_ours, writers.by_peer, writers.limit.write):
            before = rows()
            work()
            left.append([after - count for count, after in zip(before, rows(), strict=True)])
    if left != [[1, 1, 1, 1]] * len(left):
        raise AssertionError(f"the contestants do not write the same rows: {left}")


def _goals(rows: list[Row]) -> list[Goal]:
    found = {row.name: row for row in rows}
    trips = found["ours"].facts["round_trips"]
    ratio = found["ours"].median("cpu_us") / found["peer"].median("cpu_us")
    return [
        Goal("a write with idempotency, outbox and audit is one round trip", f"{trips:.0f}", trips == 1),
        Goal("it costs less than the peer's", f"{ratio:.2f} of its client + database CPU", ratio < 1),
    ]


_NOTES = (
    "Everyone leaves the same four rows, and publishes nothing; the test instance does not wait for its disk.",
    "The last row publishes too: one PutEvents to the local endpoint, and the transaction that marks the outbox row.",
    "Statements and round trips are counted on the wire, BEGIN and COMMIT among them.",
)
