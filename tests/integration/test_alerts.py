"""Alerts on real PostgreSQL: one of a rule and a place, however often and by however many it is judged."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from psycopg.types.json import Jsonb

from shared.alerts.errors import AlertNotFound, AlertResolved, RuleNotFound, TooManyRules, WrongRule
from shared.alerts.model import Condition, Kind, Quiet, Rule, RuleDraft
from shared.alerts.repository.alerts import AlertRepository
from shared.alerts.repository.rules import RuleRepository
from shared.alerts.service import judging as watching
from shared.alerts.service import rules as making
from shared.alerts.service.rules import Alerts, Rules
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.errors import PreconditionFailed
from tenant_context.postgres import Database
from tests.conftest import Clone
from tests.integration.counted import add_region, add_sensor, add_site, add_zone
from tests.integration.test_occupancy import NOON, QUARTER, Store

Tenants = tuple[TenantContext, TenantContext]
ALERTS = ("alert.opened", "alert.acknowledged", "alert.resolved")
HOUR = timedelta(hours=1)


class Watched(Store):
    """A store whose rules a test makes."""

    def __init__(self, database: Database, tenant: TenantContext) -> None:
        super().__init__(database, tenant)
        self.rules = Rules(database, RuleRepository(), AlertRepository(), self.figures, uuid7)
        self.alerts = Alerts(database, AlertRepository())

    def draft(self, kind: Kind, value: int, *, site: UUID | None = None, each: bool = False, **how: Any) -> RuleDraft:
        """What is to be told."""
        condition = Condition(kind=kind, value=Decimal(value), **how)
        return RuleDraft("Look", site or self.site, each, condition, "warning", enabled=True)

    def rule(self, kind: Kind, value: int, **how: Any) -> Rule:
        """A rule."""
        with self.database.transaction(self.tenant) as tx:
            return self.rules.add(tx, self.draft(kind, value, **how))

    def hours(self, *people: int, until: datetime = NOON) -> None:
        """Who came in whole hours, the last of them until a moment."""
        for back, entries in enumerate(reversed(people), start=1):
            self.push(*((until - back * HOUR + n * QUARTER, entries if n == 0 else 0, 0) for n in range(4)))

    def turn(self) -> list[tuple[UUID, UUID]]:
        """What the next run of the job judges."""
        with self.database.transaction(self.tenant) as tx:
            return self.judging._in_turn(tx)

    def kinds(self) -> list[str]:
        """What was told of alerts, in order."""
        return [kind for kind, _ in self.told(*ALERTS)]

    def open_now(self) -> list[Any]:
        """The alerts that are not resolved."""
        found = self.alerts.page(self.tenant, site=None, rule=None, status=None, after=None, limit=99)
        return [one for one in found if one.status != "resolved"]


@pytest.fixture
def store(database: Database, two_tenants: Tenants) -> Watched:
    return Watched(database, two_tenants[0])


def test_a_threshold_opens_one_alert_and_resolves_it_on_the_way_back(store: Watched) -> None:
    store.rule(Kind.THRESHOLD, 100, period="hour", clear_at=Decimal(80))
    for people in (100, 101, 150, 90, 81):
        store.hours(people, until=store.now)
        store.patrol()
        store.patrol()
        store.now += HOUR
    assert store.kinds() == ["alert.opened"]
    store.hours(80, until=store.now)
    store.patrol()
    assert store.kinds() == ["alert.opened", "alert.resolved"]
    (_, opened), (_, resolved) = store.told(*ALERTS)
    assert (opened["value"], opened["status"], opened["id"]) == ("101", "open", resolved["id"])
    assert opened["message"] == "Main: footfall of the hour 2026-03-16 12:00 is 101, above 100."
    assert resolved["reason"] == "cleared"


def test_what_only_grows_is_told_while_its_period_goes_on(store: Watched) -> None:
    store.rule(Kind.THRESHOLD, 100, period="day")
    store.push((NOON - QUARTER, 101, 0))
    assert store.kinds() == ["alert.opened"]


def test_too_few_are_told_once_the_period_is_whole(store: Watched) -> None:
    store.rule(Kind.THRESHOLD, 100, period="hour", direction="below")
    store.push((NOON, 5, 0), (NOON + QUARTER, 5, 0))
    store.now += HOUR
    assert store.kinds() == []
    store.push((NOON + 2 * QUARTER, 5, 0), (NOON + 3 * QUARTER, 5, 0))
    assert store.kinds() == ["alert.opened"]


def test_what_comes_months_late_raises_nothing(store: Watched) -> None:
    store.rule(Kind.THRESHOLD, 100, period="day")
    store.push((NOON - timedelta(days=40), 900, 0))
    store.patrol()
    assert store.kinds() == []


def test_a_change_is_told_against_what_it_is_compared_with(store: Watched) -> None:
    store.rule(Kind.CHANGE, 20, direction="below", against="week", period="day", clear_at=Decimal(10))
    today, week = NOON.replace(hour=0), timedelta(days=7)
    for ago, now, before in ((2, 85, 100), (1, 75, 100)):
        store.push((today - timedelta(days=ago) - week, before, 0))
        day = today - timedelta(days=ago)
        store.push((day, now, 0), (day + timedelta(hours=23, minutes=45), 0, 0))
        assert store.kinds() == (["alert.opened"] if ago == 1 else [])
    assert store.told("alert.opened")[0][1]["value"] == "-25"


def test_missing_data_is_told_by_the_clock_and_resolves_as_data_comes(store: Watched) -> None:
    store.rule(Kind.MISSING_DATA, 60)
    store.patrol()
    assert store.kinds() == []  # nothing ever came
    store.push((NOON - QUARTER, 1, 1))
    store.now += timedelta(minutes=60)
    store.patrol()
    assert store.kinds() == []
    store.now += timedelta(minutes=1)
    store.patrol()
    store.patrol()
    assert store.kinds() == ["alert.opened"]
    store.push((store.now - QUARTER, 1, 1))
    assert store.kinds() == ["alert.opened", "alert.resolved"]


def test_who_is_closed_misses_nothing(store: Watched) -> None:
    hours = {"week": {"mon": [{"from": "10:00", "to": "20:00"}], "tue": [{"from": "10:00", "to": "20:00"}]}}
    with store.database.transaction(store.tenant) as tx:
        tx.run("UPDATE sites SET hours = %s", (Jsonb(hours),))
    store.rule(Kind.MISSING_DATA, 60)
    store.push((NOON - QUARTER, 1, 1))  # of a Monday
    store.now = NOON.replace(hour=22)
    store.patrol()
    store.now = NOON + timedelta(hours=22, minutes=50)  # ten to eleven of Tuesday: open for fifty minutes
    store.patrol()
    assert store.kinds() == []
    store.now += timedelta(minutes=11)
    store.patrol()
    assert store.kinds() == ["alert.opened"]


def test_capacity_is_told_by_an_alert_too(store: Watched) -> None:
    store.rule(Kind.CAPACITY, 0)
    store.limit(100, 80)
    store.push((NOON - 2 * QUARTER, 100, 0))
    store.push((NOON - QUARTER, 0, 30))
    assert store.kinds() == ["alert.opened", "alert.resolved"]
    assert store.told(*ALERTS)[0][1]["message"] == "Main: 100 are inside at 2026-03-16 11:45, of 100 who may be."


def test_a_region_has_no_limit_but_its_stores_have(store: Watched) -> None:
    with store.database.transaction(store.tenant) as tx:
        region = add_region(tx, store.site)
    with pytest.raises(WrongRule) as refused:
        store.rule(Kind.CAPACITY, 0, site=region)
    assert refused.value.errors[0].pointer == "/each_store"
    store.rule(Kind.CAPACITY, 0, site=region, each=True)
    store.limit(100, 80)
    store.push((NOON - QUARTER, 100, 0))
    assert store.kinds() == ["alert.opened"]


def test_a_zone_has_no_stores_to_be_watched(store: Watched) -> None:
    with store.database.transaction(store.tenant) as tx:
        zone = add_zone(tx, store.site)
    with pytest.raises(WrongRule) as refused:
        store.rule(Kind.THRESHOLD, 1, site=zone, each=True)
    assert refused.value.errors[0].pointer == "/each_store"
    assert store.rule(Kind.THRESHOLD, 1, site=zone).site_id == zone


def test_in_quiet_hours_nothing_opens_and_what_is_still_so_opens_after(store: Watched) -> None:
    store.rule(Kind.THRESHOLD, 100, period="day", quiet=Quiet("11:00", "13:00"))
    store.push((NOON - QUARTER, 500, 0))
    store.patrol()
    assert store.kinds() == []
    store.now = NOON + HOUR
    store.patrol()
    assert store.kinds() == ["alert.opened"]


def test_a_rule_of_a_region_is_of_all_of_it_or_of_each_store(store: Watched) -> None:
    with store.database.transaction(store.tenant) as tx:
        other = add_site(tx)
        elsewhere = add_site(tx)
        sensors = [store.sensor, add_sensor(tx, other, "other", 15), add_sensor(tx, elsewhere, "elsewhere", 15)]
        region = add_region(tx, store.site, other)
    whole = store.rule(Kind.THRESHOLD, 100, period="day", site=region)
    each = store.rule(Kind.THRESHOLD, 100, period="day", site=region, each=True)
    for sensor in sensors:
        store.push((NOON - QUARTER, 60, 0), sensor=sensor)
    assert [(data["rule_id"], data["site_id"]) for _, data in store.told(*ALERTS)] == [(str(whole.id), str(region))]
    for sensor in sensors:
        store.push((NOON - 2 * QUARTER, 60, 0), sensor=sensor)
    assert {(one.rule_id, one.site_id) for one in store.open_now()} == {
        (whole.id, region), (each.id, store.site), (each.id, other),
    }  # fmt: skip


def test_of_more_rules_than_a_run_judges_all_have_their_turn(store: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PAIRS_A_RUN", 3)
    watched, store.processor._heeds = store.processor._heeds, ()
    store.push((NOON - QUARTER, 500, 0))
    store.processor._heeds = watched
    made = {str(store.rule(Kind.THRESHOLD, 100, period="day").id) for _ in range(8)}
    assert [store.patrol()["alerts"] for _ in range(4)] == [3, 3, 2, 0]
    assert {data["rule_id"] for _, data in store.told("alert.opened")} == made
    turns = [set(store.turn()) for _ in range(6)]
    assert [len(turn) for turn in turns] == [3] * 6
    assert all(len(turns[n] | turns[n + 1] | turns[n + 2]) == 8 for n in range(4))


def test_many_who_judge_at_once_open_one_alert(store: Watched, clone: Clone) -> None:
    store.rule(Kind.THRESHOLD, 100, period="day")
    watched, store.processor._heeds = store.processor._heeds, ()
    store.push((NOON - QUARTER, 500, 0))
    store.processor._heeds = watched

    def judge(_: int) -> int:
        mine = Database(clone.settings(), clock=lambda: NOON)
        try:
            with mine.transaction(store.tenant) as tx:
                return store.judging(tx)
        finally:
            mine.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(judge, range(24))) == 1
    assert store.kinds() == ["alert.opened"]


def test_somebody_looks_after_an_alert_and_it_resolves_by_itself_all_the_same(store: Watched) -> None:
    store.rule(Kind.MISSING_DATA, 60)
    store.push((NOON - QUARTER, 1, 1))
    store.now += 2 * HOUR
    store.patrol()
    (alert,) = store.open_now()
    for note in ("I call them", "again"):
        with store.database.transaction(store.tenant) as tx:
            seen = store.alerts.acknowledge(tx, alert.id, note)
    assert (seen.status, seen.note, seen.acknowledged_by) == ("acknowledged", "I call them", store.tenant.user)
    store.patrol()
    store.push((store.now - QUARTER, 1, 1))
    assert store.kinds() == list(ALERTS)
    with pytest.raises(AlertResolved), store.database.transaction(store.tenant) as tx:
        store.alerts.acknowledge(tx, alert.id, "")


def test_alerts_of_a_rule_that_is_changed_or_removed_are_over(store: Watched) -> None:
    rule = store.rule(Kind.THRESHOLD, 100, period="day")
    store.push((NOON - QUARTER, 500, 0))
    with store.database.transaction(store.tenant) as tx:
        changed = store.rules.amend(tx, rule.id, store.draft(Kind.THRESHOLD, 200, period="day"), 1)
    store.patrol()
    with pytest.raises(PreconditionFailed), store.database.transaction(store.tenant) as tx:
        store.rules.amend(tx, rule.id, store.draft(Kind.THRESHOLD, 200), 1)
    silent = replace(store.draft(Kind.THRESHOLD, 200, period="day"), enabled=False)
    with store.database.transaction(store.tenant) as tx:
        store.rules.amend(tx, rule.id, silent, changed.version)
    store.patrol()
    assert store.kinds() == ["alert.opened", "alert.resolved"] * 2
    with store.database.transaction(store.tenant) as tx:
        store.rules.remove(tx, rule.id)
    assert [data["reason"] for kind, data in store.told("alert.resolved")] == ["rule_changed"] * 2
    with pytest.raises(RuleNotFound):
        store.rules.show(store.tenant, rule.id)


def test_rules_are_the_tenants_own_and_no_more_than_there_may_be(
    store: Watched, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    globex = two_tenants[1]
    rule = store.rule(Kind.THRESHOLD, 100, period="day")
    store.push((NOON - QUARTER, 500, 0))
    (alert,) = store.open_now()
    assert store.rules.page(globex, site=None, after=None, limit=9) == []
    with pytest.raises(RuleNotFound):
        store.rules.show(globex, rule.id)
    with pytest.raises(AlertNotFound):
        store.alerts.show(globex, alert.id)
    with pytest.raises(WrongRule), store.database.transaction(globex) as tx:
        store.rules.add(tx, store.draft(Kind.THRESHOLD, 100))
    monkeypatch.setattr(making, "AT_MOST", 1)
    with pytest.raises(TooManyRules):
        store.rule(Kind.THRESHOLD, 100)
    assert msgspec.convert(msgspec.to_builtins(rule.condition), Condition) == rule.condition
