"""Users' own accounts on the deployed platform: another address, out everywhere, gone."""

from uuid import uuid4

import psycopg
import pyotp
import pytest

from local.demo.api import wait_for
from local.demo.tenants import SignedIn
from local.stack import Stack
from tests.e2e.conftest import SOON, Reply, Wire, newcomer
from tests.e2e.test_members import Team
from tests.e2e.test_passwords import code_of, mails, post

TO_NEW, TO_OLD = "Confirm your new mail address", "Your mail address is about to change"


@pytest.fixture
def somebody(stack: Stack) -> SignedIn:
    return newcomer(stack.api_url, "account")


def log_in(stack: Stack, email: str, password: str) -> Reply:
    return post(stack.api_url, "/api/v1/auth/login", {"email": email, "password": password})


def address(stack: Stack, somebody: SignedIn) -> str:
    return str(Wire(stack.api_url, somebody.token).send("GET", "/api/v1/auth/me").json["email"])


def confirm(stack: Stack, code: str) -> Reply:
    return post(stack.api_url, "/api/v1/auth/email/confirm", {"token": code})


@pytest.mark.parametrize("first", [TO_NEW, TO_OLD])
def test_an_address_changes_once_both_have_confirmed(stack: Stack, somebody: SignedIn, first: str) -> None:
    old, new = somebody.user.email, f"{uuid4().hex}@elsewhere.example"
    assert post(stack.api_url, "/api/v1/auth/email", {"email": new.upper()}, somebody.token).status == 202
    codes = {TO_NEW: code_of(stack, new, TO_NEW), TO_OLD: code_of(stack, old, TO_OLD)}
    one = codes.pop(first)
    (other,) = codes.values()
    for _ in range(2):
        assert confirm(stack, one).json == {"changed": False}, "one code alone, however often, changes nothing"
    assert address(stack, somebody) == old
    assert confirm(stack, other).json == {"changed": True}
    assert address(stack, somebody) == new
    assert [confirm(stack, code).status for code in (one, other)] == [401, 401]
    statuses = [log_in(stack, email, somebody.user.password).status for email in (old, new)]
    assert statuses == [401, 200]
    wait_for("the notice", lambda: mails(stack, old, "Your mail address was changed"))


def test_an_address_that_is_taken_meanwhile_is_not_given_twice(stack: Stack, somebody: SignedIn) -> None:
    other = newcomer(stack.api_url, "other")
    assert post(stack.api_url, "/api/v1/auth/email", {"email": other.user.email}, somebody.token).status == 202
    assert confirm(stack, code_of(stack, somebody.user.email, TO_OLD)).json == {"changed": False}
    refused = confirm(stack, code_of(stack, other.user.email, TO_NEW))
    assert (refused.status, refused.json["code"]) == (409, "email-taken")
    assert address(stack, somebody) == somebody.user.email


@pytest.mark.parametrize(
    ("body", "status"), [({"email": "no address"}, 422), ({"email": None}, 422), ({}, 422), ({"email": "own"}, 409)]
)
def test_what_is_no_other_address_is_refused(
    stack: Stack, somebody: SignedIn, body: dict[str, object], status: int
) -> None:
    sent = {"email": somebody.user.email} if body.get("email") == "own" else body
    assert post(stack.api_url, "/api/v1/auth/email", sent, somebody.token).status == status


@pytest.mark.parametrize("token", ["", "ea_", "ea_" + "x" * 43, "\u2603", "x" * 101])
def test_what_is_no_code_confirms_nothing(stack: Stack, token: str) -> None:
    assert confirm(stack, token).status in {401, 422}


def test_log_out_everywhere_ends_every_session_in_every_organization(stack: Stack) -> None:
    team = Team(stack, newcomer(stack.api_url, "team"))
    member = team.join("viewer")
    own = log_in(stack, member.somebody.user.email, member.somebody.user.password).json
    assert Wire(stack.api_url, member.somebody.token).send("POST", "/api/v1/auth/logout/everywhere").status == 204
    for token in (member.token, own["access_token"]):
        there = Wire(stack.api_url, token)
        wait_for("the end", lambda t=there: t.send("GET", "/api/v1/auth/me").status == 401, seconds=SOON)  # type: ignore[misc]
    assert post(stack.api_url, "/api/v1/auth/refresh", {"refresh_token": own["refresh_token"]}).status == 401


def test_an_account_is_deleted_and_its_token_opens_nothing(stack: Stack) -> None:
    team = Team(stack, newcomer(stack.api_url, "team"))
    member = team.join("viewer")
    refused = Wire(stack.api_url, member.token).send("DELETE", "/api/v1/auth/me")
    assert (refused.status, refused.json["code"]) == (409, "last-owner"), "their own organization has no other owner"
    with psycopg.connect(stack.database_admin_url, autocommit=True) as admin:
        admin.execute(
            "DELETE FROM memberships WHERE tenant_id = %s AND user_id = %s",
            (member.somebody.organization, member.user),
        )
    assert Wire(stack.api_url, member.token).send("DELETE", "/api/v1/auth/me").status == 204
    wait_for("the end", lambda: member.send("GET", "/members").status == 401, seconds=SOON)
    assert log_in(stack, member.somebody.user.email, member.somebody.user.password).status == 401
    assert member.user not in team.roles(team.owner.token)
    actions = [entry["action"] for entry in team.as_owner("GET", "/audit").json["items"]]
    assert "member.left" in actions
    with psycopg.connect(stack.database_admin_url, autocommit=True) as admin:
        row = admin.execute(
            "SELECT email, name, password_hash FROM users WHERE user_id = %s", (member.user,)
        ).fetchone()
    assert row is not None
    assert str(row[0]).endswith("@deleted.invalid")
    assert row[1:] == ("deleted", "")


def test_a_password_set_by_mail_takes_an_account_back_from_who_never_had_the_address(
    stack: Stack, somebody: SignedIn
) -> None:
    """Somebody signs up with another's address and sets up an app of his own, to come back by it."""
    wire = Wire(stack.api_url, somebody.token)
    begun = wire.send("POST", "/api/v1/auth/mfa/totp")
    assert begun.status == 201
    code = pyotp.TOTP(begun.json["secret"]).now()
    assert post(stack.api_url, "/api/v1/auth/mfa/totp/confirm", {"code": code}, somebody.token).status == 200
    assert post(stack.api_url, "/api/v1/auth/password/forgot", {"email": somebody.user.email}).status == 202
    token = code_of(stack, somebody.user.email, "Set a new password")
    new = "the owner of the address chose this"
    assert post(stack.api_url, "/api/v1/auth/password/reset", {"token": token, "password": new}).status == 204
    came = log_in(stack, somebody.user.email, new)
    assert "access_token" in came.json, "his app is not asked for"
    me = Wire(stack.api_url, came.json["access_token"]).send("GET", "/api/v1/auth/me").json
    assert (me["email"], me["email_confirmed"]) == (somebody.user.email, True)
