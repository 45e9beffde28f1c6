"""Credentials that somebody made up, stole or outlived, at the deployed platform: refused, and never a 500."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from local.demo.tenants import SignedIn
from local.stack import Stack
from shared.identity.gateway.tokens import TokenSigner
from tests.e2e.conftest import Reply, Wire, newcomer, platform_signer

REFUSED = {400, 401, 403, 404, 422, 431}
HOUR = 3600


@pytest.fixture(scope="module")
def signer(stack: Stack) -> Iterator[TokenSigner]:
    with platform_signer(stack) as found:
        yield found


@pytest.fixture(scope="module")
def owner(api_url: str) -> SignedIn:
    return newcomer(api_url, "hostile")


@pytest.fixture(scope="module")
def claims(owner: SignedIn) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(owner.token, options={"verify_signature": False})
    return found


def asked(owner: SignedIn, token: str, **headers: str) -> Reply:
    return Wire(owner.api.url).send("GET", "/api/v1/campaigns", None, authorization=f"Bearer {token}", **headers)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_a_token_without_a_signature_opens_nothing(owner: SignedIn) -> None:
    header, payload, _ = owner.token.split(".")
    for token in (f"{part({'alg': 'none'})}.{payload}.", f"{header}.{payload}.", f"{header}.{payload}", f"..{payload}"):
        assert asked(owner, token).status == 401


def test_the_public_key_is_no_secret_to_sign_with(owner: SignedIn, claims: dict[str, Any]) -> None:
    (first, *_) = Wire(owner.api.url).send("GET", "/.well-known/jwks.json").json["keys"]
    public = jwt.PyJWK(first).key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signed = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': first['kid']})}.{part(claims)}"
    mac = base64.urlsafe_b64encode(hmac.new(public, signed.encode(), hashlib.sha256).digest()).decode().rstrip("=")
    assert asked(owner, f"{signed}.{mac}").status == 401


def test_a_key_of_ones_own_opens_nothing(owner: SignedIn, claims: dict[str, Any]) -> None:
    theirs = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kid = jwt.get_unverified_header(owner.token)["kid"]
    assert asked(owner, jwt.encode(claims, theirs, algorithm="RS256", headers={"kid": kid})).status == 401


@pytest.mark.parametrize(
    "change",
    [
        {"exp": 1}, {"exp": "never"}, {"exp": None}, {"nbf": 4_000_000_000}, {"iat": 4_000_000_000}, {"iss": "https://x"},
        {"aud": "another"}, {"aud": []}, {"iss": None}, {"aud": None}, {"exp": -1}, {"exp": 1.5}, {"exp": {}},
    ],
    ids=str,
)  # fmt: skip
def test_claims_that_are_not_in_order_open_nothing(
    owner: SignedIn, signer: TokenSigner, claims: dict[str, Any], change: dict[str, Any]
) -> None:
    assert asked(owner, signer.sign({**claims, **change})).status == 401


@pytest.mark.parametrize("missing", ["sub", "tid", "role", "permissions", "sid", "iss", "aud", "iat", "exp", "jti"])
def test_a_token_that_lacks_a_claim_opens_nothing(
    owner: SignedIn, signer: TokenSigner, claims: dict[str, Any], missing: str
) -> None:
    assert asked(owner, signer.sign({name: one for name, one in claims.items() if name != missing})).status == 401


@pytest.mark.parametrize(
    "token",
    ["", " ", "a", "...", "a.b.c", "ä.ö.ü", "=.=.=", "A" * 7000, "e30.e30.", "\xff\xfe", "null", "[]", "rt_x", "a b c"],
    ids=repr,
)  # fmt: skip
def test_what_is_no_token_opens_nothing(owner: SignedIn, token: str) -> None:
    assert asked(owner, token).status in REFUSED


def test_tokens_are_not_exchanged_for_each_other(owner: SignedIn) -> None:
    refresh = Wire(owner.api.url).send(
        "POST",
        "/api/v1/auth/login",
        json.dumps({"email": owner.user.email, "password": owner.user.password}).encode(),
        content_type="application/json",
    ).json["refresh_token"]  # fmt: skip
    assert asked(owner, refresh).status == 401
    body = json.dumps({"refresh_token": owner.token[:500]}).encode()
    wire = Wire(owner.api.url)
    assert wire.send("POST", "/api/v1/auth/refresh", body, content_type="application/json").status == 401
    assert wire.send("POST", "/api/v1/ingest/counts", b"{}", x_api_key=owner.token[:900]).status == 401


def test_a_header_that_names_another_tenant_is_refused(owner: SignedIn, globex: SignedIn) -> None:
    assert asked(owner, owner.token, x_tenant_id=globex.organization).status == 403
    assert asked(owner, owner.token, x_tenant_id=owner.organization).status == 200


def logs_in(url: str, email: str, password: str) -> Reply:
    body = json.dumps({"email": email, "password": password}).encode()
    return Wire(url).send("POST", "/api/v1/auth/login", body, content_type="application/json")


def test_mail_addresses_that_look_alike_are_one(owner: SignedIn) -> None:
    name, _, domain = owner.user.email.partition("@")
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in name)
    for email in (owner.user.email.upper(), f"  {owner.user.email} ", f"{wide}@{domain}"):
        assert logs_in(owner.api.url, email, owner.user.password).status == 200
    body = {
        "email": f"{wide.upper()}@{domain}",
        "password": owner.user.password,
        "name": "x",
        "organization": {"name": "y"},
    }
    sent = json.dumps(body).encode()
    taken = Wire(owner.api.url).send("POST", "/api/v1/auth/signup", sent, content_type="application/json")
    assert (taken.status, taken.json["code"]) == (409, "email-taken")


@pytest.mark.parametrize(
    "password", ["", "x" * 1025, "x" * 1_000_000, "a\x00b", None, 7, ["x"]], ids=lambda one: str(one)[:9]
)
def test_what_is_no_password_is_refused(owner: SignedIn, password: Any) -> None:
    assert logs_in(owner.api.url, owner.user.email, password).status in REFUSED


def test_an_unknown_user_and_a_wrong_password_hear_the_same(owner: SignedIn) -> None:
    told = [
        logs_in(owner.api.url, email, "not the password")
        for email in (owner.user.email, f"{uuid4().hex}@nowhere.example")
    ]
    first, second = ({**reply.json, "instance": ""} for reply in told)
    assert first == second
    assert [reply.status for reply in told] == [401, 401]


@pytest.mark.parametrize("status", ["suspended", "closed"])
def test_nobody_works_in_an_organization_that_is_not_open(stack: Stack, status: str) -> None:
    somebody = newcomer(stack.api_url, "closed")
    tokens = logs_in(stack.api_url, somebody.user.email, somebody.user.password).json
    with psycopg.connect(stack.database_admin_url, autocommit=True) as admin:
        admin.execute(
            "UPDATE tenants SET status = %s, status_since = now() WHERE tenant_id = %s", (status, somebody.organization)
        )
    assert logs_in(stack.api_url, somebody.user.email, somebody.user.password).json["code"] == f"organization-{status}"
    body = json.dumps({"refresh_token": tokens["refresh_token"]}).encode()
    refused = Wire(stack.api_url).send("POST", "/api/v1/auth/refresh", body, content_type="application/json")
    assert (refused.status, refused.json["code"]) == (403, f"organization-{status}")
    # Timed work may have told the doors in between: then the token has ended.
    answers = ((403, f"organization-{status}"), (401, "unauthenticated"))
    there = Wire(stack.api_url, tokens["access_token"])
    for path, sent in (
        ("switch", {"organization": somebody.organization}),
        ("step-up", {"password": somebody.user.password}),
    ):
        raw = json.dumps(sent).encode()
        refused = there.send("POST", f"/api/v1/auth/{path}", raw, content_type="application/json")
        assert (refused.status, refused.json["code"]) in answers, path


def test_a_member_who_was_removed_gets_no_more_tokens(stack: Stack) -> None:
    somebody = newcomer(stack.api_url, "removed")
    tokens = logs_in(stack.api_url, somebody.user.email, somebody.user.password).json
    with psycopg.connect(stack.database_admin_url, autocommit=True) as admin:
        admin.execute("DELETE FROM memberships WHERE tenant_id = %s", (somebody.organization,))
    body = json.dumps({"refresh_token": tokens["refresh_token"]}).encode()
    wire = Wire(stack.api_url)
    assert wire.send("POST", "/api/v1/auth/refresh", body, content_type="application/json").status == 401
    assert logs_in(stack.api_url, somebody.user.email, somebody.user.password).json["code"] == "no-membership"
