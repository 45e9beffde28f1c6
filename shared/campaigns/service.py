"""Campaigns, as a function uses them."""

from uuid import UUID

from shared.campaigns import rules
from shared.campaigns.model import Action, Campaign, CampaignDraft, CampaignId
from shared.campaigns.repository import CampaignRepository
from tenant_context.clock import NewId
from tenant_context.context import TenantContext
from tenant_context.errors import PreconditionFailed
from tenant_context.events import Event
from tenant_context.postgres import Database, Transaction


class Campaigns:
    """Create, change, launch and read campaigns of the caller's tenant."""

    def __init__(self, database: Database, new_id: NewId, repository: CampaignRepository | None = None) -> None:
        self._database = database
        self._new_id = new_id
        self._repository = repository or CampaignRepository()

    def create(self, tx: Transaction, draft: CampaignDraft) -> Campaign:
        """A new draft campaign; emits campaign.created. Errors: UnknownSites, FlightEndsBeforeItStarts."""
        campaign = rules.create(CampaignId(self._new_id()), draft, tx.tenant.user, tx.now)
        self._repository.insert(tx, campaign)
        self._tell(tx, "campaign.created", campaign)
        return campaign

    def amend(self, tx: Transaction, campaign_id: CampaignId, draft: CampaignDraft, version: int) -> Campaign:
        """Other particulars; emits campaign.updated. Errors: PreconditionFailed for a stale version."""
        before = self._at(tx, campaign_id, version)
        after = rules.amend(before, draft, tx.now)
        self._repository.update(tx, after)
        if after.site_ids != before.site_ids:
            self._repository.move(tx, after)
        self._tell(tx, "campaign.updated", after)
        return after

    def act(self, tx: Transaction, campaign_id: CampaignId, action: Action) -> Campaign:
        """Launch, pause, resume, complete or archive; emits the event of the action. Errors: ActionNotAllowed."""
        campaign = rules.act(self._repository.lock(tx, campaign_id), action, tx.now)
        self._repository.update(tx, campaign)
        self._tell(tx, rules.EVENT_OF[action], campaign)
        return campaign

    def clone(self, tx: Transaction, campaign_id: CampaignId) -> Campaign:
        """A draft like an existing campaign, without its flight."""
        source = self._repository.lock(tx, campaign_id)
        draft = CampaignDraft(
            name=f"{source.name[:248]} (copy)",
            type=source.type,
            budget=source.budget,
            currency=source.currency,
            starts_at=None,
            ends_at=None,
            site_ids=source.site_ids,
        )
        return self.create(tx, draft)

    def show(self, tenant: TenantContext, campaign_id: CampaignId) -> Campaign:
        """A campaign. Errors: CampaignNotFound."""
        return self._repository.show(self._database, tenant, campaign_id)

    def page(self, tenant: TenantContext, *, status: str | None, after: UUID | None, limit: int) -> list[Campaign]:
        """Campaigns, newest first."""
        return self._repository.page(self._database, tenant, status=status, after=after, limit=limit)

    def performance(self, tenant: TenantContext, campaign_id: CampaignId) -> list[str]:
        """The JSON of each day of the flight, as of the last refresh."""
        days = self._repository.performance(self._database, tenant, campaign_id)
        return [day for day in days if day is not None]

    def history(
        self, tenant: TenantContext, campaign_id: CampaignId, *, after: UUID | None, limit: int
    ) -> list[tuple[str, UUID]]:
        """JSON and id of what was done to a campaign, newest first."""
        return self._repository.history(self._database, tenant, campaign_id, after=after, limit=limit)

    def _at(self, tx: Transaction, campaign_id: CampaignId, version: int) -> Campaign:
        campaign = self._repository.lock(tx, campaign_id)
        if campaign.version != version:
            raise PreconditionFailed(f"The campaign is at version {campaign.version}; read it again.")
        return campaign

    @staticmethod
    def _tell(tx: Transaction, kind: str, campaign: Campaign) -> None:
        tx.emit(
            Event(
                type=kind,
                subject=f"campaign/{campaign.id}",
                data={
                    "id": str(campaign.id),
                    "name": campaign.name,
                    "type": campaign.type,
                    "status": campaign.status,
                    "budget": str(campaign.budget),
                    "currency": campaign.currency,
                    "version": campaign.version,
                },
            )
        )
