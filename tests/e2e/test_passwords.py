"""What goes by mail on the deployed platform: addresses confirmed, passwords forgotten, set anew and changed."""

import json
import re
import urllib.request
from typing import Any
from uuid import uuid4

import pytest

from local.demo.api import wait_for
from local.demo.tenants import SignedIn
from local.stack import Stack
from tests.e2e.conftest import SOON, Reply, Wire, newcomer

NEW = "another password, just as long"


@pytest.fixture
def somebody(api_url: str) -> SignedIn:
    return newcomer(api_url, "mail")


def mails(stack: Stack, to: str, subject: str) -> list[dict[str, Any]]:
    """What SES was handed for an address, oldest first."""
    with urllib.request.urlopen(f"{stack.aws_endpoint_url}/_ministack/ses/messages", timeout=30) as answer:  # noqa: S310  our own
        accounts: dict[str, list[dict[str, Any]]] = json.load(answer)["messages"]
    sent = [mail for mails in accounts.values() for mail in mails]
    return [mail for mail in sent if mail["To"] == [to] and mail["Subject"] == subject]


def code_of(stack: Stack, to: str, subject: str, *, number: int = 1) -> str:
    """The code in the latest mail, once so many have arrived."""
    wait_for(f"mail {number} to {to}", lambda: len(mails(stack, to, subject)) >= number)
    match = re.search(r"\b(?:em|pw|ea)_[A-Za-z0-9_-]{43}", json.dumps(mails(stack, to, subject)[-1]))
    assert match
    return match[0]


def post(url: str, path: str, body: object, token: str = "") -> Reply:
    return Wire(url, token).send("POST", path, json.dumps(body).encode(), content_type="application/json")


def logs_in(url: str, somebody: SignedIn, password: str) -> int:
    return post(url, "/api/v1/auth/login", {"email": somebody.user.email, "password": password}).status


def confirmed(url: str, somebody: SignedIn) -> bool:
    return bool(Wire(url, somebody.token).send("GET", "/api/v1/auth/me").json["email_confirmed"])


def test_a_new_user_confirms_the_address_once(stack: Stack, somebody: SignedIn) -> None:
    assert not confirmed(stack.api_url, somebody)
    code = code_of(stack, somebody.user.email, "Confirm your mail address")
    assert post(stack.api_url, "/api/v1/auth/confirm", {"token": code}, somebody.token).status == 204
    assert confirmed(stack.api_url, somebody)
    assert post(stack.api_url, "/api/v1/auth/confirm", {"token": code}, somebody.token).status == 401


def test_a_forgotten_password_is_set_anew_and_everybody_is_logged_out(stack: Stack, somebody: SignedIn) -> None:
    assert post(stack.api_url, "/api/v1/auth/password/forgot", {"email": somebody.user.email.upper()}).status == 202
    code = code_of(stack, somebody.user.email, "Set a new password")
    assert post(stack.api_url, "/api/v1/auth/password/reset", {"token": code, "password": "short"}).status == 422
    assert post(stack.api_url, "/api/v1/auth/password/reset", {"token": code, "password": NEW}).status == 204
    assert post(stack.api_url, "/api/v1/auth/password/reset", {"token": code, "password": NEW}).status == 401
    wire = Wire(stack.api_url, somebody.token)
    wait_for("the end", lambda: wire.send("GET", "/api/v1/campaigns").status == 401, seconds=SOON)
    assert (logs_in(stack.api_url, somebody, somebody.user.password), logs_in(stack.api_url, somebody, NEW)) == (
        401,
        200,
    )
    wait_for("the notice", lambda: mails(stack, somebody.user.email, "Your password was changed"))


def test_an_unknown_address_hears_the_same(api_url: str, somebody: SignedIn) -> None:
    replies = [
        post(api_url, "/api/v1/auth/password/forgot", {"email": email})
        for email in (somebody.user.email, f"{uuid4().hex}@nowhere.example", "not an address")
    ]
    assert {(reply.status, reply.body) for reply in replies} == {(202, b"")}


def test_asking_for_mails_is_slowed(api_url: str, somebody: SignedIn) -> None:
    body = {"email": somebody.user.email}
    statuses = [post(api_url, "/api/v1/auth/password/forgot", body).status for _ in range(10)]
    assert statuses[0] == 202
    assert 429 in statuses


def test_a_password_is_changed_by_who_knows_it(api_url: str, somebody: SignedIn) -> None:
    other = post(
        api_url, "/api/v1/auth/login", {"email": somebody.user.email, "password": somebody.user.password}
    ).json["access_token"]
    change = {"current_password": somebody.user.password, "password": NEW}
    wrong = post(api_url, "/api/v1/auth/password", {**change, "current_password": "not it"}, somebody.token)
    assert (wrong.status, wrong.json["code"]) == (401, "wrong-credentials")
    weak = post(api_url, "/api/v1/auth/password", {**change, "password": somebody.user.email}, somebody.token)
    assert (weak.status, weak.json["code"]) == (422, "weak-password")
    assert post(api_url, "/api/v1/auth/password", change, somebody.token).status == 204
    wire = Wire(api_url, other)
    wait_for("the other's end", lambda: wire.send("GET", "/api/v1/campaigns").status == 401, seconds=SOON)
    assert Wire(api_url, somebody.token).send("GET", "/api/v1/campaigns").status == 200
    assert logs_in(api_url, somebody, NEW) == 200


@pytest.mark.parametrize("token", ["em_", "pw_" + "A" * 43, "x", "../..", "\u00e4"])
def test_a_code_of_ones_own_is_good_for_nothing(api_url: str, token: str) -> None:
    assert post(api_url, "/api/v1/auth/confirm", {"token": token}).status == 401
    assert post(api_url, "/api/v1/auth/password/reset", {"token": token, "password": NEW}).status == 401


def test_a_code_for_one_thing_is_not_good_for_another(stack: Stack, somebody: SignedIn) -> None:
    code = code_of(stack, somebody.user.email, "Confirm your mail address")
    assert post(stack.api_url, "/api/v1/auth/password/reset", {"token": code, "password": NEW}).status == 401
