"""Rollups of every size equal what raw rows say, at any moment, whatever came in which order and moved meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any, LiteralString
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.metrics.model import Compare, Metric, RankAsk
from shared.metrics.service.metrics import Metrics
from shared.sites.errors import SiteInUse, ZoneInUse
from shared.sites.model import SiteId
from shared.sites.repository.sites import SiteRepository
from tenant_context.clock import utc_now
from tenant_context.context import TenantContext
from tenant_context.postgres import Database
from tests.asking import asked, metrics_of, question
from tests.conftest import Clone, MakeTenant
from tests.integration.chain import EVERYBODY, ZONES, Chain, kept, recompute
from tests.integration.reckoned import LENGTHS, METRICS, Reckoner, following

COUNT = st.tuples(
    st.integers(0, 4), st.sampled_from([0, 1, 1, 2]), st.integers(0, 200), st.sampled_from([1, 5, 15, 15, 30, 60, 240]),
    st.integers(0, 50), st.integers(0, 50),
)  # fmt: skip
RECEIPT = st.tuples(
    st.sampled_from(["alpha", "beta", "gamma"]), st.integers(0, 9), st.integers(0, 200),
    st.sampled_from(["EUR", "USD"]), st.integers(-20, 90), st.booleans(),
)  # fmt: skip
RECEIVED = st.integers(0, 9)
STORES = st.sampled_from(["alpha", "beta", "gamma"])
STEP = st.one_of(
    st.tuples(st.just("push"), st.lists(COUNT, min_size=1, max_size=12), RECEIVED),
    st.tuples(st.just("push"), st.lists(COUNT, min_size=1, max_size=12), RECEIVED),
    st.tuples(st.just("sell"), st.lists(RECEIPT, min_size=1, max_size=8), RECEIVED),
    st.tuples(st.just("stand"), st.integers(0, 4),
              st.lists(st.tuples(st.integers(0, 60), st.integers(0, 900)), min_size=1, max_size=5), RECEIVED),
    st.tuples(st.just("deliver"), st.integers(0, 9)),
    st.tuples(st.just("move"), STORES, st.sampled_from(["region", "north", "south", None])),
    st.tuples(st.just("move"), st.sampled_from(["north", "south"]), st.sampled_from(["region", None])),
    st.tuples(st.just("move"), st.sampled_from(["foyer", "cellar"]), STORES),
    st.tuples(st.just("turn"), STORES, st.sampled_from(ZONES)),
    st.tuples(st.just("carry"), st.integers(0, 4), STORES, st.none()),
    st.tuples(st.just("calibrate"), st.integers(0, 4), st.sampled_from(["0.5", "1", "2"])),
)  # fmt: skip
_DAYS: LiteralString = """
    SELECT s.name, sum(entries)::integer FROM footfall_day d JOIN sites s ON s.id = d.place_id GROUP BY 1"""
_QUARTERS: LiteralString = """
    SELECT s.name, sum(entries)::integer FROM footfall_15m f JOIN sites s ON s.id = f.site_id GROUP BY 1"""


@pytest.fixture
def chain(database: Database, two_tenants: tuple[TenantContext, TenantContext]) -> Chain:
    return Chain(database, two_tenants[0]).build()


def do(chain: Chain, step: tuple[Any, ...]) -> None:
    name, *values = step
    if name == "deliver" and not chain.sent:
        return
    try:
        getattr(chain, name)(*values)
    except ZoneInUse:
        assert name == "move"


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(STEP, min_size=2, max_size=14), ticks=st.lists(st.integers(0, 40), min_size=14, max_size=14))
def test_rollups_equal_a_computation_from_raw_rows(
    database: Database, make_tenant: MakeTenant, steps: list[tuple[Any, ...]], ticks: list[int]
) -> None:
    chain = Chain(database, make_tenant(f"chain-{uuid4().hex[:12]}")).build().with_border()
    clock = Ticking()
    metrics = metrics_of(database, clock=clock)
    for number, (step, tick) in enumerate(zip(steps, ticks, strict=False)):
        do(chain, step)
        clock.now += tick * timedelta(minutes=10)
        nothing_old_is_told(chain, metrics, clock, number)
    raw = recompute(chain)
    assert kept(chain) == raw
    reckoner = Reckoner(chain, raw, clock.now)
    for place in (*chain.places.values(), EVERYBODY):
        for about in ASKED:
            agree(chain, reckoner, place, *about)


@dataclass
class Ticking:
    """A clock that goes on while things happen, on the day on which Berlin's goes forward."""

    now: datetime = datetime(2026, 3, 28, 21, 7, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


KEPT = (
    ("region", "2026-03-01", "2026-04-04", "day"),
    (None, "2025-10-20", "2025-11-03", "week"),
    ("alpha", "2026-03-28T20:00", "2026-03-29T07:00", "hour"),
)


def nothing_old_is_told(chain: Chain, metrics: Metrics, clock: Ticking, number: int) -> None:
    """What is kept from step to step is told as if nothing were."""
    name, *about = KEPT[number % len(KEPT)]
    names = ("footfall", "revenue", "conversion_rate")
    for asking in (question(chain.places[name] if name else EVERYBODY, *about, *names, currency="EUR"),
                   question(EVERYBODY, "2026-03-07", "2026-04-02", "day", currency="EUR")):  # fmt: skip
        found = metrics.series(chain.tenant, asking)
        assert found.content == metrics_of(chain.database, clock=clock).series(chain.tenant, asking).content
    days = (datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 4, 2, tzinfo=UTC))
    ranks = RankAsk(EVERYBODY, Metric(names[number % 3]), *days, currency="EUR")
    found = metrics.ranking(chain.tenant, ranks, None, 5)
    assert found.content == metrics_of(chain.database, clock=clock).ranking(chain.tenant, ranks, None, 5).content


ASKED = (
    ("day", "2026-03-05", "2026-04-04"),
    ("week", "2026-03-05", "2026-04-04"),
    ("month", "2026-02-05", "2026-04-04"),
    ("hour", "2026-03-07T10:20", "2026-03-08T23:00"),
    ("15m", "2026-03-28T20:20", "2026-03-29T07:00"),
    ("hour", "2025-10-25T20:20", "2025-10-27T02:00"),
    ("day", "2025-10-24", "2025-10-29"),
)


def agree(chain: Chain, reckoner: Reckoner, place: UUID, step: str, since: str, until: str) -> None:
    """An answer has every point that it should, one after another, and each says what raw rows say."""
    asking = question(place, since, until, step, *METRICS, currency="EUR")
    metrics = metrics_of(chain.database, clock=lambda: reckoner.now)
    said = msgspec.json.decode(metrics.series(chain.tenant, asking).content)
    told = {one["metric"]: one["points"] for one in said["series"]}
    starts = [datetime.fromisoformat(point["start"]) for point in told["footfall"]]
    assert starts[0] <= datetime.fromisoformat(since).replace(tzinfo=UTC)
    for one, other in pairwise([*starts, None]):
        assert one is not None
        if (length := LENGTHS.get(step)) is not None:
            end = one + length
        else:
            local = following(one.astimezone(reckoner.clock(place)).date(), step)
            end = datetime(local.year, local.month, local.day, tzinfo=reckoner.clock(place)).astimezone(UTC)
        assert end == other if other else end >= datetime.fromisoformat(until).replace(tzinfo=UTC)
    stores = reckoner.paired(place, starts[0], reckoner.end(place, starts[-1], step), step, "EUR")
    larger = reckoner.kinds[place] not in {"site", "zone"}
    for number, start in enumerate(starts):
        shown = {metric: points[number]["value"] for metric, points in told.items()}
        shown["coverage"] = told["footfall"][number]["coverage"]
        reckoned = reckoner.point(place, start, step, "EUR")
        if larger and reckoned["transactions"] is not None:
            rates = reckoner.per_visitor(stores, place, start, step, "EUR")
            reckoned["conversion_rate"], reckoned["sales_per_visitor"] = rates
        assert shown == reckoned, (place, step, start)


@pytest.mark.parametrize("place", ["region", "everybody"])
@pytest.mark.parametrize("step", ["day", "hour"])
def test_what_is_bought_per_visitor_is_of_stores_that_count_and_sell(chain: Chain, place: str, step: str) -> None:
    # Quarter 48 is noon of the 28th of March in UTC, and the same date in each store's zone.
    chain.push([(0, 1, 48, 15, 40, 0), (0, 1, 52, 15, 10, 0), (2, 1, 48, 15, 500, 0)], at=0)  # alpha, and beta
    chain.sell([("alpha", n, 48, "EUR", 5, False) for n in range(8)], at=1)
    chain.sell([("gamma", n, 48, "EUR", 100, False) for n in range(9)], at=2)  # has no counter
    where = chain.places.get(place)

    def points(*metrics: str, **how: Any) -> list[Any]:
        about = ("2026-03-28T12:00", "2026-03-28T14:00", step, *metrics)
        said = asked(chain.database, chain.tenant, where, *about, currency="EUR", **how)
        return [(one["total"], [point["value"] for point in one["points"]]) for one in said["series"]]

    first, second = points("conversion_rate", "sales_per_visitor")
    assert (first[0], second[0]) == (0.16, 0.8)  # 8 of 50 and 40 of 50, and not 17 of 550
    assert [first[1], second[1]] == ([[0.16], [0.8]] if step == "day" else [[0.2, None], [1, None]])
    # What is added up is of all of them, and they are in it again as soon as they tell both.
    assert [total for total, _ in points("footfall", "transactions", "average_basket")] == [550, 17, 55.2941]
    chain.sell([("beta", 0, 48, "EUR", 5, False)], at=3)
    assert [total for total, _ in points("conversion_rate", "footfall")] == [0.0164, 550]


def test_each_range_has_the_stores_that_told_both_in_it(chain: Chain) -> None:
    chain.push([(0, start, 48, 15, 10, 0) for start in (0, 1)], at=0)
    chain.sell([("alpha", n, 48, "EUR", 5, False) for n in range(5)], at=1)
    chain.push([(2, 1, 48, 15, 90, 0)], at=2)
    chain.sell([("beta", n, 48, "EUR", 5, False) for n in range(5)], at=3)
    # In the three weeks before, beta has neither: its counters came later.
    said = asked(
        chain.database, chain.tenant, chain.places["region"], "2026-03-28", "2026-04-18", "day", "conversion_rate",
        "sales_per_visitor", currency="EUR", compare=Compare.PERIOD,
    )  # fmt: skip
    told = {one["metric"]: (one["total"], one["previous"]) for one in said["series"]}
    assert told == {"conversion_rate": (0.1, None), "sales_per_visitor": (0.5, None)}


def test_an_hour_is_spread_over_its_quarters_and_nobody_is_lost(chain: Chain) -> None:
    chain.push([(0, 1, 0, 60, 10, 3)], at=0)
    found = chain.read("SELECT entries, exits, minutes FROM footfall_15m f JOIN sites s ON s.id = f.site_id"
                       " WHERE s.kind = 'site' ORDER BY bucket")  # fmt: skip
    assert found == [(2, 0, 15), (3, 1, 15), (2, 1, 15), (3, 1, 15)]


def test_late_counts_go_where_the_sensor_was_when_it_counted(chain: Chain) -> None:
    chain.carry(0, "beta", None)  # on the 12th of March
    chain.push([(0, 0, 0, 15, 5, 0), (0, 1, 0, 15, 7, 0)], at=0)
    found = dict(chain.read(_QUARTERS))
    assert found == {"alpha": 5, "foyer": 5, "beta": 7}


def test_days_go_along_with_a_store_that_moves(chain: Chain) -> None:
    chain.push([(0, 0, 40, 15, 5, 0), (2, 0, 40, 15, 7, 0)], at=0)
    chain.move("alpha", "south")
    found = dict(chain.read(_DAYS))
    assert found == {"alpha": 5, "foyer": 5, "beta": 7, "cellar": 7, "south": 12, "region": 12}
    chain.move("south", None)
    found = dict(chain.read(_DAYS))
    assert found == {"alpha": 5, "foyer": 5, "beta": 7, "cellar": 7, "south": 12}
    assert kept(chain) == recompute(chain)


def test_stores_of_one_tenant_push_at_once_while_the_tree_moves_and_nobody_fails(chain: Chain, clone: Clone) -> None:
    opened = [Database(clone.settings(), clock=utc_now) for _ in range(5)]
    others = [replace(chain, database=one, sent=[]) for one in opened]

    def push(who: int) -> None:
        random = Random(who)  # noqa: S311  no secret
        for number in range(12):
            rows = [
                (random.randrange(4), random.randrange(2), random.randrange(90), 15, number, who) for _ in range(40)
            ]
            others[who].push(rows, at=random.randrange(20))
            others[who].sell(
                [("alpha", number, who, "EUR", 5, False), ("beta", number, who, "EUR", 5, False)], at=number
            )

    def move() -> None:
        for number in range(12):
            others[4].move("alpha", ("south", "north")[number % 2])
            others[4].turn("beta", ZONES[number % len(ZONES)])

    with ThreadPoolExecutor(5) as pool:
        work = [pool.submit(push, who) for who in range(4)] + [pool.submit(move)]
        for one in work:
            one.result()
    for database in opened:
        database.close()
    assert kept(chain) == recompute(chain)


_ROLLUPS: LiteralString = """
    SELECT 'quarter', site_id, bucket::text, xmin::text, ctid::text FROM footfall_15m
    UNION ALL SELECT 'day', place_id, day::text || shard, xmin::text, ctid::text FROM footfall_day"""


def test_late_counts_touch_the_rollups_of_their_own_time_and_no_other(chain: Chain) -> None:
    chain.push([(sensor, start, step, 15, 5, 1) for sensor in range(4) for start in (0, 1) for step in range(96)], at=0)
    before = {row[:3]: row[3:] for row in chain.read(_ROLLUPS)}
    chain.push([(0, 0, 40, 15, 9, 1)], at=1)
    after = {row[:3]: row[3:] for row in chain.read(_ROLLUPS)}
    touched = {key for key in after if after[key] != before.get(key)}
    names = {site: name for name, site in chain.places.items()}
    assert {(size, names.get(place, "everybody"), moment[:10]) for size, place, moment in touched} == {
        ("quarter", "alpha", "2026-03-07"),
        ("quarter", "foyer", "2026-03-07"),
        *(("day", place, "2026-03-07") for place in ("alpha", "foyer", "north", "region", "everybody")),
    }
    assert len(touched) == 7
    chain.deliver(-1)  # once more: nothing at all
    assert {row[:3]: row[3:] for row in chain.read(_ROLLUPS)} == after


def test_a_place_where_something_was_counted_is_not_removed(chain: Chain) -> None:
    chain.push([(0, 0, 0, 15, 5, 0)], at=0)
    chain.carry(0, "beta", None)
    for name in ("foyer", "alpha"):
        with pytest.raises(SiteInUse), chain.database.transaction(chain.tenant) as tx:
            SiteRepository(chain.database).delete(tx, SiteId(chain.places[name]))
