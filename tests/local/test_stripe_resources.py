"""The stand-in answers the real Stripe library as Stripe would: objects, lists, errors, keys."""

import time

import pytest
import stripe

from tests.local.harness import StandIn


def test_a_customer_survives_a_restart(stand_in: StandIn) -> None:
    made = stand_in.client.v1.customers.create({"email": "a@acme.example", "metadata": {"tenant": "acme"}})
    stand_in.restart()
    found = stand_in.client.v1.customers.retrieve(made.id)
    assert (found.email, found.metadata["tenant"]) == ("a@acme.example", "acme")


def test_metadata_is_merged_and_an_empty_value_removes_a_key(stand_in: StandIn) -> None:
    customer = stand_in.client.v1.customers.create({"metadata": {"a": "1", "b": "2"}})
    updated = stand_in.client.v1.customers.update(customer.id, {"metadata": {"a": "", "c": "3"}})
    assert updated.to_dict()["metadata"] == {"b": "2", "c": "3"}


def test_lists_are_paged_newest_first(stand_in: StandIn) -> None:
    made = [stand_in.client.v1.customers.create({"name": f"c{n}"}).id for n in range(5)]
    first = stand_in.client.v1.customers.list({"limit": 2})
    assert (first.has_more, [c.id for c in first.data]) == (True, made[:2:-1])
    assert [c.id for c in first.auto_paging_iter()] == made[::-1]


def test_an_unknown_id_is_stripes_404(stand_in: StandIn) -> None:
    with pytest.raises(stripe.InvalidRequestError) as error:
        stand_in.client.v1.customers.retrieve("cus_nobody")
    assert (error.value.http_status, error.value.code) == (404, "resource_missing")
    assert str(error.value.request_id).startswith("req_")


def test_a_missing_parameter_is_named(stand_in: StandIn) -> None:
    with pytest.raises(stripe.InvalidRequestError) as error:
        stand_in.client.v1.products.create({})
    assert (error.value.http_status, error.value.param) == (400, "name")


def test_a_wrong_key_is_401(stand_in: StandIn) -> None:
    with pytest.raises(stripe.AuthenticationError):
        stand_in.client_with("sk_test_stranger").v1.customers.list()


def test_the_same_idempotency_key_gives_the_same_answer_and_one_object(stand_in: StandIn) -> None:
    first, second = (
        stand_in.client.v1.customers.create({"name": "Once"}, {"idempotency_key": "k-1"}) for _ in range(2)
    )
    assert first.id == second.id
    assert second.last_response.headers["Idempotent-Replayed"] == "true"
    assert len(stand_in.client.v1.customers.list().data) == 1


def test_the_same_idempotency_key_with_other_parameters_is_refused(stand_in: StandIn) -> None:
    stand_in.client.v1.customers.create({"name": "Once"}, {"idempotency_key": "k-1"})
    with pytest.raises(stripe.IdempotencyError) as error:
        stand_in.client.v1.customers.create({"name": "Twice"}, {"idempotency_key": "k-1"})
    assert error.value.http_status == 400


def test_a_key_that_was_forgotten_makes_another_object(stand_in: StandIn) -> None:
    def make() -> str:
        return str(stand_in.client.v1.customers.create({"name": "Acme"}, {"idempotency_key": "key"}).id)

    assert make() == (first := make())
    stand_in.control("keys/forget")
    assert make() != first


def test_search_finds_customers_by_metadata_once_its_index_has_them(stand_in: StandIn) -> None:
    made = [stand_in.client.v1.customers.create({"name": name, "metadata": {"tenant": name}}) for name in ("a", "b")]

    def found(query: str) -> list[str]:
        return [one.id for one in stand_in.client.v1.customers.search({"query": query}).data]

    assert found("metadata['tenant']:'a'") == [made[0].id]
    assert found("metadata['tenant']:'c'") == []
    stand_in.control("search", lag=60)
    assert found("metadata['tenant']:'a'") == []
    with pytest.raises(stripe.InvalidRequestError, match="parse"):
        found("tenant = 'a'")


def test_a_lookup_key_finds_its_price_and_moves_on_request(stand_in: StandIn) -> None:
    product = stand_in.client.v1.products.create({"name": "Growth"})
    terms = {"product": product.id, "currency": "eur", "recurring": {"interval": "month"}, "lookup_key": "growth"}
    old = stand_in.client.v1.prices.create({**terms, "unit_amount": 100})
    with pytest.raises(stripe.InvalidRequestError):
        stand_in.client.v1.prices.create({**terms, "unit_amount": 200})
    new = stand_in.client.v1.prices.create({**terms, "unit_amount": 200, "transfer_lookup_key": True})
    found = stand_in.client.v1.prices.list({"lookup_keys": ["growth"]}).data
    assert ([price.id for price in found], old.id != new.id) == ([new.id], True)


def test_expand_puts_the_object_in_place_of_its_id(stand_in: StandIn) -> None:
    customer = stand_in.customer()
    made = stand_in.client.v1.subscriptions.create(
        {"customer": customer, "items": [{"price": stand_in.price()}], "expand": ["customer", "latest_invoice"]}
    )
    assert (made.customer.email, made.latest_invoice.status) == ("owner@acme.example", "paid")


def test_faults_fail_as_many_calls_as_asked_and_the_library_retries_over_them(stand_in: StandIn) -> None:
    stand_in.control("faults", count=2, status=500, match="POST /v1/customers")
    customer = stand_in.client_with("sk_test_of_the_tests", retries=3).v1.customers.create({"name": "Late"})
    assert customer.name == "Late"
    statuses = [call["status"] for call in stand_in.state("/requests")["requests"]]
    assert statuses == [200, 500, 500]


def test_a_lost_answer_is_recovered_by_the_idempotency_key(stand_in: StandIn) -> None:
    stand_in.control("faults", drop=True, executed=True)
    stand_in.client_with("sk_test_of_the_tests", retries=2).v1.customers.create({"name": "Once"})
    assert len(stand_in.client.v1.customers.list().data) == 1


def test_while_down_nothing_is_answered(stand_in: StandIn) -> None:
    stand_in.control("faults", down=True)
    with pytest.raises(stripe.APIConnectionError):
        stand_in.client.v1.customers.list()
    stand_in.control("faults", down=False)
    assert stand_in.client.v1.customers.list().data == []


@pytest.mark.parametrize(("late", "code"), [(-36 * 86_400, "timestamp_too_far_in_past"), (400, "timestamp_in_future")])
def test_usage_outside_the_time_bounds_is_refused(stand_in: StandIn, late: int, code: str) -> None:
    meter_of(stand_in)
    with pytest.raises(stripe.InvalidRequestError) as error:
        use(stand_in, stand_in.customer(), 1, timestamp=int(time.time()) + late)
    assert error.value.code == code


def test_usage_counts_once_per_identifier(stand_in: StandIn) -> None:
    meter, customer = meter_of(stand_in), stand_in.customer()
    use(stand_in, customer, 5, identifier="u-1")
    with pytest.raises(stripe.InvalidRequestError) as error:
        use(stand_in, customer, 5, identifier="u-1")
    assert error.value.code == "duplicate_meter_event"
    start = int(time.time()) // 60 * 60 - 60
    window = {"customer": customer, "start_time": start, "end_time": start + 180}
    found = stand_in.client.v1.billing.meters.event_summaries.list(meter, window).data
    assert [summary.aggregated_value for summary in found] == [5.0]


def test_a_portal_session_leads_to_a_page_with_a_way_back(stand_in: StandIn) -> None:
    session = stand_in.client.v1.billing_portal.sessions.create(
        {"customer": stand_in.customer(), "return_url": "https://acme.example/<b>"}
    )
    page = stripe.RequestsClient().request("get", session.url, {})[0]
    assert "https://acme.example/&lt;b&gt;" in str(page)


def meter_of(stand_in: StandIn) -> str:
    terms = {"display_name": "Rows", "event_name": "rows", "default_aggregation": {"formula": "sum"}}
    return str(stand_in.client.v1.billing.meters.create(terms).id)


def use(stand_in: StandIn, customer: str, value: int, **more: object) -> None:
    payload = {"stripe_customer_id": customer, "value": str(value)}
    stand_in.client.v1.billing.meter_events.create({"event_name": "rows", "payload": payload, **more})
