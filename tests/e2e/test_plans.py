"""Limits, suspensions and closings on the deployed platform, by its API as tenants and as operators."""

import json
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from local.demo.api import wait_for
from local.demo.tenants import SignedIn, log_in
from local.stack import Stack
from tests.e2e.conftest import SOON, Reply, Wire, newcomer


@pytest.fixture
def owner(stack: Stack) -> SignedIn:
    return newcomer(stack.api_url, "plans")


def ask(url: str, token: str, method: str, path: str, body: object = None, **headers: str) -> Reply:
    raw = None if body is None else json.dumps(body).encode()
    return Wire(url, token).send(method, path, raw, content_type="application/json", **headers)


def as_operator(stack: Stack, owner: SignedIn, method: str, path: str, body: object = None) -> Reply:
    where = f"/api/v1/operator/organizations/{owner.organization}{path}"
    return ask(stack.api_url, stack.operator_secret, method, where, body)


def as_owner(owner: SignedIn, method: str, path: str, body: object = None) -> Reply:
    return ask(owner.api.url, owner.token, method, f"/api/v1/organizations/{owner.organization}{path}", body)


def pushes(url: str, key: str) -> Reply:
    """A push with a key; 422 says that the key was good and the push empty."""
    return ask(url, "", "POST", "/api/v1/ingest/counts", {"counts": []}, x_api_key=key)


def refusal_of(reply: Reply) -> str:
    """The code of a 403; empty for any other answer."""
    return str(reply.json["code"]) if reply.status == HTTPStatus.FORBIDDEN else ""


def limit(owner: SignedIn, name: str) -> dict[str, Any]:
    items = as_owner(owner, "GET", "/limits").json["items"]
    return next(item for item in items if item["limit"] == name)


def has_begun(admin: psycopg.Connection[Any], owner: SignedIn) -> bool:
    """On trial, and what is told of a beginning came in, by Stripe and by ourselves: nothing comes behind."""
    told = admin.execute(
        "SELECT count(DISTINCT type) FROM billing_events WHERE tenant_id = %s"
        " AND type IN ('billing.provisioned', 'customer.subscription.created', 'invoice.paid')",
        (owner.organization,),
    ).fetchone()
    shown = ask(owner.api.url, owner.token, "GET", "/api/v1/billing").json
    return (shown["status"], shown["subscription_status"], told) == ("active", "trialing", (3,))


def test_a_limit_says_itself_when_it_is_reached_and_a_grant_widens_it(stack: Stack, owner: SignedIn) -> None:
    given = as_operator(stack, owner, "POST", "/grants", {"kind": "value", "name": "sites", "amount": 1, "reason": "x"})
    assert given.status == 201, given.body
    assert limit(owner, "sites") == {
        "limit": "sites", "value": 1, "usage": 0, "source": "grant", "until": None, "resets_at": None,
    }  # fmt: skip
    site = {"name": "Flagship"}
    assert ask(owner.api.url, owner.token, "POST", "/api/v1/sites", {**site, "code": "a"}).status == 201
    refused = ask(owner.api.url, owner.token, "POST", "/api/v1/sites", {**site, "code": "b"})
    assert (refused.status, refused.json["code"]) == (402, "limit-reached")
    assert {name: refused.json[name] for name in ("limit", "value", "usage", "resets_at")} == {
        "limit": "sites", "value": 1, "usage": 1, "resets_at": None,
    }  # fmt: skip
    assert as_operator(stack, owner, "DELETE", f"/grants/{given.json['id']}").status == 204
    assert ask(owner.api.url, owner.token, "POST", "/api/v1/sites", {**site, "code": "b"}).status == 201
    assert as_operator(stack, owner, "GET", "/grants").json["items"][0]["revoked_at"]
    assert limit(owner, "sites")["source"] == "plan"


def test_an_organization_that_there_is_not_was_given_nothing(stack: Stack) -> None:
    where = f"/api/v1/operator/organizations/{uuid4()}/grants"
    body = {"kind": "feature", "name": "sso", "reason": "x"}
    asked = (("GET", where, None), ("POST", where, body), ("DELETE", f"{where}/{uuid4()}", None))
    assert [ask(stack.api_url, stack.operator_secret, *one).status for one in asked] == [404] * 3


def test_a_key_of_a_change_of_plan_is_for_one_plan(stack: Stack, owner: SignedIn) -> None:
    with psycopg.connect(stack.database_admin_url, autocommit=True) as admin:
        wait_for("its subscription at Stripe", lambda: has_begun(admin, owner), seconds=90)
    key = uuid4().hex

    def change(plan: str) -> Reply:
        body = {"plan": plan}
        return ask(owner.api.url, owner.token, "POST", "/api/v1/billing/plan", body, idempotency_key=key)

    first = change("professional")
    assert first.status == 200, first.body
    assert first.json["plan"] == "professional"
    for plan in ("enterprise", "starter"):
        refused = change(plan)
        assert (refused.status, refused.json["errors"][0]["code"]) == (422, "idempotency-key-reused")
    assert change("professional").status == 200

    def shows_it() -> bool:
        """What is told late of the beginning, under the plan before, is followed by what is told of the change."""
        shown = ask(owner.api.url, owner.token, "GET", "/api/v1/billing").json
        return (shown["plan"], shown["next_plan"]) == ("professional", None)

    wait_for("the plan", shows_it, seconds=30)


def test_a_suspended_tenants_tokens_and_keys_stop_within_five_seconds(stack: Stack, owner: SignedIn) -> None:
    key = owner.api.post("/api/v1/api-keys", {"name": "till", "scopes": ["ingest.write"]})["key"]
    assert pushes(owner.api.url, key).status == 422
    suspended = as_operator(stack, owner, "POST", "/state", {"state": "suspended", "reason": "abuse"})
    assert (suspended.status, suspended.json["state"]) == (200, "suspended")
    wait_for("the token's end", lambda: as_owner(owner, "GET", "/limits").status == 401, seconds=SOON)
    # One answer is judged: the next may be another sandbox's, which has not heard yet.
    said = wait_for("the key's end", lambda: refusal_of(pushes(owner.api.url, key)), seconds=SOON)
    assert said == "organization-suspended"
    login = {"email": owner.user.email, "password": owner.user.password}
    refused = ask(owner.api.url, "", "POST", "/api/v1/auth/login", login)
    assert (refused.status, refused.json["code"]) == (403, "organization-suspended")
    as_operator(stack, owner, "POST", "/state", {"state": "active", "reason": "settled"})
    wait_for("the key's return", lambda: pushes(owner.api.url, key).status == 422, seconds=SOON)
    back = log_in(owner.api.url, owner.user)
    wait_for("a token that is good", lambda: as_owner(log_in(back.api.url, back.user), "GET", "/limits").status == 200)


def test_what_is_being_closed_is_read_only_and_can_be_had_back(owner: SignedIn) -> None:
    closing = as_owner(owner, "POST", "/close")
    assert (closing.status, closing.json["state"]) == (200, "closing"), closing.body
    assert closing.json["closes_at"]
    wait_for("the token's end", lambda: as_owner(owner, "GET", "/limits").status == 401, seconds=SOON)
    again = log_in(owner.api.url, owner.user)
    refused = ask(again.api.url, again.token, "POST", "/api/v1/sites", {"name": "Flagship"})
    assert (refused.status, refused.json["code"]) == (403, "organization-closing")
    assert ask(again.api.url, again.token, "GET", "/api/v1/sites").status == 200
    back = as_owner(again, "POST", "/reopen")
    assert (back.status, back.json["closes_at"]) == (200, None), back.body

    def may_write() -> bool:
        anew = log_in(owner.api.url, owner.user)
        return ask(anew.api.url, anew.token, "POST", "/api/v1/sites", {"name": "Flagship"}).status == 201

    wait_for("a token that says so", may_write, seconds=SOON)


def test_operators_addresses_are_for_operators(stack: Stack, owner: SignedIn) -> None:
    where = f"/api/v1/operator/organizations/{owner.organization}/state"
    body = {"state": "suspended", "reason": "x"}
    assert ask(stack.api_url, owner.token, "POST", where, body).status == 401
    assert ask(stack.api_url, "", "POST", where, body).status == 401


def test_a_flag_is_shown_to_whom_it_is_on_for(stack: Stack, owner: SignedIn) -> None:
    flag = f"/api/v1/operator/flags/{owner.user.slug}"
    assert ask(stack.api_url, stack.operator_secret, "PUT", flag, {"on": [owner.organization]}).status == 200
    try:
        wait_for("the flag", lambda: as_owner(owner, "GET", "/limits").json["flags"] == [owner.user.slug], seconds=40)
        wait_for("the flag", lambda: as_owner(owner, "GET", "/features").json["flags"] == [owner.user.slug], seconds=40)
        assert {"feature": "webhooks", "on": True} in as_owner(owner, "GET", "/features").json["features"]
    finally:
        assert ask(stack.api_url, stack.operator_secret, "DELETE", flag).status == 204


def test_limits_nearly_reached_are_told_to_whom_the_flag_is_on_for(stack: Stack, owner: SignedIn) -> None:
    amount = {"kind": "value", "name": "users", "amount": 1, "reason": "x"}
    assert as_operator(stack, owner, "POST", "/grants", amount).status == 201
    assert as_owner(owner, "GET", "/limits").json["nearly_reached"] is None
    flag = "/api/v1/operator/flags/limit-warnings"
    assert ask(stack.api_url, stack.operator_secret, "PUT", flag, {"on": [owner.organization]}).status == 200
    try:
        wait_for("the flag", lambda: as_owner(owner, "GET", "/limits").json["nearly_reached"] == ["users"], seconds=40)
        other = newcomer(stack.api_url, "plans")
        assert as_owner(other, "GET", "/limits").json["nearly_reached"] is None
    finally:
        assert ask(stack.api_url, stack.operator_secret, "DELETE", flag).status == 204


def test_what_is_being_closed_stops_paying_and_pays_on_when_it_is_had_back(owner: SignedIn) -> None:
    def billing() -> dict[str, Any]:
        again = log_in(owner.api.url, owner.user)
        shown: dict[str, Any] = ask(again.api.url, again.token, "GET", "/api/v1/billing").json
        return shown

    wait_for("its subscription", lambda: billing()["subscription_status"] == "trialing", seconds=90)
    assert as_owner(owner, "POST", "/close").status == 200
    wait_for("Stripe's word of its end", lambda: billing()["cancels"], seconds=60)
    again = log_in(owner.api.url, owner.user)
    for act in ("plan", "preview"):
        refused = ask(again.api.url, again.token, "POST", f"/api/v1/billing/{act}", {"plan": "enterprise"})
        assert (refused.status, refused.json["code"]) == (409, "organization-closing"), refused.body
    assert as_owner(log_in(owner.api.url, owner.user), "POST", "/reopen").json["state"] == "active"
    wait_for("Stripe's word that it goes on", lambda: not billing()["cancels"], seconds=60)
