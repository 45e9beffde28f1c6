"""A table of leases that tests of many sandboxes share."""

from collections.abc import Iterator

import pytest

from local.stack import Stack
from tests.dynamo import Watched, dynamo_table, watched


@pytest.fixture(scope="module")
def name(servers: Stack) -> Iterator[str]:
    """A table of one module's."""
    with dynamo_table(servers) as made:
        yield made


@pytest.fixture
def table(name: str) -> Iterator[Watched]:
    """The same, opened for one test."""
    with watched(name) as opened:
        yield opened
