"""Stores found by a word and by metadata, in an organization that has 1,000, 10,000 and 100,000 of them."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, LiteralString
from urllib.parse import quote
from uuid import UUID

import psycopg

from bench.harness.cpu import metered, repeated
from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Figures, Row, compete
from bench.world import World, http_event, silence, token, wire_function, world
from tenant_context.clock import uuid7

SIZES = (1_000, 10_000, 100_000)
_PATH = "/api/v1/sites"
_MOST = 1.5
_PER_VALUE = 10
"""Stores that a search finds, however many there are: what is looked for is as rare as a store's street."""
_COLUMNS = (
    Column("client_us", "client µs"),
    Column("database_us", "database µs"),
    Column("cpu_us", "together µs"),
    Column("wall_us", "wall µs"),
)
_TENANT: LiteralString = """
    INSERT INTO tenants (tenant_id, slug, name, plan, created_at, updated_at)
    VALUES (%(tenant)s, %(slug)s, %(slug)s, 'enterprise', now(), now())"""
_STORES: LiteralString = """
    INSERT INTO sites (tenant_id, id, name, code, address, city, time_zone, metadata, latitude, longitude, created_at,
                       updated_at)
    SELECT %(tenant)s, uuidv7(), 'Store ' || n, 'S' || n, 'Straße ' || n / %(share)s, 'City' || n %% 100,
           'Europe/Berlin', jsonb_build_object('format', 'format' || n %% 5, 'street', n / %(share)s),
           47 + random() * 7, 6 + random() * 9, now(), now()
    FROM generate_series(1, %(size)s) n"""
# As row security leaves it to be done: each of the tenant's rows is looked at.
_PLAIN: LiteralString = """
    SELECT row_to_json(s)::text FROM sites s
    WHERE s.tenant_id = %(tenant)s AND s.name || ' ' || s.address ILIKE '%%' || %(word)s || '%%'
          AND s.metadata ->> 'street' = %(word)s
    ORDER BY s.id DESC LIMIT 51"""


@dataclass(frozen=True)
class Chain:
    """An organization with so many stores, and a token of its owner."""

    size: int
    tenant: UUID
    token: str

    @property
    def street(self) -> int:
        """A street of the middle, at which there are as many stores as at any other."""
        return self.size // _PER_VALUE // 2

    def event(self, query: str) -> dict[str, Any]:
        """A request for its list of stores."""
        return http_event("GET", _PATH, query=query, headers={"authorization": f"Bearer {self.token}"})

    def queries(self) -> dict[str, str]:
        """What is asked, by what it is called."""
        metadata = quote(json.dumps({"street": self.street}))
        return {
            "word": f"search=strasse+{self.street}&metadata={metadata}",
            "beginning": "search=stra&limit=10",
            "name": "sort=name&limit=10",
            "near": "near=52.5,13.4&limit=10",
        }


class Ours:
    """The real function."""

    def __init__(self, place: World) -> None:
        settings = {
            "RMAP_TABLE_DEVICES": "nobody registers a sensor here",
            "RMAP_TABLE_ANSWERS": "nor asks for numbers",
        }
        self.module: ModuleType = wire_function("sites", place.environment() | settings)

    def send(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        """One request; answers the stores that were found."""
        answer = self.module.handler(event, None)
        if answer["statusCode"] != 200:  # noqa: PLR2004  HTTP's plain OK
            raise AssertionError(answer["body"])
        found: list[dict[str, Any]] = json.loads(answer["body"])["items"]
        return found


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds, times = (3, 30) if quick else (9, 100)
    with world(campaigns=1) as place, silence(), _chains(place, tell) as chains:
        rows = _compete(place, chains, rounds, times, tell)
    return Result("search", __doc__ or "", rounds, _COLUMNS, rows, _goals(rows), _NOTES)


@contextmanager
def _chains(place: World, tell: Callable[[str], None]) -> Iterator[list[Chain]]:
    chains = []
    with psycopg.connect(place.stack.database_admin_url, dbname=place.address.name, autocommit=True) as admin:
        for size in SIZES:
            tell(f"{size} stores")
            tenant = uuid7()
            values = {"tenant": tenant, "slug": f"chain-{size}", "size": size, "share": _PER_VALUE}
            admin.execute(_TENANT, values)
            admin.execute(_STORES, values)
            chains.append(Chain(size, tenant, token(place.ring, tenant, place.user)))
        admin.execute("VACUUM ANALYZE sites")
    yield chains


def _compete(place: World, chains: list[Chain], rounds: int, times: int, tell: Callable[[str], None]) -> list[Row]:
    ours = Ours(place)
    contestants: list[Contestant] = []

    def turn(work: Callable[[], object], often: int = times) -> Callable[[], Figures]:
        return metered(repeated(work), often, backends=place.backends)

    with psycopg.connect(place.address.conninfo, autocommit=True) as plain:
        for chain in chains:
            for name, query in chain.queries().items():
                event = chain.event(query)
                if len(ours.send(event)) != _PER_VALUE:
                    raise AssertionError(f"{query} finds {len(ours.send(event))} of {chain.size} stores")
                contestants.append(
                    Contestant(f"{name}, {chain.size}", query, turn(lambda event=event: ours.send(event)))  # type: ignore[misc]
                )
            contestants.append(
                Contestant(
                    f"plain, {chain.size}",
                    "the same word and metadata by ILIKE and ->>, under row security",
                    turn(lambda chain=chain: _plainly(plain, chain), max(3, times // 10)),  # type: ignore[misc]
                )
            )
        return compete(contestants, rounds, {}, tell)


def _plainly(connection: psycopg.Connection[Any], chain: Chain) -> None:
    with connection.pipeline():
        connection.execute("BEGIN")
        connection.execute("SELECT app.look(%s, NULL, 'plain')", (chain.tenant,))
        connection.execute(_PLAIN, {"tenant": chain.tenant, "word": str(chain.street)})
        connection.execute("COMMIT")


def _goals(rows: list[Row]) -> list[Goal]:
    used = {row.name: row.median("cpu_us") for row in rows}
    goals = []
    for name, what in (("word", "a word and metadata"), ("name", "a page by name"), ("near", "the nearest ten")):
        ratio = used[f"{name}, {SIZES[-1]}"] / used[f"{name}, {SIZES[0]}"]
        goals.append(
            Goal(
                f"{what}: flat from {SIZES[0]:,} to {SIZES[-1]:,} stores, {_MOST} times at most",
                f"{ratio:.2f}",
                ratio <= _MOST,
            )
        )
    plain = used[f"plain, {SIZES[-1]}"] / used[f"word, {SIZES[-1]}"]
    goals.append(Goal(f"cheaper than looking at each of {SIZES[-1]:,} stores", f"{plain:.0f} times", plain > 1))
    return goals


_NOTES = (
    "All organizations are in the same tables: each search is among 111,000 stores, of which it may see its own.",
    "Ours is the whole request: token, permission, rate, log line, rows and JSON; plain is its query alone.",
)
