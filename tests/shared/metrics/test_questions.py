"""What metrics tell: compared, grouped, imputed, ranked; what cannot be asked is refused in words."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from shared.metrics.errors import (
    RangeOrder,
    RangeOutside,
    RangeTooLong,
    SeveralCurrencies,
    SiteNotFound,
    WrongQuestion,
)
from shared.metrics.model import Compare, GroupBy, Impute, Metric, RankAsk
from shared.metrics.rules.ranking import read_cursor
from tenant_context.context import TenantContext
from tenant_context.postgres import Database
from tests.asking import asked, metrics_of, question
from tests.integration.chain import EVERYBODY, STARTS, Chain

Tenants = tuple[TenantContext, TenantContext]
DAY = 96
"""Quarters of a day; the first of them is Saturday, the 7th of March, or the 28th."""


@pytest.fixture
def chain(database: Database, two_tenants: Tenants) -> Chain:
    return Chain(database, two_tenants[0]).build()


def ask(chain: Chain, name: str | None, *about: Any, **how: Any) -> dict[str, Any]:
    return asked(chain.database, chain.tenant, chain.places[name] if name else None, *about, **how)


def days(chain: Chain, sensor: int, *counts: int | None, start: int = 1) -> None:
    """A whole hour at noon for each of some days."""
    rows = [(sensor, start, DAY * n + 48 + q, 15, count // 4, 0)
            for n, count in enumerate(counts) if count is not None for q in range(4)]  # fmt: skip
    chain.push(rows, at=0)


def test_a_period_is_compared_with_the_one_right_before(chain: Chain) -> None:
    days(chain, 3, 100, 200, 300, 400)
    told = ask(chain, "gamma", "2026-03-29T18:30", "2026-03-31T18:30", "day", compare=Compare.PERIOD)
    assert (told["total"], told["previous"], told["change"]) == (700, 300, 1.3333)
    assert [(point["value"], point["previous"]) for point in told["points"]] == [(300, 100), (400, 200)]


def test_a_change_says_how_much_of_the_time_before_was_counted(chain: Chain) -> None:
    chain.push([(3, 1, quarter, 15, 1, 0) for quarter in range(DAY, DAY * 3 - 22)], at=0)
    chain.push([(3, 1, quarter, 15, 1, 0) for quarter in range(DAY * 3 - 22, DAY * 5)], at=0)
    span = ("2026-03-30T18:30", "2026-04-01T18:30", "day")
    told = ask(chain, "gamma", *span, "footfall", "transactions", compare=Compare.PERIOD)["series"]
    assert [(one["previous_coverage"], one["comparable"]) for one in told] == [(0.885, False), (0.885, True)]
    assert [point["previous_coverage"] for point in told[0]["points"]] == [0.771, 1.0]
    year = ask(chain, "gamma", *span, compare=Compare.YEAR)
    assert (year["previous_coverage"], year["comparable"]) == (0.0, False)
    assert "comparable" not in ask(chain, "gamma", *span)


def test_a_year_before_is_52_weeks_before_so_that_weekdays_meet(chain: Chain) -> None:
    days(chain, 3, 100)
    told = ask(chain, "gamma", "2027-03-26T18:30", "2027-03-27T18:30", "day", compare=Compare.YEAR)
    assert (told["total"], told["previous"]) == (None, 100)
    assert told["compare"]["from"] == "2026-03-27T18:30:00Z"


def test_months_are_compared_with_those_of_the_year_before(chain: Chain) -> None:
    days(chain, 3, 100, start=0)
    told = ask(chain, "gamma", "2027-03-10", "2027-03-20", "month", compare=Compare.YEAR)
    assert (told["previous"], told["compare"]["from"]) == (100, "2026-02-28T18:30:00Z")


def test_children_are_told_apart_and_add_up(chain: Chain) -> None:
    days(chain, 0, 100)
    days(chain, 2, 40)
    days(chain, 3, 20)
    span = ("2026-03-27", "2026-03-31", "day")
    told = ask(chain, "region", *span, group_by=GroupBy.CHILD)
    found = {group["name"]: group["series"][0]["total"] for group in told["groups"]}
    assert found == {"gamma": 20, "north": 100, "south": 40}
    assert ask(chain, "region", *span)["total"] == ask(chain, None, *span)["total"] == 160
    told = ask(chain, "alpha", *span, group_by=GroupBy.ZONE)
    assert [(group["name"], group["series"][0]["total"]) for group in told["groups"]] == [("foyer", 100)]
    told = ask(chain, None, *span, group_by=GroupBy.CHILD)
    assert [(group["kind"], group["series"][0]["total"]) for group in told["groups"]] == [("region", 160)]
    told = ask(chain, "north", "2026-03-28", "2026-03-29", "hour", group_by=GroupBy.CHILD)
    assert [(group["name"], group["series"][0]["total"]) for group in told["groups"]] == [("alpha", 100)]


def test_weekdays_and_hours_are_of_the_places_own_calendar(chain: Chain) -> None:
    days(chain, 3, 100, 200, *[None] * 5, 300)
    told = ask(chain, "gamma", "2026-03-27T18:30", "2026-04-10T18:30", "day", group_by=GroupBy.WEEKDAY)
    found = {group["weekday"]: group["series"][0] for group in told["groups"]}
    assert {day: one["total"] for day, one in found.items()} == {
        1: None, 2: None, 3: None, 4: None, 5: None, 6: 400, 7: 200}  # fmt: skip
    assert (found[6]["average"], found[6]["days"]) == (200.0, 2)
    assert (found[7]["average"], found[7]["days"]) == (200.0, 1)  # of the second Sunday nothing is known
    assert (found[1]["average"], found[1]["days"]) == (None, 0)
    told = ask(chain, "gamma", "2026-03-27T18:30", "2026-04-03T18:30", "day", group_by=GroupBy.HOUR)
    found = {group["hour"]: group["series"][0]["total"] for group in told["groups"]}
    # Noon of UTC is half past five in Kolkata.
    assert {hour: total for hour, total in found.items() if total} == {17: 150, 18: 150}


def test_the_average_of_a_rate_is_that_of_its_days_together(chain: Chain) -> None:
    days(chain, 0, 100, *[None] * 6, 300, *[None] * 6, 0)  # the third Saturday is counted, and nobody came
    chain.sell([("alpha", n, 48, "EUR", 6, False) for n in range(20)], at=1)
    chain.sell([("alpha", n, DAY * 7 + 48, "EUR", 3, False) for n in range(20, 80)], at=2)
    span = ("2026-03-27T23:00", "2026-04-24T22:00", "day")  # four Saturdays
    metrics = ("footfall", "transactions", "conversion_rate", "average_basket")
    told = ask(chain, "alpha", *span, *metrics, group_by=GroupBy.WEEKDAY)
    found = {one["metric"]: one for one in told["groups"][5]["series"]}
    assert [found[metric]["days"] for metric in metrics] == [3, 2, 2, 2]
    assert [found[metric]["average"] for metric in metrics] == [133.3333, 40.0, 0.2, 3.75]
    assert found["conversion_rate"]["total"] == 0.2
    told = ask(chain, "alpha", *span, *metrics, group_by=GroupBy.HOUR)
    # Noon of UTC is two o'clock, but for the first Saturday, which is before clocks go forward.
    found = {one["metric"]: one for one in told["groups"][14]["series"]}
    assert [(found[metric]["average"], found[metric]["days"]) for metric in metrics] == [
        (150.0, 2), (60.0, 1), (0.2, 1), (3.0, 1)]  # fmt: skip


def test_an_hour_that_clocks_show_twice_is_of_one_day(chain: Chain) -> None:
    night = datetime(2025, 10, 26, tzinfo=UTC)  # two o'clock in Berlin, until two, when it is two again
    start = int((night - STARTS[1]) / timedelta(minutes=15))
    chain.push([(0, 1, start + quarter, 15, 10, 0) for quarter in range(8)], at=0)
    told = ask(chain, "alpha", "2025-10-24T22:00", "2025-10-26T23:00", "hour", group_by=GroupBy.HOUR)
    found = {one["hour"]: one["series"][0] for one in told["groups"]}
    assert (found[2]["total"], found[2]["average"], found[2]["days"]) == (80, 80.0, 1)


@pytest.mark.parametrize("step", ["day", "month"])
def test_weekdays_and_hours_are_compared_with_those_of_52_weeks_before(chain: Chain, step: str) -> None:
    days(chain, 3, 100, 200)  # a Saturday and a Sunday
    span = ("2027-03-26T18:30", "2027-03-29T18:30", step)
    told = ask(chain, "gamma", *span, group_by=GroupBy.WEEKDAY, compare=Compare.YEAR)
    found = {group["weekday"]: group["series"][0] for group in told["groups"]}
    assert {day: one["previous"] for day, one in found.items() if one["previous"]} == {6: 100, 7: 200}
    told = ask(chain, "gamma", *span, group_by=GroupBy.HOUR, compare=Compare.YEAR)
    found = {group["hour"]: group["series"][0] for group in told["groups"]}
    assert {hour: one["previous"] for hour, one in found.items() if one["previous"]} == {17: 150, 18: 150}


def test_gaps_are_filled_on_request_and_marked(chain: Chain) -> None:
    days(chain, 3, *[96] * 7, *[None] * 7, *[48] * 7)
    # The week between was not counted, nor noon of the others' quarters.
    chain.push([(3, 1, quarter, 15, 1, 0) for quarter in range(DAY * 21) if not DAY * 7 <= quarter < DAY * 14
                and quarter % DAY not in {48, 49, 50, 51}], at=0)  # fmt: skip
    span = ("2026-03-30T18:30", "2026-04-15T18:30", "day")
    plain, filled = ask(chain, "gamma", *span), ask(chain, "gamma", *span, impute=Impute.TYPICAL)
    gaps = [number for number, point in enumerate(plain["points"]) if point["value"] is None]
    assert len(gaps) >= 6
    assert plain["imputed"] is False
    assert filled["imputed"] is True
    for number in gaps[:6]:
        point = filled["points"][number]
        assert point["imputed"] is True
        assert point["coverage"] == plain["points"][number]["coverage"] == 0
        assert 100 < point["value"] < 200
    for was, point in zip(plain["points"], filled["points"], strict=True):
        if was["coverage"] == 1:
            assert point == was
    assert ask(chain, "gamma", *span) == plain  # nothing was kept


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_imputed_sums_to_the_same_whatever_the_steps(chain: Chain, seed: int) -> None:
    random = Random(seed)  # noqa: S311  no secret
    rows, dark = [], False
    for quarter in range(DAY * 38):
        dark = random.random() < (0.9 if dark else 0.05)
        rows += [(sensor, 1, quarter, 15, random.randrange(4), random.randrange(3)) for sensor in (0, 3) if not dark]
        if not dark and random.random() < 0.3:
            rows.append((1, 1, quarter, 15, 1, 0))
    chain.push(rows, at=0)
    how: dict[str, Any] = {"impute": Impute.TYPICAL}

    def totals(name: str, since: str, until: str, *steps: str) -> set[tuple[int, int]]:
        told = [ask(chain, name, since, until, step, "footfall", "exits", **how) for step in steps]
        assert all(one["imputed"] for one in told)
        return {(one["series"][0]["total"], one["series"][1]["total"]) for one in told}

    for name, weeks, month in (
        ("gamma", ("2026-03-29T18:30", "2026-04-26T18:30"), ("2026-03-31T18:30", "2026-04-30T18:30")),
        ("alpha", ("2026-03-29T22:00", "2026-04-26T22:00"), ("2026-03-31T22:00", "2026-04-30T22:00")),
        ("foyer", ("2026-03-29T22:00", "2026-04-26T22:00"), ("2026-03-31T22:00", "2026-04-30T22:00")),
    ):
        assert len(totals(name, *weeks, "15m", "hour", "day", "week")) == 1, name
        assert len(totals(name, *month, "15m", "hour", "day", "month")) == 1, name
    days, region = ("2026-04-01", "2026-04-20", "day"), chain.places["region"]
    parts = asked(chain.database, chain.tenant, region, *days, group_by=GroupBy.CHILD, **how)["groups"]
    whole = asked(chain.database, chain.tenant, region, *days, **how)
    assert whole["total"] == sum(part["series"][0]["total"] or 0 for part in parts)


def test_a_day_of_which_two_hours_were_counted_is_completed(chain: Chain) -> None:
    rows = [(3, 1, quarter, 15, 3, 1) for quarter in range(DAY * 30)]
    chain.push([row for row in rows if not DAY * 14 + 8 - 22 <= row[2] < DAY * 15 - 22], at=0)
    span = ("2026-04-10T18:30", "2026-04-11T18:30")
    for step in ("15m", "hour", "day"):
        assert ask(chain, "gamma", *span, step)["total"] == 24
        told = ask(chain, "gamma", *span, step, "footfall", impute=Impute.TYPICAL)
        assert (told["total"], told["imputed"], told["coverage"]) == (288, True, 0.083)


def test_what_is_imputed_of_a_store_without_sales_is_not_told_per_visitor(chain: Chain) -> None:
    rows = [(sensor, 1, quarter, 15, 1, 0) for sensor in (0, 3) for quarter in range(DAY * 30)]
    chain.push([row for row in rows if row[0] == 0 or not DAY * 14 <= row[2] < DAY * 14 + 8], at=0)
    chain.sell([("alpha", n, DAY * 14, "EUR", 5, False) for n in range(24)], at=1)
    for step in ("day", "hour"):
        about = ("2026-04-11T00:00", "2026-04-11T22:00", step, "conversion_rate", "footfall")
        plain, filled = (ask(chain, "region", *about, impute=one)["series"] for one in Impute)
        assert plain[0]["total"] == filled[0]["total"]
        assert filled[1]["total"] > plain[1]["total"]


def test_amounts_of_several_currencies_are_never_added(chain: Chain) -> None:
    chain.sell([("alpha", 1, 50, "EUR", 10, False), ("beta", 2, 50, "USD", 20, False)], at=0)
    span = ("2026-03-27", "2026-03-31", "day")
    with pytest.raises(SeveralCurrencies) as refused:
        ask(chain, None, *span, "revenue")
    assert "EUR, USD" in refused.value.errors[0].message
    told = ask(chain, None, *span, "revenue", currency="USD")
    assert (told["total"], told["currency"]) == (20, "USD")
    assert ask(chain, None, *span, "transactions")["total"] == 2
    assert ask(chain, "alpha", *span, "revenue")["currency"] == "EUR"


def test_an_hour_asked_in_quarters_says_that_it_was_spread(chain: Chain) -> None:
    chain.push([(3, 1, 0, 60, 8, 0)], at=0)
    with chain.database.transaction(chain.tenant) as tx:
        tx.run("UPDATE sensors SET interval_minutes = 60")
    told = ask(chain, "gamma", "2026-03-28T00:00", "2026-03-28T01:00", "15m")
    assert told["spread"] is True
    assert [(point["value"], point["coverage"]) for point in told["points"]] == [(2, 1.0)] * 4
    assert ask(chain, "gamma", "2026-03-28T00:00", "2026-03-28T01:00", "hour")["spread"] is False


def test_coverage_is_by_the_sensors_of_then_and_not_of_now(chain: Chain) -> None:
    chain.push([(3, 0, step, 15, 1, 0) for step in range(DAY)], at=0)
    span = ("2026-03-07T00:30", "2026-03-07T22:30", "hour")
    assert ask(chain, "gamma", *span)["coverage"] == 1.0
    with chain.database.transaction(chain.tenant) as tx:
        tx.run("UPDATE sensors SET status = 'retired', updated_at = '2026-03-20' WHERE id = %s", (chain.sensors[3],))
    chain.sensor("gamma", None, made="2026-03-20")
    chain.sensor("gamma", None, made="2026-03-20")
    assert ask(chain, "gamma", *span)["coverage"] == 1.0


def test_a_row_of_a_clock_that_was_reset_does_not_have_its_sensor_expected_ever_since(chain: Chain) -> None:
    real = [(3, 0, step, 15, 1, 0) for step in range(-DAY * 20, DAY * 22)]  # before its registration, and after
    chain.push([*real, (3, 0, -DAY * 365 * 25, 15, 1, 0)], at=0)
    other = chain.sensor("gamma", None, made="2026-01-01")
    chain.push([(chain.sensors.index(other), 0, step, 15, 1, 0) for step in range(-DAY * 60, 0)], at=1)
    told = ask(chain, "gamma", "2026-01-09T18:30", "2026-03-05T18:30", "day")
    assert {point["coverage"] for point in told["points"]} == {1.0}


@pytest.mark.parametrize("seed", range(5))
def test_since_when_a_line_is_expected_is_told_by_its_counts_in_any_order(chain: Chain, seed: int) -> None:
    random = Random(seed)  # noqa: S311  no secret
    made = datetime(2026, 3, 1, tzinfo=UTC)
    days = [random.choice([random.randrange(-8_000, 15), random.randrange(-1_500, 15)]) for _ in range(12)]
    for number, day in enumerate(days):
        chain.push([(3, 0, DAY * day, 15, 1, 0)], at=0)
        counted = sorted({STARTS[0] + timedelta(days=one) for one in days[: number + 1]})
        following = [*counted[1:], None]
        since = made
        for one, other in reversed(list(zip(counted, following, strict=True))):
            if one < made - timedelta(days=400) and (other is None or other - one > timedelta(days=400)):
                break
            since = min(since, one)
        query = "SELECT since FROM app.in_service(%s, %s, '{}')"
        assert chain.database.read(chain.tenant, query, (chain.tenant.tenant, [chain.places["gamma"]])) == [(since,)]


@pytest.mark.parametrize(
    ("about", "how", "refused"),
    [
        (("2026-03-02", "2026-03-01", "day"), {}, RangeOrder),
        (("1970-01-01", "2026-03-01", "month"), {}, RangeOutside),
        (("2026-03-01", "9999-12-31T23:59", "month"), {}, RangeOutside),
        (("2026-01-01", "2026-03-01", "15m"), {}, RangeTooLong),
        (("2026-03-01", "2026-03-02", "day"), {"group_by": GroupBy.ZONE}, WrongQuestion),
    ],
)
def test_what_cannot_be_asked_is_refused(
    chain: Chain, about: tuple[str, ...], how: dict[str, Any], refused: type[Exception]
) -> None:
    with pytest.raises(refused):
        ask(chain, "region", *about, **how)


def test_a_place_of_another_tenant_is_none(chain: Chain, two_tenants: Tenants) -> None:
    for place in (chain.places["alpha"], uuid4()):
        with pytest.raises(SiteNotFound):
            metrics_of(chain.database).series(two_tenants[1], question(place, "2026-03-01", "2026-03-02", "day"))
    told = asked(chain.database, two_tenants[1], EVERYBODY, "2026-03-01", "2026-03-02", "day")
    assert (told["total"], told["place"]["kind"]) == (None, "organization")


def ranked(
    chain: Chain, metric: Metric = Metric.FOOTFALL, within: UUID = EVERYBODY, **how: Any
) -> list[dict[str, Any]]:
    """All pages of two stores each."""
    span = (datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 29, tzinfo=UTC))
    found, after = [], None
    while True:
        kept = metrics_of(chain.database).ranking(chain.tenant, RankAsk(within, metric, *span, **how), after, 2)
        page = msgspec.json.decode(kept.content)
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        after = read_cursor(page["next_cursor"])
        assert after is not None


def test_stores_are_ranked_page_by_page_with_what_changed(chain: Chain) -> None:
    chain.place("delta", "site", "north", "UTC")
    days(chain, 0, 100)
    days(chain, 2, 40)
    days(chain, 3, 40)
    chain.push([(0, 1, -40, 15, 50, 0)], at=0)  # on the day before
    found = ranked(chain)
    assert [(one["rank"], one["value"]) for one in found] == [(1, 100), (2, 40), (2, 40), (4, None)]
    assert [one["name"] for one in (found[0], found[3])] == ["alpha", "delta"]
    assert (found[0]["previous"], found[0]["change"]) == (50, 1.0)
    assert [one["name"] for one in ranked(chain, within=chain.places["north"])] == ["alpha", "delta"]
    assert [one["value"] for one in ranked(chain, descending=False)] == [40, 40, 100, None]


def test_a_ranking_by_amounts_is_of_one_currency(chain: Chain) -> None:
    chain.sell([("alpha", 1, 50, "EUR", 10, False), ("beta", 2, 50, "USD", 20, False)], at=0)
    with pytest.raises(SeveralCurrencies):
        ranked(chain, Metric.REVENUE)
    assert [one["value"] for one in ranked(chain, Metric.REVENUE, currency="USD")] == [20, None, None]
    assert ranked(chain, Metric.AVERAGE_BASKET, within=chain.places["alpha"])[0]["value"] == 10


RATES = (Metric.CONVERSION_RATE, Metric.AVERAGE_BASKET, Metric.UNITS_PER_TRANSACTION, Metric.SALES_PER_VISITOR)


@pytest.mark.parametrize("metric", RATES)
def test_a_ranking_tells_nothing_of_receipts_that_were_corrected_away(chain: Chain, metric: Metric) -> None:
    days(chain, 0, 100)
    days(chain, 2, 100)
    chain.sell([("alpha", 1, 50, "USD", 10, False), ("beta", 2, 50, "EUR", 20, False)], at=0)
    chain.sell([("alpha", 1, 50, "EUR", 10, False)], at=1)  # the same receipt, of another currency
    chain.sell([("beta", 2, 50, "USD", 20, False)], at=2)
    found = {one["name"]: one["value"] for one in ranked(chain, metric, currency="EUR")}
    for name in ("alpha", "beta"):
        said = ask(chain, name, "2026-03-28", "2026-03-28T12:59", "day", metric.value, currency="EUR")["total"]
        assert (found[name], found[name] is None) == (said, name == "beta")


@pytest.mark.parametrize("cursor", ["", "x", "bnVsbA", "eyJpZCI6ICJhIiwgInZhbHVlIjogIk5hTiJ9"])
def test_a_cursor_that_is_none_of_ours_is_none(cursor: str) -> None:
    assert read_cursor(cursor) is None
