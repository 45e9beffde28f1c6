"""Signing keys turned on the deployed platform, IAM enforced: nobody is logged out, but for an emergency."""

import json
from typing import Any

import jwt
import pytest

from infra.settings import STAGES
from local.demo.api import wait_for
from local.demo.tenants import SignedIn, log_in
from local.stack import Stack
from tests.e2e.conftest import SOON, Wire, newcomer

EVERYWHERE = ("/api/v1/auth/sessions", "/api/v1/campaigns", "/api/v1/sites", "/api/v1/jobs/runs")
SIGNER_SECONDS = 40.0
"""How late the functions may hear that a key was ended, and that another one signs."""


@pytest.fixture
def somebody(api_url: str) -> SignedIn:
    return newcomer(api_url, "rotation")


def turn(stack: Stack, **asked: object) -> dict[str, str]:
    """One run of the function, started by hand; answers every key's state."""
    name = STAGES["local"].named("key_rotation")
    answer = stack.client("lambda").invoke(FunctionName=f"{name}:live", Payload=json.dumps(asked).encode())
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return {key["kid"]: key["state"] for key in payload["keys"]}


def having(states: dict[str, str], *wanted: str) -> set[str]:
    return {kid for kid, state in states.items() if state in wanted}


def kid_of(token: str) -> str:
    kid: str = jwt.get_unverified_header(token)["kid"]
    return kid


def published(wire: Wire) -> set[str]:
    return {key["kid"] for key in wire.send("GET", "/.well-known/jwks.json").json["keys"]}


def statuses(url: str, token: str) -> list[int]:
    return [Wire(url, token).send("GET", path).status for path in EVERYWHERE]


def test_after_a_rotation_old_and_new_tokens_open_and_both_keys_are_published(
    stack: Stack, somebody: SignedIn, stranger: Wire
) -> None:
    old = kid_of(somebody.token)
    # Where an earlier run left a key pending, that one is let sign first.
    (new,) = wait_for("the next key", lambda: having(turn(stack, rotate=True), "pending"))
    wait_for("the next key in the key set", lambda: {old, new} <= published(stranger), seconds=SIGNER_SECONDS)
    wait_for("its turn", lambda: new in having(turn(stack), "signing"), seconds=60)

    def fresh() -> str | None:
        token = log_in(somebody.api.url, somebody.user).token
        return token if kid_of(token) == new else None

    token = wait_for("a token of the new key", fresh, seconds=SIGNER_SECONDS)
    assert statuses(somebody.api.url, token) == [200] * len(EVERYWHERE)
    assert statuses(somebody.api.url, somebody.token) == [200] * len(EVERYWHERE)
    assert {old, new} <= published(stranger)
    verified: dict[str, Any] = jwt.decode(
        token,
        jwt.PyJWK(
            next(key for key in stranger.send("GET", "/.well-known/jwks.json").json["keys"] if key["kid"] == new)
        ),
        algorithms=["RS256"],
        audience="rmap",
    )
    assert verified["tid"] == somebody.organization


@pytest.mark.alone
def test_in_an_emergency_old_tokens_stop_and_a_log_in_gets_new_ones(
    stack: Stack, somebody: SignedIn, stranger: Wire
) -> None:
    """Everybody's tokens, so other tests must not run at the time."""
    url, old = somebody.api.url, kid_of(somebody.token)
    assert statuses(url, somebody.token) == [200] * len(EVERYWHERE)
    states = turn(stack, rotate="now")
    assert states[old] == "retired"
    wait_for("the end", lambda: statuses(url, somebody.token) == [401] * len(EVERYWHERE), seconds=SOON)
    wait_for("the key set without it", lambda: old not in published(stranger), seconds=SOON)
    token = log_in(url, somebody.user).token
    assert kid_of(token) in having(states, "signing")
    opened = lambda: statuses(url, token) == [200] * len(EVERYWHERE)  # noqa: E731
    wait_for("the new key everywhere", opened, seconds=20)
    key = stack.client("kms").describe_key(KeyId=old)["KeyMetadata"]
    assert key["KeyState"] == "PendingDeletion"
