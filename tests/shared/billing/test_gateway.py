"""The gateway against the stateful stand-in: asked twice, while Stripe is away, and when its answers get lost."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from shared.billing.errors import StripeRefused, StripeUnavailable
from shared.billing.gateway.provision import StripeGateway
from shared.billing.model import Plan, SignUp
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext, from_message
from tenant_context.secrets import secret
from tests.local.harness import StandIn

ACME = SignUp(name="Acme", email="owner@acme.example", plan=Plan.STARTER, slug="acme")


def tenant() -> TenantContext:
    return from_message(uuid7(), "request")


@pytest.fixture
def gateway(stand_in: StandIn, secret_name: str) -> Iterator[StripeGateway]:
    with closing(StripeGateway(secret_name, stand_in.url)) as opened:
        yield opened


def customers(stand_in: StandIn) -> list[Any]:
    return list(stand_in.client.v1.customers.list().auto_paging_iter())


def begun(
    gateway: StripeGateway, stand_in: StandIn, tenant: TenantContext, tell: Callable[[str], None] = lambda _: None
) -> None:
    """An attempt that ends between the customer and the subscription."""
    stand_in.control("faults", status=400, match="POST /v1/subscriptions")
    with pytest.raises(StripeRefused):
        gateway.provision(tenant, ACME, tell)
    assert (len(customers(stand_in)), len(subscriptions(stand_in))) == (1, 0)


def subscriptions(stand_in: StandIn) -> list[Any]:
    return list(stand_in.client.v1.subscriptions.list({"status": "all"}).auto_paging_iter())


def test_a_sign_up_becomes_a_customer_with_a_trial_of_its_plan(gateway: StripeGateway, stand_in: StandIn) -> None:
    acme = tenant()
    made = gateway.provision(acme, ACME)
    (subscription,) = subscriptions(stand_in)
    (customer,) = customers(stand_in)
    assert (made.customer, made.subscription, made.status) == (customer.id, subscription.id, "trialing")
    assert UUID(subscription.metadata["tenant"]) == UUID(customer.metadata["tenant"]) == acme.tenant
    assert subscription["items"].data[0].price.lookup_key == "rmap_starter_monthly"
    assert (subscription.trial_end - subscription.created) == 14 * 86_400
    assert made.as_of.timestamp() == subscription.created


def test_asked_again_it_answers_the_same_customer_and_subscription(gateway: StripeGateway, stand_in: StandIn) -> None:
    acme = tenant()
    assert gateway.provision(acme, ACME) == gateway.provision(acme, ACME)
    assert (len(customers(stand_in)), len(subscriptions(stand_in))) == (1, 1)


def test_another_sandbox_asked_a_week_later_finds_the_same(
    gateway: StripeGateway, stand_in: StandIn, secret_name: str
) -> None:
    acme = tenant()
    made = gateway.provision(acme, ACME)
    stand_in.control("clock", advance=7 * 86_400)
    with closing(StripeGateway(secret_name, stand_in.url)) as other:
        assert other.provision(acme, ACME) == made


def test_one_owner_of_two_tenants_has_a_customer_for_each(gateway: StripeGateway, stand_in: StandIn) -> None:
    assert gateway.provision(tenant(), ACME).customer != gateway.provision(tenant(), ACME).customer
    assert len(customers(stand_in)) == 2


def test_all_tenants_of_a_plan_share_its_price(gateway: StripeGateway, stand_in: StandIn) -> None:
    for _ in range(3):
        gateway.provision(tenant(), ACME)
    assert len(stand_in.client.v1.prices.list().data) == 1


def test_sandboxes_that_make_a_price_at_once_end_with_one(stand_in: StandIn, secret_name: str) -> None:
    def provision() -> None:
        with closing(StripeGateway(secret_name, stand_in.url)) as gateway:
            gateway.provision(tenant(), ACME)

    secret(secret_name)  # a sandbox has one thread, so the kernel's connection to AWS is for one thread
    threads = [threading.Thread(target=provision) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stand_in.client.v1.prices.list().data) == 1
    assert len(subscriptions(stand_in)) == 4


@pytest.mark.parametrize("path", ["/v1/customers", "/v1/subscriptions"])
def test_an_answer_that_got_lost_leaves_no_second_one(gateway: StripeGateway, stand_in: StandIn, path: str) -> None:
    acme = tenant()
    # The call and its repetition both take effect, and both answers are lost.
    stand_in.control("faults", drop=True, executed=True, count=2, match=f"POST {path}")
    with pytest.raises(StripeUnavailable):
        gateway.provision(acme, ACME)
    made = gateway.provision(acme, ACME)
    assert [customer.id for customer in customers(stand_in)] == [made.customer]
    assert [subscription.id for subscription in subscriptions(stand_in)] == [made.subscription]


def test_a_mail_that_changed_finds_the_customer_that_an_attempt_left_without_a_subscription(
    gateway: StripeGateway, stand_in: StandIn
) -> None:
    acme = tenant()
    begun(gateway, stand_in, acme)
    moved = replace(ACME, email="other@acme.example")
    made = gateway.provision(acme, moved)
    (customer,) = customers(stand_in)
    assert (customer.id, customer.email, customer.name) == (made.customer, moved.email, moved.name)
    assert customer.metadata.to_dict() == {"tenant": str(acme.tenant), "slug": "acme"}


@pytest.mark.parametrize("gone", ["the search's index is behind", "the key is forgotten"])
def test_another_mail_makes_no_second_customer_by_whichever_way_it_is_known(
    gateway: StripeGateway, stand_in: StandIn, gone: str
) -> None:
    """One of the two always holds: the index is behind for minutes, a key is known for a day."""
    acme = tenant()
    begun(gateway, stand_in, acme)
    if gone == "the key is forgotten":
        stand_in.control("keys/forget")
    else:
        stand_in.control("search", lag=3600)
    made = gateway.provision(acme, replace(ACME, email="other@acme.example", name="Acme II", slug="acme-2"))
    assert [one.id for one in customers(stand_in)] == [made.customer]


def test_whom_the_row_names_is_neither_looked_for_nor_made(gateway: StripeGateway, stand_in: StandIn) -> None:
    acme = tenant()
    begun(gateway, stand_in, acme)
    (known,) = customers(stand_in)
    stand_in.control("keys/forget")
    stand_in.control("search", lag=3600)
    told: list[str] = []
    made = gateway.provision(acme, replace(ACME, email="other@acme.example", customer=known.id), told.append)
    assert [one.id for one in customers(stand_in)] == [made.customer] == [known.id]
    assert told == []


def test_a_customer_is_told_of_before_its_subscription_can_fail(gateway: StripeGateway, stand_in: StandIn) -> None:
    told: list[str] = []
    begun(gateway, stand_in, tenant(), told.append)
    assert told == [one.id for one in customers(stand_in)]


def test_stripe_down_is_unavailable_and_back_again_it_works(gateway: StripeGateway, stand_in: StandIn) -> None:
    stand_in.control("faults", down=True)
    with pytest.raises(StripeUnavailable, match="does not answer"):
        gateway.provision(tenant(), ACME)
    stand_in.control("faults", down=False)
    assert gateway.provision(tenant(), ACME).status == "trialing"


def test_slow_stripe_is_given_up(stand_in: StandIn, secret_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.billing.gateway.connection.TIMEOUT_SECONDS", 0.3)
    stand_in.control("faults", delay=2, count=2)
    with (
        closing(StripeGateway(secret_name, stand_in.url)) as gateway,
        pytest.raises(StripeUnavailable, match="does not answer"),
    ):
        gateway.provision(tenant(), ACME)


def test_too_many_calls_is_unavailable(gateway: StripeGateway, stand_in: StandIn) -> None:
    stand_in.control("faults", status=429, count=2)
    with pytest.raises(StripeUnavailable):
        gateway.provision(tenant(), ACME)


def test_what_stripe_will_never_do_is_refused(gateway: StripeGateway, stand_in: StandIn) -> None:
    stand_in.control("faults", status=400, match="POST /v1/customers")
    with pytest.raises(StripeRefused):
        gateway.provision(tenant(), ACME)


class _Stored(http.server.BaseHTTPRequestHandler):
    """Stripe after it failed at a key's first request: it repeats that failure for a day."""

    protocol_version = "HTTP/1.1"
    keys: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers["Idempotency-Key"]
        self.keys.append(key)
        failed = key.endswith("-1")
        body = json.dumps(
            {"error": {"type": "api_error"}} if failed else {"id": "cus_2", "object": "customer"}
        ).encode()
        self.send_response(500 if failed else 200)
        self.send_header("Content-Length", str(len(body)))
        if failed:
            self.send_header("Idempotent-Replayed", "true")
            self.send_header("Stripe-Should-Retry", "false")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        body = json.dumps(
            {"object": "search_result", "data": [], "has_more": False, "url": "/v1/customers/search"}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def failing_key() -> Iterator[tuple[str, list[str]]]:
    keys: list[str] = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Stored,), {"keys": keys}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", keys
    server.shutdown()
    server.server_close()


def test_a_failure_that_stripe_remembers_is_passed_by_with_the_next_key(
    failing_key: tuple[str, list[str]], secret_name: str
) -> None:
    url, keys = failing_key
    acme = tenant()
    with closing(StripeGateway(secret_name, url)) as gateway:
        assert gateway._customer(gateway._connected(), acme.tenant) == "cus_2"
    assert keys == [f"rmap-{acme.tenant}-customer-1", f"rmap-{acme.tenant}-customer-2"]
