"""Sign-ups while Stripe is away, and sign-ups whose sandbox dies at any step: each ends with one of everything."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from local.stack import Stack
from shared.billing.gateway.provision import StripeGateway
from shared.billing.model import Plan
from shared.billing.model import SignUp as Billed
from shared.billing.repository import BillingRepository
from shared.identity.gateway.tokens import TokenSigner
from shared.identity.model import SignUp
from shared.tenants.repository import TenantRepository
from tenant_context.aws import AwsClient
from tenant_context.clock import uuid7
from tenant_context.context import from_message
from tenant_context.states import State
from tests.conftest import Clone
from tests.drills.onboarding import PASSWORD, Line
from tests.drills.places import Sandbox
from tests.functions.billing.harness import stripe_secret
from tests.local.harness import Service, StandIn
from tests.shared.identity.conftest import kms, one_key
from tests.shared.identity.services import Clock, OneKey, Stores

__all__ = ["kms", "one_key"]

STEPS = (
    "write throttle",
    "write ticket",
    "hash the password",
    "commit tenant.created",
    "put tenant.created",
    "commit nothing to tell",
    "write session",
    "commit security.signed_in",
    "put security.signed_in",
    "commit nothing to tell",
    "post /v1/customers",
    "send billing.customer_made",
    "post /v1/customers/{id}",
    "post /v1/subscriptions",
    "send billing.provisioned",
    "commit nothing to tell",
    "commit tenant.state_changed tenant.billing_ready",
    "put tenant.state_changed tenant.billing_ready",
    "commit nothing to tell",
)
"""Every effect of a sign-up with an Idempotency-Key, in order; a commit with nothing to tell marks what the bus took.

Each is drilled by its place here, and one that is new fails the first test until it stands here too.
"""


@pytest.fixture(scope="module")
def module_stripe(servers: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StandIn, str]]:
    """A Stripe that knows our prices."""
    service = Service()
    folder: Path = tmp_path_factory.mktemp("stripe")
    stand_in = StandIn(service, folder)
    with stripe_secret(servers) as secret:
        gateway = StripeGateway(secret, stand_in.url)
        gateway.provision(from_message(uuid7(), "first"), Billed("First", "first@x.example", Plan.STARTER, "first"))
        gateway.close()
        yield stand_in, secret
    service.stop_all()


@pytest.fixture
def line(
    clone: Clone, table_name: str, kms: AwsClient, one_key: OneKey, module_stripe: tuple[StandIn, str]
) -> Iterator[Line]:
    unused: Any = None
    stores = Stores(unused, table_name, TokenSigner(one_key, kms), kms, Clock())
    opened = Line(clone.settings(), stores, *module_stripe)
    yield opened
    requests.delete(f"{opened.stand_in.url}/_control/faults", timeout=5)
    opened.close()


def somebody() -> SignUp:
    mark = uuid4().hex[:12]
    return SignUp(f"owner@{mark}.example", PASSWORD, "Ada Lovelace", f"Org {mark}", None, "starter")


def outcome(line: Line, clone: Clone, who: SignUp) -> dict[str, Any]:
    """How much there is of everything that a sign-up makes, in our stores and at Stripe."""
    customers = line.stand_in.client.v1.customers.list({"email": who.email}).data
    of_each = [
        {
            "subscriptions": len(
                line.stand_in.client.v1.subscriptions.list({"customer": one.id, "status": "all"}).data
            ),
            "invoiced": sum(paper.total for paper in line.stand_in.client.v1.invoices.list({"customer": one.id}).data),
        }
        for one in customers
    ]
    with clone.connect() as admin:

        def count(query: Any) -> Any:
            row = admin.execute(query, {"email": who.email, "name": who.organization}).fetchone()
            return row[0] if row else None

        tenant = count("SELECT tenant_id FROM tenants WHERE name = %(name)s")
        return {
            "users": count("SELECT count(*) FROM users WHERE email = %(email)s"),
            "tenants": count("SELECT count(*) FROM tenants WHERE name = %(name)s"),
            "owners": count("SELECT count(*) FROM memberships WHERE role = 'owner'"),
            "status": count("SELECT status FROM tenants WHERE name = %(name)s"),
            "written": [
                count("SELECT count(*) FROM outbox WHERE type = 'tenant.created'"),
                count("SELECT count(*) FROM outbox WHERE type = 'tenant.billing_ready'"),
            ],
            "told": [line.told(kind, tenant) for kind in ("tenant.created", "tenant.billing_ready")] if tenant else [],
            "untold": count("SELECT count(*) FROM outbox WHERE published_at IS NULL"),
            "customers": of_each,
            "known": count("SELECT stripe_customer_id FROM tenants WHERE name = %(name)s") in {c.id for c in customers},
        }


ONE_OF_EACH = {
    "users": 1,
    "tenants": 1,
    "owners": 1,
    "status": "active",
    "written": [1, 1],
    "told": [1, 1],
    "untold": 0,
    "customers": [{"subscriptions": 1, "invoiced": 0}],
    "known": True,
}
NOTHING = {
    "users": 0,
    "tenants": 0,
    "owners": 0,
    "status": None,
    "written": [0, 0],
    "told": [],
    "untold": 0,
    "customers": [],
    "known": False,
}
COMMITTED = STEPS.index("commit tenant.created")


def finish(line: Line) -> None:
    """What goes on by itself: the queues, and the relay for what was left behind, twice, as each may be what died."""
    for _ in range(3):
        try:
            line.deliver()
            line.sweep()
        except Sandbox:
            continue


def test_an_undisturbed_sign_up_takes_exactly_the_steps_that_are_drilled(line: Line, clone: Clone) -> None:
    who = somebody()
    line.ask(who, "key")
    line.deliver()
    assert tuple(line.fuse.names) == STEPS
    finish(line)
    assert outcome(line, clone, who) == ONE_OF_EACH


@pytest.mark.parametrize("again", ["with its key", "without a key", "never"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(len(STEPS)), ids=[f"{number}-{name}" for number, name in enumerate(STEPS)])
def test_a_sign_up_that_dies_at_a_step_ends_as_if_it_had_not(
    line: Line, clone: Clone, step: int, again: str, *, after: bool
) -> None:
    who = somebody()
    line.fuse.set(step, after=after)
    tokens = None
    try:
        tokens = line.ask(who, "key").tokens
    except Sandbox:
        if again != "never":
            tokens = line.ask(who, "key" if again == "with its key" else None).tokens
    finish(line)
    assert line.fuse.has_blown, "nothing died"
    begun = step > COMMITTED or (step == COMMITTED and after) or again != "never"
    assert outcome(line, clone, who) == (ONE_OF_EACH if begun else NOTHING)
    if tokens is not None:
        assert tokens.access_token
        assert line.ask(who, "key").membership.status == "active", "a third request finds the same"


OUTAGES: dict[str, tuple[dict[str, Any], str]] = {
    "down": ({"down": True}, "Stripe does not answer."),
    "failing": ({"status": 500, "count": 1000}, "Stripe cannot do this just now."),
    "too busy": ({"status": 429, "count": 1000}, "Stripe cannot do this just now."),
    "too slow, and done all the same": (
        {"delay": 2.5, "executed": True, "count": 2, "match": "POST"},
        "Stripe does not answer.",
    ),
    "done, and the answer lost": (
        {"drop": True, "executed": True, "count": 2, "match": "POST"},
        "Stripe does not answer.",
    ),
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_while_stripe_is_away_people_work_and_their_billing_follows(line: Line, clone: Clone, outage: str) -> None:
    fault, reason = OUTAGES[outage]
    line.stand_in.control("faults", **fault)
    who = somebody()
    came = line.ask(who, "key")
    assert came.tokens.access_token
    line.deliver_once()
    owner = from_message(came.membership.tenant, "the owner looks")
    waiting = BillingRepository().read(line.database, owner)
    assert (waiting.status, waiting.reason, waiting.customer) == (State.BILLING_PENDING, reason, None)
    _, shown = TenantRepository(line.database).show(owner)
    assert reason in shown.decode()
    requests.delete(f"{line.stand_in.url}/_control/faults", timeout=5)
    finish(line)
    assert outcome(line, clone, who) == ONE_OF_EACH
    assert BillingRepository().read(line.database, owner).reason == ""


def test_an_outage_that_outlasts_the_queue_is_made_up_for_by_a_redrive(line: Line, clone: Clone) -> None:
    line.stand_in.control("faults", down=True)
    who = somebody()
    line.ask(who, None)
    finish(line)
    assert len(line.billing_queue.dead) == 1
    assert outcome_told(line) == ["tenant.billing_failed"]
    line.stand_in.control("faults", down=False)
    line.redrive()
    finish(line)
    assert outcome(line, clone, who) == ONE_OF_EACH


def outcome_told(line: Line) -> list[str]:
    return [one["type"] for one in line.bus.events if one["type"].startswith("tenant.billing")]
