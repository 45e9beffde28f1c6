"""Suspended for a debt, and by the platform, at the deployed doors: the one pays its way out, the other waits."""

import psycopg
import pytest

from local.demo.api import wait_for
from local.demo.tenants import SignedIn, log_in
from local.stack import Stack
from tests.e2e.conftest import SOON, Reply, newcomer
from tests.e2e.test_plans import as_operator, as_owner, ask, has_begun

PAGES = {"success_url": "https://a.example/", "cancel_url": "https://a.example/"}


@pytest.fixture
def owner(stack: Stack) -> SignedIn:
    return newcomer(stack.api_url, "holds")


@pytest.fixture
def debtor(stack: Stack, owner: SignedIn) -> SignedIn:
    """An owner whose organization was suspended for its debt."""
    with psycopg.connect(stack.database_admin_url, autocommit=True) as admin:
        wait_for("its subscription at Stripe", lambda: has_begun(admin, owner), seconds=90)
        admin.execute(
            "UPDATE tenants SET status = 'suspended', dunning_stage = 'suspended', subscription_status = 'past_due',"
            " status_reason = 'payment failed' WHERE tenant_id = %s",
            (owner.organization,),
        )
    # Doors are told by an order of nothing, else the next hourly run tells them, and ends the token below.
    assert orders(stack, owner, "active", "as billing has it").json["state"] == "suspended"
    return log_in(owner.api.url, owner.user)


def orders(stack: Stack, owner: SignedIn, state: str, reason: str) -> Reply:
    return as_operator(stack, owner, "POST", "/state", {"state": state, "reason": reason})


def logs_in(owner: SignedIn) -> Reply:
    body = {"email": owner.user.email, "password": owner.user.password}
    return ask(owner.api.url, "", "POST", "/api/v1/auth/login", body)


def test_who_is_suspended_for_a_debt_logs_in_and_pays_and_does_nothing_else(debtor: SignedIn) -> None:
    def asks(method: str, path: str, body: object = None) -> Reply:
        return ask(debtor.api.url, debtor.token, method, path, body)

    shown = as_owner(debtor, "GET", "").json
    assert (shown["status"], shown["status_reason"], shown["held"]) == ("suspended", "payment failed", None)
    assert asks("GET", "/api/v1/billing").json["dunning_stage"] == "suspended"
    assert asks("GET", "/api/v1/billing/invoices").status == 200
    opened = asks("POST", "/api/v1/billing/checkout", {"plan": "starter", **PAGES})
    assert (opened.status, opened.json["purpose"]) == (200, "card"), opened.body
    assert asks("POST", "/api/v1/billing/portal", {"return_url": "https://a.example/"}).status == 200
    for method, path, body in (
        ("POST", "/api/v1/billing/plan", {"plan": "enterprise"}),
        ("POST", "/api/v1/billing/preview", {"plan": "enterprise"}),
        ("GET", "/api/v1/campaigns", None),
        ("POST", "/api/v1/sites", {"name": "Flagship"}),
        ("POST", "/api/v1/exports", {}),
        ("GET", f"/api/v1/organizations/{debtor.organization}/members", None),
        ("POST", f"/api/v1/organizations/{debtor.organization}/close", None),
    ):
        refused = asks(method, path, body)
        assert (refused.status, refused.json["code"]) == (403, "organization-suspended"), path
        assert "pays under /billing" in refused.json["detail"], path


@pytest.mark.parametrize(("role", "status"), [("admin", 200), ("member", 403)])
def test_who_may_not_see_the_billing_stays_out(stack: Stack, debtor: SignedIn, role: str, status: int) -> None:
    with psycopg.connect(stack.database_admin_url, autocommit=True) as admin:
        admin.execute("UPDATE memberships SET role = %s WHERE tenant_id = %s", (role, debtor.organization))
    answer = logs_in(debtor)
    assert answer.status == status, answer.body
    if status == 403:
        assert (answer.json["code"], "until it has paid" in answer.json["detail"]) == ("organization-suspended", True)


def test_a_suspension_by_the_platform_shuts_the_debtor_out_too(stack: Stack, debtor: SignedIn) -> None:
    assert orders(stack, debtor, "suspended", "abuse").json["held"]["reason"] == "abuse"
    wait_for("the token's end", lambda: as_owner(debtor, "GET", "").status == 401, seconds=SOON)
    refused = logs_in(debtor)
    assert (refused.status, refused.json["code"]) == (403, "organization-suspended")
    assert "pays" not in refused.json["detail"]
    shown = as_operator(stack, debtor, "GET", "/state").json
    assert (shown["state"], shown["held"]["state"], shown["held"]["reason"]) == ("suspended", "suspended", "abuse")
    assert orders(stack, debtor, "active", "settled").json["state"] == "suspended"
    assert as_operator(stack, debtor, "GET", "/state").json["held"] is None
    wait_for("the debtor's door", lambda: logs_in(debtor).status == 200, seconds=SOON)


def test_an_owner_does_not_undo_a_restriction_by_closing_and_reopening(stack: Stack, owner: SignedIn) -> None:
    assert orders(stack, owner, "restricted", "complaints").status == 200
    wait_for("the token's end", lambda: as_owner(owner, "GET", "").status == 401, seconds=SOON)
    again = log_in(owner.api.url, owner.user)
    shown = as_owner(again, "GET", "").json
    assert (shown["status"], shown["held"]["reason"]) == ("restricted", "complaints")
    assert as_owner(again, "POST", "/close").json["state"] == "closing"

    def reopened() -> Reply:
        return as_owner(log_in(owner.api.url, owner.user), "POST", "/reopen")

    back = reopened()
    assert (back.status, back.json["state"]) == (200, "restricted"), back.body
    assert orders(stack, owner, "closing", "fraud").json["state"] == "closing"
    refused = reopened()
    assert (refused.status, refused.json["code"]) == (403, "held-by-platform")
    assert "fraud" in refused.json["detail"]


def test_where_there_is_no_organization_there_is_no_state(stack: Stack) -> None:
    nobody = "/api/v1/operator/organizations/01a00000-0000-7000-8000-000000000000/state"
    assert ask(stack.api_url, stack.operator_secret, "GET", nobody).status == 404
