"""Tokens under a good signature whose claims are not of the form ours have: refused, wherever they are shown."""

import json
from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from local.demo.tenants import SignedIn
from local.stack import Stack
from tests.e2e.conftest import Reply, Wire, newcomer
from tests.e2e.forgery import PlatformKey, platform_key

REFUSED = {401, 403, 404}
MALFORMED = ["x", "", "\x00", "1" * 5000, 7, None, True, [], {}, ["x"]]


@pytest.fixture(scope="module")
def ours(stack: Stack) -> Iterator[PlatformKey]:
    assert stack.aws_endpoint_url
    with platform_key() as found:
        yield found


@pytest.fixture(scope="module")
def owner(api_url: str) -> SignedIn:
    return newcomer(api_url, "malformed")


@pytest.fixture(scope="module")
def claims(owner: SignedIn) -> dict[str, Any]:
    return said_by(owner)


def said_by(somebody: SignedIn) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(somebody.token, options={"verify_signature": False})
    return found


def asked(owner: SignedIn, token: str, path: str = "/api/v1/campaigns") -> Reply:
    return Wire(owner.api.url, token).send("GET", path)


def posted(owner: SignedIn, token: str, path: str, body: object) -> Reply:
    raw = json.dumps(body).encode()
    return Wire(owner.api.url, token).send("POST", path, raw, content_type="application/json")


def statuses(owner: SignedIn, token: str) -> dict[str, int]:
    """What a reader, the session's own routes and a route of a session answer."""
    return {
        "campaigns": asked(owner, token).status,
        "me": asked(owner, token, "/api/v1/auth/me").status,
        "sessions": asked(owner, token, "/api/v1/auth/sessions").status,
        "switch": posted(owner, token, "/api/v1/auth/switch", {"organization": owner.organization}).status,
        "step-up": posted(owner, token, "/api/v1/auth/step-up", {"password": owner.user.password}).status,
        "log-out": Wire(owner.api.url, token).send("POST", "/api/v1/auth/logout").status,
    }


@pytest.mark.parametrize("value", MALFORMED, ids=lambda value: ascii(value)[:12])
@pytest.mark.parametrize("claim", ["tid", "sub", "sid"])
def test_an_id_that_is_none_opens_nothing(
    owner: SignedIn, ours: PlatformKey, claims: dict[str, Any], claim: str, value: object
) -> None:
    found = statuses(owner, ours.token(json.dumps({**claims, claim: value}).encode()))
    assert {where: status for where, status in found.items() if status not in REFUSED} == {}


@pytest.mark.parametrize("value", ["*", {}, None, 7, [["*"]], [None]], ids=repr)
def test_permissions_that_are_no_list_of_texts_open_nothing(
    owner: SignedIn, ours: PlatformKey, claims: dict[str, Any], value: object
) -> None:
    assert asked(owner, ours.token(json.dumps({**claims, "permissions": value}).encode())).status in REFUSED


def test_claims_nested_without_end_open_nothing(owner: SignedIn, ours: PlatformKey, claims: dict[str, Any]) -> None:
    deep = json.dumps(claims)[:-1] + ', "x": ' + "[" * 3000 + "]" * 3000 + "}"
    assert asked(owner, ours.token(deep.encode())).status in REFUSED


@pytest.mark.parametrize("claim", ["aud", "iss", "exp", "tid", "sub", "sid", "permissions"])
def test_a_claim_that_is_there_twice_opens_nothing(
    owner: SignedIn, globex: SignedIn, ours: PlatformKey, claims: dict[str, Any], claim: str
) -> None:
    """RFC 7519, section 4: names are unique. Two readers of one token must not read two things."""
    other = {"aud": "another", "iss": "https://elsewhere.example", "exp": 1}.get(claim, said_by(globex)[claim])
    twice = f'{{"{claim}": {json.dumps(other)}, ' + json.dumps(claims)[1:]
    assert asked(owner, ours.token(twice.encode())).status == 401


def test_a_session_of_another_user_gives_no_tokens(owner: SignedIn, ours: PlatformKey) -> None:
    """The password is one user's, the session another's: whose tokens would they be?"""
    claims = said_by(newcomer(owner.api.url, "mixed"))
    token = ours.token(json.dumps({**said_by(owner), "sid": claims["sid"]}).encode())
    step_up = posted(owner, token, "/api/v1/auth/step-up", {"password": owner.user.password})
    switch = posted(owner, token, "/api/v1/auth/switch", {"organization": owner.organization})
    assert {"step-up": step_up.status in REFUSED, "switch": switch.status in REFUSED} == {
        "step-up": True,
        "switch": True,
    }


def test_a_session_written_otherwise_is_ended_with_it(owner: SignedIn, ours: PlatformKey) -> None:
    """What has ended is known by its text: another text of the same id must open nothing either."""
    claims = said_by(newcomer(owner.api.url, "ended"))
    for sid in (claims["sid"].upper(), "{" + claims["sid"] + "}", claims["sid"].replace("-", "")):
        assert asked(owner, ours.token(json.dumps({**claims, "sid": sid}).encode())).status in REFUSED
