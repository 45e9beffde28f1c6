"""Fixtures for tests around Stripe; a folder's conftest takes what it needs."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.stack import Stack
from tenant_context.aws import AwsClient
from tests.functions.billing.harness import Inspected, queue_of, stripe_secret
from tests.local.harness import Service, StandIn


@pytest.fixture(autouse=True)
def closed_connections() -> Iterator[None]:
    """A sandbox ends with its connections; a test's handler leaves none behind either."""
    yield
    for thing in gc.get_objects():
        if isinstance(thing, AwsClient):
            thing.close()


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    """A Stripe of this test alone."""
    service = Service()
    yield StandIn(service, tmp_path)
    service.stop_all()


@pytest.fixture
def outcomes(servers: Stack) -> Iterator[Inspected]:
    """The queue billing_outcomes of this test."""
    with queue_of(servers) as queue:
        yield queue


@pytest.fixture
def errands(servers: Stack) -> Iterator[Inspected]:
    """The queue billing of this test."""
    with queue_of(servers) as queue:
        yield queue


@pytest.fixture
def secret_name(servers: Stack) -> Iterator[str]:
    """The name of the secret with Stripe's two keys."""
    with stripe_secret(servers) as name:
        yield name
