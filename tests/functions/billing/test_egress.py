"""From the API's service through the egress to the stand-in: refusals arrive as words, answers are kept."""

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any, LiteralString
from uuid import UUID

import pytest

from shared.billing.errors import BillingClosing, BillingPending, InvoiceUnpaid, NoSubscription, PaymentRefused
from shared.billing.gateway.provision import StripeGateway
from shared.billing.model import Plan, SignUp
from shared.billing.repository import BillingRepository
from shared.billing.service.account import REFUSALS, BillingAccount
from shared.billing.service.following import Billing
from shared.identity.gateway.egress import Egress
from tenant_context.context import TenantContext
from tenant_context.errors import Invalid, RmapError, Unavailable
from tenant_context.postgres import Database
from tests.billing import billing_on
from tests.dynamo import watched
from tests.functions.billing.harness import Context, Handler, load
from tests.local.harness import StandIn

Tenants = tuple[TenantContext, TenantContext]


class Invoked:
    """Lambda's client in front of the very handler."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803  boto3's names
        assert FunctionName == "billing_egress"
        answer = json.dumps(self._handler(json.loads(Payload), Context())).encode()

        class Body:
            def read(self) -> bytes:
                return answer

        return {"Payload": Body()}


class Late(Egress):
    """Its first answer arrives after something else."""

    meanwhile: Callable[[], object] | None = None

    def __init__(self, *where: Any, **how: Any) -> None:
        super().__init__(*where, **how)
        self.asked: list[str] = []

    def call(self, operation: str, data: dict[str, Any], *, tenant: UUID, request_id: str) -> Any:
        """The answer of before."""
        self.asked.append(operation)
        answer = super().call(operation, data, tenant=tenant, request_id=request_id)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return answer


@pytest.fixture
def handler(stand_in: StandIn, secret_name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Handler]:
    environment = {"RMAP_STRIPE_SECRET": secret_name, "RMAP_STRIPE_URL": stand_in.url}
    loaded: Any = load("billing_egress", environment, monkeypatch)
    yield loaded
    stripe = sys.modules["functions.billing_egress.handler"].stripe
    for way in (stripe.subscriptions, stripe.pages, stripe.meters):
        way.close()


@pytest.fixture
def billing(table_name: str) -> Iterator[Billing]:
    with watched(table_name) as table:
        yield billing_on(table)


@pytest.fixture
def account(database: Database, handler: Handler, billing: Billing) -> BillingAccount:
    egress = Egress("billing_egress", seconds=5, connect=lambda _: Invoked(handler), refusals=REFUSALS)
    return BillingAccount(database, BillingRepository(), billing, egress)


@pytest.fixture
def acme(
    database: Database, stand_in: StandIn, secret_name: str, two_tenants: Tenants, billing: Billing
) -> TenantContext:
    tenant = two_tenants[0]
    gateway = StripeGateway(secret_name, stand_in.url)
    made = gateway.provision(tenant, SignUp("Acme", "owner@acme.example", Plan.STARTER, "acme"))
    gateway.close()
    with database.transaction(tenant) as tx:
        billing.provisioned(tx, made)
    return tenant


def told(database: Database, tenant: TenantContext) -> list[tuple[str, Any]]:
    rows = database.read(tenant, "SELECT type, data ->> 'plan' FROM outbox ORDER BY id")
    return [(row[0], row[1]) for row in rows]


def test_another_plan_is_known_before_stripes_event_comes(
    account: BillingAccount, acme: TenantContext, database: Database
) -> None:
    state = account.change(acme, "change", "key", plan="enterprise")
    assert (state.plan, state.status, state.subscription_status) == ("enterprise", "active", "trialing")
    assert state.trial_end == state.period_end is not None
    assert told(database, acme)[2:] == [
        ("tenant.billing_requested", "enterprise"),
        ("tenant.subscription_changed", "enterprise"),
    ]
    actors = database.read(acme, "SELECT DISTINCT actor FROM audit_log WHERE action = 'tenant.billing_requested'")
    assert actors == [(f"user:{acme.user}",)]


def test_a_cancellation_and_its_end_are_known_at_once(account: BillingAccount, acme: TenantContext) -> None:
    assert account.change(acme, "cancel", None).cancels
    assert not account.change(acme, "resume", None).cancels


def at_stripe(account: BillingAccount, tenant: TenantContext, stand_in: StandIn) -> tuple[bool, str]:
    """Whether the subscription ends, and which price is paid, as Stripe has it."""
    found = stand_in.client.v1.subscriptions.retrieve(account.show(tenant).subscription)
    return found.cancel_at_period_end, str(found["items"].data[0].price.lookup_key)


def test_a_key_that_comes_again_after_other_changes_is_answered_by_what_is_there_now(
    account: BillingAccount, acme: TenantContext, stand_in: StandIn, database: Database
) -> None:
    account.change(acme, "cancel", "k1")
    account.change(acme, "resume", "k2")
    account.change(acme, "change", "p1", plan="enterprise")
    account.change(acme, "change", "p2", plan="starter")
    before = told(database, acme)
    assert not account.change(acme, "cancel", "k1").cancels
    assert account.change(acme, "change", "p1", plan="enterprise").plan == "starter"
    assert at_stripe(account, acme, stand_in) == (False, "rmap_starter_monthly")
    assert told(database, acme) == before


def test_a_late_answer_does_not_overwrite_what_was_done_meanwhile(
    database: Database, handler: Handler, billing: Billing, acme: TenantContext, stand_in: StandIn
) -> None:
    """It was true when Stripe was read, and comes when the owner has changed their mind."""
    egress = Late("billing_egress", seconds=5, connect=lambda _: Invoked(handler), refusals=REFUSALS)
    account = BillingAccount(database, BillingRepository(), billing, egress)
    egress.meanwhile = lambda: account.change(acme, "resume", None)
    assert not account.change(acme, "cancel", None).cancels
    assert egress.asked == ["cancel", "resume", "subscription"]
    assert not account.show(acme).cancels
    assert not at_stripe(account, acme, stand_in)[0]


def test_a_key_is_of_one_change_alone(account: BillingAccount, acme: TenantContext) -> None:
    account.change(acme, "change", "key", plan="enterprise")
    for operation, data in (("change", {"plan": "starter"}), ("cancel", {})):
        with pytest.raises(Invalid, match="another request"):
            account.change(acme, operation, "key", **data)
    assert account.show(acme).plan == "enterprise"


def test_a_key_whose_change_was_never_answered_finds_what_stripe_has_by_now(
    account: BillingAccount, acme: TenantContext, stand_in: StandIn
) -> None:
    # Two calls with effect and without an answer: the call, and the library's repetition.
    stand_in.control("faults", drop=True, executed=True, count=2, match="POST /v1/subscriptions/")
    with pytest.raises(Unavailable):
        account.change(acme, "cancel", "k1")
    account.change(acme, "resume", "k2")
    assert account.change(acme, "cancel", "k1").cancels is at_stripe(account, acme, stand_in)[0] is False


def test_before_stripe_knows_the_tenant_the_answer_says_why(
    account: BillingAccount, database: Database, two_tenants: Tenants
) -> None:
    globex = two_tenants[1]
    with database.transaction(globex) as tx:
        tx.run("UPDATE tenants SET billing_reason = 'Stripe does not answer.'")
    with pytest.raises(BillingPending, match="Stripe does not answer"):
        account.change(globex, "cancel", None)
    assert account.invoices(globex, limit=5, cursor=None) == {"items": [], "next_cursor": None}


def test_an_upgrade_without_a_card_is_402_and_changes_nothing(
    account: BillingAccount, acme: TenantContext, stand_in: StandIn, database: Database
) -> None:
    account.change(acme, "change", None, plan="free")
    stand_in.control("clock", advance=15 * 86_400)
    before = told(database, acme)
    stand_in.client.v1.subscriptions.resume(account.show(acme).subscription)
    with pytest.raises(PaymentRefused, match="no card to charge: add one first, by POST /api/v1/billing/checkout"):
        account.change(acme, "change", None, plan="professional")
    assert account.show(acme).plan == "free"
    assert told(database, acme) == before


PAGES = {"success_url": "https://a.example/", "cancel_url": "https://a.example/"}
BUYS: tuple[tuple[str, dict[str, Any]], ...] = (("change", {"plan": "enterprise"}), ("resume", {}))


@pytest.mark.parametrize(
    ("state", "code", "status"),
    [
        ("status = 'closing'", "organization-closing", 409),
        (
            "status = 'restricted', held_state = 'restricted', held_reason = 'x', held_since = now()",
            "held-by-platform",
            409,
        ),
        ("status = 'suspended', dunning_stage = 'suspended'", "organization-suspended", 403),
    ],
)
def test_nothing_is_bought_that_could_not_be_used_and_debts_are_paid_all_the_same(
    account: BillingAccount, acme: TenantContext, database: Database, stand_in: StandIn, state: LiteralString,
    code: str, status: int,
) -> None:  # fmt: skip
    with database.transaction(acme) as tx:
        tx.run("UPDATE tenants SET " + state)
    before = at_stripe(account, acme, stand_in)
    for operation, data in BUYS:
        with pytest.raises(RmapError) as refused:
            account.change(acme, operation, None, **data)
        assert (refused.value.code, refused.value.status) == (code, status)
    with pytest.raises(RmapError) as refused:
        account.ask(acme, "preview", plan="enterprise")
    assert refused.value.code == code
    assert at_stripe(account, acme, stand_in) == before
    assert account.ask(acme, "checkout", None, plan="starter", **PAGES)["purpose"] == "card"
    assert account.ask(acme, "portal", None, return_url="https://a.example/")["url"]
    assert account.change(acme, "cancel", None).cancels


def test_an_organization_that_is_being_closed_begins_no_subscription(
    account: BillingAccount, acme: TenantContext, database: Database
) -> None:
    with database.transaction(acme) as tx:
        tx.run("UPDATE tenants SET status = 'closing', subscription_status = 'canceled'")
    with pytest.raises(BillingClosing, match="have it back first"):
        account.ask(acme, "checkout", None, plan="starter", **PAGES)


def test_what_has_ended_cannot_be_changed(account: BillingAccount, acme: TenantContext, stand_in: StandIn) -> None:
    stand_in.client.v1.subscriptions.cancel(account.show(acme).subscription)
    with pytest.raises(NoSubscription):
        account.change(acme, "resume", None)


def test_what_is_owed_is_paid_before_anything_new_begins(
    account: BillingAccount, acme: TenantContext, stand_in: StandIn
) -> None:
    customer = account.show(acme).customer
    assert customer
    stripe = stand_in.client.v1
    stripe.payment_methods.attach("pm_card_visa", {"customer": customer})
    account.change(acme, "change", "k1", plan="professional")
    stand_in.control("payments", decline=100)
    stripe.customers.update(customer, {"invoice_settings": {"default_payment_method": _card(stand_in, customer)}})
    stand_in.control("clock", advance=14 * 86_400 + 60)
    (owed,) = stripe.invoices.list({"customer": customer, "status": "open"}).data
    assert owed.id
    account.change(acme, "cancel", "k2")
    stand_in.control("clock", advance=40 * 86_400)
    asked = {"plan": "free", "success_url": "https://a.example/", "cancel_url": "https://a.example/"}
    for end in (None, stripe.invoices.mark_uncollectible):
        if end:
            end(owed.id)
        with pytest.raises(InvoiceUnpaid) as refused:
            account.ask(acme, "checkout", None, **asked)
        assert refused.value.status == 402
        assert f"Invoice {owed.number} over 199.00 USD" in refused.value.detail
        assert str(owed.hosted_invoice_url) in refused.value.detail
    stripe.invoices.void_invoice(owed.id)
    assert account.ask(acme, "checkout", None, **asked)["purpose"] == "subscription"


def _card(stand_in: StandIn, customer: str) -> str:
    return str(stand_in.client.v1.payment_methods.list({"customer": customer}).data[0].id)


def test_while_stripe_is_down_the_answer_is_to_try_again(
    account: BillingAccount, acme: TenantContext, stand_in: StandIn
) -> None:
    stand_in.control("faults", down=True)
    with pytest.raises(Unavailable):
        account.ask(acme, "portal", return_url="https://a.example/")


def test_a_cursor_of_ones_own_making_is_refused(account: BillingAccount, acme: TenantContext) -> None:
    for cursor in ("x", "aW5fLi4vLi4", "Y3VzXzE"):
        with pytest.raises(Invalid):
            account.invoices(acme, limit=5, cursor=cursor)


def test_one_tenants_key_is_not_anothers(account: BillingAccount, acme: TenantContext) -> None:
    first = account.ask(acme, "portal", "key", return_url="https://a.example/")
    assert account.ask(acme, "portal", "key", return_url="https://a.example/") == first
    assert account.ask(acme, "portal", "other", return_url="https://a.example/") != first
