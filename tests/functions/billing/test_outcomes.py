"""The outcomes' handler, from a queue's batch to the tenant's row and the bus."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from local.stack import Stack
from tenant_context.context import TenantContext
from tenant_context.postgres import Database
from tests.conftest import Clone
from tests.functions.billing.harness import Context, Handler, Inspected, database_environment, load, queue_of, sample

Tenants = tuple[TenantContext, TenantContext]
DONE: dict[str, Any] = {"batchItemFailures": []}


@pytest.fixture
def mails(servers: Stack) -> Iterator[Inspected]:
    with queue_of(servers) as queue:
        yield queue


@pytest.fixture
def handler(
    clone: Clone,
    servers: Stack,
    errands: Inspected,
    mails: Inspected,
    table_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Handler]:
    name = f"test-{clone.name}"
    servers.client("events").create_event_bus(Name=name)
    settings = {
        "RMAP_BUS": name,
        "RMAP_QUEUE_BILLING": errands.url,
        "RMAP_QUEUE_MAILS": mails.url,
        "RMAP_TABLE_REVOCATIONS": table_name,
        **database_environment(clone.settings()),
    }
    loaded: Any = load("billing_outcomes", settings, monkeypatch)
    yield loaded
    loaded_database: Database = sys.modules["functions.billing_outcomes.handler"].database
    loaded_database.close()
    servers.client("events").delete_event_bus(Name=name)


def of(tenant: TenantContext, case: str) -> dict[str, Any]:
    """A sample event as if it were this tenant's."""
    event = sample(f"billing_outcomes/{case}.json")
    for record in event["Records"]:
        body = json.loads(record["body"])
        if "detail" in body:
            body["detail"]["tenant"] = body["detail"]["data"]["id"] = str(tenant.tenant)
            record["body"] = json.dumps(body)
            continue
        body["tenant"] = str(tenant.tenant)
        if "tenant" in body["data"]:
            body["data"]["tenant"] = str(tenant.tenant)
        record["body"] = json.dumps(body)
    return event


def status(database: Database, tenant: TenantContext) -> tuple[Any, ...]:
    (row,) = database.read(tenant, "SELECT status, billing_reason FROM tenants")
    return row


def test_a_provisioned_tenant_becomes_active_and_the_bus_hears_of_it(
    handler: Handler, database: Database, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    assert handler(of(acme, "provisioned"), Context()) == DONE
    assert status(database, acme) == ("active", "")
    assert status(database, globex) == ("billing_pending", "")
    published = database.read(acme, "SELECT type FROM outbox WHERE published_at IS NOT NULL")
    assert sorted(published) == [("tenant.billing_ready",), ("tenant.state_changed",)]


def test_the_owner_can_read_why_it_takes_longer(handler: Handler, database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    assert handler(of(acme, "delayed"), Context()) == DONE
    assert status(database, acme) == ("billing_pending", "Stripe does not answer.")


@pytest.mark.parametrize("twice", [False, True])
def test_stripes_event_is_applied_once(
    handler: Handler, database: Database, two_tenants: Tenants, *, twice: bool
) -> None:
    acme, _ = two_tenants
    handler(of(acme, "provisioned"), Context())
    for _ in range(2 if twice else 1):
        assert handler(of(acme, "event"), Context()) == DONE
    assert status(database, acme)[0] == "past_due"
    told = [row[0] for row in database.read(acme, "SELECT type FROM outbox ORDER BY id")]
    assert sorted(told) == ["tenant.billing_ready", *["tenant.state_changed"] * 2, "tenant.subscription_changed"]


def test_giving_up_is_told_on_the_bus(handler: Handler, database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    assert handler(of(acme, "failed"), Context()) == DONE
    assert database.read(acme, "SELECT type FROM outbox") == [("tenant.billing_failed",)]


def test_a_message_for_a_tenant_that_is_not_there_yet_comes_again(handler: Handler) -> None:
    event = sample("billing_outcomes/provisioned.json")
    answer = handler(event, Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}


def test_an_unknown_message_is_no_success(handler: Handler, two_tenants: Tenants) -> None:
    event = of(two_tenants[0], "delayed")
    event["Records"][0]["body"] = event["Records"][0]["body"].replace("billing.delayed", "billing.unheard")
    assert len(handler(event, Context())["batchItemFailures"]) == 1


def test_two_words_of_one_second_that_differ_are_asked_of_stripe(
    handler: Handler, errands: Inspected, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    first = of(acme, "event")
    second = of(acme, "event")
    body = json.loads(second["Records"][0]["body"])
    body["data"] |= {"id": "evt_other", "status": "active"}
    second["Records"][0]["body"] = json.dumps(body)
    assert [handler(event, Context()) for event in (first, second, second)] == [DONE] * 3
    (errand,) = errands.messages()
    assert (errand["tenant"], errand["kind"]) == (str(acme.tenant), "billing.reread")
    assert errand["data"]["event"] == "evt_other"


def test_an_operator_replays_the_inbox(handler: Handler, database: Database, two_tenants: Tenants) -> None:
    acme, globex = two_tenants
    handler(of(acme, "provisioned"), Context())
    handler(of(acme, "event"), Context())
    for tenant in two_tenants:
        with database.transaction(tenant) as tx:
            tx.run("UPDATE tenants SET status = 'active', subscription_status = 'spoilt'")
    assert handler(of(acme, "replay"), Context()) == DONE
    assert status(database, acme)[0] == "past_due"
    assert status(database, globex)[0] == "active"


def changed(event: dict[str, Any], **data: Any) -> dict[str, Any]:
    """An event of Stripe's that says something else."""
    body = json.loads(event["Records"][0]["body"])
    body["data"] |= data
    event["Records"][0]["body"] = json.dumps(body)
    return event


def asked(errands: Inspected) -> list[tuple[str, str]]:
    return [(one["data"]["customer"], one["data"]["ends"]) for one in errands.messages()]


def put_into(database: Database, tenant: TenantContext, status: str) -> None:
    with database.transaction(tenant) as tx:
        tx.run("UPDATE tenants SET status = %s", (status,))


@pytest.mark.parametrize(
    ("status", "ends"), [("closing", "with-period"), ("closed", "at-once"), ("active", None), ("past_due", None)]
)
def test_a_move_asks_stripe_for_what_the_tenants_state_of_now_wants(
    handler: Handler, database: Database, errands: Inspected, two_tenants: Tenants, status: str, ends: str | None
) -> None:
    """The sample tells of the closing: by then the tenant may have been had back, and nothing is to end."""
    acme, globex = two_tenants
    handler(of(acme, "provisioned"), Context())
    put_into(database, acme, status)
    for _ in range(2):
        assert handler(of(acme, "state_changed"), Context()) == DONE
        ((customer, wanted),) = asked(errands)
        assert wanted == (ends or "never")
        assert [customer] == [row[0] for row in database.read(acme, "SELECT stripe_customer_id FROM tenants")]
    assert handler(of(globex, "state_changed"), Context()) == DONE
    assert asked(errands) == []


def test_a_move_that_has_nothing_to_do_with_closing_asks_nothing(
    handler: Handler, errands: Inspected, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    handler(of(acme, "provisioned"), Context())
    event = of(acme, "state_changed")
    event["Records"][0]["body"] = event["Records"][0]["body"].replace("closing", "past_due")
    assert handler(event, Context()) == DONE
    assert asked(errands) == []


def test_a_subscription_that_is_born_after_its_tenant_was_given_up_ends(
    handler: Handler, database: Database, errands: Inspected, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    for tenant, status in ((acme, "closing"), (globex, "closed")):
        put_into(database, tenant, status)
        handler(of(tenant, "provisioned"), Context())
    assert [ends for _, ends in asked(errands)] == ["with-period", "at-once"]


def test_a_customer_whose_subscription_never_came_goes_with_its_organization(
    handler: Handler, database: Database, errands: Inspected, two_tenants: Tenants
) -> None:
    """Whether it was told of before the end or only after it; billing is no further than it was."""
    acme, globex = two_tenants
    assert handler(of(acme, "customer_made"), Context()) == DONE
    assert asked(errands) == []
    assert status(database, acme) == ("billing_pending", "")
    for tenant in two_tenants:
        put_into(database, tenant, "closed")
        assert handler(of(tenant, "state_changed"), Context()) == DONE
    assert asked(errands) == [("cus_sample", "at-once")]
    assert handler(of(globex, "customer_made"), Context()) == DONE
    assert asked(errands) == [("cus_sample", "at-once")]


def test_stripes_word_that_contradicts_the_tenants_life_is_answered(
    handler: Handler, database: Database, errands: Inspected, two_tenants: Tenants
) -> None:
    """Two errands may overtake each other at Stripe: its own word of the result sets that right."""
    acme, _ = two_tenants
    handler(of(acme, "provisioned"), Context())
    handler(changed(of(acme, "event"), id="evt_1", status="active", cancels=True, closing=True), Context())
    assert [ends for _, ends in asked(errands)] == ["never"]
    put_into(database, acme, "closing")
    later = {"status": "active", "created": "2027-03-02T12:00:00Z"}
    handler(changed(of(acme, "event"), id="evt_2", **later), Context())
    assert [ends for _, ends in asked(errands)] == ["with-period"]
    handler(
        changed(of(acme, "event"), id="evt_3", **{**later, "created": "2027-03-03T12:00:00Z"}, cancels=True), Context()
    )
    assert asked(errands) == []


def test_the_owner_is_told_once_that_the_trial_ends(
    handler: Handler, database: Database, mails: Inspected, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    handler(of(acme, "provisioned"), Context())
    trial = {"type": "customer.subscription.trial_will_end", "status": "trialing", "trial_end": "2999-03-16T12:00:00Z"}
    for _ in range(2):
        assert handler(changed(of(acme, "event"), **trial), Context()) == DONE
    (mail,) = mails.messages()
    assert (mail["kind"], mail["data"]["to"]) == ("trial-ending", "owner@acme.example")
    assert mail["data"]["values"] == {"name": "Owner of acme", "organization": "Acme", "day": "2999-03-16"}
    assert database.read(acme, "SELECT count(*) FROM outbox WHERE type = 'tenant.trial_ending'") == [(1,)]


@pytest.mark.parametrize("said", [{"cancels": True}, {"trial_end": "2026-01-01T00:00:00Z"}, {"status": "active"}])
def test_nobody_is_told_of_a_trial_that_is_over_or_cancelled(
    handler: Handler, mails: Inspected, two_tenants: Tenants, said: dict[str, Any]
) -> None:
    acme, _ = two_tenants
    handler(of(acme, "provisioned"), Context())
    trial = {"type": "customer.subscription.trial_will_end", "status": "trialing", "trial_end": "2999-03-16T12:00:00Z"}
    handler(changed(of(acme, "event"), **{**trial, **said}), Context())
    assert mails.messages() == []
