"""One authenticated read of a list of 20 campaigns, each at two stores."""

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import psycopg

from bench.contestants import Ours, Peer, asgi_request, served_peer
from bench.harness.cpu import metered, repeated
from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Figures, Row, compete
from bench.harness.wire import counted, wire
from bench.world import World, http_event, silence, world
from shared.campaigns.repository import _PAGE, _campaign
from tenant_context.wire import page_of

_LIMIT = 20
_PATH = "/api/v1/campaigns"
_LEAN = "/lean/campaigns"
_QUERY = f"limit={_LIMIT}"
_COLUMNS = (
    Column("client_us", "client µs"),
    Column("database_us", "database µs"),
    Column("cpu_us", "together µs"),
    Column("wall_us", "wall µs"),
    Column("statements", "statements"),
    Column("round_trips", "round trips"),
)
_MOST = 1 / 4


class Limit:
    """psycopg alone: the same query in one pipeline on a ready connection, its text passed through."""

    def __init__(self, place: World) -> None:
        self._connection = psycopg.connect(place.address.conninfo, autocommit=True, prepare_threshold=None)
        self._tenant = place.tenant
        self._user = place.user

    def read(self) -> bytes:
        """The JSON of the page."""
        connection = self._connection
        with connection.pipeline():
            connection.execute("SELECT app.look(%s, %s, %s)", (self._tenant, self._user, "limit"))
            values = {"tenant": self._tenant, "status": None, "after": None, "limit": _LIMIT + 1}
            cursor = connection.execute(_PAGE, values, binary=True)
        return page_of([_campaign(row) for row in cursor.fetchall()], _LIMIT)

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds, times = (3, 60) if quick else (9, 300)
    with world() as place, silence():
        facts = _counts(place)
        rows = _compete(place, rounds, times, facts, tell)
    return Result("read", __doc__ or "", rounds, _COLUMNS, rows, _goals(rows), _NOTES)


def _compete(
    place: World, rounds: int, times: int, facts: dict[str, Figures], tell: Callable[[str], None]
) -> list[Row]:
    event, lean = _event(place), _event(place, _LEAN)
    ours, peer, limit = Ours(place), Peer(place), Limit(place)
    with ExitStack() as stack:
        for one in (ours, peer, limit):
            stack.callback(one.close)
        served = stack.enter_context(served_peer(place))
        _same(
            ours.send(event),
            peer.send([asgi_request(event)]).decode(),
            peer.send([asgi_request(lean)]).decode(),
            limit.read().decode(),
        )

        def unseen() -> None:
            ours.forget_tokens()
            ours.send(event)

        def in_process(sent: Mapping[str, Any]) -> Callable[[], Figures]:
            return turn(lambda count: peer.send([asgi_request(sent) for _ in range(count)]))

        def turn(work: Callable[[int], object], client: int | None = None) -> Callable[[], Figures]:
            return metered(work, times, backends=place.backends, client=client)

        over_http = repeated(lambda: served.get(f"{_PATH}?{_QUERY}", event["headers"]))
        contestants = [
            Contestant(
                "ours", "the real handler, gateway event in, dict out", turn(repeated(lambda: ours.send(event)))
            ),
            Contestant("ours, token never seen", "every request checks the RS256 signature", turn(repeated(unseen))),
            Contestant("peer", "FastAPI + SQLAlchemy 2 + PyJWT through ASGI, in process", in_process(event)),
            Contestant("peer without ORM entities", "columns, stores in the same statement", in_process(lean)),
            Contestant("peer under uvicorn", "the same over HTTP; the server's time only", turn(over_http, served.pid)),
            Contestant("limit", "psycopg alone, the same query in one pipeline", turn(repeated(limit.read))),
        ]
        return compete(contestants, rounds, facts, tell)


def _event(place: World, path: str = _PATH) -> dict[str, Any]:
    return http_event("GET", path, query=_QUERY, headers={"authorization": f"Bearer {place.token}"})


def _counts(place: World) -> dict[str, Figures]:
    """Statements and round trips of a warm request."""
    event = _event(place)
    with wire(place.address.host, place.address.port) as way, ExitStack() as stack:
        there = place.through(way.port)
        ours, peer, limit = Ours(there), Peer(there), Limit(there)
        for one in (ours, peer, limit):
            stack.callback(one.close)
        found = {
            "ours": counted(way, lambda: ours.send(event)),
            "peer without ORM entities": counted(way, lambda: peer.send([asgi_request(_event(place, _LEAN))])),
            "peer": counted(way, lambda: peer.send([asgi_request(event)])),
            "limit": counted(way, limit.read),
        }
    return found | {"ours, token never seen": found["ours"], "peer under uvicorn": found["peer"]}


def _same(*answers: str) -> None:
    """Everyone shows the same campaigns in the same order."""
    shown = [[(item["id"], item["site_ids"]) for item in json.loads(answer)["items"]] for answer in answers]
    if len(shown[0]) != _LIMIT or any(one != shown[0] for one in shown):
        raise AssertionError("the contestants do not answer the same")


def _goals(rows: list[Row]) -> list[Goal]:
    used = {row.name: row.median("cpu_us") for row in rows}
    ratio = used["ours"] / used["peer"]
    lean, served = used["ours"] / used["peer without ORM entities"], used["ours"] / used["peer under uvicorn"]
    trips = next(row for row in rows if row.name == "ours").facts["round_trips"]
    own = next(row for row in rows if row.name == "ours").median("database_us")
    reason = f"PostgreSQL takes {own:.0f} µs of it: planning anew on each read"
    return [
        Goal(
            "client + database CPU of a read at most 1/4 of the peer's",
            f"{ratio:.2f} in process ({lean:.2f} of the one without ORM entities), {served:.2f} under uvicorn",
            ratio <= _MOST,
            "" if ratio <= _MOST else reason,
        ),
        Goal("a read is one round trip", f"{trips:.0f}", trips == 1),
    ]


_NOTES = (
    "Same rows, row level security, token, permission and JSON log line for everyone but the limit.",
    "Ours also takes a rate token and writes metrics; the peer keeps prepared statements, which RDS Proxy would pin.",
    "Lambda's runtime client and the gateway are in nobody's figures; uvicorn's HTTP parser is in its own.",
    "Statements and round trips are counted on the wire, BEGIN and COMMIT among them.",
)
