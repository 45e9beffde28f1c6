"""Trials, renewals, proration and dunning as the clock moves them."""

import time
from typing import Any

import pytest
import stripe

from tests.local.harness import StandIn

DAY = 86_400


def subscribe(stand_in: StandIn, customer: str, price: str, **more: object) -> Any:
    return stand_in.client.v1.subscriptions.create({"customer": customer, "items": [{"price": price}], **more})


def status(stand_in: StandIn, subscription: Any) -> str:
    return str(stand_in.client.v1.subscriptions.retrieve(subscription.id).status)


def test_a_paid_subscription_is_active_with_a_paid_invoice(stand_in: StandIn) -> None:
    made = subscribe(stand_in, stand_in.customer(), stand_in.price())
    invoice = stand_in.client.v1.invoices.retrieve(made.latest_invoice)
    assert (made.status, invoice.status, invoice.amount_paid) == ("active", "paid", 4_900)
    assert invoice.parent.subscription_details.subscription == made.id


def test_without_a_card_nothing_is_created(stand_in: StandIn) -> None:
    customer = stand_in.customer(card=None)
    with pytest.raises(stripe.InvalidRequestError, match="no attached payment source"):
        subscribe(stand_in, customer, stand_in.price())
    assert stand_in.client.v1.subscriptions.list({"customer": customer, "status": "all"}).data == []


def test_a_trial_warns_three_days_before_and_then_bills(stand_in: StandIn) -> None:
    made = subscribe(stand_in, stand_in.customer(), stand_in.price(), trial_period_days=14)
    stand_in.control("clock", advance=11 * DAY + 60)
    assert "customer.subscription.trial_will_end" in stand_in.event_types()
    assert status(stand_in, made) == "trialing"
    stand_in.control("clock", advance=3 * DAY)
    paid = stand_in.client.v1.invoices.list({"subscription": made.id}).data[0]
    assert (status(stand_in, made), paid.amount_paid, paid.billing_reason) == ("active", 4_900, "subscription_cycle")


def test_a_trial_without_a_card_ends_as_it_was_told_to(stand_in: StandIn) -> None:
    settings = {"end_behavior": {"missing_payment_method": "cancel"}}
    customer = stand_in.customer(card=None)
    made = subscribe(stand_in, customer, stand_in.price(), trial_period_days=7, trial_settings=settings)
    stand_in.control("clock", advance=8 * DAY)
    assert status(stand_in, made) == "canceled"


def test_a_year_of_renewals_bills_twelve_more_months_at_their_own_times(stand_in: StandIn) -> None:
    made = subscribe(stand_in, stand_in.customer(), stand_in.price())
    stand_in.control("clock", advance=366 * DAY)
    invoices = list(stand_in.client.v1.invoices.list({"subscription": made.id}).auto_paging_iter())
    starts = [invoice.lines.data[0].period.start for invoice in invoices]
    assert len(invoices) == 13
    assert all(invoice.created == start for invoice, start in zip(invoices, starts, strict=True))


def test_a_declined_renewal_is_tried_again_and_recovers(stand_in: StandIn) -> None:
    made = subscribe(stand_in, stand_in.customer(), stand_in.price())
    stand_in.control("payments", decline=1)
    stand_in.control("clock", advance=32 * DAY)
    assert status(stand_in, made) == "past_due"
    stand_in.control("clock", advance=4 * DAY)
    assert status(stand_in, made) == "active"


def test_after_the_last_refused_attempt_the_subscription_ends(stand_in: StandIn) -> None:
    made = subscribe(stand_in, stand_in.customer(), stand_in.price())
    stand_in.control("payments", decline=100)
    stand_in.control("clock", advance=60 * DAY)
    assert status(stand_in, made) == "canceled"
    assert stand_in.event_types().count("invoice.payment_failed") >= 4


def test_paying_an_open_invoice_with_a_good_card_recovers_at_once(stand_in: StandIn) -> None:
    customer = stand_in.customer("pm_card_chargeCustomerFail")
    made = subscribe(stand_in, customer, stand_in.price())
    assert made.status == "incomplete"
    with pytest.raises(stripe.CardError) as error:
        stand_in.client.v1.invoices.pay(made.latest_invoice)
    assert error.value.code == "card_declined"
    card = stand_in.client.v1.payment_methods.attach("pm_card_visa", {"customer": customer})
    stand_in.client.v1.invoices.pay(made.latest_invoice, {"payment_method": card.id})
    assert status(stand_in, made) == "active"


def test_an_upgrade_in_the_middle_of_the_month_costs_what_its_preview_said(stand_in: StandIn) -> None:
    made = subscribe(stand_in, stand_in.customer(), stand_in.price(3_000))
    stand_in.control("clock", advance=10 * DAY)
    change = [{"id": made["items"].data[0].id, "price": stand_in.price(9_000)}]
    moment = stand_in.state()["now"]
    details = {"items": change, "proration_behavior": "always_invoice", "proration_date": moment}
    preview = stand_in.client.v1.invoices.create_preview({"subscription": made.id, "subscription_details": details})
    updated = stand_in.client.v1.subscriptions.update(
        made.id, {"items": change, "proration_behavior": "always_invoice", "proration_date": moment}
    )
    billed = stand_in.client.v1.invoices.retrieve(updated.latest_invoice)
    assert 3_000 < preview.amount_due == billed.amount_paid < 6_000
    assert [line.amount < 0 for line in billed.lines.data] == [True, False]


def test_a_waiting_proration_is_billed_with_the_next_period(stand_in: StandIn) -> None:
    made = subscribe(stand_in, stand_in.customer(), stand_in.price(3_000))
    change = {"items": [{"id": made["items"].data[0].id, "quantity": 2}]}
    stand_in.client.v1.subscriptions.update(made.id, change)
    stand_in.control("clock", advance=32 * DAY)
    latest = stand_in.client.v1.invoices.list({"subscription": made.id}).data[0]
    assert (latest.amount_paid, len(latest.lines.data)) == (9_000, 3)


def test_cancelling_at_the_period_end_keeps_the_subscription_until_then(stand_in: StandIn) -> None:
    made = subscribe(stand_in, stand_in.customer(), stand_in.price())
    stand_in.client.v1.subscriptions.update(made.id, {"cancel_at_period_end": True})
    assert status(stand_in, made) == "active"
    stand_in.control("clock", advance=32 * DAY)
    assert status(stand_in, made) == "canceled"
    assert stand_in.event_types()[-1] == "customer.subscription.deleted"


def test_metered_usage_is_billed_after_its_period(stand_in: StandIn) -> None:
    terms = {"display_name": "Rows", "event_name": "rows", "default_aggregation": {"formula": "sum"}}
    meter = stand_in.client.v1.billing.meters.create(terms).id
    price = stand_in.price(3, usage_type="metered", meter=meter)
    customer = stand_in.customer()
    made = subscribe(stand_in, customer, price)
    for number in range(4):
        payload = {"stripe_customer_id": customer, "value": "25"}
        stand_in.client.v1.billing.meter_events.create(
            {"event_name": "rows", "payload": payload, "identifier": f"u-{number}"}
        )
    stand_in.control("clock", advance=32 * DAY)
    assert stand_in.client.v1.invoices.list({"subscription": made.id}).data[0].amount_paid == 300


def test_completing_a_checkout_makes_customer_and_subscription(stand_in: StandIn) -> None:
    session = stand_in.client.v1.checkout.sessions.create(
        {
            "mode": "subscription",
            "line_items": [{"price": stand_in.price(), "quantity": 2}],
            "client_reference_id": "acme",
            "subscription_data": {"metadata": {"tenant": "acme"}},
            "success_url": "https://acme.example/done?session={CHECKOUT_SESSION_ID}",
        }
    )
    stand_in.control(f"checkout/{session.id}/complete", email="buyer@acme.example")
    done = stand_in.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription", "customer"]})
    assert (done.status, done.payment_status, done.client_reference_id) == ("complete", "paid", "acme")
    assert done.subscription.metadata["tenant"] == "acme"
    assert done.customer.email == "buyer@acme.example"


def test_a_declined_checkout_stays_open_and_leaves_nothing(stand_in: StandIn) -> None:
    session = stand_in.client.v1.checkout.sessions.create(
        {"mode": "subscription", "line_items": [{"price": stand_in.price()}], "success_url": "https://a.example"}
    )
    stand_in.control("payments", decline=1)
    with pytest.raises(AssertionError, match="card_declined"):
        stand_in.control(f"checkout/{session.id}/complete")
    assert stand_in.client.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert stand_in.client.v1.customers.list().data == []
    stand_in.control(f"checkout/{session.id}/complete")


def test_an_abandoned_checkout_expires_after_a_day(stand_in: StandIn) -> None:
    session = stand_in.client.v1.checkout.sessions.create(
        {"mode": "setup", "currency": "eur", "success_url": "https://a.example"}
    )
    stand_in.control("clock", advance=DAY + 1)
    assert stand_in.client.v1.checkout.sessions.retrieve(session.id).status == "expired"


def test_the_moved_clock_survives_a_restart(stand_in: StandIn) -> None:
    stand_in.control("clock", advance=30 * DAY)
    stand_in.restart()
    assert abs(stand_in.state()["now"] - time.time() - 30 * DAY) < 10
