"""For each test process: one filled database, and two organizations on the deployed platform."""

import json
from collections.abc import Iterator
from typing import cast
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from local.demo.api import Api
from local.demo.tenants import SignedIn
from local.stack import Stack
from tests.e2e.conftest import newcomer
from tests.e2e.providers import running
from tests.isolation.tables import World
from tests.isolation.things import Things


@pytest.fixture(scope="session")
def world(template: str, servers: Stack) -> Iterator[World]:
    """Every table with a row of Acme's and one of Globex's. Tests leave it as they found it."""
    name = f"isolation_{uuid4().hex[:12]}"
    with psycopg.connect(servers.database_admin_url, autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY OWNER rmap_owner").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        try:
            with psycopg.connect(servers.database_admin_url, dbname=name, autocommit=True) as inside:
                made = World(cast("psycopg.Connection[tuple[object, ...]]", inside))
                made.read_catalog()
                made.fill()
                yield made
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def acme(stack: Stack) -> SignedIn:
    """The tenant whose things are looked for."""
    return newcomer(stack.api_url, "acme")


@pytest.fixture(scope="session")
def globex(stack: Stack) -> SignedIn:
    """The tenant that looks for them."""
    return newcomer(stack.api_url, "globex")


@pytest.fixture(scope="session")
def things(stack: Stack, acme: SignedIn) -> Things:
    """One of everything, acme's."""
    return filled(stack, acme)


@pytest.fixture
def spent(stack: Stack) -> Things:
    """One of everything, of a tenant that is there to lose it."""
    return filled(stack, newcomer(stack.api_url, "spent"))


def filled(stack: Stack, owner: SignedIn) -> Things:
    """One of everything."""
    with running(f"{stack.api_url}/api/v1/auth/sso/callback") as provider:
        particulars = {
            "issuer": provider.issuer,
            "client_id": provider.client_id,
            "client_secret": provider.client_secret,
            "return_urls": ["https://acme.example/"],
        }
        where = f"/api/v1/organizations/{owner.organization}/identity-provider"
        owner.api.call("PUT", where, json.dumps(particulars).encode(), {"content-type": "application/json"})
    domains = {"kind": "value", "name": "custom_domains", "amount": 2, "reason": "one of everything"}
    operator = Api(stack.api_url, token=stack.operator_secret)
    operator.post(f"/api/v1/operator/organizations/{owner.organization}/grants", domains)
    return Things.of(owner)
