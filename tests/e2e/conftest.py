"""The deployed platform, by its address: the local stack, or any deployment that RMAP_API_URL names."""

import http.client
import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import jwt
import pytest

from infra.settings import STAGES
from local.demo.api import Api
from local.demo.tenants import DemoUser, SignedIn, log_in, sign_up
from local.stack import Stack
from shared.identity.gateway.tokens import TokenSigner
from tenant_context.aws import AwsClient
from tenant_context.clock import utc_now
from tenant_context.dynamo import Table
from tenant_context.key_ring import KeyRing


@dataclass(frozen=True)
class Reply:
    """An answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Wire:
    """Raw requests: what a careless or hostile client sends."""

    url: str
    token: str = ""

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        parts = urlsplit(self.url)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            named.setdefault("authorization", f"Bearer {self.token}")
        connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        try:
            connection.request(method, parts.path + path, body, named)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())
        finally:
            connection.close()


@pytest.fixture(scope="session")
def api_url(request: pytest.FixtureRequest) -> str:
    """Where the platform is."""
    named = os.environ.get("RMAP_API_URL")
    if named:
        return named
    stack: Stack = request.getfixturevalue("stack")
    return stack.api_url


def newcomer(url: str, name: str) -> SignedIn:
    """A fresh organization with its owner, logged in."""
    mark = f"{name}-{uuid4().hex[:10]}"
    user = DemoUser(name.title(), mark, f"Owner of {name}", f"owner@{mark}.example", f"password-of-{mark}")
    sign_up(url, user)
    return log_in(url, user)


@pytest.fixture(scope="session")
def acme(api_url: str) -> SignedIn:
    """One tenant of this test process."""
    return newcomer(api_url, "acme")


@pytest.fixture(scope="session")
def globex(api_url: str) -> SignedIn:
    """Another."""
    return newcomer(api_url, "globex")


@pytest.fixture(scope="session")
def wire(acme: SignedIn) -> Wire:
    """Raw requests with acme's token."""
    return Wire(acme.api.url, acme.token)


@pytest.fixture(scope="session")
def stranger(api_url: str) -> Wire:
    """Raw requests with no token."""
    return Wire(api_url)


@pytest.fixture
def anonymous(api_url: str) -> Api:
    """The API without a credential."""
    return Api(api_url)


@contextmanager
def platform_signer(stack: Stack) -> Iterator[TokenSigner]:
    """Signs what a thief of the platform's key could, so that only the claims are judged."""
    assert stack.aws_endpoint_url
    with closing(AwsClient("kms")) as kms, closing(AwsClient("dynamodb")) as dynamodb:
        yield TokenSigner(KeyRing(Table(STAGES["local"].named("signing_keys"), dynamodb), utc_now), kms)


@pytest.fixture
def stale(stack: Stack, person: Any) -> str:
    """A token of this person, good in every way, whose log-in was an hour ago."""
    claims = jwt.decode(person.token, options={"verify_signature": False})
    with platform_signer(stack) as signer:
        return signer.sign({**claims, "auth_time": claims["auth_time"] - 3600})
