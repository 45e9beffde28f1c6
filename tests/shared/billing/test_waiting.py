"""Sign-ups that Stripe's absence left without billing: each night they are asked for anew, and nobody else is."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta

import msgspec
import pytest

from shared.billing.gateway.provision import StripeGateway
from shared.billing.model import Kind, Setback, SignUp
from shared.billing.repository import BillingRepository
from shared.billing.service.following import Billing
from shared.billing.service.waiting import PATIENCE, Nightly, Waiting
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.postgres import Database
from tests.billing import billing_on
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


def test_a_sign_up_of_the_last_hour_is_left_to_the_queue(
    database: Database, two_tenants: Tenants, errands: Errands
) -> None:
    acme, _ = two_tenants
    assert night(database, acme, errands, after=PATIENCE / 2) == 0
    assert errands == []
