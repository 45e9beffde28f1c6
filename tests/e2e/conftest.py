"""The deployed platform, by its address: the local stack, or any deployment that RMAP_API_URL names.

A test that takes `api_url`, or something made of it, judges any deployment. One that takes `stack` looks behind the
address (database, queues, keys, mails, the receiver) and is skipped where RMAP_API_URL names another deployment.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import jwt
import pytest

from infra.settings import STAGES
from local.demo.api import Api, connection_to
from local.demo.tenants import DemoUser, SignedIn, log_in, sign_up
from local.stack import Stack
from shared.identity.gateway.tokens import TokenSigner
from tenant_context.aws import AwsClient
from tenant_context.clock import utc_now
from tenant_context.dynamo import Table
from tenant_context.key_ring import KeyRing

SOON = 30.0
"""Seconds that a test waits for what is promised within five or ten: tests with a clock of their own hold the promise,
a busy machine is given time."""
TIMED_WORK = 240.0
"""Seconds that a test waits for an item of timed work: in an hour's first minutes every tenant's are before it."""


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
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            named.setdefault("authorization", f"Bearer {self.token}")
        connection = connection_to(self.url)
        try:
            connection.request(method, urlsplit(self.url).path + path, body, named)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())
        finally:
            connection.close()


ELSEWHERE = os.environ.get("RMAP_API_URL", "").rstrip("/")


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Stack:
    """The local stack; whoever needs what is behind its address is skipped where another deployment is judged."""
    if ELSEWHERE:
        pytest.skip("needs the local stack: it looks behind the address, and RMAP_API_URL names another deployment")
    running: Stack = request.getfixturevalue("stack")
    return running


@pytest.fixture(scope="session")
def api_url(request: pytest.FixtureRequest) -> str:
    """Where the platform is."""
    if ELSEWHERE:
        return ELSEWHERE
    running: Stack = request.getfixturevalue("stack")
    return running.api_url


def newcomer(url: str, name: str) -> SignedIn:
    """A fresh organization with its owner, logged in."""
    mark = f"{name}-{uuid4().hex[:10]}"
    user = DemoUser(name.title(), mark, f"Owner of {name}", f"owner@{mark}.example", f"password-of-{mark}")
    sign_up(url, user)
    return log_in(url, user)


def secure(send: Callable[..., Reply], where: str, **wanted: bool) -> Reply:
    """Change how an organization at `where` lets people in; its billing, that begins meanwhile, changes it too."""
    body = {"mfa_required": False, "sso_only": False, **wanted}

    def change() -> Reply:
        return send("PUT", f"{where}/security", body, if_match=send("GET", where).headers["etag"])

    answers = (change() for _ in range(10))
    return next(answer for answer in answers if answer.status != 412)


_LATELY = 300.0
"""Seconds after which a tenant of the tests is not given to another module: its token would end in the midst of it."""
_newcomers: dict[str, tuple[float, SignedIn]] = {}


def lately(url: str, name: str) -> SignedIn:
    """The tenant of this test process that signed up lately, or a fresh one."""
    known = _newcomers.get(name)
    if known is None or time.monotonic() - known[0] > _LATELY:
        known = _newcomers[name] = time.monotonic(), newcomer(url, name)
    return known[1]


@pytest.fixture(scope="module")
def acme(api_url: str) -> SignedIn:
    """One tenant."""
    return lately(api_url, "acme")


@pytest.fixture(scope="module")
def globex(api_url: str) -> SignedIn:
    """Another."""
    return lately(api_url, "globex")


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def provider(stack: Stack) -> Iterator[Any]:
    """A certified identity provider, which knows the platform as its client."""
    from tests.e2e.providers import running  # noqa: PLC0415  it waits by what stands here

    with running(f"{stack.api_url}/api/v1/auth/sso/callback") as found:
        yield found


@pytest.fixture
def house(stack: Stack, provider: Any) -> Any:
    """An organization that logs its people in by that provider."""
    from tests.e2e.houses import found  # noqa: PLC0415  it is made of what stands here

    return found(stack, provider)
