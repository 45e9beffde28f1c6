"""Tokens that say in their header whom to believe, at the deployed platform: signed well, by somebody else.

Each would open everything to a verifier that does what the header says; the tests say so first.
"""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from local.demo.tenants import SignedIn
from local.stack import Stack
from tests.e2e.conftest import Reply, Wire, newcomer
from tests.e2e.forgery import PlatformKey, Shop, base64url, by, certificate, compact, der, pem, platform_key, shop

THEIRS = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def owner(api_url: str) -> SignedIn:
    return newcomer(api_url, "attacked")


@pytest.fixture(scope="module")
def claims(owner: SignedIn) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(owner.token, options={"verify_signature": False})
    return found


@pytest.fixture(scope="module")
def kid(owner: SignedIn) -> str:
    """The name of the key that the platform signs with."""
    return str(jwt.get_unverified_header(owner.token)["kid"])


@pytest.fixture(scope="module")
def ours(stack: Stack) -> Iterator[PlatformKey]:
    assert stack.aws_endpoint_url
    with platform_key() as found:
        yield found


@pytest.fixture
def attacker() -> Iterator[Shop]:
    with shop() as opened:
        yield opened


def asked(owner: SignedIn, token: str) -> Reply:
    return Wire(owner.api.url).send("GET", "/api/v1/campaigns", None, authorization=f"Bearer {token}")


def their_jwk(kid: str) -> dict[str, Any]:
    public: dict[str, Any] = RSAAlgorithm.to_jwk(THEIRS.public_key(), as_dict=True)
    return {**public, "use": "sig", "alg": "RS256", "kid": kid}


def theirs(claims: dict[str, Any], kid: str, **head: Any) -> str:
    """The claims under an attacker's signature."""
    header = {"alg": "RS256", "typ": "JWT", "kid": kid, **head}
    return compact(header, json.dumps(claims).encode(), by(THEIRS))


def believes(token: str, key: Any) -> bool:
    """Whether a verifier that takes this key for ours takes the token."""
    return bool(jwt.decode(token, key, algorithms=["RS256"], audience="rmap")["sub"])


def test_a_key_in_the_header_is_not_believed(owner: SignedIn, claims: dict[str, Any], kid: str) -> None:
    for name in (kid, "theirs"):
        token = theirs(claims, name, jwk=their_jwk(name))
        assert believes(token, jwt.PyJWK(jwt.get_unverified_header(token)["jwk"]))
        assert asked(owner, token).status == 401


def test_a_certificate_in_the_header_is_not_believed(owner: SignedIn, claims: dict[str, Any], kid: str) -> None:
    chain = [base64url(der(certificate(THEIRS)))]
    for name in (kid, "theirs"):
        token = theirs(claims, name, x5c=chain)
        assert believes(token, THEIRS.public_key())
        assert asked(owner, token).status == 401


@pytest.mark.parametrize("named", ["as ours", "otherwise"])
def test_keys_at_an_address_in_the_header_are_not_asked_for(
    owner: SignedIn, claims: dict[str, Any], kid: str, attacker: Shop, named: str
) -> None:
    name = kid if named == "as ours" else "theirs"
    attacker.pages["/jwks.json"] = json.dumps({"keys": [their_jwk(name)]}).encode()
    address = f"{attacker.url}/jwks.json"
    token = theirs(claims, name, jku=address)
    assert believes(token, jwt.PyJWKClient(address).get_signing_key_from_jwt(token))
    assert attacker.asked == ["/jwks.json"]
    attacker.asked.clear()
    assert asked(owner, token).status == 401
    assert attacker.asked == []


@pytest.mark.parametrize("named", ["as ours", "otherwise"])
def test_a_certificate_at_an_address_in_the_header_is_not_asked_for(
    owner: SignedIn, claims: dict[str, Any], kid: str, attacker: Shop, named: str
) -> None:
    attacker.pages["/cert.pem"] = pem(certificate(THEIRS))
    address = f"{attacker.url}/cert.pem"
    token = theirs(claims, kid if named == "as ours" else "theirs", x5u=address)
    with urllib.request.urlopen(address, timeout=10) as served:  # noqa: S310  our own, on this machine
        assert believes(token, x509.load_pem_x509_certificate(served.read()).public_key())
    attacker.asked.clear()
    assert asked(owner, token).status == 401
    assert attacker.asked == []


def test_an_issuer_of_their_own_is_not_asked_for_its_keys(
    owner: SignedIn, claims: dict[str, Any], kid: str, attacker: Shop
) -> None:
    """Discovery: a verifier that asks whoever the token says made it."""
    attacker.pages["/.well-known/openid-configuration"] = json.dumps(
        {"issuer": attacker.url, "jwks_uri": f"{attacker.url}/jwks.json"}
    ).encode()
    attacker.pages["/jwks.json"] = json.dumps({"keys": [their_jwk(kid)]}).encode()
    assert asked(owner, theirs({**claims, "iss": attacker.url}, kid)).status == 401
    assert attacker.asked == []


def test_a_header_is_judged_even_under_our_own_signature(
    owner: SignedIn, ours: PlatformKey, claims: dict[str, Any]
) -> None:
    payload = json.dumps(claims).encode()
    assert asked(owner, ours.token(payload)).status == 200, "the key is ours, and only the header is judged"
    heads: tuple[dict[str, Any], ...] = (
        {"alg": "none"}, {"alg": "None"}, {"alg": ""}, {"alg": None}, {"alg": "HS256"}, {"alg": "RS512"},
        {"alg": "PS256"}, {"alg": ["RS256"]}, {"crit": ["exp"]}, {"crit": []}, {"b64": False, "crit": ["b64"]},
        {"kid": "../../../dev/null"}, {"kid": "x' OR '1'='1"}, {"kid": ""}, {"kid": 7}, {"kid": None},
        {"kid": "x" * 999}, {"kid": f"{ours.kid} "}, {"kid": "arn:aws:kms:us-east-1:999999999999:key/theirs"},
    )  # fmt: skip
    for head in heads:
        assert (head, asked(owner, ours.token(payload, **head)).status) == (head, 401)


def test_what_a_header_names_beside_our_own_key_is_not_asked_for(
    owner: SignedIn, ours: PlatformKey, claims: dict[str, Any], attacker: Shop
) -> None:
    """Of a good token: whatever it is answered, nobody goes where it points."""
    head = {"jku": f"{attacker.url}/jwks.json", "x5u": f"{attacker.url}/cert.pem", "jwk": their_jwk(ours.kid)}
    assert asked(owner, ours.token(json.dumps(claims).encode(), **head)).status in {200, 401}
    assert attacker.asked == []
