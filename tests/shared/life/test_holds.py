"""What operators order of a tenant stays until they lift it, whoever else pays, closes, reopens or is dunned."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import product

import pytest

from shared.billing.model import BillingEvent
from shared.billing.repository import BillingRepository
from shared.billing.service.dunning import Dunning
from shared.billing.service.following import Billing
from shared.billing.service.standing import Standing as Judge
from shared.life.errors import HeldByPlatform
from shared.life.model import Standing
from shared.life.service import THINK_AGAIN, Life
from shared.plans.service import Doors
from tenant_context.clock import utc_now
from tenant_context.context import TenantContext, at_tenant, from_message, from_operator
from tenant_context.dynamo import Table
from tenant_context.errors import NotInState
from tenant_context.postgres import Database
from tenant_context.state_news import Allowances, Herald, States
from tenant_context.states import HOLDS, Need, OrganizationSuspended, State, at_doors, permitting
from tests.dynamo import watched

Tenants = tuple[TenantContext, TenantContext]
PAID, OWING = "active", "past_due"


class Office:
    """A tenant with everybody who moves it: Stripe, dunning, its owner, operators."""

    def __init__(self, database: Database, table: Table, tenant: TenantContext) -> None:
        self.database = database
        self.tenant = tenant
        self.table = table
        herald = Herald(table, utc_now)
        self.life = Life(herald, standing=Judge(BillingRepository()))
        others = Life(herald)
        self.billing = Billing(others, Doors(Allowances(table, utc_now)))
        self._dunning = Dunning(BillingRepository(), others, self)
        self._number = 0
        self._moment = utc_now() - timedelta(days=100)

    def send(self, *_: object, **__: object) -> None:
        """A mail of dunning's; nobody reads it here."""

    def hears(self, status: str, *, at_once: bool = False) -> None:
        """Stripe's word; or its answer to a change of the owner's."""
        self._number += 1
        self._moment += timedelta(seconds=1)
        event = BillingEvent(
            id=f"evt_{self._number}",
            type="customer.subscription.updated",
            created=self._moment,
            tenant=self.tenant.tenant,
            customer="cus_1",
            subscription="sub_1",
            status=status,
        )
        with self.database.transaction(self.tenant) as tx:
            if at_once:
                assert self.billing.observed(tx, event, since=BillingRepository().lock(tx).version)
            else:
                self.billing.followed(tx, event)

    def owes(self, days: int) -> None:
        """The state after so many days of not paying."""
        self._moment = utc_now() - timedelta(days=days, minutes=1)
        self.hears(OWING)
        with self.database.transaction(self.tenant) as tx:
            self._dunning(tx)

    def orders(self, state: State, reason: str = "complaints") -> Standing:
        with self.database.transaction(at_tenant(from_operator("the tests"), self.tenant.tenant)) as tx:
            return self.life.order(tx, state, reason)

    def closes(self) -> Standing:
        with self.database.transaction(self.tenant) as tx:
            return self.life.close(tx, self.tenant.tenant)

    def reopens(self) -> Standing:
        with self.database.transaction(self.tenant) as tx:
            return self.life.reopen(tx, self.tenant.tenant)

    def state(self) -> str:
        return str(self.database.read(self.tenant, "SELECT status FROM tenants")[0][0])

    def held(self) -> tuple[str, str] | None:
        held = self.life.show(self.database, self.tenant).held
        return (held.state.value, held.reason) if held else None

    def door(self) -> str:
        return States(self.table, utc_now).of(self.tenant.tenant)

    def told(self) -> list[tuple[str, str, str, str]]:
        """What operators' orders left in the outbox and, as the same entry, in the audit log."""
        rows = self.database.read(
            self.tenant,
            "SELECT o.type, o.data->>'state', o.data->>'reason', a.actor FROM outbox o"
            " JOIN audit_log a USING (tenant_id, id) WHERE a.action = o.type"
            " AND o.type IN ('tenant.held', 'tenant.released') ORDER BY o.id",
        )
        return [(row[0], row[1], row[2], row[3]) for row in rows]


@pytest.fixture
def table(table_name: str) -> Iterator[Table]:
    with watched(table_name) as opened:
        yield opened


@pytest.fixture
def acme(database: Database, table: Table, two_tenants: Tenants) -> Office:
    return Office(database, table, two_tenants[0])


def test_a_payment_lifts_no_hold(acme: Office) -> None:
    for state in sorted(HOLDS):
        acme.hears(PAID)
        acme.orders(state)
        for status in ("past_due", "unpaid", "trialing", "canceled", "paused", PAID):
            acme.hears(status)
            assert (acme.state(), acme.held()) == (state, (state, "complaints")), status
        acme.hears(PAID, at_once=True)
        assert acme.state() == state
        acme.orders(State.ACTIVE)
        assert acme.state() == "active"


def test_an_owner_may_leave_under_a_hold_and_comes_back_under_it(acme: Office) -> None:
    acme.hears(PAID)
    acme.orders(State.RESTRICTED, "complaints")
    closing = acme.closes()
    assert (closing.state, closing.held and closing.held.state) == (State.CLOSING, State.RESTRICTED)
    acme.hears(PAID)
    back = acme.reopens()
    assert (back.state, back.reason) == (State.RESTRICTED, "complaints")


@pytest.mark.parametrize("hold", [State.RESTRICTED, State.SUSPENDED, State.CLOSING])
def test_what_its_owner_closed_is_closing_again_when_a_hold_is_lifted(acme: Office, hold: State) -> None:
    acme.hears(PAID)
    closes_at = acme.closes().closes_at
    under = acme.orders(hold)
    assert under.state is (State.SUSPENDED if hold is State.SUSPENDED else State.CLOSING)
    acme.hears(PAID)
    lifted = acme.orders(State.ACTIVE)
    assert (lifted.state, lifted.closes_at, acme.held(), acme.door()) == ("closing", closes_at, None, "closing")
    assert lifted.wish is not None
    assert (lifted.wish.closes_at, lifted.wish.by) == (closes_at, acme.tenant.user)
    back = acme.reopens()
    assert (back.state, back.closes_at, back.wish) == ("active", None, None)
    acme.orders(hold)
    assert acme.orders(State.ACTIVE).state == "active"


@pytest.mark.parametrize("hold", [State.RESTRICTED, State.CLOSING])
def test_what_its_owner_closed_under_a_hold_stays_closing_without_it(acme: Office, hold: State) -> None:
    acme.hears(PAID)
    acme.orders(hold)
    closes_at = acme.closes().closes_at
    lifted = acme.orders(State.ACTIVE)
    assert (lifted.state, lifted.closes_at) == ("closing", closes_at)
    assert acme.reopens().state == "active"


def test_a_grace_that_ran_out_under_a_suspension_leaves_days_to_have_it_back(acme: Office) -> None:
    acme.hears(PAID)
    acme.closes()
    acme.orders(State.SUSPENDED)
    with acme.database.transaction(acme.tenant) as tx:
        tx.run("UPDATE tenants SET wished_closes_at = now() - interval '1 day'")
    lifted = acme.orders(State.ACTIVE)
    assert (lifted.state, lifted.closes_at) == ("closing", lifted.since + THINK_AGAIN)
    assert acme.reopens().state == "active"


def test_what_the_platform_closes_is_not_had_back_by_its_owner(acme: Office) -> None:
    acme.hears(PAID)
    acme.orders(State.CLOSING, "fraud")
    for _ in range(2):
        with pytest.raises(HeldByPlatform, match="fraud"):
            acme.reopens()
    assert acme.state() == "closing"
    assert acme.orders(State.ACTIVE).state is State.ACTIVE


def test_what_the_platform_suspended_is_not_closed_by_its_owner(acme: Office) -> None:
    acme.owes(50)
    acme.orders(State.SUSPENDED, "abuse")
    with pytest.raises(OrganizationSuspended, match="support"):
        acme.closes()
    assert acme.state() == "suspended"


def test_a_suspension_of_what_is_suspended_for_its_debt_is_kept_and_outlives_the_payment(acme: Office) -> None:
    acme.owes(50)
    assert (acme.state(), acme.held(), acme.door()) == ("suspended", None, "suspended_unpaid")
    standing = acme.orders(State.SUSPENDED, "abuse")
    assert (standing.state, standing.reason) == (State.SUSPENDED, "abuse")
    assert (acme.held(), acme.door()) == (("suspended", "abuse"), "suspended")
    assert acme.told() == [("tenant.held", "suspended", "abuse", "system:operator")]
    acme.hears(PAID)
    assert (acme.state(), acme.door()) == ("suspended", "suspended")
    assert acme.orders(State.ACTIVE, "settled").state is State.ACTIVE
    assert acme.told()[1:] == [("tenant.released", "active", "settled", "system:operator")]
    assert (acme.held(), acme.door()) == (None, "active")


def test_the_same_order_again_is_made_known_once_more_and_another_reason_is_kept(acme: Office) -> None:
    first = acme.orders(State.SUSPENDED, "abuse")
    acme.table.delete(f"state#{acme.tenant.tenant}", "state")
    assert acme.orders(State.SUSPENDED, "abuse").since == first.since
    assert (acme.door(), len(acme.told())) == ("suspended", 1)
    acme.orders(State.SUSPENDED, "fraud")
    assert (acme.held(), [one[2] for one in acme.told()]) == (("suspended", "fraud"), ["abuse", "fraud"])


@pytest.mark.parametrize("hold", [State.RESTRICTED, State.SUSPENDED, State.CLOSING])
@pytest.mark.parametrize(
    ("status", "days", "comes_back"),
    [
        (None, 0, "billing_pending"),
        (PAID, 0, "active"),
        ("trialing", 0, "active"),
        ("canceled", 0, "restricted"),
        (OWING, 1, "past_due"),
        (OWING, 30, "restricted"),
        (OWING, 50, "suspended"),
    ],
)
@pytest.mark.parametrize("lifted_as", [State.ACTIVE, State.PAST_DUE])
def test_when_it_is_lifted_the_state_is_what_billing_says(
    acme: Office, hold: State, status: str | None, days: int, comes_back: str, lifted_as: State
) -> None:
    acme.orders(hold)
    if days:
        acme.owes(days)
    elif status:
        acme.hears(status)
    assert acme.orders(lifted_as).state == comes_back
    assert (acme.state(), acme.held()) == (comes_back, None)


def test_under_a_restriction_dunning_still_suspends_and_the_payment_leads_back_to_it(acme: Office) -> None:
    acme.hears(PAID)
    acme.orders(State.RESTRICTED)
    acme.owes(50)
    assert (acme.state(), acme.door()) == ("suspended", "suspended_unpaid")
    acme.hears(PAID)
    assert (acme.state(), acme.door()) == ("restricted", "restricted")


def test_an_order_to_close_for_good_is_the_end(acme: Office) -> None:
    acme.orders(State.CLOSING)
    assert acme.orders(State.CLOSED).state is State.CLOSED


def test_a_hold_of_acme_is_not_globex(acme: Office, database: Database, table: Table, two_tenants: Tenants) -> None:
    acme.orders(State.SUSPENDED)
    globex = Office(database, table, two_tenants[1])
    assert (globex.state(), globex.held(), globex.told()) == ("billing_pending", None, [])


@pytest.mark.parametrize("need", list(Need))
def test_who_is_suspended_for_a_debt_alone_is_let_in_as_the_table_says(
    acme: Office, database: Database, need: Need
) -> None:
    acme.owes(50)
    states = permitting(need)
    worker = from_message(acme.tenant.tenant, "the tests", states)
    if State.SUSPENDED_UNPAID in states:
        assert database.read(worker, "SELECT 1") == [(1,)]
    else:
        with pytest.raises(NotInState):
            database.read(worker, "SELECT 1")


def test_postgresql_and_the_kernel_tell_doors_the_same(database: Database) -> None:
    rows = [state for state in State if state is not State.SUSPENDED_UNPAID]
    for state, stage, held in product(rows, ("", "restricted", "suspended"), (None, *sorted(HOLDS))):
        ((said,),) = database.door("SELECT app.door_state(%s, %s, %s)", (state, stage, held))
        assert said == at_doors(state, held=held, in_debt=stage == "suspended")
