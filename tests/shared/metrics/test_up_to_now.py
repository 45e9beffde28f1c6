"""Coverage is of what was to be counted up to now, and answers that are kept tell no older one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from shared.metrics.model import EVERYBODY, Compare, GroupBy, Metric, RankAsk
from shared.metrics.service.cache import Level
from shared.metrics.service.metrics import Metrics
from tenant_context.context import TenantContext
from tenant_context.postgres import Database
from tests.asking import LONG_AFTER, metrics_of, question
from tests.integration.chain import EVERYBODY as ALL
from tests.integration.chain import STARTS, Chain

DAY = 96
MONDAY = datetime(2026, 3, 16, tzinfo=UTC)
NOON = MONDAY + timedelta(days=2, hours=12)
"""Of a Wednesday; a store of UTC was counted whole up to here, from the Monday of the week before on."""


class Clock:
    """Stands where a test wants it."""

    now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def chain(database: Database, two_tenants: tuple[TenantContext, TenantContext]) -> Chain:
    made = Chain(database, two_tenants[0])
    made.place("region", "region", None)
    made.place("shop", "site", "region")
    made.sensor("shop", None)
    first = int((MONDAY - STARTS[0]) / timedelta(days=1)) * DAY
    made.push([(0, 0, first + quarter, 15, 1, 0) for quarter in range(-7 * DAY, 2 * DAY + DAY // 2)], at=0)
    made.sell([("shop", 1, -10 * DAY, "EUR", 5, False), ("shop", 2, -17 * DAY, "EUR", 5, False)], at=0)
    return made


def ask(chain: Chain, metrics: Metrics, name: str | None, *about: Any, **how: Any) -> dict[str, Any]:
    place = chain.places[name] if name else EVERYBODY
    told: dict[str, Any] = msgspec.json.decode(metrics.series(chain.tenant, question(place, *about, **how)).content)
    return told


@pytest.mark.parametrize("name", ["shop", "region", None])
@pytest.mark.parametrize("step", ["hour", "day", "week"])
def test_nothing_is_missing_that_is_yet_to_come(chain: Chain, clock: Clock, name: str | None, step: str) -> None:
    clock.now = NOON + timedelta(minutes=14)  # the present quarter of an hour is not over
    told = ask(chain, metrics_of(chain.database, clock=clock), name, MONDAY, MONDAY + timedelta(days=7), step)
    assert told["coverage"] == 1.0
    for point in told["points"]:
        assert point["coverage"] == (1.0 if datetime.fromisoformat(point["start"]) < NOON else 0.0)


def test_what_is_missing_of_today_is(chain: Chain, clock: Clock) -> None:
    clock.now = NOON + timedelta(hours=4)  # of which nothing came
    told = ask(chain, metrics_of(chain.database, clock=clock), "shop", NOON - timedelta(hours=12), clock.now, "day")
    assert told["coverage"] == 0.75
    groups = ask(chain, metrics_of(chain.database, clock=clock), "region", MONDAY, clock.now, "day",
                 group_by=GroupBy.CHILD)["groups"]  # fmt: skip
    assert [one["series"][0]["coverage"] for one in groups] == [0.938]


def test_a_ranking_asks_for_nothing_that_is_yet_to_come(chain: Chain, clock: Clock) -> None:
    asking = RankAsk(ALL, Metric.FOOTFALL, NOON - timedelta(hours=12), NOON + timedelta(hours=12))
    metrics = metrics_of(chain.database, clock=clock)

    def coverage() -> tuple[float, Level]:
        kept = metrics.ranking(chain.tenant, asking, None, 5)
        return msgspec.json.decode(kept.content)["items"][0]["coverage"], kept.level

    assert coverage() == (1.0, Level.MISS)
    clock.now += timedelta(minutes=14)
    assert coverage() == (1.0, Level.SANDBOX)
    clock.now += timedelta(hours=12)
    assert coverage() == (0.5, Level.MISS)


def test_an_answer_that_reaches_beyond_now_is_kept_for_its_quarter_of_an_hour(chain: Chain, clock: Clock) -> None:
    metrics = metrics_of(chain.database, clock=clock)
    asking = question(chain.places["shop"], MONDAY, MONDAY + timedelta(days=7), "day")
    coverage = []
    for minutes, level in ((0, Level.MISS), (14, Level.SANDBOX), (15, Level.MISS), (29, Level.SANDBOX)):
        clock.now = NOON + timedelta(minutes=minutes)
        kept = metrics.series(chain.tenant, asking)
        assert (kept.level, kept.content) == (
            level, metrics_of(chain.database, clock=clock).series(chain.tenant, asking).content)  # fmt: skip
        coverage.append(msgspec.json.decode(kept.content)["coverage"])
    assert coverage == [1.0, 1.0, 0.996, 0.996]


def test_an_answer_whose_range_is_over_does_not_depend_on_the_clock(chain: Chain, clock: Clock) -> None:
    metrics = metrics_of(chain.database, clock=clock)
    asking = question(chain.places["shop"], MONDAY - timedelta(days=7), MONDAY - timedelta(days=3), "day")
    first = metrics.series(chain.tenant, asking)
    clock.now = LONG_AFTER
    again = metrics.series(chain.tenant, asking)
    assert (again.level, again.content) == (Level.SANDBOX, first.content)


def test_a_week_that_is_under_way_is_not_comparable_however_well_it_is_counted(chain: Chain, clock: Clock) -> None:
    def comparable(start: datetime, end: datetime, step: str) -> list[bool]:
        told = ask(chain, metrics_of(chain.database, clock=clock), "shop", start, end, step, "footfall", "revenue",
                   compare=Compare.PERIOD)  # fmt: skip
        assert told["coverage"] == 1.0
        return [one["comparable"] for one in told["series"]]

    assert comparable(MONDAY, MONDAY + timedelta(days=7), "day") == [False, False]
    assert comparable(MONDAY, MONDAY + timedelta(days=2), "day") == [True, True]
    assert comparable(MONDAY, NOON + timedelta(minutes=30), "hour") == [True, True]


def test_weeks_that_are_another_ones_by_the_places_clock_void_what_was_kept(chain: Chain) -> None:
    chain.turn("shop", "Asia/Kolkata")
    metrics = metrics_of(chain.database)
    # By the clock of UTC the range ends on a Sunday; by the store's on Monday, the 27th of April.
    asking = question(chain.places["shop"], "2026-04-21", "2026-04-26T20:00", "week")
    assert metrics.series(chain.tenant, asking).level == Level.MISS
    chain.push([(0, 1, 35 * DAY, 15, 7, 0)], at=1)  # on the 2nd of May
    assert metrics.series(chain.tenant, asking).level == Level.MISS
