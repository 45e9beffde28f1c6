"""What keys of programs may do on the deployed platform: no more than their makers may, and only until they end."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from local.demo.api import wait_for
from local.demo.tenants import SignedIn
from local.stack import Stack
from tenant_context.api_keys import _ALPHABET, _CHECKSUM_LENGTH, _checksum
from tenant_context.clock import rfc3339
from tests.e2e.conftest import SOON, Reply, Wire, newcomer
from tests.e2e.test_members import Member, Team

"""A key stops within ten, and a look at it takes its time."""


@pytest.fixture(scope="module")
def owner(api_url: str) -> SignedIn:
    return newcomer(api_url, "scopes")


@pytest.fixture
def team(stack: Stack) -> Team:
    return Team(stack, newcomer(stack.api_url, "keyring"))


def make(url: str, token: str, *scopes: str, **more: str) -> Reply:
    body = json.dumps({"name": "program", "scopes": list(scopes), **more}).encode()
    return Wire(url, token).send("POST", "/api/v1/api-keys", body, content_type="application/json")


def key_of(owner: SignedIn, *scopes: str, **more: str) -> str:
    made = make(owner.api.url, owner.token, *scopes, **more)
    assert made.status == 201, made.body
    return str(made.json["key"])


def pushed(url: str, key: str) -> int:
    """The status of a push with a key; 422 says that the key was good and the push empty."""
    body = b'{"counts": []}'
    return Wire(url).send("POST", "/api/v1/ingest/counts", body, content_type="application/json", x_api_key=key).status


def keymaker(team: Team, *more: str) -> Member:
    """Somebody who may make keys, and what else is said."""
    role = {"name": "keymaker", "permissions": ["keys.read", "keys.write", *more]}
    assert team.as_owner("POST", "/roles", role).status == 201
    return team.join("keymaker")


def test_nobody_makes_a_key_that_may_more_than_they_may(team: Team) -> None:
    member, url = keymaker(team, "ingest.write"), team.stack.api_url
    assert make(url, member.token, "ingest.write").status == 201
    for scopes in (
        ("campaigns.read",), ("ingest.write", "campaigns.read"), ("users.write",), ("ingest.*",), ("keys.*",),
    ):  # fmt: skip
        refused = make(url, member.token, *scopes)
        assert (scopes, refused.status, refused.json["code"]) == (scopes, 403, "scope-not-held")
        assert "key" not in refused.json
    listed = Wire(url, member.token).send("GET", "/api/v1/api-keys").json["items"]
    assert [key["scopes"] for key in listed] == [["ingest.write"]], "nothing was made"


def test_nobody_gets_a_better_key_by_rotating_one(team: Team) -> None:
    member, url = keymaker(team, "ingest.write"), team.stack.api_url
    made = make(url, team.owner.token, "campaigns.read").json
    wire = Wire(url, member.token)
    path = f"/api/v1/api-keys/{made['prefix']}/rotate"
    refused = wire.send("POST", path, b"{}", content_type="application/json")
    assert (refused.status, refused.json["code"]) == (403, "scope-not-held")
    (only,) = wire.send("GET", "/api/v1/api-keys").json["items"]
    assert (only["prefix"], only["expires_at"]) == (made["prefix"], None), "the old one goes on"


@pytest.mark.parametrize("scope", ["campaigns.read", "sensors.write", "keys.*"])
def test_a_key_without_the_routes_scope_is_forbidden(owner: SignedIn, scope: str) -> None:
    key = key_of(owner, scope)
    wire = Wire(owner.api.url)
    body = b'{"counts": []}'
    refused = wire.send("POST", "/api/v1/ingest/counts", body, content_type="application/json", x_api_key=key)
    assert (refused.status, refused.json["code"]) == (403, "forbidden")
    assert pushed(owner.api.url, key_of(owner, "ingest.write")) == 422, "which another scope opens"


def test_a_key_opens_nothing_that_is_for_users(owner: SignedIn) -> None:
    key = key_of(owner, "campaigns.read", "keys.read", "keys.write")
    for path in ("/api/v1/auth/me", "/api/v1/auth/sessions", "/api/v1/auth/mfa"):
        by_header = Wire(owner.api.url).send("GET", path, None, x_api_key=key)
        as_token = Wire(owner.api.url, key).send("GET", path)
        assert (path, by_header.status, as_token.status) == (path, 403, 403)


def test_an_expired_key_opens_nothing(owner: SignedIn) -> None:
    until = (datetime.now(UTC) + timedelta(seconds=20)).replace(microsecond=0)
    key = key_of(owner, "ingest.write", expires_at=rfc3339(until))
    assert pushed(owner.api.url, key) == 422
    wait_for("the key's end", lambda: pushed(owner.api.url, key) == 401, seconds=SOON)
    past = make(owner.api.url, owner.token, "ingest.write", expires_at=rfc3339(until))
    assert (past.status, past.json["code"]) == (422, "key-expires-in-the-past")


def test_a_key_that_was_mistyped_opens_nothing(owner: SignedIn) -> None:
    good = key_of(owner, "ingest.write")
    body, checksum = good[:-_CHECKSUM_LENGTH], good[-_CHECKSUM_LENGTH:]
    turned = _ALPHABET[(_ALPHABET.index(body[-1]) + 1) % len(_ALPHABET)]
    mistyped = body[:-1] + turned
    wrong = {
        "its checksum alone": body + checksum[::-1] if checksum != checksum[::-1] else body + "0" * 6,
        "its secret alone": mistyped + checksum,
        "its secret, with the checksum that belongs to it": mistyped + _checksum(mistyped),
        "no checksum": body,
        "capitals": good.upper(),
    }
    assert {what: pushed(owner.api.url, key) for what, key in wrong.items()} == dict.fromkeys(wrong, 401)
    assert pushed(owner.api.url, good) == 422
