"""Every address of the deployed platform, asked as every role: what docs/api/roles.md says, and nothing else."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import jwt
import pytest

from local.demo.tenants import SignedIn
from local.openapi.roles import may
from local.stack import Stack
from shared.identity.gateway.tokens import TokenSigner
from tenant_context.clock import uuid7
from tenant_context.permissions import ROLES
from tenant_context.routing import Proof, Route
from tests.e2e.conftest import Wire, newcomer, platform_signer
from tests.isolation.test_addresses import ROUTES, ask, name_of
from tests.isolation.things import parameters

REFUSED = {403}


@pytest.fixture(scope="module")
def signer(stack: Stack) -> Iterator[TokenSigner]:
    with platform_signer(stack) as found:
        yield found


@pytest.fixture(scope="module")
def somebody(stack: Stack) -> SignedIn:
    return newcomer(stack.api_url, "roles")


def as_role(signer: TokenSigner, somebody: SignedIn, permissions: list[str], **more: Any) -> Wire:
    """The same user's wire, in another role."""
    claims = jwt.decode(somebody.token, options={"verify_signature": False})
    return Wire(somebody.api.url, signer.sign({**claims, "permissions": permissions, **more}))


def nowhere(route: Route) -> dict[str, str]:
    """Ids of nothing, so that asking changes nothing."""
    return {name: str(uuid7()) if name.endswith("_id") else "000000000000" for name in parameters(route)}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", ROUTES, ids=name_of)
def test_a_role_may_what_the_matrix_says(signer: TokenSigner, somebody: SignedIn, route: Route, role: str) -> None:
    # Of a user who has nothing: what ends sessions ends none of somebody's.
    nobody = {"sub": str(uuid7()), "sid": str(uuid7())}
    wire = as_role(signer, somebody, sorted(ROLES[role]), role=role, **nobody)
    # A body that is no JSON is refused after permission was judged, and before anything is done.
    reply = ask(wire, route, nowhere(route), b"not json" if route.body is not None else None)
    assert (reply.status in REFUSED) == (not may(role, route)), (reply.status, reply.body)
    assert reply.status < 500


@pytest.mark.parametrize("route", [route for route in ROUTES if route.recent], ids=name_of)
def test_what_is_sensitive_refuses_an_old_proof_whatever_the_role(
    signer: TokenSigner, somebody: SignedIn, route: Route
) -> None:
    wire = as_role(signer, somebody, ["*"], auth_time=1)
    reply = ask(wire, route, nowhere(route), b"not json")
    assert (reply.status, reply.json["code"]) == (401, "step-up-required")


def test_a_route_that_takes_tokens_declares_who_may_ask_it() -> None:
    assert all(route.permission for route in ROUTES if route.proof is Proof.TOKEN)
    assert len(ROUTES) > 40


def test_permissions_beyond_the_role_are_judged_by_the_claim(signer: TokenSigner, somebody: SignedIn) -> None:
    wire = as_role(signer, somebody, ["sites.read"], role="nobody")
    assert wire.send("GET", "/api/v1/sites").status == 200
    assert wire.send("GET", "/api/v1/campaigns").status == 403
    assert wire.send("GET", f"/api/v1/sites/{UUID(int=7)}").status == 404
