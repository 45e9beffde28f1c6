"""Every address says who may use it, and is one that the gateway sends to its function."""

import importlib
import re

import pytest

from infra import catalog
from infra.vocabulary import Function
from tenant_context.permissions import PERMISSIONS, ROLES, allows
from tenant_context.routing import SIGNED_IN, Proof, Route, Routes

WITH_ROUTES = catalog.http_functions()
every_function = pytest.mark.parametrize("row", WITH_ROUTES, ids=lambda row: row.name)

OWNERS_ALONE = {"billing.write", "sso.write"}
"""Who says which provider vouches for people could become anybody, an owner included."""
PUBLIC = {
    "GET /.well-known/jwks.json",
    "GET /.well-known/openid-configuration",
    "POST /api/v1/auth/email/confirm",
    "POST /api/v1/auth/invitations/sign-up",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/login/passkey",
    "POST /api/v1/auth/login/passkey/options",
    "POST /api/v1/auth/login/verify",
    "POST /api/v1/auth/password/forgot",
    "POST /api/v1/auth/password/reset",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/signup",
    "GET /api/v1/auth/sso/callback",
    "POST /api/v1/auth/sso",
    "POST /api/v1/auth/sso/finish",
    "POST /api/v1/stripe/events",  # and those below: proved by their senders' signatures
    "POST /api/v1/inbound/ses",
    "POST /api/v1/inbound/meta",
    "GET /api/v1/inbound/meta",
    "POST /api/v1/inbound/google",
    "POST /api/v1/inbound/tiktok",
    "GET /docs",
    "GET /docs/",
    "GET /docs/{file}",
    "GET /api/v1/docs",
    "GET /api/v1/docs/",
    "GET /api/v1/docs/{file}",
    "GET /health",
    "GET /ready",
    "GET /api/v1/public/organization",  # a page to log in at has to know whose it is before anybody has
    "GET /openapi.json",
    "GET /api/v1/openapi.json",
}
"""Reviewed: what anybody may ask without a credential. A new public address belongs here, with a reason."""


def routes_of(row: Function) -> list[Route]:
    routes = importlib.import_module(f"functions.{row.name}.routes").routes
    assert isinstance(routes, Routes)
    return routes.all


def reaches(key: str, path: str) -> bool:
    """Whether the gateway's route key takes the path."""
    if key == "$default":
        return True
    named = re.escape(key.removeprefix("ANY ")).replace(re.escape("{proxy+}"), ".+")
    pattern = re.sub(r"\\{\w+\\}", "[^/]+", named)
    return re.fullmatch(pattern, path) is not None


@every_function
def test_every_address_declares_a_permission_or_is_known_to_be_public(row: Function) -> None:
    for route in routes_of(row):
        address = f"{route.method} {route.path}"
        if route.proof is Proof.PUBLIC:
            assert address in PUBLIC
        elif route.proof is not Proof.OPERATOR:
            assert route.permission, address


def test_the_list_of_public_addresses_is_no_longer_than_it_needs_to_be() -> None:
    declared = {f"{r.method} {r.path}" for row in WITH_ROUTES for r in routes_of(row) if r.proof is Proof.PUBLIC}
    assert declared == PUBLIC


@every_function
def test_every_permission_is_one_that_some_role_below_the_owner_can_hold(row: Function) -> None:
    """A mistyped permission would be held by the owner's `*` alone, and nobody would notice."""
    below = [grants for role, grants in ROLES.items() if role != "owner"]
    for route in routes_of(row):
        if route.permission and route.permission != SIGNED_IN and route.proof is Proof.TOKEN:
            assert re.fullmatch(r"[a-z_]+\.[a-z_]+", route.permission), route.permission
            assert any(allows(grants, route.permission) for grants in below) or route.permission in OWNERS_ALONE
            assert route.permission in PERMISSIONS, f"add {route.permission} to tenant_context.permissions.PERMISSIONS"


@every_function
def test_every_address_is_sent_to_its_function(row: Function) -> None:
    """The gateway prefers the most specific key, and so must the catalog's owner of the address be."""
    for route in routes_of(row):
        path = re.sub(r"\{\w+\}", "x", route.path)
        claims = {(key, other.name) for other in WITH_ROUTES for key in catalog.routes(other) if reaches(key, path)}
        assert max(claims, key=lambda claim: specificity(claim[0]))[1] == row.name, route.path


def specificity(key: str) -> tuple[bool, bool, int]:
    """A full match wins, then the longest greedy one, then $default."""
    return key != "$default", "{proxy+}" not in key, len(key)


@every_function
def test_changes_are_declared_as_such(row: Function) -> None:
    for route in routes_of(row):
        assert not (route.writes and route.method == "GET")
        assert route.summary, f"{route.method} {route.path} has no sentence for the API's description"
