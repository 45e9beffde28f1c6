"""Sites and sensors of two tenants, on real PostgreSQL and a real directory."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from shared.sites.gateway import Directory
from shared.sites.model import Kind, Site, SiteDraft, SiteId
from shared.sites.repository.sensors import SensorRepository
from shared.sites.repository.sites import SiteRepository
from shared.sites.repository.tree import TreeRepository
from shared.sites.service.sensors import Sensors
from shared.sites.service.sites import Sites
from tenant_context.aws import AwsClient
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table
from tenant_context.postgres import Database
from tests.conftest import Clone

PLAIN = SiteDraft(name="Flagship", code=None, address="", time_zone="Europe/Berlin", metadata={})


@pytest.fixture
def directory(table_name: str) -> Iterator[Directory]:
    wire = AwsClient("dynamodb")
    yield Directory(Table(table_name, wire))
    wire.close()


@pytest.fixture
def acme(clone: Clone, make_tenant: Callable[[str], TenantContext]) -> TenantContext:
    """As many sites as it likes."""
    made = make_tenant("acme")
    with clone.connect() as admin:
        admin.execute("UPDATE tenants SET plan = 'enterprise'")
    return made


@pytest.fixture
def globex(make_tenant: Callable[[str], TenantContext]) -> TenantContext:
    return make_tenant("globex")


@pytest.fixture
def sites(database: Database, directory: Directory) -> Sites:
    return Sites(SiteRepository(database), TreeRepository(database), directory, uuid7, SensorRepository(database))


@pytest.fixture
def sensors(database: Database, directory: Directory) -> Sensors:
    return Sensors(SensorRepository(database), directory, uuid7)


Make = Callable[..., Site]


@pytest.fixture
def make(database: Database, sites: Sites, acme: TenantContext) -> Make:
    """Makes a site of Acme's, or of whose it is said to be."""

    def made(
        kind: str = "site", parent: SiteId | None = None, whose: TenantContext | None = None, **said: object
    ) -> Site:
        draft = replace(PLAIN, **{"name": f"A {kind}", **said}, kind=Kind(kind), parent_id=parent)  # type: ignore[arg-type]
        with database.transaction(whose or acme) as tx:
            return sites.create(tx, draft)

    return made
