"""Metrics, sales, groups, occupancy and a ranking, of a store up to the organization, as raw rows grow from 10⁵ to 10⁷.

`RMAP_QUERIES_ROWS=100000000` adds a size, whatever it says. Rows and rollups are made in PostgreSQL, month by month. A
count takes an estimated 280 bytes with its indexes, its share of the rollups 90 more: 10⁸ would be 37 GB and the log's,
more than a disk of 40 holds. So beyond 10⁷ the rollups alone are made, which are all that any of this reads.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from math import ceil
from time import perf_counter
from types import ModuleType
from typing import Any, LiteralString
from uuid import UUID

from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Figures, Row, compete
from bench.world import World, http_event, silence, table, token, wire_function, world
from shared.metrics.service.cache import Answers
from tenant_context.clock import uuid7

_SIZES = (100_000, 1_000_000, 10_000_000)
_MOST_RAW = 10_000_000
_MORE = "RMAP_QUERIES_ROWS"
_EACH_STORE = 200_000
"""Rows of a store, from five stores on: so many are five and a half years of quarters of its doors."""
_PER_STORE = 2
_AT_ONCE = 2
"""Months that are made at once."""
_MOST_RATIO, _MOST_MS = 1.5, 20
_BY_STORES = (
    "stores grow with rows: each of their sensors is asked when it was in service, a ranking reads all their days"
)
_COLUMNS = (
    Column("median_ms", "median ms", 2),
    Column("p95_ms", "p95 ms", 2),
)
_TENANT: LiteralString = """
    INSERT INTO tenants (tenant_id, slug, name, plan, created_at, updated_at)
    VALUES (%(tenant)s, %(slug)s, %(slug)s, 'enterprise', now(), now())"""
_PLACES: LiteralString = """
    INSERT INTO sites (tenant_id, id, kind, name, code, time_zone, created_at, updated_at)
    SELECT %(tenant)s, id, kind, 'Place ' || n, 'P' || n, 'Europe/Berlin', '2020-01-01', '2020-01-01'
    FROM unnest(%(ids)s::uuid[], %(kinds)s::text[]) WITH ORDINALITY t (id, kind, n)"""
_TREE: LiteralString = """
    INSERT INTO site_tree (tenant_id, site_id, kind, parent_id, parent_kind, since)
    SELECT %(tenant)s, id, 'site', %(region)s, 'region', now() FROM unnest(%(stores)s::uuid[]) id"""
_SENSORS: LiteralString = """
    INSERT INTO sensors (tenant_id, id, site_id, name, serial, kind, interval_minutes, created_at, updated_at)
    SELECT %(tenant)s, uuidv7(), id, 'Door', id::text || n, 'line', 15, '2020-01-01', '2020-01-01'
    FROM unnest(%(stores)s::uuid[]) id, generate_series(1, %(doors)s) n"""
_LINES: LiteralString = """
    INSERT INTO sensor_lines (tenant_id, sensor_id, line, first_at)
    SELECT tenant_id, id, '', '2020-01-01' FROM sensors WHERE tenant_id = %(tenant)s"""
_RAW: LiteralString = """
    INSERT INTO people_counts (tenant_id, sensor_id, line, starts_at, ends_at, site_id, entries, exits, received_at,
                               batch_id)
    SELECT s.tenant_id, s.id, '', t, t + interval '15 minutes', s.site_id, 5, 5, now(), s.id
    FROM sensors s, generate_series(%(first)s::timestamptz, %(last)s::timestamptz - interval '15 minutes',
                                    interval '15 minutes') t
    WHERE s.tenant_id = %(tenant)s"""
_QUARTERS: LiteralString = """
    INSERT INTO footfall_15m (tenant_id, site_id, bucket, entries, exits, intervals, minutes)
    SELECT tenant_id, site_id, starts_at, sum(entries), sum(exits), count(*), count(*) * 15
    FROM people_counts WHERE tenant_id = %(tenant)s AND starts_at >= %(first)s AND starts_at < %(last)s
    GROUP BY 1, 2, 3"""
# The same without raw rows.
_QUARTERS_ALONE: LiteralString = """
    INSERT INTO footfall_15m (tenant_id, site_id, bucket, entries, exits, intervals, minutes)
    SELECT %(tenant)s, id, t, 5 * %(doors)s, 5 * %(doors)s, %(doors)s, 15 * %(doors)s
    FROM unnest(%(stores)s::uuid[]) id,
         generate_series(%(first)s::timestamptz, %(last)s::timestamptz - interval '15 minutes',
                         interval '15 minutes') t"""
# A receipt an hour of each quarter's place, of which only the rollup is read.
_SALES: LiteralString = """
    INSERT INTO sales_15m (tenant_id, site_id, bucket, currency, transactions, cancellations, units, revenue)
    SELECT %(tenant)s, id, t, 'EUR', 1, 0, 2, 9.90
    FROM unnest(%(stores)s::uuid[]) id,
         generate_series(%(first)s::timestamptz, %(last)s::timestamptz - interval '15 minutes', interval '1 hour') t"""
_ROLLED: LiteralString = """
    SELECT app.rebuild_days_of(%(tenant)s, %(stores)s::uuid[]),
           app.rebuild_days_above(%(tenant)s, %(region)s, '{0,1,2,3,4,5,6,7}'),
           app.rebuild_days_above(%(tenant)s, '00000000-0000-0000-0000-000000000000', '{0,1,2,3,4,5,6,7}')"""
_QUARTER, _END = timedelta(minutes=15), datetime(2026, 1, 1, tzinfo=UTC)
_MONTH = "from=2025-11-30T23:00:00Z&to=2025-12-31T23:00:00Z"


@dataclass(frozen=True)
class Chain:
    """An organization with so many raw rows."""

    size: int
    store: UUID
    region: UUID
    token: Callable[[], str]
    """A token lasts for an hour, and what is measured may take longer."""

    def queries(self) -> dict[str, tuple[str, str]]:
        """What is asked, by what it is called: path and parameters."""
        store, region = f"/api/v1/sites/{self.store}/metrics", f"/api/v1/sites/{self.region}/metrics"
        two = "metric=footfall,exits"
        return {
            "store, a month of days": (store, f"{two}&granularity=day&{_MONTH}&compare=previous_period"),
            "store, a week of hours": (
                store,
                f"{two}&granularity=hour&from=2025-12-20T23:00:00Z&to=2025-12-27T23:00:00Z",
            ),
            "store, a month of days, imputed": (store, f"{two}&granularity=day&{_MONTH}&impute=typical"),
            "region, a month of days": (region, f"{two}&granularity=day&{_MONTH}"),
            "organization, a month of days": ("/api/v1/metrics", f"{two}&granularity=day&{_MONTH}"),
            "store, sales of a month": (store, f"metric=revenue,conversion_rate&granularity=day&{_MONTH}"),
            "region, sales of a month": (region, f"metric=revenue,conversion_rate&granularity=day&{_MONTH}"),
            "store, weekdays of a month": (store, f"{two}&granularity=day&group_by=weekday&{_MONTH}"),
            "store, hours of a week": (
                store,
                f"{two}&group_by=hour&from=2025-12-20T23:00:00Z&to=2025-12-27T23:00:00Z",
            ),
            "organization, a month by its regions": ("/api/v1/metrics", f"{two}&group_by=child&{_MONTH}"),
            "store, occupancy": (f"/api/v1/sites/{self.store}/occupancy", ""),
            "store, occupancy of a week": (
                f"/api/v1/sites/{self.store}/occupancy",
                "from=2025-12-20T23:00:00Z&to=2025-12-27T23:00:00Z",
            ),
            "region, occupancy": (f"/api/v1/sites/{self.region}/occupancy", ""),
            "ranking of a month": ("/api/v1/metrics/ranking", f"metric=footfall&{_MONTH}"),
        }

    def event(self, path: str, query: str) -> dict[str, Any]:
        """A request."""
        return http_event("GET", path, query=query, headers={"authorization": f"Bearer {self.token()}"})


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds, times = (3, 40) if quick else (9, 100)
    more = (int(os.environ[_MORE]),) if os.environ.get(_MORE) else ()
    sizes = (*(_SIZES[:2] if quick else _SIZES), *more)
    with world(campaigns=1) as place, silence(), table(place.stack) as answers:
        chains = [_chain(place, size, tell) for size in sizes]
        rows = _compete(place, answers, chains, rounds, times, tell)
    return Result("queries", __doc__ or "", rounds, _COLUMNS, rows, _goals(rows, sizes), _NOTES)


def _chain(place: World, size: int, tell: Callable[[str], None]) -> Chain:
    tell(f"{size:,} raw rows")
    number = max(5, size // _EACH_STORE)
    tenant, region, stores = uuid7(), uuid7(), [uuid7() for _ in range(number)]
    values = {
        "tenant": tenant,
        "slug": f"chain-{size}",
        "ids": [region, *stores],
        "kinds": ["region", *["site"] * number],
        "region": region,
        "stores": stores,
        "doors": _PER_STORE,
    }
    spans = list(_months(_END - size // (number * _PER_STORE) * _QUARTER))
    with place.database() as admin:
        for statement in (_TENANT, _PLACES, _TREE, _SENSORS, _LINES):
            admin.execute(statement, values)
        for first, _ in spans:
            admin.execute("SELECT app.ensure_month('people_counts', %s)", (first.date(),))
        filling = (_RAW, _QUARTERS, _SALES) if size <= _MOST_RAW else (_QUARTERS_ALONE, _SALES)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for done in [pool.submit(_fill, place, filling, {**values, "first": a, "last": b}) for a, b in spans]:
                done.result()
        admin.execute(_ROLLED, values)
        admin.execute("VACUUM ANALYZE")
    return Chain(size, stores[0], region, partial(token, place.ring, tenant, place.user))


def _fill(place: World, filling: Sequence[LiteralString], values: Mapping[str, Any]) -> None:
    """A month, each statement committed, so that nothing is sorted on the disk."""
    with place.database() as admin:
        for statement in filling:
            admin.execute(statement, values)


def _months(first: datetime) -> Iterator[tuple[datetime, datetime]]:
    """A time up to the end of 2025 by the months that it touches."""
    while first < _END:
        following = (first.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0)
        yield first, min(following, _END)
        first = following


def _compete(
    place: World, answers: str, chains: list[Chain], rounds: int, times: int, tell: Callable[[str], None]
) -> list[Row]:
    settings = {"RMAP_TABLE_ANSWERS": answers}
    module = wire_function("analytics", place.environment() | settings)
    kept = Answers(None)
    contestants = []
    for chain in chains:
        for name, (path, query) in chain.queries().items():
            for level in ("worked out", "kept") if "metrics" in path else ("worked out",):
                turn = partial(_asked, module, kept, partial(chain.event, path, query), level, times)
                contestants.append(Contestant(f"{name}, {chain.size:,}, {level}", query, turn))
    return compete(contestants, rounds, {}, tell)


def _asked(module: ModuleType, kept: Answers, ask: Callable[[], dict[str, Any]], level: str, times: int) -> Figures:
    event, wants = ask(), "MISS" if level == "worked out" else "HIT sandbox"
    spent = []
    for number in range(times + 2):
        # What is worked out is worked out by a sandbox that keeps nothing and asks nobody.
        module.analytics.metrics._answers = Answers(None) if level == "worked out" else kept  # noqa: SLF001
        start = perf_counter()
        answer = module.handler(event, None)
        took = (perf_counter() - start) * 1000
        if number >= 2:  # noqa: PLR2004  the first ones open connections and keep the answer
            spent.append(took)
            if answer["headers"].get("x-cache", wants) != wants:
                raise AssertionError(answer["headers"]["x-cache"])
    if answer["statusCode"] != 200 or not json.loads(answer["body"]):  # noqa: PLR2004  HTTP's plain OK
        raise AssertionError(answer["body"])
    spent.sort()
    return {"median_ms": spent[len(spent) // 2], "p95_ms": spent[ceil(len(spent) * 0.95) - 1]}


def _goals(rows: list[Row], sizes: tuple[int, ...]) -> list[Goal]:
    took = {row.name: row for row in rows}
    goals = []
    for name in dict.fromkeys(
        row.name.rpartition(f", {sizes[0]:,}")[0] for row in rows if f", {sizes[0]:,}," in row.name
    ):
        first, last = (took[f"{name}, {size:,}, worked out"] for size in (sizes[0], sizes[-1]))
        ratio, longest = last.median("p95_ms") / first.median("p95_ms"), last.median("p95_ms")
        goals.append(
            Goal(
                f"{name}: p95 flat from {sizes[0]:,} to {sizes[-1]:,} rows, {_MOST_RATIO} times at most",
                f"{ratio:.2f}",
                ratio <= _MOST_RATIO,
                "" if ratio <= _MOST_RATIO else _BY_STORES,
            )
        )
        middle = f"of a median of {last.median('median_ms'):.1f} ms"
        goals.append(
            Goal(
                f"{name}: p95 under {_MOST_MS} ms",
                f"{longest:.1f} ms",
                longest < _MOST_MS,
                "" if longest < _MOST_MS else middle,
            )
        )
    return goals


_NOTES = (
    "The whole handler: token, permission, rate, log line, version, numbers and JSON.",
    "Stores grow too: 5, 5 and 50; of 10⁸ rows, 500, and beyond 10⁷ the raw rows themselves are left out.",
    "`worked out` is without any kept answer, `kept` is the sandbox's own; DynamoDB, emulated here, is not asked.",
)
