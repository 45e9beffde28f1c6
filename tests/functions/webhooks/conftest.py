"""Fixtures of the webhook line."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.stack import Stack
from tenant_context.aws import AwsClient
from tests.conftest import Clone
from tests.functions.webhooks.line import Keys, Line
from tests.functions.webhooks.stores import Receiver, Resources


@pytest.fixture(scope="session")
def keys(servers: Stack) -> Iterator[Keys]:
    """The keys of the run."""
    kms = servers.client("kms")
    signing = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    yield Keys(kms, kms.create_key()["KeyMetadata"]["KeyId"], signing)
    kms.close()


@pytest.fixture
def resources(servers: Stack) -> Iterator[Resources]:
    """Stores of one test's own."""
    made = Resources(servers)
    yield made
    made.remove()


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hangs up on AWS after a test: a function that is loaded anew leaves its clients behind."""
    made: list[AwsClient] = []
    initialise = AwsClient.__init__

    def remember(client: AwsClient, *arguments: Any, **named: Any) -> None:
        initialise(client, *arguments, **named)
        made.append(client)

    monkeypatch.setattr(AwsClient, "__init__", remember)
    yield
    for client in made:
        client.close()


@pytest.fixture
def line(
    clone: Clone, resources: Resources, keys: Keys, monkeypatch: pytest.MonkeyPatch, connections: None
) -> Iterator[Line]:
    """The functions, wired."""
    del connections  # only there to hang up at the end
    made = Line(clone, resources, keys, monkeypatch)
    yield made
    made.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A tenant's own system."""
    made = Receiver()
    yield made
    made.close()
