"""Which of two events is newer, and what a status means for the tenant."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from infra.constructs.work_queue import MAX_RECEIVES
from shared.billing import rules
from shared.billing.model import BillingEvent, BillingState, Ends, Moved, Plan
from tenant_context.states import State

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
EVENT = BillingEvent(
    id="evt_1",
    type="customer.subscription.updated",
    created=NOON,
    tenant=UUID(int=1),
    customer="cus_1",
    subscription="sub_1",
    status="active",
    plan=Plan.PROFESSIONAL,
)
PENDING = BillingState("starter", State.BILLING_PENDING, "Stripe does not answer.", None, None, None, None)
ACTIVE = BillingState("starter", State.ACTIVE, "", NOON, "cus_1", "sub_1", "active")


def test_the_provisioner_knows_its_last_attempt_as_the_queue_does() -> None:
    assert rules.ATTEMPTS == MAX_RECEIVES


def test_a_later_second_is_newer_whatever_the_type() -> None:
    created = replace(EVENT, type="customer.subscription.created", created=NOON + timedelta(seconds=1))
    assert rules.is_newer(created, NOON, "customer.subscription.deleted")
    assert not rules.is_newer(replace(EVENT, created=NOON - timedelta(seconds=1)), NOON, "billing.provisioned")


def test_within_a_second_a_life_has_an_order() -> None:
    life = ["billing.provisioned", "customer.subscription.created", EVENT.type, "customer.subscription.deleted"]
    for earlier, later in itertools.pairwise(life):
        assert rules.is_newer(replace(EVENT, type=later), NOON, earlier)
        assert not rules.is_newer(replace(EVENT, type=earlier), NOON, later)


@pytest.mark.parametrize(
    ("status", "becomes"),
    [
        ("trialing", "active"),
        ("active", "active"),
        ("past_due", "past_due"),
        ("unpaid", "restricted"),
        ("paused", "restricted"),
        ("canceled", "restricted"),
        ("a status of next year", "active"),
    ],
)
def test_the_subscription_decides_the_tenants_status(status: str, becomes: str) -> None:
    after = rules.follow(ACTIVE, replace(EVENT, status=status))
    assert (after.status, after.subscription_status) == (becomes, status)


@pytest.mark.parametrize("state", [State.RESTRICTED, State.ACTIVE])
def test_a_subscription_that_was_never_paid_opens_nothing_again(state: State) -> None:
    """It lives for 23 hours, and another one can be begun each day."""
    ended = replace(ACTIVE, status=state, subscription_status="canceled")
    begun = rules.follow(ended, replace(EVENT, subscription="sub_2", status="incomplete"))
    assert begun.status == "restricted"
    assert rules.standing(begun, State.ACTIVE) == "restricted"
    assert rules.follow(begun, replace(EVENT, subscription="sub_2", status="active")).status == "active"


def test_while_the_first_payment_is_waited_for_an_organization_works() -> None:
    assert rules.follow(PENDING, replace(EVENT, status="incomplete")).status == "billing_pending"


@pytest.mark.parametrize("status", [State.SUSPENDED, State.CLOSING, State.CLOSED])
def test_stripe_does_not_open_what_the_platform_closed(status: State) -> None:
    assert rules.follow(replace(ACTIVE, status=status), EVENT).status == status


def test_becoming_active_takes_the_reason_away() -> None:
    assert rules.follow(PENDING, EVENT).reason == ""


def test_another_customers_event_does_not_concern_the_tenant() -> None:
    assert not rules.concerns(replace(EVENT, customer="cus_other"), ACTIVE)


def test_the_end_of_an_earlier_subscription_does_not_end_the_present_one() -> None:
    assert not rules.concerns(replace(EVENT, subscription="sub_0", status="canceled"), ACTIVE)
    assert rules.concerns(replace(EVENT, subscription="sub_2", status="active"), ACTIVE)


def test_what_there_is_to_tell() -> None:
    assert rules.news(PENDING, rules.follow(PENDING, EVENT)) == "tenant.billing_ready"
    assert rules.news(ACTIVE, rules.follow(ACTIVE, EVENT)) == "tenant.subscription_changed"
    assert rules.news(ACTIVE, rules.follow(ACTIVE, replace(EVENT, plan=None))) is None


@pytest.mark.parametrize(("leaving", "ends"), [(True, Ends.WITH_PERIOD), (False, Ends.NEVER)])
def test_a_suspension_does_not_have_paid_on_what_its_owner_is_closing(ends: Ends, *, leaving: bool) -> None:
    suspended = replace(ACTIVE, status=State.SUSPENDED, held=State.SUSPENDED, leaving=leaving)
    assert rules.ending(suspended, Moved(State.CLOSING, State.SUSPENDED)) is ends
    goes_on = replace(EVENT, cancels=not leaving, closing=not leaving)
    assert rules.ending(suspended, goes_on) is ends, "Stripe says otherwise, and is asked"
