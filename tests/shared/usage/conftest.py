"""Stripe's fixtures, and a clock that is set."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tenant_context.postgres import Database
from tests.clocks import Moment
from tests.conftest import Clone
from tests.functions.billing.fixtures import closed_connections, secret_name, stand_in

__all__ = ["closed_connections", "secret_name", "stand_in"]


@pytest.fixture
def moment() -> Moment:
    return Moment(datetime.now(UTC).replace(minute=30, second=0, microsecond=0))


@pytest.fixture
def database(clone: Clone, moment: Moment) -> Iterator[Database]:
    """The kernel's database at the moment of the test."""
    opened = Database(clone.settings(), clock=moment)
    yield opened
    opened.close()
