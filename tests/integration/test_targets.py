"""Targets on real PostgreSQL: set once, shared out exactly, and read with what came."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from shared.figures.errors import WrongCurrency
from shared.figures.repository import FigureRepository
from shared.targets import service as keeping
from shared.targets.errors import TargetExists, TargetNotFound, TooManyTargets, WrongCascade, WrongTarget
from shared.targets.model import By, Cascade, Period, Progress, Target, TargetDraft
from shared.targets.repository import TargetRepository
from shared.targets.service import Targets
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.errors import PreconditionFailed
from tenant_context.postgres import Database
from tests.integration.counted import add_region, add_sensor, add_site, add_zone
from tests.integration.test_occupancy import NOON, QUARTER, Store

Tenants = tuple[TenantContext, TenantContext]
MARCH = date(2026, 3, 1)
EVENTS = ("target.created", "target.updated", "target.removed", "target.cascaded")


class Chain(Store):
    """A region with three stores."""

    def __init__(self, database: Database, tenant: TenantContext) -> None:
        super().__init__(database, tenant)
        self.targets = Targets(database, TargetRepository(), FigureRepository(), uuid7)
        with database.transaction(tenant) as tx:
            self.stores = [self.site, add_site(tx), add_site(tx)]
            self.sensors = [
                self.sensor,
                add_sensor(tx, self.stores[1], "b", 15),
                add_sensor(tx, self.stores[2], "c", 15),
            ]
            self.region = add_region(tx, *self.stores)

    def target(
        self, value: str, *, site: UUID | None = None, metric: str = "footfall", currency: str | None = None
    ) -> Target:
        """A target of March."""
        draft = TargetDraft(site or self.region, metric, Period.MONTH, MARCH, Decimal(value), currency)
        with self.database.transaction(self.tenant) as tx:
            return self.targets.add(tx, draft)

    def cascade(self, target: Target, by: By, **weights: Any) -> dict[UUID, Decimal]:
        """Share it out; answers the shares by store."""
        given = {self.stores[int(place[1:])]: Decimal(weight) for place, weight in weights.items()}
        with self.database.transaction(self.tenant) as tx:
            made = self.targets.cascade(tx, target.id, Cascade(by, given))
        return {one.site_id: one.value for one in made}

    def progress(self, target: Target) -> Progress:
        """How far it is."""
        with self.database.transaction(self.tenant) as tx:
            return self.targets.progress(tx, target.id)

    def kinds(self) -> list[str]:
        """What was told, in order."""
        return [kind for kind, _ in self.told(*EVENTS)]


@pytest.fixture
def chain(database: Database, two_tenants: Tenants) -> Chain:
    return Chain(database, two_tenants[0])


def test_a_place_has_one_target_of_a_metric_and_period(chain: Chain) -> None:
    target = chain.target("1000")
    with pytest.raises(TargetExists):
        chain.target("2000")
    chain.target("12.50", metric="revenue")
    present = TargetDraft(chain.region, "exits", Period.QUARTER, None, Decimal(5))
    with chain.database.transaction(chain.tenant) as tx:
        assert chain.targets.add(tx, present).first_day == date(2026, 1, 1)
    with pytest.raises(WrongTarget), chain.database.transaction(chain.tenant) as tx:
        chain.targets.add(tx, TargetDraft(uuid7(), "exits", Period.QUARTER, None, Decimal(5)))
    with chain.database.transaction(chain.tenant) as tx:
        after = chain.targets.amend(tx, target.id, Decimal(1200), 1)
    assert (after.value, after.version) == (Decimal(1200), 2)
    with pytest.raises(PreconditionFailed), chain.database.transaction(chain.tenant) as tx:
        chain.targets.amend(tx, target.id, Decimal(1200), 1)
    with pytest.raises(WrongTarget), chain.database.transaction(chain.tenant) as tx:
        chain.targets.amend(tx, target.id, Decimal("1.5"), 2)
    with chain.database.transaction(chain.tenant) as tx:
        chain.targets.remove(tx, target.id)
    assert chain.kinds() == ["target.created"] * 3 + ["target.updated", "target.removed"]


def test_shares_go_by_what_places_brought_a_year_before_else_lately(chain: Chain) -> None:
    target = chain.target("100")
    for sensor, people in zip(chain.sensors, (10, 20, 30), strict=True):
        chain.push((NOON - timedelta(days=20), people, 0), sensor=sensor)
    shares = chain.cascade(target, By.HISTORY)
    assert [shares[store] for store in chain.stores] == [17, 33, 50]
    chain.push((NOON - timedelta(days=365), 500, 0))
    shares = chain.cascade(target, By.HISTORY)
    assert [shares[store] for store in chain.stores] == [100, 0, 0]


def test_shares_are_equal_or_by_weight_and_sum_exactly(chain: Chain) -> None:
    target = chain.target("100.01", metric="revenue")
    equal = chain.cascade(target, By.EQUALLY)
    assert sum(equal.values()) == Decimal("100.01")
    assert set(equal.values()) == {Decimal("33.34"), Decimal("33.33")}
    weighed = chain.cascade(target, By.WEIGHT, s0=1, s2=3)
    assert [weighed[store] for store in chain.stores] == [Decimal("25.00"), 0, Decimal("75.01")]
    found = chain.targets.page(
        chain.tenant, site=None, metric="revenue", period="month", first_day=MARCH, after=None, limit=9
    )
    assert sorted(one.version for one in found) == [1, 2, 2, 2]
    assert {one.cascaded_from for one in found} == {None, target.id}
    assert chain.kinds().count("target.cascaded") == 2
    assert chain.kinds().count("target.updated") == 3


@pytest.mark.parametrize(
    ("by", "weights", "code"),
    [(By.HISTORY, {}, "no-history"), (By.WEIGHT, {}, "no-weight"), (By.WEIGHT, {"s1": 0}, "no-weight")],
)
def test_a_way_that_leads_nowhere_is_refused(chain: Chain, by: By, weights: dict[str, int], code: str) -> None:
    target = chain.target("100")
    with pytest.raises(WrongCascade) as refused:
        chain.cascade(target, by, **weights)
    assert refused.value.errors[0].code == code


def test_rates_leaves_and_strangers_are_refused(chain: Chain) -> None:
    with pytest.raises(WrongCascade):
        chain.cascade(chain.target("0.2", metric="conversion_rate"), By.EQUALLY)
    with pytest.raises(WrongCascade):
        chain.cascade(chain.target("100", site=chain.stores[0]), By.EQUALLY)
    target = chain.target("100")
    with pytest.raises(WrongCascade), chain.database.transaction(chain.tenant) as tx:
        chain.targets.cascade(tx, target.id, Cascade(By.WEIGHT, {uuid7(): Decimal(1)}))


def test_a_zone_has_no_target_of_sales_nor_a_share_of_one(chain: Chain) -> None:
    with chain.database.transaction(chain.tenant) as tx:
        zone = add_zone(tx, chain.stores[0])
    for metric in ("revenue", "transactions", "conversion_rate"):
        with pytest.raises(WrongTarget) as refused:
            chain.target("1", site=zone, metric=metric)
        assert refused.value.errors[0].pointer == "/metric"
    assert chain.target("100", site=zone).site_id == zone
    with pytest.raises(WrongCascade) as told:
        chain.cascade(chain.target("100", site=chain.stores[0], metric="transactions"), By.EQUALLY)
    assert told.value.errors[0].code == "zones"
    with pytest.raises(WrongTarget) as unknown:
        chain.target("1", site=uuid7(), metric="transactions")
    assert unknown.value.errors[0].pointer == "/site_id"


def test_progress_tells_what_came_and_what_was_to_be_expected(chain: Chain) -> None:
    target = chain.target("3100")
    before = chain.progress(target)
    assert (before.actual, before.share, before.freshness) == (None, None, None)
    assert before.expected == 1550  # half past the sixteenth of thirty-one days that are alike
    chain.push((NOON - QUARTER, 310, 0))
    chain.push((NOON - timedelta(days=15), 155, 0), sensor=chain.sensors[1])
    chain.push((NOON - timedelta(days=16), 999, 0))  # of February
    now = chain.progress(target)
    assert (now.actual, now.share, now.expected_share) == (Decimal(465), Decimal("0.15"), before.expected_share)
    assert now.freshness == NOON
    chain.now = NOON + timedelta(days=400)
    over = chain.progress(target)
    assert (over.actual, over.expected) == (Decimal(465), Decimal(3100))
    rate = chain.progress(chain.target("0.2", metric="conversion_rate"))
    assert (rate.actual, rate.expected) == (None, Decimal("0.2"))


def test_targets_are_the_tenants_own_and_no_more_than_there_may_be(
    chain: Chain, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    globex = two_tenants[1]
    target = chain.target("100")
    with pytest.raises(TargetNotFound):
        chain.targets.show(globex, target.id)
    with pytest.raises(TargetNotFound), chain.database.transaction(globex) as tx:
        chain.targets.cascade(tx, target.id, Cascade(By.EQUALLY, {}))
    with pytest.raises(WrongTarget), chain.database.transaction(globex) as tx:
        chain.targets.add(tx, TargetDraft(chain.region, "footfall", Period.MONTH, MARCH, Decimal(1)))
    monkeypatch.setattr(keeping, "AT_MOST", 3)
    with pytest.raises(TooManyTargets):
        chain.cascade(target, By.EQUALLY)
    monkeypatch.setattr(keeping, "AT_MOST", 4)
    assert len(chain.cascade(target, By.EQUALLY)) == 3
    with pytest.raises(TooManyTargets):
        chain.target("1", metric="exits")


def test_amounts_of_several_currencies_are_never_added(chain: Chain) -> None:
    early = chain.target("500", metric="revenue")  # before anything is sold
    assert early.currency is None
    chain.sell((NOON - QUARTER, 200, "EUR"))
    assert chain.progress(early).actual == 200
    one = chain.target("1000", site=chain.site, metric="revenue")
    chain.sell((NOON - QUARTER, 300, "USD"), site=chain.stores[1])
    chain.sell((NOON - QUARTER, 40, "EUR"), site=chain.stores[2])
    assert (one.currency, chain.progress(one).actual) == ("EUR", Decimal(200))
    assert chain.progress(early).actual is None  # of which, nobody said
    with pytest.raises(WrongCurrency) as refused:
        chain.target("1000", metric="revenue")
    assert [(one.pointer, one.code) for one in refused.value.errors] == [("/currency", "several-currencies")]
    with pytest.raises(WrongCurrency):
        chain.target("1000", currency="EUR")
    euros, dollars = (chain.target("1000", metric="revenue", currency=one) for one in ("EUR", "USD"))
    assert (chain.progress(euros).actual, chain.progress(dollars).actual) == (Decimal(240), Decimal(300))
    shares = chain.cascade(euros, By.EQUALLY)
    assert sum(shares.values()) == 1000
    kept = chain.targets.page(
        chain.tenant, site=None, metric="revenue", period=None, first_day=None, after=None, limit=99
    )
    assert {target.currency for target in kept if target.cascaded_from == euros.id} == {"EUR"}
    # The store's own target of before became its share, as it is of the same amount.
    assert len([target for target in kept if target.site_id == chain.site]) == 1


def test_shares_by_history_go_by_the_targets_currency(chain: Chain) -> None:
    before = NOON - timedelta(days=30)
    for store, total, currency in ((0, 30, "EUR"), (1, 10, "EUR"), (1, 900, "USD")):
        chain.sell((before, total, currency), site=chain.stores[store])
    shares = chain.cascade(chain.target("1000", metric="revenue", currency="EUR"), By.HISTORY)
    assert [shares[store] for store in chain.stores] == [750, 250, 0]


def test_conversion_of_a_region_is_of_stores_that_count_and_sell(chain: Chain) -> None:
    chain.push((NOON - QUARTER, 40, 0))
    chain.push((NOON - QUARTER, 500, 0), sensor=chain.sensors[1])  # has no till
    chain.sell(*((NOON - QUARTER, 5, "EUR") for _ in range(8)))
    chain.sell(*((NOON - QUARTER, 5, "EUR") for _ in range(90)), site=chain.stores[2])  # has no counter
    assert chain.progress(chain.target("0.3", metric="conversion_rate")).actual == Decimal("0.2")
    assert chain.progress(chain.target("2", metric="units_per_transaction")).actual == 1
