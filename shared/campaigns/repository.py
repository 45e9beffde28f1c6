"""Campaigns in PostgreSQL."""

from typing import Any, LiteralString
from uuid import UUID

from psycopg import errors

from shared.campaigns.errors import CampaignNotFound, UnknownSites
from shared.campaigns.model import Campaign, CampaignId, CampaignType, Status
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction

_COLUMNS: LiteralString = """
    id, name, type, status, budget, currency, starts_at, ends_at,
    ARRAY(SELECT s.site_id FROM campaign_sites s
          WHERE s.tenant_id = c.tenant_id AND s.campaign_id = c.id ORDER BY s.site_id),
    version, created_by, created_at, updated_at, launched_at"""
_SHOW: LiteralString = f"SELECT {_COLUMNS} FROM campaigns c WHERE tenant_id = %s AND id = %s"
_LOCK: LiteralString = f"{_SHOW} FOR UPDATE"
_PAGE: LiteralString = f"""
    SELECT {_COLUMNS} FROM campaigns c
    WHERE tenant_id = %(tenant)s
      AND (%(status)s::text IS NULL OR status = %(status)s)
      AND (%(after)s::uuid IS NULL OR id < %(after)s)
    ORDER BY id DESC LIMIT %(limit)s"""
_INSERT: LiteralString = """
    INSERT INTO campaigns (tenant_id, id, name, type, status, budget, currency, starts_at, ends_at, version,
                           created_by, created_at, updated_at, launched_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""
_UPDATE: LiteralString = """
    UPDATE campaigns SET name = %(name)s, type = %(type)s, status = %(status)s, budget = %(budget)s,
           currency = %(currency)s, starts_at = %(starts_at)s, ends_at = %(ends_at)s, version = %(version)s,
           updated_at = %(updated_at)s, launched_at = %(launched_at)s
    WHERE tenant_id = %(tenant)s AND id = %(id)s"""
_ADD_SITES: LiteralString = """
    INSERT INTO campaign_sites (tenant_id, campaign_id, site_id) SELECT %s, %s, unnest(%s::uuid[])"""
_CLEAR_SITES: LiteralString = "DELETE FROM campaign_sites WHERE tenant_id = %s AND campaign_id = %s"
_PERFORMANCE: LiteralString = """
    SELECT CASE WHEN p.day IS NOT NULL THEN json_build_object(
        'day', p.day, 'footfall', p.footfall, 'transactions', p.transactions, 'revenue', p.revenue::text,
        'refreshed_at', app.rfc3339(p.refreshed_at))::text END
    FROM campaigns c LEFT JOIN campaign_performance p ON p.tenant_id = c.tenant_id AND p.campaign_id = c.id
    WHERE c.tenant_id = %s AND c.id = %s ORDER BY p.day"""
_HISTORY: LiteralString = """
    SELECT CASE WHEN a.id IS NOT NULL THEN json_build_object(
        'id', a.id, 'at', app.rfc3339(a.at), 'actor', a.actor, 'action', a.action, 'details', a.details)::text END, a.id
    FROM campaigns c
    LEFT JOIN audit_log a ON a.tenant_id = c.tenant_id AND a.subject = 'campaign/' || c.id
                         AND (%(after)s::uuid IS NULL OR a.id < %(after)s)
    WHERE c.tenant_id = %(tenant)s AND c.id = %(campaign)s
    ORDER BY a.id DESC LIMIT %(limit)s"""


class CampaignRepository:
    """Reads and writes campaigns of one tenant at a time."""

    def show(self, database: Database, tenant: TenantContext, campaign: CampaignId) -> Campaign:
        """A campaign. Errors: CampaignNotFound."""
        rows = database.read(tenant, _SHOW, (tenant.tenant, campaign))
        if not rows:
            raise CampaignNotFound
        return _campaign(rows[0])

    def page(
        self, database: Database, tenant: TenantContext, *, status: str | None, after: UUID | None, limit: int
    ) -> list[Campaign]:
        """Campaigns, newest first, `limit` at most."""
        values = {"tenant": tenant.tenant, "status": status, "after": after, "limit": limit}
        return [_campaign(row) for row in database.read(tenant, _PAGE, values)]

    def lock(self, tx: Transaction, campaign: CampaignId) -> Campaign:
        """The campaign, held until the transaction ends."""
        row = tx.one(_LOCK, (tx.tenant.tenant, campaign))
        if row is None:
            raise CampaignNotFound
        return _campaign(row)

    def insert(self, tx: Transaction, campaign: Campaign) -> None:
        """Queue a new campaign and the sites it runs at."""
        tx.run(
            _INSERT,
            (
                tx.tenant.tenant,
                campaign.id,
                campaign.name,
                campaign.type,
                campaign.status,
                campaign.budget,
                campaign.currency,
                campaign.starts_at,
                campaign.ends_at,
                campaign.version,
                campaign.created_by,
                campaign.created_at,
                campaign.updated_at,
                campaign.launched_at,
            ),
        )
        self._place(tx, campaign)

    def update(self, tx: Transaction, campaign: Campaign) -> None:
        """Queue a campaign's new particulars."""
        tx.run(
            _UPDATE,
            {
                "tenant": tx.tenant.tenant,
                "id": campaign.id,
                "name": campaign.name,
                "type": campaign.type,
                "status": campaign.status,
                "budget": campaign.budget,
                "currency": campaign.currency,
                "starts_at": campaign.starts_at,
                "ends_at": campaign.ends_at,
                "version": campaign.version,
                "updated_at": campaign.updated_at,
                "launched_at": campaign.launched_at,
            },
        )

    def move(self, tx: Transaction, campaign: Campaign) -> None:
        """Run the campaign at other sites than before."""
        tx.run(_CLEAR_SITES, (tx.tenant.tenant, campaign.id))
        self._place(tx, campaign)

    def performance(self, database: Database, tenant: TenantContext, campaign: CampaignId) -> list[str | None]:
        """The JSON of each day of a campaign's performance; one None where there is none yet."""
        rows = database.read(tenant, _PERFORMANCE, (tenant.tenant, campaign))
        if not rows:
            raise CampaignNotFound
        return [row[0] for row in rows]

    def history(
        self, database: Database, tenant: TenantContext, campaign: CampaignId, *, after: UUID | None, limit: int
    ) -> list[tuple[str, UUID]]:
        """JSON and id of what was done to a campaign, newest first. Errors: CampaignNotFound."""
        values = {"tenant": tenant.tenant, "campaign": campaign, "after": after, "limit": limit}
        rows = database.read(tenant, _HISTORY, values)
        if not rows:
            raise CampaignNotFound
        return [(row[0], row[1]) for row in rows if row[1] is not None]

    @staticmethod
    def _place(tx: Transaction, campaign: Campaign) -> None:
        if not campaign.site_ids:
            return
        try:
            tx.one(_ADD_SITES + " RETURNING 1", (tx.tenant.tenant, campaign.id, list(campaign.site_ids)))
        except errors.ForeignKeyViolation as error:
            raise UnknownSites from error


def _campaign(row: tuple[Any, ...]) -> Campaign:
    return Campaign(
        id=CampaignId(row[0]),
        name=row[1],
        type=CampaignType(row[2]),
        status=Status(row[3]),
        budget=row[4],
        currency=row[5],
        starts_at=row[6],
        ends_at=row[7],
        site_ids=tuple(row[8]),
        version=row[9],
        created_by=row[10],
        created_at=row[11],
        updated_at=row[12],
        launched_at=row[13],
    )
