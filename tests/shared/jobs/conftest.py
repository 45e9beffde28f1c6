"""What the tests of timed work share: a clock that is set, and a tenant's rows without the functions that make them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from shared.campaigns.model import CampaignDraft, CampaignId, CampaignType
from shared.campaigns.service import Campaigns
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.postgres import Database
from tests.clocks import Moment
from tests.conftest import Clone

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.fixture
def moment() -> Moment:
    return Moment(NOON)


@pytest.fixture
def database(clone: Clone, moment: Moment) -> Iterator[Database]:
    """The kernel's database at the moment of the test."""
    opened = Database(clone.settings(), clock=moment)
    yield opened
    opened.close()


class Stores:
    """One tenant's sites, their rollups and its campaigns."""

    def __init__(self, database: Database, tenant: TenantContext) -> None:
        self._database = database
        self._campaigns = Campaigns(database, uuid7)
        self.tenant = tenant

    def site(self, zone: str) -> UUID:
        site = uuid7()
        with self._database.transaction(self.tenant) as tx:
            tx.run(
                "INSERT INTO sites (tenant_id, id, name, code, time_zone, created_at, updated_at)"
                " VALUES (%s, %s, 'Main', %s, %s, now(), now())",
                (self.tenant.tenant, site, site.hex, zone),
            )
        return site

    def counted(self, site: UUID, bucket: str, entries: int, exits: int = 0) -> None:
        """A quarter of an hour's footfall; said again, it is the new number."""
        with self._database.transaction(self.tenant) as tx:
            tx.run(
                "INSERT INTO footfall_15m (tenant_id, site_id, bucket, entries, exits, intervals, minutes)"
                " VALUES (%s, %s, %s, %s, %s, 1, 15)"
                " ON CONFLICT (tenant_id, site_id, bucket)"
                " DO UPDATE SET entries = excluded.entries, exits = excluded.exits",
                (self.tenant.tenant, site, bucket, entries, exits),
            )

    def sold(self, site: UUID, bucket: str, transactions: int, revenue: str, currency: str = "EUR") -> None:
        with self._database.transaction(self.tenant) as tx:
            tx.run(
                "INSERT INTO sales_15m (tenant_id, site_id, bucket, currency, transactions, cancellations, units,"
                " revenue) VALUES (%s, %s, %s, %s, %s, 0, 1, %s)",
                (self.tenant.tenant, site, bucket, currency, transactions, Decimal(revenue)),
            )

    def campaign(self, starts_at: str | None, ends_at: str | None = None, *sites: UUID) -> CampaignId:
        """A draft in EUR, at these sites or, without any, at all."""
        draft = CampaignDraft(
            name="Spring",
            type=CampaignType.IN_STORE,
            budget=Decimal(100),
            currency="EUR",
            starts_at=datetime.fromisoformat(starts_at) if starts_at else None,
            ends_at=datetime.fromisoformat(ends_at) if ends_at else None,
            site_ids=sites,
        )
        with self._database.transaction(self.tenant) as tx:
            return self._campaigns.create(tx, draft).id


@pytest.fixture
def acme(database: Database, two_tenants: tuple[TenantContext, TenantContext]) -> Stores:
    return Stores(database, two_tenants[0])


@pytest.fixture
def globex(database: Database, two_tenants: tuple[TenantContext, TenantContext]) -> Stores:
    return Stores(database, two_tenants[1])
