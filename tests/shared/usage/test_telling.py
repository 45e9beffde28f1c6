"""Stripe is told of every use once: late, repeated, while it is away, and when its answer gets lost."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from shared.billing.gateway.meters import Meters, Used
from shared.jobs.model import NEEDS, Job
from shared.jobs.repository import JobRepository
from shared.jobs.service import Worker
from shared.life.service import GRACE, Life
from shared.plans.model import Kind
from shared.plans.repository import PlanRepository
from shared.plans.service import Doors, Grants
from shared.usage.model import Calls, Meter, Use
from shared.usage.repository import UsageRepository
from shared.usage.service.ledger import Ledger
from shared.usage.service.telling import UsageShare
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext, at_tenant, from_message, from_operator
from tenant_context.dynamo import Table
from tenant_context.entry.queue import Message, QueueEntry
from tenant_context.errors import Unavailable
from tenant_context.observability import Observability
from tenant_context.postgres import Database
from tenant_context.state_news import Allowances, Herald
from tenant_context.states import Need, State, permitting
from tests.clocks import Moment
from tests.conftest import Clone
from tests.dynamo import watched
from tests.local.harness import StandIn

Tenants = tuple[TenantContext, TenantContext]


class Direct:
    """The egress function's meters without the function between; its answer may get lost."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters
        self.lost = 0

    def call(self, operation: str, data: dict[str, Any], *, tenant: UUID, request_id: str) -> Any:
        assert (operation, bool(tenant), bool(request_id)) == ("meter", True, True)
        answer = self._meters.push(data["customer"], msgspec.convert(data["used"], list[Used]))
        if self.lost:
            self.lost -= 1
            raise Unavailable("The answer got lost.")
        return answer


class Teller:
    """One tenant's usage, its job, and what Stripe has heard."""

    def __init__(
        self, database: Database, tenant: TenantContext, stand_in: StandIn, meters: Meters, table: Table
    ) -> None:
        self.database = database
        self.tenant = tenant
        self.stand_in = stand_in
        self.direct = Direct(meters)
        self.share = UsageShare(database, UsageRepository(), self.direct, Doors(Allowances(table, database.clock)))
        self.customer = stand_in.customer(card=None)
        self._number = 0
        self.table = table
        with database.transaction(tenant) as tx:
            tx.run("UPDATE tenants SET stripe_customer_id = %s WHERE tenant_id = %s", (self.customer, tenant.tenant))

    def use(self, at: datetime, quantity: int) -> None:
        self._number += 1
        with self.database.transaction(self.tenant) as tx:
            Ledger().called(tx, Calls(str(self._number), at, quantity, []))

    def run(self) -> dict[str, Any]:
        with self.database.transaction(self.tenant) as tx:
            return self.share(tx)

    def heard(self) -> float:
        meters = [
            one for one in self.stand_in.client.v1.billing.meters.list().data if one.event_name == "rmap_api_calls"
        ]
        if not meters:
            return 0
        span = {"customer": self.customer, "start_time": 0, "end_time": 4_000_000_020}
        found = self.stand_in.client.v1.billing.meters.event_summaries.list(meters[0].id, span)
        return sum(float(one.aggregated_value) for one in found.data)

    def states(self) -> list[tuple[str, int]]:
        rows = self.database.read(self.tenant, "SELECT state, quantity FROM usage_pushes ORDER BY hour, part")
        return [(row[0], row[1]) for row in rows]

    def told(self, kind: str) -> list[dict[str, Any]]:
        rows = self.database.read(self.tenant, "SELECT data FROM outbox WHERE type = %s ORDER BY id", (kind,))
        return [row[0] for row in rows]


@pytest.fixture
def acme(
    database: Database, two_tenants: Tenants, stand_in: StandIn, secret_name: str, clone: Clone, table_name: str
) -> Iterator[Teller]:
    assert clone.name
    with closing(Meters(secret_name, stand_in.url)) as meters, watched(table_name) as table:
        yield Teller(database, two_tenants[0], stand_in, meters, table)


def test_an_hour_is_told_once_it_is_over(acme: Teller, moment: Moment) -> None:
    acme.use(moment.now - timedelta(hours=2), 40)
    acme.use(moment.now, 2)
    acme.run()
    assert acme.states() == [("pushed", 40)]
    assert acme.heard() == 40
    moment.now += timedelta(hours=1)
    acme.run()
    assert acme.heard() == 42


def test_late_use_of_an_hour_that_was_told_is_another_part_of_it(acme: Teller, moment: Moment) -> None:
    hour = moment.now - timedelta(hours=3)
    for quantity in (40, 2, 1):
        acme.use(hour, quantity)
        acme.run()
        acme.run()
    assert acme.states() == [("pushed", 40), ("pushed", 2), ("pushed", 1)]
    assert acme.heard() == 43


def test_what_stripe_took_without_answering_is_not_told_twice(acme: Teller, moment: Moment) -> None:
    acme.use(moment.now - timedelta(hours=2), 40)
    acme.direct.lost = 1
    acme.run()
    assert acme.states() == [("waiting", 40)]
    acme.use(moment.now - timedelta(hours=2), 2)  # while it is unknown what became of the first part
    acme.run()
    assert acme.states() == [("pushed", 40), ("pushed", 2)]
    assert acme.heard() == 42


def test_a_call_to_stripe_whose_answer_is_lost_is_not_counted_twice(acme: Teller, moment: Moment) -> None:
    acme.use(moment.now - timedelta(hours=2), 1)
    acme.run()
    acme.use(moment.now - timedelta(hours=2), 40)
    acme.stand_in.control("faults", drop=True, executed=True, count=2, match="POST /v1/billing/meter_events")
    acme.run()
    acme.run()
    assert acme.heard() == 41


def test_while_stripe_is_away_usage_waits(acme: Teller, moment: Moment) -> None:
    for hours in (2, 3, 4):
        acme.use(moment.now - timedelta(hours=hours), hours)
    acme.stand_in.control("faults", down=True)
    acme.run()
    assert {state for state, _ in acme.states()} == {"waiting"}
    acme.stand_in.control("faults", down=False)
    acme.run()
    assert acme.heard() == 9


def test_use_of_34_days_ago_is_told_and_of_36_days_ago_is_refused_and_said(acme: Teller, moment: Moment) -> None:
    acme.use(moment.now - timedelta(days=34), 34)
    acme.use(moment.now - timedelta(days=36), 36)
    acme.run()
    acme.run()
    assert acme.states() == [("refused", 36), ("pushed", 34)]
    assert acme.heard() == 34
    (refusal,) = acme.told("usage.push_refused")
    assert refusal["quantity"] == 36


def test_before_stripe_knows_the_tenant_usage_waits(acme: Teller, moment: Moment) -> None:
    with acme.database.transaction(acme.tenant) as tx:
        tx.run("UPDATE tenants SET stripe_customer_id = NULL WHERE tenant_id = %s", (acme.tenant.tenant,))
    acme.use(moment.now - timedelta(hours=2), 7)
    acme.run()
    assert acme.states() == [("waiting", 7)]


def test_each_threshold_is_told_once_a_month(acme: Teller, moment: Moment) -> None:
    moment.now = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
    included = 3_000_000  # starter: 100,000 calls a day
    for quantity in (included // 2 - 1, 1, included // 2 - 1, 1, included):
        acme.use(moment.now, quantity)
        acme.run()
        acme.run()
    told = [(one["meter"], one["threshold"]) for one in acme.told("usage.threshold_reached")]
    assert told == [("api_calls", 50), ("api_calls", 80), ("api_calls", 100)]
    moment.now = datetime(2026, 4, 20, 12, 30, tzinfo=UTC)
    acme.use(moment.now, included)
    acme.run()
    assert len(acme.told("usage.threshold_reached")) == 6


def test_what_was_granted_is_included_and_no_threshold_is_told_again(acme: Teller, moment: Moment) -> None:
    moment.now = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
    acme.use(moment.now, 2_400_000)  # 80 % of starter's
    acme.run()
    grants = Grants(PlanRepository(acme.database), uuid7, Doors(Allowances(acme.table, moment)))
    operator = at_tenant(from_operator("the tests"), acme.tenant.tenant)
    with acme.database.transaction(operator) as tx:
        given = grants.give(tx, Kind.VALUE, "api_calls_per_day", amount=200_000, until=None, reason="a sale")
    acme.use(moment.now, 3_500_000)  # 5.9 of 6 million: below all of it, above 80 % of it for the second time
    acme.run()
    assert [one["threshold"] for one in acme.told("usage.threshold_reached")] == [50, 80]
    acme.use(moment.now, 100_000)
    acme.run()
    last = acme.told("usage.threshold_reached")[-1]
    assert (last["threshold"], last["included"]) == (100, 6_000_000)
    with acme.database.transaction(operator) as tx:
        grants.take_back(tx, given.id)
    acme.run()
    assert len(acme.told("usage.threshold_reached")) == 3


@pytest.mark.parametrize(
    ("meter", "included"),
    [("api_calls", 3_000_000), ("ingested_rows", 3_000_000), ("active_users", 10), ("storage_bytes", 10 * 10**9)],
)
def test_every_allowance_that_is_metered_is_alerted(acme: Teller, moment: Moment, meter: str, included: int) -> None:
    moment.now = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
    for number, quantity in enumerate((included // 2, included // 2)):
        use = Use(Meter(meter), "the test", str(number), moment.now, quantity)
        with acme.database.transaction(acme.tenant) as tx:
            UsageRepository().record(tx, use)
        acme.run()
    told = sorted((one["meter"], one["threshold"]) for one in acme.told("usage.threshold_reached"))
    assert told == [(meter, 50), (meter, 80), (meter, 100)]


def test_what_came_in_a_months_last_minutes_is_alerted_in_the_next(acme: Teller, moment: Moment) -> None:
    moment.now = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)
    acme.use(moment.now, 1_500_000)
    moment.now = datetime(2026, 4, 1, 0, 20, tzinfo=UTC)
    acme.run()
    acme.run()
    assert [(one["month"], one["threshold"]) for one in acme.told("usage.threshold_reached")] == [("2026-03", 50)]


def put_into(acme: Teller, state: State) -> None:
    with acme.database.transaction(acme.tenant) as tx:
        tx.run("UPDATE tenants SET status = %s WHERE tenant_id = %s", (state, acme.tenant.tenant))


@pytest.mark.parametrize("state", [State.SUSPENDED, State.CLOSED])
def test_who_is_suspended_or_closed_has_all_that_is_open_told_and_nothing_new_measured(
    acme: Teller, moment: Moment, state: State
) -> None:
    """As the queue's door lets it in: after five weeks, Stripe would take none of it."""
    acme.use(moment.now - timedelta(hours=2), 40)
    acme.use(moment.now, 2)
    put_into(acme, state)
    worker = Worker(acme.database, JobRepository(acme.database), {Job.USAGE: acme.share})
    entry = QueueEntry(worker, observability=Observability(f"tests-{state}"), need=Need.TIMED, needs=NEEDS)
    body = Message(acme.tenant.tenant, "the tests", Job.USAGE, {}).encode().decode()
    for _ in range(2):
        assert entry({"Records": [{"messageId": "m", "body": body}]}, None) == {"batchItemFailures": []}
    assert acme.states() == [("pushed", 40), ("pushed", 2)]
    assert acme.heard() == 42
    assert acme.database.read(acme.tenant, "SELECT 1 FROM usage_events WHERE source = 'storage'") == []


def test_what_stripe_did_not_take_while_it_was_away_is_told_of_the_suspended_later(
    acme: Teller, moment: Moment
) -> None:
    acme.use(moment.now, 5)
    put_into(acme, State.SUSPENDED)
    acme.stand_in.control("faults", down=True)
    acme.run()
    assert acme.states() == [("waiting", 5)]
    acme.stand_in.control("faults", down=False)
    acme.run()
    assert acme.states() == [("pushed", 5)]


def test_the_last_hour_is_told_as_the_organization_is_closed(acme: Teller, moment: Moment) -> None:
    """By a context that timed work has, which a closed tenant would not let in."""
    life = Life(Herald(acme.table, moment), at_end=acme.share.settle)
    with acme.database.transaction(acme.tenant) as tx:
        life.move(tx, State.CLOSING, "the tests")
    moment.now += GRACE
    acme.stand_in.control("clock", advance=GRACE.total_seconds())
    acme.use(moment.now, 3)
    timed = from_message(acme.tenant.tenant, "the tests", permitting(Need.TIMED))
    with acme.database.transaction(timed) as tx:
        assert life.tend(tx) == {"closed": 1}
    assert acme.states() == [("pushed", 3)]
    assert acme.heard() == 3


def test_usage_is_planned_for_the_suspended_and_other_work_is_not(acme: Teller) -> None:
    put_into(acme, State.SUSPENDED)
    jobs = JobRepository(acme.database)
    with_usage = [one for page in jobs.tenants(need=NEEDS[Job.USAGE]) for one in page]
    assert acme.tenant.tenant in with_usage
    assert acme.tenant.tenant not in [one for page in jobs.tenants() for one in page]
