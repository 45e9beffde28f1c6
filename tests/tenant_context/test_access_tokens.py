"""Access tokens, judged by PyJWT: what it accepts we accept, and every tampering is refused."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tenant_context.errors import Unauthenticated
from tenant_context.identity import SKEW_SECONDS, TokenVerifier
from tenant_context.key_ring import PublishedKey
from tenant_context.settings import TokenSettings

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ISSUED = int(NOW.timestamp())
OURS = rsa.generate_private_key(public_exponent=65537, key_size=2048)
THEIRS = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CLAIMS: dict[str, Any] = {
    "sub": "0197c6f0-0000-7000-8000-000000000001",
    "tid": "0197c6f0-0000-7000-8000-000000000002",
    "role": "owner",
    "permissions": ["*"],
    "sid": "0197c6f0-0000-7000-8000-000000000003",
    "iss": "https://api.example.com",
    "aud": "rmap",
    "iat": ISSUED,
    "nbf": ISSUED,
    "exp": ISSUED + 900,
    "jti": "0197c6f0-0000-7000-8000-000000000004",
}


class Keys:
    """One key, for one algorithm, until it is retired."""

    algorithm, retired = "RS256", False

    def find(self, kid: str) -> PublishedKey | None:
        if kid != "first" or self.retired:
            return None
        return PublishedKey(kid, "arn", self.algorithm, signs=True, public=OURS.public_key())


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


Check = Callable[[str], dict[str, Any]]


def signed(
    claims: dict[str, Any] | None = None, *, key: Any = OURS, kid: str = "first", algorithm: str = "RS256", **head: Any
) -> str:
    return jwt.encode(CLAIMS | (claims or {}), key, algorithm=algorithm, headers={"kid": kid, **head})


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def verify(clock: Clock, keys: Keys) -> Check:
    settings = TokenSettings(CLAIMS["iss"], "revocations", "signing-keys", "rmap")
    return TokenVerifier(settings, clock, keys).verify


def test_a_token_signed_by_another_library_is_read(verify: Check) -> None:
    assert verify(signed()) == CLAIMS


def test_one_of_several_audiences_may_be_us(verify: Check) -> None:
    assert verify(signed({"aud": ["other", "rmap"]}))["aud"] == ["other", "rmap"]


@pytest.mark.parametrize(
    "token",
    [
        signed(key=THEIRS),
        signed(kid="second"),
        signed({"iss": "https://elsewhere.example"}),
        signed({"aud": "other"}),
        signed({"aud": ["other"]}),
        signed({"iat": str(ISSUED)}),
        signed({"exp": "never"}),
        signed({"nbf": "now"}),
        signed(crit=["exp"], exp=ISSUED),
        signed(key=OURS, algorithm="RS512"),
        signed(key=OURS, algorithm="PS256"),
        signed(key="a-shared-secret-of-thirty-two-bytes", algorithm="HS256"),
        jwt.encode(CLAIMS, "", algorithm="none", headers={"kid": "first"}),
        *(
            jwt.encode(
                {name: value for name, value in CLAIMS.items() if name != missing},
                OURS,
                algorithm="RS256",
                headers={"kid": "first"},
            )
            for missing in CLAIMS
            if missing != "nbf"
        ),
        jwt.encode(CLAIMS, OURS, algorithm="RS256"),
        "",
        "a",
        "a.b",
        "..",
        "a.b.c.d",
        "ä.ö.ü",
        signed() + "=",
        signed() + "AAAA",
        " " + signed(),
        signed().replace(".", "..", 1),
        f"{part({'alg': 'RS256', 'kid': 'first'})}.{part(CLAIMS)}.",
        f"{part({'alg': 'RS256', 'kid': 1})}.{part(CLAIMS)}.AAAA",
        f"{part([])}.{part(CLAIMS)}.AAAA",
    ],
)
def test_anything_else_is_refused(verify: Check, token: str) -> None:
    with pytest.raises(Unauthenticated):
        verify(token)


def test_other_claims_under_a_good_signature_are_refused(verify: Check) -> None:
    head, _, signature = signed().split(".")
    with pytest.raises(Unauthenticated):
        verify(f"{head}.{part(CLAIMS | {'role': 'admin'})}.{signature}")


def test_a_public_key_is_no_shared_secret(verify: Check) -> None:
    """The old confusion of RS256 with HS256: the verifier's own public key as an HMAC secret."""
    numbers = OURS.public_key().public_numbers()
    forged = signed(key=numbers.n.to_bytes(256, "big"), algorithm="HS256")
    with pytest.raises(Unauthenticated):
        verify(forged)


def test_a_claim_set_that_is_no_object_is_refused(verify: Check) -> None:
    with pytest.raises(Unauthenticated):
        verify(jwt.PyJWS().encode(b"[]", OURS, algorithm="RS256", headers={"kid": "first"}))


def test_a_kept_verdict_still_expires(verify: Check, clock: Clock) -> None:
    token = signed()
    verify(token)
    clock.now = NOW + timedelta(seconds=900 + SKEW_SECONDS - 1)
    verify(token)
    clock.now += timedelta(seconds=1)
    with pytest.raises(Unauthenticated, match="expired"):
        verify(token)


def test_a_token_from_the_future_waits(verify: Check, clock: Clock) -> None:
    token = signed()
    clock.now = NOW - timedelta(seconds=SKEW_SECONDS + 1)
    with pytest.raises(Unauthenticated, match="not valid yet"):
        verify(token)


def test_a_signature_is_checked_once(verify: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    token = signed()
    verify(token)
    monkeypatch.setattr(Keys, "find", lambda _, kid: PublishedKey(kid, "arn", "RS256", True, THEIRS.public_key()))
    assert verify(token) == CLAIMS


def test_a_kept_verdict_does_not_outlive_its_key(verify: Check, keys: Keys) -> None:
    token = signed()
    verify(token)
    keys.retired = True
    with pytest.raises(Unauthenticated, match="not ours"):
        verify(token)


def test_a_key_is_for_the_algorithm_of_its_ring(verify: Check, keys: Keys) -> None:
    keys.algorithm = "PS256"
    with pytest.raises(Unauthenticated):
        verify(signed())
