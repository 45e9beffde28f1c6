"""Alerts of periods: when one is whole, whose money it is, and what a region's ratios are of."""

from datetime import timedelta
from decimal import Decimal

import pytest

from shared.alerts.model import Kind
from shared.figures.errors import WrongCurrency
from tests.integration.counted import add_region, add_sensor, add_site
from tests.integration.test_alerts import HOUR, Watched, store
from tests.integration.test_occupancy import NOON, QUARTER

__all__ = ["store"]


def test_a_period_is_whole_once_the_slowest_door_told_of_it(store: Watched) -> None:
    with store.database.transaction(store.tenant) as tx:
        back = add_sensor(tx, store.site, "back", 15)
    store.push((NOON - 4 * QUARTER, 160, 0), (NOON - QUARTER, 0, 0), sensor=back)
    store.rule(Kind.THRESHOLD, 100, period="hour", direction="below")
    store.now += HOUR
    store.push(*((NOON + n * QUARTER, 15, 0) for n in range(4)))
    store.patrol()
    assert store.kinds() == []  # sixty of a hundred, and the back door has not told yet
    store.push(*((NOON + n * QUARTER, 15, 0) for n in range(4)), sensor=back)
    assert store.kinds() == []
    store.now += HOUR
    store.push(*((NOON + n * QUARTER, 5, 0) for n in range(4, 8)))
    assert store.kinds() == []
    store.push(*((NOON + n * QUARTER, 5, 0) for n in range(4, 8)), sensor=back)
    assert [data["value"] for _, data in store.told("alert.opened")] == ["40"]


def test_a_dead_door_silences_nobody_for_long(store: Watched) -> None:
    with store.database.transaction(store.tenant) as tx:
        back = add_sensor(tx, store.site, "back", 15)
    store.rule(Kind.THRESHOLD, 100, period="hour", direction="below")
    store.push((NOON - QUARTER, 200, 0), sensor=back)
    for _ in range(3):
        store.now += HOUR
        store.hours(50, until=store.now)
        store.patrol()
    assert store.kinds() == []
    store.now += QUARTER
    store.patrol()
    assert store.kinds() == ["alert.opened"]


def test_a_region_falls_only_once_all_of_its_stores_told(store: Watched) -> None:
    with store.database.transaction(store.tenant) as tx:
        other = add_site(tx)
        far = add_sensor(tx, other, "far", 15)
        region = add_region(tx, store.site, other)
    today, day = NOON.replace(hour=0), timedelta(days=1)
    for sensor in (store.sensor, far):
        store.push((today - 2 * day, 100, 0), (today - day - QUARTER, 0, 0), sensor=sensor)
    store.rule(Kind.CHANGE, 20, direction="below", period="day", site=region)
    store.now = today + HOUR
    store.push((today - day, 100, 0), (today - QUARTER, 0, 0))
    store.patrol()
    assert store.kinds() == []  # half of the day before, as the other store's file comes later
    store.push((today - day, 50, 0), (today - QUARTER, 0, 0), sensor=far)
    assert [data["value"] for _, data in store.told("alert.opened")] == ["-25"]


def test_what_is_bought_per_visitor_waits_for_the_tills(store: Watched) -> None:
    store.rule(Kind.THRESHOLD, 1, period="hour", direction="below", metric="conversion_rate")
    store.push(*((NOON - n * QUARTER, 10, 0) for n in range(1, 9)))
    store.sell(*((NOON - 2 * HOUR + n * QUARTER, 5, "EUR") for n in range(4) for _ in range(10)))
    store.patrol()
    assert store.kinds() == []  # the last hour's receipts are late, and those of the hour before are as they should be
    store.sell(*((NOON - HOUR + n * QUARTER, 5, "EUR") for n in range(4) for _ in range(8)))
    assert [data["value"] for _, data in store.told("alert.opened")] == ["0.8"]


def test_amounts_of_several_currencies_are_never_added(store: Watched) -> None:
    lone = store.rule(Kind.THRESHOLD, 100, metric="revenue")  # before anything is sold
    assert lone.condition.currency is None
    store.sell((NOON - HOUR, 60, "EUR"))
    assert store.rule(Kind.THRESHOLD, 500, metric="revenue").condition.currency == "EUR"
    store.sell((NOON - HOUR, 90, "USD"))
    assert store.kinds() == []  # 150 of nothing
    with pytest.raises(WrongCurrency) as refused:
        store.rule(Kind.THRESHOLD, 100, metric="revenue")
    assert [(one.pointer, one.code) for one in refused.value.errors] == [("/condition/currency", "several-currencies")]
    for metric, kind in (("footfall", Kind.THRESHOLD), ("revenue", Kind.CAPACITY)):
        with pytest.raises(WrongCurrency):
            store.rule(kind, 1, metric=metric, currency="EUR")
    store.rule(Kind.THRESHOLD, 80, metric="revenue", currency="EUR")
    store.rule(Kind.THRESHOLD, 80, metric="average_basket", currency="USD")
    store.push((NOON - QUARTER, 10, 0))
    store.rule(Kind.THRESHOLD, 1, metric="transactions")
    store.patrol()
    told = {data["message"] for _, data in store.told("alert.opened")}
    assert told == {"Main: transactions of the day 2026-03-16, up to 11:15, is 2, above 1."}
    store.sell((NOON - 2 * QUARTER, 30, "EUR"))
    told = {data["message"] for _, data in store.told("alert.opened")}
    assert "Main: revenue of the day 2026-03-16, up to 11:45, is 90 EUR, above 80 EUR." in told
    store.sell((NOON + timedelta(days=1), 1, "USD"))
    store.now = NOON + timedelta(days=1, hours=1)
    store.patrol()
    told = {data["message"] for _, data in store.told("alert.opened")}
    assert "Main: average basket of the day 2026-03-16 is 90 USD, above 80 USD." in told
    assert all(data["rule_id"] != str(lone.id) for _, data in store.told("alert.opened"))


def test_a_rule_of_before_any_sale_is_of_the_currency_that_came(store: Watched) -> None:
    store.rule(Kind.THRESHOLD, 100, metric="revenue")
    store.sell((NOON - HOUR, 160, "CHF"))
    assert [data["message"] for _, data in store.told("alert.opened")] == [
        "Main: revenue of the day 2026-03-16, up to 11:15, is 160 CHF, above 100 CHF."
    ]


def test_conversion_of_a_region_is_of_stores_that_count_and_sell(store: Watched) -> None:
    with store.database.transaction(store.tenant) as tx:
        uncounted = add_site(tx)
        region = add_region(tx, store.site, uncounted)
    store.rule(Kind.THRESHOLD, 1, period="hour", metric="conversion_rate", site=region)
    store.push(*((NOON - n * QUARTER, 10, 0) for n in range(1, 5)))
    for site, receipts in ((store.site, 2), (uncounted, 50)):
        store.sell(*((NOON - n * QUARTER, 5, "EUR") for n in range(1, 5) for _ in range(receipts)), site=site)
    store.patrol()
    assert store.kinds() == []  # 8 of 40, and not 208
    with store.database.transaction(store.tenant) as tx:
        place = store.figures.place(tx, region)
        rate, spent = (
            store.figures.value(tx, place, metric, NOON - HOUR, NOON, currency)
            for metric, currency in (("conversion_rate", None), ("sales_per_visitor", "EUR"))
        )
    assert (rate, spent) == (Decimal("0.2"), Decimal(1))
