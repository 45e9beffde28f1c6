"""Tokens under a good signature that say what no token of ours would, and those of elsewhere: refused, never a 500."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from local.demo.tenants import SignedIn
from local.stack import Stack
from tenant_context.api_keys import _CHECKSUM_LENGTH, _checksum, make_key
from tests.e2e.conftest import Reply, Wire, newcomer
from tests.e2e.forgery import PlatformKey, by, compact, platform_key

READS = (
    "/api/v1/campaigns",
    "/api/v1/sites",
    "/api/v1/webhooks/endpoints",
    "/api/v1/jobs/runs",
    "/api/v1/api-keys",
    "/api/v1/auth/me",
    "/api/v1/auth/sessions",
)


@pytest.fixture(scope="module")
def owner(api_url: str) -> SignedIn:
    return newcomer(api_url, "nonsense")


@pytest.fixture(scope="module")
def claims(owner: SignedIn) -> dict[str, Any]:
    return said_by(owner)


@pytest.fixture(scope="module")
def foreign(globex: SignedIn) -> dict[str, Any]:
    """What a token of another tenant's user says."""
    return said_by(globex)


@pytest.fixture(scope="module")
def ours(stack: Stack) -> Iterator[PlatformKey]:
    assert stack.aws_endpoint_url
    with platform_key() as found:
        yield found


def said_by(somebody: SignedIn) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(somebody.token, options={"verify_signature": False})
    return found


def asked(owner: SignedIn, token: str, path: str = READS[0]) -> Reply:
    return Wire(owner.api.url, token).send("GET", path)


def posted(owner: SignedIn, token: str, path: str, body: object = None) -> Reply:
    raw = None if body is None else json.dumps(body).encode()
    kind = {} if body is None else {"content_type": "application/json"}
    return Wire(owner.api.url, token).send("POST", path, raw, **kind)


def with_claims(ours: PlatformKey, claims: dict[str, Any], **changes: Any) -> str:
    return ours.token(json.dumps({**claims, **changes}).encode())


@pytest.mark.parametrize("claim", ["aud", "iss", "exp", "iat", "nbf"])
def test_a_claim_that_is_there_twice_is_not_good_by_its_first_word(
    owner: SignedIn, ours: PlatformKey, claims: dict[str, Any], claim: str
) -> None:
    bad = {"aud": "another", "iss": "https://elsewhere.example", "exp": 1, "iat": 4_000_000_000, "nbf": 4_000_000_000}
    twice = json.dumps(claims)[:-1] + f', "{claim}": {json.dumps(bad[claim])}}}'
    assert len(json.loads(twice, object_pairs_hook=list)) == len(claims) + 1
    assert asked(owner, ours.token(twice.encode())).status == 401


@pytest.mark.parametrize("size", [16_000, 64_000, 65_536, 200_000])
def test_a_huge_token_is_refused(owner: SignedIn, ours: PlatformKey, claims: dict[str, Any], size: int) -> None:
    """A signed one whose issuer is not ours, and one that is no token; a door may refuse the header before us."""
    spare = size * 3 // 4 - len(json.dumps(claims)) - 400
    signed = with_claims(ours, claims, iss="https://elsewhere.example", padding="x" * spare)
    assert abs(len(signed) - size) < 400
    for token in (signed, "A" * size):
        assert 400 <= asked(owner, token).status < 500
    assert asked(owner, owner.token).status == 200, "and nothing is the matter afterwards"


@pytest.mark.parametrize(
    "payload",
    [b"\xff", b"\xff\xfe{\x00}\x00", b"", b"null", b"[]", b'"text"', b"7", b"{", b"{}{}", b'{"exp": 1e999}', b"\x00"],
    ids=repr,
)
def test_a_signature_makes_no_claims_of_what_is_none(owner: SignedIn, ours: PlatformKey, payload: bytes) -> None:
    assert asked(owner, ours.token(payload)).status == 401


def test_claims_in_other_letters_than_utf_8_are_none(
    owner: SignedIn, ours: PlatformKey, claims: dict[str, Any]
) -> None:
    text = json.dumps({**claims, "note": "\xff"}, ensure_ascii=False)
    assert asked(owner, ours.token(text.encode())).status == 200, "these letters are good in UTF-8"
    for payload in (
        text.encode("latin-1"),
        text.encode("utf-16"),
        text.encode("utf-32-le"),
        b"\xef\xbb\xbf" + text.encode(),
        text.encode().replace(b"\xc3\xbf", b"\xc1\xbf"),  # longer than it has to be
        text.encode().replace(b"\xc3\xbf", b"\xed\xa0\x80"),  # half a pair of UTF-16
    ):
        assert (payload[-20:], asked(owner, ours.token(payload)).status) == (payload[-20:], 401)


def test_a_token_of_another_stage_opens_nothing(owner: SignedIn, ours: PlatformKey, claims: dict[str, Any]) -> None:
    staging = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    elsewhere = {"iss": "https://api.staging.rmap.example"}
    for kid in (str(uuid4()), ours.kid):
        header = {"alg": "RS256", "typ": "JWT", "kid": kid}
        for said in (claims, {**claims, **elsewhere}):
            assert asked(owner, compact(header, json.dumps(said).encode(), by(staging))).status == 401
    assert asked(owner, with_claims(ours, claims, **elsewhere)).status == 401, "stages that share a key, by mistake"
    assert asked(owner, with_claims(ours, claims, aud="rmap-staging")).status == 401


def test_an_api_key_of_another_stage_opens_nothing(owner: SignedIn) -> None:
    good = posted(owner, owner.token, "/api/v1/api-keys", {"name": "till", "scopes": ["ingest.write"]}).json["key"]
    assert pushed(owner, good) == 422, "the key is good, and the push empty"
    stage = good.split("_")[1]
    for other in {"prod", "staging", "dev", "local"} - {stage}:
        renamed = good.replace(f"_{stage}_", f"_{other}_", 1)[:-_CHECKSUM_LENGTH]
        assert pushed(owner, renamed + _checksum(renamed)) == 401
        assert pushed(owner, make_key(other).text) == 401
    assert pushed(owner, good) == 422


def pushed(owner: SignedIn, key: str) -> int:
    wire, body = Wire(owner.api.url), b'{"counts": []}'
    return wire.send("POST", "/api/v1/ingest/counts", body, content_type="application/json", x_api_key=key).status


@pytest.mark.parametrize("whose", ["foreign", "unknown"])
@pytest.mark.parametrize("claim", ["tid", "sub", "sid"])
def test_somebody_elses_place_in_ones_own_token_breaks_nothing(
    owner: SignedIn, ours: PlatformKey, claims: dict[str, Any], foreign: dict[str, Any], claim: str, whose: str
) -> None:
    token = with_claims(ours, claims, **{claim: foreign[claim] if whose == "foreign" else str(uuid4())})
    statuses = {path: asked(owner, token, path).status for path in READS}
    assert {path: status for path, status in statuses.items() if status >= 500} == {}


@pytest.mark.parametrize("whose", ["foreign", "unknown"])
def test_a_tenant_of_somebody_else_in_a_token_is_not_the_one_asked_for(
    owner: SignedIn, ours: PlatformKey, claims: dict[str, Any], foreign: dict[str, Any], whose: str
) -> None:
    token = with_claims(ours, claims, tid=foreign["tid"] if whose == "foreign" else str(uuid4()))
    for path in ("", "/members", "/audit", "/invitations"):
        where = f"/api/v1/organizations/{owner.organization}{path}"
        assert (path, asked(owner, token, where).status) in {(path, 401), (path, 403), (path, 404)}


@pytest.mark.parametrize("whose", ["foreign", "unknown"])
def test_a_user_of_elsewhere_in_a_token_is_given_no_tokens(
    owner: SignedIn, ours: PlatformKey, claims: dict[str, Any], foreign: dict[str, Any], whose: str
) -> None:
    token = with_claims(ours, claims, sub=foreign["sub"] if whose == "foreign" else str(uuid4()))
    switch = posted(owner, token, "/api/v1/auth/switch", {"organization": owner.organization})
    step_up = posted(owner, token, "/api/v1/auth/step-up", {"password": owner.user.password})
    assert {switch.status, step_up.status} <= {401, 403, 404}


def test_a_user_who_is_not_there_is_nobody(owner: SignedIn, ours: PlatformKey, claims: dict[str, Any]) -> None:
    assert asked(owner, with_claims(ours, claims, sub=str(uuid4())), "/api/v1/auth/me").status == 401


def test_a_session_that_is_not_there_gets_nothing_of_a_session(
    owner: SignedIn, ours: PlatformKey, claims: dict[str, Any]
) -> None:
    token = with_claims(ours, claims, sid=str(uuid4()))
    for path, body in (
        ("/api/v1/auth/switch", {"organization": owner.organization}),
        ("/api/v1/auth/step-up", {"password": owner.user.password}),
        ("/api/v1/auth/mfa/totp", None),
    ):
        assert (path, posted(owner, token, path, body).status) == (path, 401)
