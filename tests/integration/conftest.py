"""What the tests of uploads have in common."""

from collections.abc import Iterator

import pytest

from local.stack import Stack
from tenant_context.context import TenantContext
from tenant_context.postgres import Database
from tests.integration.bulk import House


@pytest.fixture
def house(servers: Stack, database: Database, two_tenants: tuple[TenantContext, TenantContext]) -> Iterator[House]:
    """Acme's uploads, with one sensor."""
    made = House(servers, database, two_tenants[0])
    made.add_sensor("door")
    yield made
    made.remove()
