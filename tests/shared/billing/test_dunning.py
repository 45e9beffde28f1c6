"""Not paying, day by day: each step once, whatever fails, and everything back with the payment."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.billing.model import BillingEvent, Plan
from shared.billing.repository import BillingRepository
from shared.billing.service.dunning import Dunning
from tenant_context.context import TenantContext, from_message
from tenant_context.dynamo import Table
from tenant_context.events import Event
from tenant_context.postgres import Database
from tenant_context.state_news import States
from tenant_context.states import Need, State, permitting
from tests.billing import billing_on, life_on
from tests.conftest import Clone
from tests.dynamo import watched

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
Tenants = tuple[TenantContext, TenantContext]


class Debtor:
    """A tenant, a clock, and the mails that were sent."""

    def __init__(self, database: Database, tenant: TenantContext, table: Table) -> None:
        self.database = database
        self.tenant = tenant
        self.mails: list[tuple[str, str, str]] = []
        self.table = table
        self.life = life_on(table)
        self.billing = billing_on(table)
        self.dunning = Dunning(BillingRepository(), self.life, self)
        self._number = 0

    def send(self, kind: str, to: str, values: dict[str, str], *, request_id: str, tenant: UUID) -> None:
        assert request_id
        assert tenant == self.tenant.tenant
        self.mails.append((kind, to, values["days"]))

    def told(self, status: str, day: float, **more: Any) -> BillingEvent:
        self._number += 1
        return BillingEvent(
            id=f"evt_{self._number}",
            type="customer.subscription.updated",
            created=NOON + timedelta(days=day),
            tenant=self.tenant.tenant,
            customer="cus_1",
            subscription="sub_1",
            status=status,
            plan=Plan.STARTER,
            **more,
        )

    def hear(self, event: BillingEvent) -> None:
        with self.database.transaction(self.tenant) as tx:
            self.billing.followed(tx, event)

    def run(self, day: float) -> int:
        now = NOON + timedelta(days=day)
        with self.database.transaction(self.tenant) as tx:
            tx.now = now
            steps: int = self.dunning(tx)["steps"]
            return steps

    def status(self) -> tuple[str, str]:
        ((status, stage),) = self.database.read(self.tenant, "SELECT status, dunning_stage FROM tenants")
        return status, stage


@pytest.fixture
def database(clone: Clone) -> Iterator[Database]:
    opened = Database(clone.settings(), clock=lambda: NOON)
    yield opened
    opened.close()


@pytest.fixture
def table(table_name: str) -> Iterator[Table]:
    with watched(table_name) as opened:
        yield opened


@pytest.fixture
def acme(database: Database, two_tenants: Tenants, table: Table) -> Debtor:
    debtor = Debtor(database, two_tenants[0], table)
    debtor.hear(debtor.told("active", -30))
    debtor.hear(debtor.told("past_due", 0))
    return debtor


class Deaf:
    """A bus that takes every event."""

    def publish(self, tenant: TenantContext, events: Sequence[Event], now: datetime) -> list[UUID]:  # noqa: ARG002
        return [event.id for event in events]


def test_doors_hear_of_the_suspension(clone: Clone, acme: Debtor) -> None:
    """By a context that timed work has, which the suspended tenant would not let in any more."""
    timed = from_message(acme.tenant.tenant, "the tests", permitting(Need.TIMED))
    late = NOON + timedelta(days=42)
    publishing = Database(clone.settings(), clock=lambda: late, publisher=Deaf())
    with closing(publishing), publishing.transaction(timed) as tx:
        assert acme.dunning(tx)["steps"] == 6
    assert States(acme.table, lambda: late).of(acme.tenant.tenant) == State.SUSPENDED_UNPAID


def test_the_owner_is_reminded_then_restricted_then_suspended(acme: Debtor) -> None:
    seen = {}
    for day in range(50):
        if acme.run(day):
            seen[day] = acme.status()
    assert seen == {
        2: ("past_due", ""),
        7: ("past_due", ""),
        14: ("past_due", ""),
        21: ("past_due", ""),
        28: ("restricted", "restricted"),
        42: ("suspended", "suspended"),
    }
    assert acme.mails == [
        ("payment-reminder", "owner@acme.example", "2"),
        ("payment-reminder", "owner@acme.example", "7"),
        ("payment-reminder", "owner@acme.example", "14"),
        ("payment-reminder", "owner@acme.example", "21"),
        ("access-restricted", "owner@acme.example", "28"),
        ("access-suspended", "owner@acme.example", "42"),
    ]


def test_run_again_on_the_same_day_nothing_is_sent_again(acme: Debtor) -> None:
    assert [acme.run(2), acme.run(2), acme.run(2.5)] == [1, 0, 0]
    assert len(acme.mails) == 1


def test_after_a_gap_the_last_step_is_mailed_and_all_are_taken(acme: Debtor) -> None:
    assert acme.run(29) == 5
    assert acme.mails == [("access-restricted", "owner@acme.example", "29")]
    assert acme.status() == ("restricted", "restricted")


@pytest.mark.parametrize("day", [5, 30, 50])
def test_the_payment_brings_everything_back(acme: Debtor, day: int) -> None:
    acme.run(day)
    acme.hear(acme.told("active", day))
    assert acme.status() == ("active", "")
    assert acme.run(day + 40) == 0


def test_stripes_further_tries_do_not_loosen_what_dunning_tightened(acme: Debtor) -> None:
    acme.run(28)
    acme.hear(acme.told("past_due", 29, period_end=NOON + timedelta(days=60)))
    assert acme.status() == ("restricted", "restricted")
    acme.run(42)
    acme.hear(acme.told("canceled", 43))
    assert acme.status() == ("suspended", "suspended")


def test_a_second_debt_is_dunned_anew(acme: Debtor) -> None:
    acme.run(2)
    acme.hear(acme.told("active", 3))
    acme.hear(acme.told("past_due", 33))
    assert acme.run(34) == 0
    assert acme.run(35) == 1


def test_the_debts_beginning_is_the_same_in_whatever_order_its_events_come(
    database: Database, two_tenants: Tenants, table: Table
) -> None:
    globex = Debtor(database, two_tenants[1], table)
    told = [globex.told("active", -30), globex.told("past_due", 0), globex.told("past_due", 3, cancels=True)]
    for event in reversed(told):
        globex.hear(event)
    ((since,),) = database.read(globex.tenant, "SELECT dunning_since FROM tenants")
    assert since == NOON


def test_what_the_platform_suspended_is_not_opened_by_a_payment(acme: Debtor) -> None:
    with acme.database.transaction(acme.tenant) as tx:
        acme.life.move(tx, State.SUSPENDED, "abuse")
    acme.run(45)
    acme.hear(acme.told("active", 46))
    assert acme.status()[0] == "suspended"


def test_acmes_debt_is_not_globex(acme: Debtor, two_tenants: Tenants) -> None:
    other = Debtor(acme.database, two_tenants[1], acme.table)
    assert other.run(30) == 0
    assert other.status() == ("billing_pending", "")
