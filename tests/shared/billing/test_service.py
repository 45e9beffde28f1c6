"""What Stripe says reaches the tenant's row once, in any order, and no other tenant's."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from shared.billing.errors import TenantMissing
from shared.billing.model import Bill, BillingEvent, Outcome, Plan, Provisioned, Setback
from shared.billing.service.following import Billing
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext, from_message
from tenant_context.postgres import Database, Transaction
from tests.billing import billing_on
from tests.dynamo import watched

Tenants = tuple[TenantContext, TenantContext]
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MADE = Provisioned(customer="cus_1", subscription="sub_1", status="trialing", plan=Plan.STARTER, as_of=NOON)
DOWN = Setback("Stripe does not answer.")


class Undone(Exception):
    """Ends a transaction that is not to be kept."""


@pytest.fixture
def billing(table_name: str) -> Iterator[Billing]:
    with watched(table_name) as table:
        yield billing_on(table)


def event(tenant: TenantContext, number: int, kind: str, status: str | None, **more: Any) -> BillingEvent:
    return BillingEvent(
        id=f"evt_{number}",
        type=kind,
        created=more.pop("created", NOON + timedelta(minutes=number)),
        tenant=tenant.tenant,
        customer="cus_1",
        subscription="sub_1",
        status=status,
        **more,
    )


def provisioned(billing: Billing, database: Database, tenant: TenantContext, what: Provisioned = MADE) -> Outcome:
    with database.transaction(tenant) as tx:
        return billing.provisioned(tx, what)


def followed(billing: Billing, database: Database, tenant: TenantContext, what: BillingEvent) -> Outcome:
    with database.transaction(tenant) as tx:
        return billing.followed(tx, what)


def state(database: Database, tenant: TenantContext) -> tuple[Any, ...]:
    (row,) = database.read(
        tenant,
        "SELECT status, subscription_status, plan, billing_reason, billing_as_of, stripe_customer_id,"
        " stripe_subscription_id FROM tenants",
    )
    return row


def told(database: Database, tenant: TenantContext) -> list[str]:
    return [row[0] for row in database.read(tenant, "SELECT type FROM outbox ORDER BY id")]


def test_a_provisioned_tenant_is_active_and_says_so(billing: Billing, database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    assert provisioned(billing, database, acme) is Outcome.APPLIED
    assert state(database, acme) == ("active", "trialing", "starter", "", NOON, "cus_1", "sub_1")
    assert sorted(told(database, acme)) == ["tenant.billing_ready", "tenant.state_changed"]


def test_the_same_word_twice_changes_nothing(billing: Billing, database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    provisioned(billing, database, acme)
    before = database.read(acme, "SELECT version FROM tenants")
    assert provisioned(billing, database, acme) is Outcome.REPEATED
    assert database.read(acme, "SELECT version FROM tenants") == before
    assert sorted(told(database, acme)) == ["tenant.billing_ready", "tenant.state_changed"]


def test_acmes_billing_does_not_touch_globex(billing: Billing, database: Database, two_tenants: Tenants) -> None:
    acme, globex = two_tenants
    before = state(database, globex)
    provisioned(billing, database, acme)
    followed(billing, database, acme, event(acme, 1, "customer.subscription.updated", "past_due"))
    assert state(database, globex) == before
    assert database.read(globex, "SELECT * FROM billing_events") == []
    assert told(database, globex) == []


def test_two_tenants_may_hear_of_the_same_event_id(billing: Billing, database: Database, two_tenants: Tenants) -> None:
    for tenant in two_tenants:
        assert (
            followed(billing, database, tenant, event(tenant, 1, "customer.subscription.created", "active"))
            == "applied"
        )


def test_a_delay_leaves_the_tenant_pending_with_a_reason(
    billing: Billing, database: Database, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    with database.transaction(acme) as tx:
        billing.delayed(tx, DOWN)
    assert state(database, acme)[:4] == ("billing_pending", None, "starter", DOWN.reason)
    assert told(database, acme) == []


def test_giving_up_is_told_once_a_request(billing: Billing, database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    for expected in ("applied", "repeated"):
        with database.transaction(acme) as tx:
            assert billing.failed(tx, DOWN) == expected
    with database.transaction(replace(acme, request_id="redriven")) as tx:
        assert billing.failed(tx, DOWN) == "applied"
    assert state(database, acme)[0] == "billing_pending"
    assert told(database, acme) == ["tenant.billing_failed"] * 2


def test_after_giving_up_a_redriven_sign_up_still_succeeds(
    billing: Billing, database: Database, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    with database.transaction(acme) as tx:
        billing.failed(tx, DOWN)
    provisioned(billing, database, acme)
    assert state(database, acme)[:4] == ("active", "trialing", "starter", "")


def test_a_late_setback_does_not_undo_success(billing: Billing, database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    provisioned(billing, database, acme)
    before = state(database, acme)
    with database.transaction(acme) as tx:
        assert billing.failed(tx, DOWN) == billing.delayed(tx, DOWN) == "unrelated"
    assert state(database, acme) == before


LIFE: tuple[tuple[str, str | None, dict[str, Any]], ...] = (
    ("customer.subscription.created", "trialing", {"plan": Plan.STARTER}),
    ("customer.subscription.updated", "active", {"plan": Plan.STARTER}),
    ("customer.subscription.updated", "active", {"plan": Plan.ENTERPRISE}),
    ("customer.subscription.updated", "past_due", {"plan": Plan.ENTERPRISE}),
    ("customer.subscription.deleted", "canceled", {"plan": Plan.ENTERPRISE}),
)


def test_a_life_of_five_events_ends_the_same_in_every_order(
    billing: Billing, database: Database, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    expected = ("restricted", "canceled", "enterprise", "", NOON + timedelta(minutes=4), "cus_1", "sub_1")

    class Undone(Exception):
        pass

    def live(tx: Transaction, order: tuple[int, ...]) -> None:
        for number in order * 3:  # each of them three times
            kind, status, more = LIFE[number]
            billing.followed(tx, event(acme, number, kind, status, **more))
        row = tx.one(
            "SELECT status, subscription_status, plan, billing_reason, billing_as_of, stripe_customer_id,"
            " stripe_subscription_id FROM tenants"
        )
        assert row == expected, order
        raise Undone

    for order in permutations(range(5)):
        with pytest.raises(Undone), database.transaction(acme) as tx:
            live(tx, order)


def test_the_provisioners_late_word_does_not_overwrite_stripes(
    billing: Billing, database: Database, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    followed(billing, database, acme, event(acme, 1, "customer.subscription.updated", "past_due"))
    assert provisioned(billing, database, acme) is Outcome.OUTDATED
    assert state(database, acme)[:2] == ("past_due", "past_due")


def test_within_a_second_the_end_stays_the_end(billing: Billing, database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    followed(billing, database, acme, event(acme, 2, "customer.subscription.deleted", "canceled", created=NOON))
    late = event(acme, 1, "customer.subscription.updated", "active", created=NOON)
    assert followed(billing, database, acme, late) is Outcome.OUTDATED
    assert state(database, acme)[1] == "canceled"


def test_another_customers_event_is_noted_and_not_applied(
    billing: Billing, database: Database, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    provisioned(billing, database, acme)
    strange = replace(event(acme, 1, "customer.subscription.deleted", "canceled"), customer="cus_other")
    assert followed(billing, database, acme, strange) is Outcome.UNRELATED
    assert state(database, acme)[0] == "active"
    assert database.read(acme, "SELECT applied FROM billing_events WHERE event_id = 'evt_1'") == [(False,)]


def test_a_failed_payment_is_the_reason_until_it_is_made(
    billing: Billing, database: Database, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    provisioned(billing, database, acme)
    failed = event(acme, 1, "invoice.payment_failed", None, reason="The payment of invoice in_1 failed.")
    followed(billing, database, acme, failed)
    assert state(database, acme)[3] == ""
    followed(billing, database, acme, event(acme, 4, "customer.subscription.updated", "past_due"))
    assert state(database, acme)[3] == "The payment of invoice in_1 failed."
    followed(billing, database, acme, event(acme, 2, "invoice.paid", None))
    late = event(acme, 3, "invoice.payment_failed", None, created=NOON + timedelta(minutes=1), reason="late")
    assert followed(billing, database, acme, late) is Outcome.OUTDATED
    assert state(database, acme)[3] == ""


def test_a_debt_that_was_let_go_leaves_no_reason_in_whatever_order_it_is_heard_of(
    billing: Billing, database: Database, two_tenants: Tenants
) -> None:
    """A voided invoice is never paid: the subscription is active again without a word of it."""
    words = (
        ("customer.subscription.updated", "past_due", ""),
        ("invoice.payment_failed", None, "The payment of invoice in_1 failed."),
        ("customer.subscription.updated", "active", ""),
    )
    acme, _ = two_tenants
    provisioned(billing, database, acme)
    for order in permutations(range(3)):
        with suppress(Undone), database.transaction(acme) as tx:
            for number in order:
                kind, status, reason = words[number]
                billing.followed(tx, event(acme, number + 1, kind, status, reason=reason))
            assert tx.one("SELECT status, billing_reason FROM tenants") == ("active", ""), order
            raise Undone


def test_an_invoices_life_is_told_once_each_and_only_to_whom_it_is_made_out(
    billing: Billing, database: Database, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    provisioned(billing, database, acme)
    bill = Bill("ACME-1", "open", "EUR", "99.00", "99.00", "0.00")
    kinds = ("created", "finalized", "payment_failed", "paid", "payment_succeeded", "voided", "marked_uncollectible")
    words = [
        event(acme, number, f"invoice.{kind}", None, invoice="in_1", bill=bill) for number, kind in enumerate(kinds)
    ]
    others = replace(words[1], id="evt_other", customer="cus_other")
    for word in (words[2], *words, others, *words[::-1]):
        followed(billing, database, acme, word)
    with database.transaction(acme) as tx:
        billing.replayed(tx, None)
    rows = database.read(acme, "SELECT type, subject, data FROM outbox WHERE type LIKE 'invoice.%' ORDER BY id")
    told = ["payment_failed", "finalized", "paid", "voided", "marked_uncollectible"]
    assert [row[0] for row in rows] == [f"invoice.{kind}" for kind in told]
    assert {row[1] for row in rows} == {"invoice/in_1"}
    assert rows[0][2] == {"invoice": "in_1", **asdict(bill), "reason": ""}


def test_an_invoice_does_not_make_a_subscriptions_event_old(
    billing: Billing, database: Database, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    provisioned(billing, database, acme)
    followed(billing, database, acme, event(acme, 5, "invoice.payment_failed", None, reason="failed"))
    assert (
        followed(billing, database, acme, event(acme, 4, "customer.subscription.updated", "past_due"))
        is Outcome.APPLIED
    )


def test_a_tenant_that_is_not_there_yet_is_an_error_to_try_again(billing: Billing, database: Database) -> None:
    nobody = from_message(uuid7(), "request")
    with pytest.raises(TenantMissing):
        provisioned(billing, database, nobody)
