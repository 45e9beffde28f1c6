"""Stripe's webhooks: only what Stripe signed, lately, gets through to the queue."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import stripe

from local.stack import Stack
from tests.functions.billing.harness import WEBHOOK_SECRET, Context, Handler, Inspected, sample
from tests.functions.inbound.place import Place
from tests.local.harness import StandIn

Post = Callable[..., dict[str, Any]]
TENANT = "01920d5a-7b1e-7c3a-9f10-5a1b2c3d4e5f"


@pytest.fixture
def handler(place: Place) -> Handler:
    handler: Handler = place.inbound.handler
    return handler


@pytest.fixture
def post(place: Place) -> Post:
    """Posts a body, signed now with the right secret unless told otherwise; what came of it is worked on."""

    def posted(
        body: str, *, secret: str = WEBHOOK_SECRET, age: int = 0, signature: str | None = None, **headers: str
    ) -> dict[str, Any]:
        event = sample("inbound/stripe.json")
        moment = int(time.time()) - age
        signed = stripe.WebhookSignature.generate_signature_header(body, secret, moment)
        event["headers"]["stripe-signature"] = signed if signature is None else signature
        event["headers"] |= {name.replace("_", "-"): value for name, value in headers.items()}
        event["body"] = body
        answer = place.inbound.handler(event, Context())
        assert place.work() == []
        return {"status": answer["statusCode"], **json.loads(answer["body"])}

    return posted


def body_of(case: str, **changes: Any) -> str:
    return json.dumps({**json.loads(sample(f"inbound/{case}.json")["body"]), **changes})


def test_a_subscriptions_event_is_queued_for_its_tenant(post: Post, outcomes: Inspected) -> None:
    answer = post(body_of("stripe"))
    assert answer == {"status": 200, "received": True, "queued": True, "reason": ""}
    (message,) = outcomes.messages()
    assert (message["tenant"], message["kind"], message["id"]) == (TENANT, "billing.event", "Ff1c2h3TIAMEPrg=")
    assert message["data"] == {
        "id": "evt_sample",
        "type": "customer.subscription.updated",
        "created": "2026-03-02T09:00:00Z",
        "tenant": TENANT,
        "customer": "cus_sample",
        "subscription": "sub_sample",
        "status": "active",
        "plan": "professional",
        "reason": "",
        "period_end": None,
        "trial_end": None,
        "cancels": False,
        "next_plan": None,
        "closing": False,
        "invoice": "",
        "bill": None,
    }


def test_a_failed_payment_is_queued_with_its_reason(post: Post, outcomes: Inspected) -> None:
    assert post(body_of("stripe_payment_failed"))["queued"]
    (message,) = outcomes.messages()
    assert (message["data"]["status"], message["data"]["subscription"]) == (None, "sub_sample")
    assert message["data"]["reason"] == "The payment of invoice in_sample failed."
    assert message["data"]["invoice"] == "in_sample"
    amounts = {"total": "49.00", "amount_due": "49.00", "amount_paid": "0.00"}
    assert message["data"]["bill"] == {"number": "DEMO-0007", "status": "open", "currency": "EUR", **amounts}


def absurd(case: str, place: str, value: object) -> str:
    """A sample in which something at a place is another."""
    event = json.loads(body_of(case))
    *way, last = place.split(".")
    inner = event
    for name in way:
        inner = inner[int(name) if isinstance(inner, list) else name]
    inner[last] = value
    return json.dumps(event)


HUGE = 10**30
OBJECT = "data.object"


@pytest.mark.parametrize(
    ("case", "spot", "value"),
    [
        ("stripe", "created", HUGE),
        ("stripe", "created", -1),
        ("stripe", f"{OBJECT}.trial_end", HUGE),
        ("stripe", f"{OBJECT}.trial_end", 253_402_300_800),
        ("stripe", f"{OBJECT}.trial_end", -HUGE),
        ("stripe", f"{OBJECT}.items.data.0.current_period_end", HUGE),
        ("stripe", "id", "evt_\x00"),
        ("stripe", "id", "e" * 5000),
        ("stripe", "type", "customer.subscription.\x00"),
        ("stripe", f"{OBJECT}.customer", "cus_\x00"),
        ("stripe", f"{OBJECT}.id", "sub_\u202e"),
        ("stripe", f"{OBJECT}.status", "active\x00"),
        ("stripe_payment_failed", f"{OBJECT}.id", "in_\x00"),
        ("stripe_payment_failed", f"{OBJECT}.customer", "c" * 5000),
        ("stripe_payment_failed", "created", HUGE),
        ("stripe_payment_failed", f"{OBJECT}.number", "A\u202e1"),
        ("stripe_payment_failed", f"{OBJECT}.currency", "e" * 5000),
    ],
    ids=ascii,
)
def test_what_cannot_be_is_let_go_in_words_though_stripe_signed_it(
    post: Post, outcomes: Inspected, case: str, spot: str, value: object
) -> None:
    """A refusal would come again for days, and a queue would hand it out until it is dead."""
    answer = post(absurd(case, spot, value))
    assert (answer["status"], answer["queued"]) == (200, False)
    assert answer["reason"].endswith("of Stripe's.")
    assert outcomes.messages() == []


@pytest.mark.parametrize("until", ["\u00b2", "\u0662\u0660", "9" * 40, "-5", "1e9", "soon", "\x00", ""], ids=ascii)
def test_a_note_that_no_number_stands_in_keeps_no_plan(post: Post, outcomes: Inspected, until: str) -> None:
    note = {"tenant": TENANT, "keeps_plan": "enterprise", "keeps_until": until}
    assert post(absurd("stripe", f"{OBJECT}.metadata", note))["queued"]
    (message,) = outcomes.messages()
    assert (message["data"]["plan"], message["data"]["next_plan"]) == ("professional", None)


@pytest.mark.parametrize("kind", ["charge.succeeded", "customer.created", "product.updated", "never.heard.of"])
def test_other_events_are_acknowledged_and_dropped(post: Post, outcomes: Inspected, kind: str) -> None:
    assert post(body_of("stripe", type=kind)) == {"status": 200, "received": True, "queued": False, "reason": ""}
    assert outcomes.messages() == []


@pytest.mark.parametrize("metadata", [{}, {"tenant": "acme"}, None])
def test_a_subscription_that_is_not_of_ours_is_dropped(
    post: Post, outcomes: Inspected, metadata: dict[str, str] | None
) -> None:
    event = json.loads(body_of("stripe"))
    event["data"]["object"]["metadata"] = metadata
    assert post(json.dumps(event)) == {"status": 200, "received": True, "queued": False, "reason": ""}
    assert outcomes.messages() == []


@pytest.mark.parametrize(
    "how",
    [
        {"secret": "whsec_of_somebody_else"},
        {"age": 301},
        {"signature": ""},
        {"signature": "v1=0"},
        {"signature": "t=abc,v1=é"},
        {"signature": f"t={int(time.time())},v1=é"},
    ],
)
def test_what_stripe_did_not_sign_lately_is_refused(post: Post, outcomes: Inspected, how: dict[str, Any]) -> None:
    answer = post(body_of("stripe"), **how)
    assert (answer["status"], answer["code"]) == (400, "stripe-signature")
    assert outcomes.messages() == []


def test_a_changed_body_is_refused(post: Post) -> None:
    body = body_of("stripe")
    signed = stripe.WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET)
    assert post(body.replace("active", "canceled"), signature=signed)["status"] == 400


@pytest.mark.parametrize("body", ["[", "[]", '{"type": "invoice.paid"}', '{"type": 5}'])
def test_a_signed_body_that_cannot_be_read_is_a_bad_request(post: Post, body: str) -> None:
    assert post(body)["status"] == 400


def test_a_body_over_a_megabyte_is_too_large(post: Post) -> None:
    assert post(json.dumps({"type": "x" * 1_048_576}))["status"] == 413


def test_another_content_type_is_refused(post: Post) -> None:
    assert post(body_of("stripe"), content_type="text/plain")["status"] == 415


def test_bytes_that_are_no_text_are_refused(handler: Handler) -> None:
    event = sample("inbound/stripe.json") | {"isBase64Encoded": True, "body": "//79"}
    assert handler(event, Context())["statusCode"] == 400


def test_a_rotated_secret_counts_without_a_new_sandbox(
    post: Post, servers: Stack, secret_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert post(body_of("stripe"))["status"] == 200
    rotated = json.dumps({"api_key": "sk_test", "webhook_secret": "whsec_rotated"})
    servers.client("secretsmanager").put_secret_value(SecretId=secret_name, SecretString=rotated)
    monkeypatch.setattr("shared.billing.gateway.inbox._TRUSTED_SECONDS", 0)
    assert post(body_of("stripe"), secret="whsec_rotated")["status"] == 200


def test_what_the_stand_in_makes_of_a_life_is_understood(post: Post, outcomes: Inspected, stand_in: StandIn) -> None:
    customer, price = stand_in.customer(), stand_in.price()
    made = stand_in.client.v1.subscriptions.create(
        {"customer": customer, "items": [{"price": price}], "trial_period_days": 14, "metadata": {"tenant": TENANT}}
    )
    stand_in.control("clock", advance=15 * 86_400)
    stand_in.client.v1.subscriptions.cancel(made.id)
    for event in list(stand_in.client.v1.events.list({"limit": 100}).auto_paging_iter())[::-1]:
        assert post(json.dumps(event.to_dict(), default=str))["status"] == 200
    words = [told["data"] for told in outcomes.messages()]
    said = [(word["type"], word["status"]) for word in words]
    assert {told for told in said if told[1]} >= {
        ("customer.subscription.created", "trialing"),
        ("customer.subscription.updated", "active"),
        ("customer.subscription.deleted", "canceled"),
    }
    bills = {(word["type"], word["bill"]["status"]): word["bill"] for word in words if word["bill"]}
    assert {("invoice.finalized", "open"), ("invoice.paid", "paid")} <= set(bills)
    first = next(word["bill"] for word in words if word["type"] == "invoice.paid")
    assert (first["currency"], first["total"], first["amount_paid"]) == ("EUR", "0.00", "0.00")


def test_a_card_that_was_given_is_an_errand(post: Post, outcomes: Inspected, errands: Inspected) -> None:
    session = {
        "id": "cs_1",
        "object": "checkout.session",
        "mode": "setup",
        "customer": "cus_sample",
        "metadata": {"tenant": TENANT},
    }
    answer = post(body_of("stripe", type="checkout.session.completed", data={"object": session}))
    assert answer["queued"]
    (message,) = errands.messages()
    assert (message["tenant"], message["kind"]) == (TENANT, "billing.card_added")
    assert message["data"] == {"customer": "cus_sample"}
    assert outcomes.messages() == []


@pytest.mark.parametrize("change", [{"mode": "subscription"}, {"metadata": {}}, {"customer": None}])
def test_a_checkout_that_gave_no_card_of_a_tenant_is_dropped(
    post: Post, errands: Inspected, change: dict[str, Any]
) -> None:
    session = {"object": "checkout.session", "mode": "setup", "customer": "cus_1", "metadata": {"tenant": TENANT}}
    body = body_of("stripe", type="checkout.session.completed", data={"object": {**session, **change}})
    assert not post(body)["queued"]
    assert errands.messages() == []
