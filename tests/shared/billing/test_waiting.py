"""Sign-ups that Stripe's absence left without billing: each night they are asked for anew, and nobody else is."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta

import msgspec
import pytest

from shared.billing.errors import StripeRefused
from shared.billing.gateway.provision import StripeGateway
from shared.billing.model import CustomerMade, Kind, Outcome, Plan, Setback, SignUp
from shared.billing.repository import BillingRepository
from shared.billing.service.following import Billing
from shared.billing.service.waiting import PATIENCE, Late, Nightly, Waiting
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.postgres import Database
from tests.billing import billing_on, life_on
from tests.conftest import Clone
from tests.dynamo import watched
from tests.functions.billing.fixtures import closed_connections, secret_name, stand_in
from tests.local.harness import StandIn

__all__ = ["closed_connections", "secret_name", "stand_in"]
Tenants = tuple[TenantContext, TenantContext]
DOWN = Setback("Stripe does not answer.")


class Errands(list[Message]):
    """What was queued for the provisioner."""

    def send(self, messages: Sequence[Message]) -> None:
        self.extend(messages)


@pytest.fixture
def errands() -> Errands:
    return Errands()


@pytest.fixture
def billing(table_name: str) -> Iterator[Billing]:
    with watched(table_name) as table:
        yield billing_on(table)


def night(database: Database, tenant: TenantContext, errands: Errands, *, after: timedelta = 2 * PATIENCE) -> int:
    with database.transaction(tenant) as tx:
        born = tx.one("SELECT created_at FROM tenants")
        assert born is not None
        tx.now = born[0] + after
        asked: int = Nightly(Waiting(BillingRepository(), errands))(tx)["asked_anew"]
        return asked


def test_what_waits_is_asked_for_anew_and_ends_in_one_customer_and_one_subscription(
    database: Database, two_tenants: Tenants, errands: Errands, billing: Billing, stand_in: StandIn, secret_name: str
) -> None:
    acme, globex = two_tenants
    with database.transaction(acme) as tx:
        billing.failed(tx, DOWN)
    assert [night(database, acme, errands) for _ in range(2)] == [1, 1]
    assert {(one.tenant, one.kind) for one in errands} == {(acme.tenant, Kind.PROVISION)}
    assert database.read(acme, "SELECT billing_reason FROM tenants") == [(DOWN.reason,)]
    with closing(StripeGateway(secret_name, stand_in.url)) as gateway:
        made = [gateway.provision(acme, msgspec.convert(one.data, SignUp)) for one in errands]
    assert made[0] == made[1]
    with database.transaction(acme) as tx:
        billing.provisioned(tx, made[0])
    assert database.read(acme, "SELECT status, billing_reason FROM tenants") == [("active", "")]
    assert night(database, acme, errands) == 0
    assert database.read(globex, "SELECT status FROM tenants") == [("billing_pending",)]


def handed_over(clone: Clone, tenant: TenantContext) -> str:
    """Another owner, with another mail."""
    heir = uuid7()
    with clone.connect() as admin:
        admin.execute("UPDATE memberships SET role = 'viewer' WHERE tenant_id = %s", (tenant.tenant,))
        admin.execute(
            "INSERT INTO users (user_id, email, name, password_hash, created_at, updated_at)"
            " VALUES (%s, %s, 'Heir', '-', now(), now())",
            (heir, f"{heir}@new.example"),
        )
        admin.execute("INSERT INTO memberships VALUES (%s, %s, 'owner', now())", (tenant.tenant, heir))
    return f"{heir}@new.example"


@pytest.mark.parametrize("heard", [True, False], ids=["the row knows", "the word is lost"])
def test_an_organization_that_was_handed_over_keeps_the_customer_of_the_first_attempt(
    database: Database,
    two_tenants: Tenants,
    errands: Errands,
    billing: Billing,
    stand_in: StandIn,
    secret_name: str,
    clone: Clone,
    *,
    heard: bool,
) -> None:
    """Its sign-up is asked for anew by its present owner, long after Stripe has forgotten the keys of the first."""
    acme, _ = two_tenants
    told: list[str] = []
    with closing(StripeGateway(secret_name, stand_in.url)) as gateway:
        stand_in.control("faults", status=400, match="POST /v1/subscriptions")
        with pytest.raises(StripeRefused):
            gateway.provision(acme, SignUp("Acme", "first@acme.example", Plan.STARTER, "acme"), told.append)
        if heard:
            with database.transaction(acme) as tx:
                outcomes = [billing.made(tx, CustomerMade(customer)) for customer in told * 2]
                assert outcomes == [Outcome.APPLIED, Outcome.UNRELATED]
        heir = handed_over(clone, acme)
        stand_in.control("keys/forget")
        stand_in.control("search", lag=3600 if heard else 0)
        assert night(database, acme, errands) == 1
        sign_up = msgspec.convert(errands[0].data, SignUp)
        assert (sign_up.email, sign_up.customer) == (heir, told[0] if heard else None)
        made = gateway.provision(acme, sign_up)
    with database.transaction(acme) as tx:
        billing.provisioned(tx, made)
    (customer,) = stand_in.client.v1.customers.list().data
    assert (customer.id, customer.email) == (told[0], heir)
    assert database.read(acme, "SELECT status, stripe_customer_id FROM tenants") == [("active", told[0])]


def test_a_sign_up_of_the_last_hour_is_left_to_the_queue(
    database: Database, two_tenants: Tenants, errands: Errands
) -> None:
    acme, _ = two_tenants
    assert night(database, acme, errands, after=PATIENCE / 2) == 0
    assert errands == []


@pytest.fixture
def late(table_name: str) -> Iterator[Late]:
    with watched(table_name) as table:
        yield Late(BillingRepository(), life_on(table))


def on_day(database: Database, tenant: TenantContext, late: Late, day: float) -> int:
    with database.transaction(tenant) as tx:
        born = tx.one("SELECT created_at FROM tenants")
        assert born is not None
        tx.now = born[0] + timedelta(days=day)
        taken: int = late(tx)["late"]
        return taken


def said(database: Database, tenant: TenantContext) -> list[str]:
    rows = database.read(tenant, "SELECT type FROM outbox WHERE type LIKE 'tenant.%' ORDER BY id")
    return [row[0] for row in rows]


def test_a_plan_is_not_had_for_ever_without_billing(
    database: Database, two_tenants: Tenants, billing: Billing, late: Late, errands: Errands
) -> None:
    acme, globex = two_tenants
    with database.transaction(acme) as tx:
        billing.delayed(tx, DOWN)
    before = said(database, acme)
    steps = {day: said(database, acme)[len(before) :] for day in range(20) if on_day(database, acme, late, day)}
    assert steps == {
        7: ["tenant.billing_late"],
        14: ["tenant.billing_late", "tenant.state_changed", "tenant.subscription_changed"],
    }
    ((status, why),) = database.read(acme, "SELECT status, status_reason FROM tenants")
    assert (status, why) == ("restricted", "billing could not be set up for 14 days: Stripe does not answer.")
    assert not database.read(acme, "SELECT 1 WHERE app.has_feature(%s, 'sso', now())", (acme.tenant,))
    assert database.read(globex, "SELECT status FROM tenants") == [("billing_pending",)]
    assert night(database, acme, errands) == 1, "it is asked for all the same"


def test_it_is_lifted_when_billing_is_set_up(
    database: Database,
    two_tenants: Tenants,
    billing: Billing,
    late: Late,
    stand_in: StandIn,
    secret_name: str,
) -> None:
    acme, _ = two_tenants
    for day in (7, 14):
        on_day(database, acme, late, day)
    with closing(StripeGateway(secret_name, stand_in.url)) as gateway:
        made = gateway.provision(acme, SignUp("Acme", "owner@acme.example", Plan.STARTER, "acme"))
    with database.transaction(acme) as tx:
        billing.provisioned(tx, made)
    assert database.read(acme, "SELECT status, dunning_stage, billing_reason FROM tenants") == [("active", "", "")]
    assert "tenant.billing_ready" in said(database, acme)
    assert on_day(database, acme, late, 30) == 0


def test_nobody_is_restricted_who_was_not_warned_a_week_before(
    database: Database, two_tenants: Tenants, late: Late
) -> None:
    acme, _ = two_tenants
    assert [on_day(database, acme, late, day) for day in (100, 106, 107)] == [1, 0, 1]
    assert database.read(acme, "SELECT status FROM tenants") == [("restricted",)]
