"""Invitations on the deployed platform: by mail, for one address, once, and only while they are open."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from local.demo.api import wait_for
from local.demo.tenants import SignedIn
from local.stack import Stack
from tests.e2e.conftest import Reply, Wire, newcomer
from tests.e2e.test_passwords import mails, post

SUBJECT = "You are invited to an organization at RMAP"
PASSWORD = "a password of the invited"


@pytest.fixture
def owner(stack: Stack) -> SignedIn:
    return newcomer(stack.api_url, "host")


def where(owner: SignedIn) -> str:
    return f"/api/v1/organizations/{owner.organization}"


def invite(stack: Stack, owner: SignedIn, email: str, role: str = "manager", token: str = "") -> Reply:
    return post(stack.api_url, f"{where(owner)}/invitations", {"email": email, "role": role}, token or owner.token)


def code(stack: Stack, email: str) -> str:
    wait_for(f"the invitation of {email}", lambda: mails(stack, email, SUBJECT))
    match = re.search(r"\bin_[A-Za-z0-9_-]{43}", mails(stack, email, SUBJECT)[-1]["BodyText"])
    assert match
    return match[0]


def listed(stack: Stack, owner: SignedIn) -> dict[str, str]:
    items = Wire(stack.api_url, owner.token).send("GET", f"{where(owner)}/invitations").json["items"]
    return {item["email"]: item["status"] for item in items}


def stranger() -> str:
    return f"{uuid4().hex}@guest.example"


def joins(stack: Stack, token: str, **more: Any) -> Reply:
    return post(
        stack.api_url,
        "/api/v1/auth/invitations/sign-up",
        {"token": token, "name": "Guest", "password": PASSWORD, **more},
    )


def test_somebody_new_joins_and_the_address_is_confirmed_by_that(stack: Stack, owner: SignedIn) -> None:
    email = stranger()
    sent = invite(stack, owner, email.upper())
    assert (sent.status, sent.json["email"], sent.json["status"]) == (201, email, "open")
    joined = joins(stack, code(stack, email))
    assert joined.status == 201
    assert (joined.json["organization"]["id"], joined.json["organization"]["role"]) == (owner.organization, "manager")
    wire = Wire(stack.api_url, joined.json["access_token"])
    assert wire.send("GET", "/api/v1/auth/me").json["email_confirmed"] is True
    assert wire.send("GET", "/api/v1/campaigns").status == 200
    assert listed(stack, owner) == {email: "accepted"}
    assert post(stack.api_url, "/api/v1/auth/login", {"email": email, "password": PASSWORD}).status == 200
    audit = Wire(stack.api_url, owner.token).send("GET", f"{where(owner)}/audit").json["items"]
    assert {"member.invited", "member.joined"} <= {entry["action"] for entry in audit}


def test_a_user_of_another_organization_joins_as_who_they_are(stack: Stack, owner: SignedIn) -> None:
    guest = newcomer(stack.api_url, "guest")
    invite(stack, owner, guest.user.email, "viewer")
    token = code(stack, guest.user.email)
    accepted = post(stack.api_url, "/api/v1/auth/invitations/accept", {"token": token}, guest.token)
    assert (accepted.status, accepted.json["organization"]["role"]) == (200, "viewer")
    assert Wire(stack.api_url, accepted.json["access_token"]).send("GET", "/api/v1/sites").status == 200
    again = post(stack.api_url, "/api/v1/auth/invitations/accept", {"token": token}, guest.token)
    assert (again.status, again.json["code"]) == (401, "ticket-ended")
    assert "accepted already" in again.json["detail"]


def test_an_invitation_is_for_one_address(stack: Stack, owner: SignedIn, globex: SignedIn) -> None:
    email = stranger()
    invite(stack, owner, email)
    stolen = post(stack.api_url, "/api/v1/auth/invitations/accept", {"token": code(stack, email)}, globex.token)
    assert (stolen.status, stolen.json["code"]) == (403, "invited-as-another")
    assert listed(stack, owner) == {email: "open"}


def test_who_belongs_already_is_told(stack: Stack, owner: SignedIn) -> None:
    invite(stack, owner, owner.user.email)
    token = code(stack, owner.user.email)
    told = post(stack.api_url, "/api/v1/auth/invitations/accept", {"token": token}, owner.token)
    assert (told.status, told.json["code"]) == (409, "already-member")


def test_an_invitation_is_good_once_however_many_ask_at_once(stack: Stack, owner: SignedIn) -> None:
    email = stranger()
    invite(stack, owner, email)
    token = code(stack, email)
    with ThreadPoolExecutor(4) as pool:
        statuses = [reply.status for reply in pool.map(lambda _: joins(stack, token), range(4))]
    assert statuses.count(201) == 1
    assert set(statuses) <= {201, 401, 409}


def test_a_revoked_invitation_is_good_for_nothing(stack: Stack, owner: SignedIn) -> None:
    email = stranger()
    one = f"{where(owner)}/invitations/{invite(stack, owner, email).json['id']}"
    wire = Wire(stack.api_url, owner.token)
    assert wire.send("DELETE", one).status == 204
    assert wire.send("DELETE", one).status == 404
    assert joins(stack, code(stack, email)).json["code"] == "ticket-ended"
    assert listed(stack, owner) == {email: "revoked"}


def test_after_seven_days_it_is_good_for_nothing(stack: Stack, owner: SignedIn) -> None:
    email = stranger()
    made = invite(stack, owner, email).json
    with psycopg.connect(stack.database_admin_url, autocommit=True) as admin:
        admin.execute("UPDATE invitations SET expires_at = now() WHERE id = %s", (made["id"],))
    assert joins(stack, code(stack, email)).json["code"] == "ticket-ended"
    assert listed(stack, owner) == {email: "expired"}


@pytest.mark.parametrize("state", ["restricted", "closing", "suspended"])
def test_nobody_joins_what_is_read_only_or_suspended_and_the_invitation_stays_open(
    stack: Stack, owner: SignedIn, state: str
) -> None:
    invited, user = stranger(), newcomer(stack.api_url, "invited")
    for email in (invited, user.user.email):
        assert invite(stack, owner, email).status == 201
    tokens = [code(stack, email) for email in (invited, user.user.email)]
    where_state = f"/api/v1/operator/organizations/{owner.organization}/state"
    moved = post(stack.api_url, where_state, {"state": state, "reason": "x"}, stack.operator_secret)
    assert moved.status == 200, moved.body
    accept = "/api/v1/auth/invitations/accept"
    for refused in (joins(stack, tokens[0]), post(stack.api_url, accept, {"token": tokens[1]}, user.token)):
        assert (refused.status, refused.json["code"]) == (403, f"organization-{state}"), refused.body
    post(stack.api_url, where_state, {"state": "active", "reason": "x"}, stack.operator_secret)
    assert joins(stack, tokens[0]).status == 201


def test_only_owners_invite_owners_and_only_admins_invite(stack: Stack, owner: SignedIn) -> None:
    tokens = {}
    for role in ("admin", "member"):
        email = stranger()
        invite(stack, owner, email, role)
        tokens[role] = joins(stack, code(stack, email)).json["access_token"]
    refused = invite(stack, owner, stranger(), "owner", tokens["admin"])
    assert (refused.status, refused.json["code"]) == (403, "owners-only")
    assert invite(stack, owner, stranger(), "viewer", tokens["admin"]).status == 201
    assert invite(stack, owner, stranger(), "viewer", tokens["member"]).status == 403


@pytest.mark.parametrize(
    "change", [{"email": "x"}, {"email": "a b@c.example"}, {"role": "god"}, {"role": None}, {"x": 1}]
)
def test_what_is_no_invitation_is_refused(stack: Stack, owner: SignedIn, change: dict[str, Any]) -> None:
    body = {"email": stranger(), "role": "viewer", **change}
    assert post(stack.api_url, f"{where(owner)}/invitations", body, owner.token).status == 422


def test_a_weak_password_leaves_the_invitation_open(stack: Stack, owner: SignedIn) -> None:
    email = stranger()
    invite(stack, owner, email)
    token = code(stack, email)
    assert joins(stack, token, password="short").json["code"] == "weak-password"
    assert json.loads(joins(stack, token).body)["user"]["email"] == email
