"""The provisioner's handler, from a sign-up's message to the word about it, while Stripe comes and goes."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.functions.billing.harness import Context, Handler, Inspected, load, sample
from tests.local.harness import StandIn

Provision = Callable[..., dict[str, Any]]


@pytest.fixture
def handler(
    stand_in: StandIn, outcomes: Inspected, secret_name: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Handler]:
    environment = {
        "RMAP_STRIPE_SECRET": secret_name,
        "RMAP_STRIPE_URL": stand_in.url,
        "RMAP_QUEUE_BILLING_OUTCOMES": outcomes.url,
    }
    loaded: Any = load("billing_provisioner", environment, monkeypatch)
    yield loaded
    loaded.__globals__["gateway"].close()


@pytest.fixture
def provision(handler: Handler) -> Provision:
    def invoke(case: str = "provision", *, receive: int = 1, **data: str) -> dict[str, Any]:
        event = sample(f"billing_provisioner/{case}.json")
        record = event["Records"][0]
        record["attributes"]["ApproximateReceiveCount"] = str(receive)
        if data:
            body = json.loads(record["body"])
            record["body"] = json.dumps({**body, "data": {**body["data"], **data}})
        return handler(event, Context())

    return invoke


DONE: dict[str, Any] = {"batchItemFailures": []}


@pytest.mark.parametrize("case", ["provision", "tenant_created"])
def test_a_sign_up_is_provisioned_and_told(
    case: str, provision: Provision, outcomes: Inspected, stand_in: StandIn
) -> None:
    assert provision(case) == DONE
    known, message = sorted(outcomes.messages(), key=lambda told: str(told["kind"]))
    (subscription,) = stand_in.client.v1.subscriptions.list().data
    assert message["kind"] == "billing.provisioned"
    assert message["tenant"] == subscription.metadata["tenant"]
    assert (known["kind"], known["data"]) == ("billing.customer_made", {"customer": subscription.customer})
    data = message["data"]
    assert (data["subscription"], data["status"], data["plan"]) == (subscription.id, "trialing", "starter")


def test_a_message_delivered_twice_makes_one_customer(provision: Provision, stand_in: StandIn) -> None:
    assert provision() == provision() == DONE
    assert len(stand_in.client.v1.customers.list().data) == 1


def test_while_stripe_is_down_the_message_comes_again_and_the_delay_is_told(
    provision: Provision, outcomes: Inspected, stand_in: StandIn
) -> None:
    stand_in.control("faults", down=True)
    assert len(provision()["batchItemFailures"]) == 1
    assert [(told["kind"], told["data"]) for told in outcomes.messages()] == [
        ("billing.delayed", {"reason": "Stripe does not answer."})
    ]
    stand_in.control("faults", down=False)
    assert provision(receive=2) == DONE
    assert sorted(told["kind"] for told in outcomes.messages()) == ["billing.customer_made", "billing.provisioned"]


def test_after_the_last_receive_it_is_given_up_and_told(
    provision: Provision, outcomes: Inspected, stand_in: StandIn
) -> None:
    stand_in.control("faults", down=True)
    assert len(provision(receive=5)["batchItemFailures"]) == 1
    assert [told["kind"] for told in outcomes.messages()] == ["billing.failed"]


def test_whom_an_earlier_attempt_made_is_not_told_of_again(
    provision: Provision, outcomes: Inspected, stand_in: StandIn
) -> None:
    customer = stand_in.customer()
    assert provision(customer=customer) == DONE
    (told,) = outcomes.messages()
    assert (told["kind"], told["data"]["customer"]) == ("billing.provisioned", customer)


def test_a_plan_that_cannot_be_billed_is_given_up_at_once(provision: Provision, outcomes: Inspected) -> None:
    assert len(provision(plan="platinum")["batchItemFailures"]) == 1
    (told,) = outcomes.messages()
    assert told["kind"] == "billing.failed"
    reason = told["data"]["reason"]
    assert reason == "There is no plan called 'platinum'; choose one of free, starter, professional, enterprise."


def test_what_stripe_says_of_its_own_objects_is_no_reason_for_owners(
    provision: Provision, outcomes: Inspected, stand_in: StandIn
) -> None:
    """Its words name ids, and may name those of others."""
    stand_in.control("faults", status=400, count=1, match="POST /v1/subscriptions", code="resource_missing")
    provision()
    (told,) = [told for told in outcomes.messages() if told["kind"] == "billing.failed"]
    assert told["data"]["reason"][0].isupper()
    assert told["data"]["reason"].endswith(".")
    for word in ("drill", "cus_", "price_", "Traceback", "Error", "param"):
        assert word not in told["data"]["reason"]


def test_errands_to_end_a_subscription_wait_for_stripe_and_are_done_once(
    provision: Provision, outcomes: Inspected, stand_in: StandIn
) -> None:
    provision()
    made = outcomes.messages()[0]
    customer = made["data"]["customer"]
    stand_in.control("faults", down=True)
    assert len(provision("ending", customer=customer)["batchItemFailures"]) == 1
    stand_in.control("faults", down=False)
    for _ in range(2):
        assert provision("ending", customer=customer) == DONE
    subscription = stand_in.client.v1.subscriptions.list().data[0]
    assert (subscription.cancel_at_period_end, subscription.metadata["ends_for"]) == (True, "closing")
    assert stand_in.event_types().count("customer.subscription.updated") == 1
    assert provision("ending", customer=customer, ends="never") == DONE
    assert not stand_in.client.v1.subscriptions.list().data[0].cancel_at_period_end
    assert provision("ending", customer=customer, ends="at-once") == DONE
    assert stand_in.client.v1.subscriptions.list().data == []
    assert outcomes.messages() == []


def test_one_bad_record_leaves_the_others_of_its_batch_alone(handler: Handler, outcomes: Inspected) -> None:
    good, bad = sample("billing_provisioner/provision.json"), sample("billing_provisioner/provision.json")
    bad["Records"][0] |= {"body": "{}", "messageId": "bad"}
    answer = handler({"Records": [*bad["Records"], *good["Records"]]}, Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert sorted(told["kind"] for told in outcomes.messages()) == ["billing.customer_made", "billing.provisioned"]
