"""Signed webhooks, and what a network does to them."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
import stripe

from tests.local.harness import StandIn, eventually


@pytest.fixture
def receiver(start_receiver: Callable[[], str]) -> str:
    return start_receiver()


def listen(stand_in: StandIn, receiver: str, *events: str) -> str:
    made = stand_in.client.v1.webhook_endpoints.create(
        {"url": f"{receiver}/hooks/stripe", "enabled_events": list(events) or ["*"]}
    )
    return str(made.secret)


def received(receiver: str) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = requests.get(f"{receiver}/requests", timeout=10).json()["requests"]
    return answer


def events(receiver: str, secret: str, count: int) -> list[stripe.Event]:
    """The first `count` events, each with its signature verified by Stripe's library."""
    eventually(lambda: len(received(receiver)) >= count, f"{count} webhooks")
    return [
        stripe.Webhook.construct_event(request["body"], request["headers"]["stripe-signature"], secret)
        for request in received(receiver)
    ]


def test_an_event_arrives_signed_as_the_library_verifies_it(stand_in: StandIn, receiver: str) -> None:
    secret = listen(stand_in, receiver, "customer.created")
    customer = stand_in.client.v1.customers.create({"name": "Acme"}, {"idempotency_key": "k-7"})
    (event,) = events(receiver, secret, 1)
    assert event.request is not None
    assert (event.type, event.data.object["id"], event.request.idempotency_key) == (
        "customer.created",
        customer.id,
        "k-7",
    )
    body = received(receiver)[0]["body"]
    header = received(receiver)[0]["headers"]["stripe-signature"]
    moment = int(header.split(",")[0].removeprefix("t="))
    assert header == stripe.WebhookSignature.generate_signature_header(body, secret, moment)


def test_only_enabled_events_are_sent(stand_in: StandIn, receiver: str) -> None:
    secret = listen(stand_in, receiver, "product.created")
    stand_in.client.v1.customers.create({"name": "Acme"})
    stand_in.client.v1.products.create({"name": "Growth"})
    assert [event.type for event in events(receiver, secret, 1)] == ["product.created"]


def test_a_failing_endpoint_is_tried_again_until_it_answers(stand_in: StandIn, receiver: str) -> None:
    secret = listen(stand_in, receiver, "customer.created")
    requests.put(f"{receiver}/_control/paths/stripe", json={"status": 500, "times": 1}, timeout=10)
    stand_in.client.v1.customers.create({"name": "Acme"})
    first, second = events(receiver, secret, 2)
    assert first.id == second.id
    eventually(lambda: stand_in.state()["pending_webhooks"] == 0, "an empty queue")
    assert stand_in.client.v1.events.retrieve(first.id).pending_webhooks == 0


def test_webhooks_can_be_doubled(stand_in: StandIn, receiver: str) -> None:
    secret = listen(stand_in, receiver, "customer.created")
    stand_in.control("webhooks", duplicate=1)
    stand_in.client.v1.customers.create({"name": "Acme"})
    assert len({event.id for event in events(receiver, secret, 2)}) == 1


def test_webhooks_can_be_held_back_and_sent_newest_first(stand_in: StandIn, receiver: str) -> None:
    secret = listen(stand_in, receiver, "customer.created")
    stand_in.control("webhooks", reorder=600)
    made = [stand_in.client.v1.customers.create({"name": name}).id for name in "abc"]
    assert stand_in.state()["pending_webhooks"] == 3
    stand_in.control("webhooks/flush")
    assert [event.data.object["id"] for event in events(receiver, secret, 3)] == made[::-1]


def test_delayed_webhooks_wait_across_a_restart(stand_in: StandIn, receiver: str) -> None:
    secret = listen(stand_in, receiver, "customer.created")
    stand_in.control("webhooks", delay=3_600)
    stand_in.client.v1.customers.create({"name": "Acme"})
    stand_in.restart()
    assert received(receiver) == []
    stand_in.control("webhooks/flush")
    assert len(events(receiver, secret, 1)) == 1


def test_an_event_can_be_sent_once_more_by_hand(stand_in: StandIn, receiver: str) -> None:
    secret = listen(stand_in, receiver, "customer.created")
    stand_in.client.v1.customers.create({"name": "Acme"})
    (event,) = events(receiver, secret, 1)
    stand_in.control(f"events/{event.id}/resend")
    assert {again.id for again in events(receiver, secret, 2)} == {event.id}


def test_a_redirect_is_a_failure_and_is_not_followed(stand_in: StandIn, receiver: str) -> None:
    listen(stand_in, receiver, "customer.created")
    settings: dict[str, Any] = {"status": 302, "location": f"{receiver}/hooks/elsewhere"}
    requests.put(f"{receiver}/_control/paths/stripe", json=settings, timeout=10)
    stand_in.client.v1.customers.create({"name": "Acme"})
    eventually(lambda: len(received(receiver)) >= 1, "the first attempt")
    assert {request["path"] for request in received(receiver)} == {"/hooks/stripe"}
    eventually(lambda: stand_in.state("/deliveries")["deliveries"][0]["outcome"] == "302", "the outcome")


def test_the_control_api_refuses_what_a_foreign_page_could_send(stand_in: StandIn) -> None:
    form = requests.post(f"{stand_in.url}/_control/reset", data={"a": "b"}, timeout=10)
    rebound = requests.get(f"{stand_in.url}/_control", headers={"Host": "evil.example:80"}, timeout=10)
    assert (form.status_code, rebound.status_code) == (415, 403)
