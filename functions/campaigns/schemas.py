"""The wire's shapes of campaigns."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.campaigns.model import CampaignDraft, CampaignType, Status
from tenant_context.wire import Currency, In, Moment, Money, Name, Out, PageQuery


class CampaignIn(In):
    """A campaign as a caller describes it."""

    name: Name
    type: CampaignType = CampaignType.IN_STORE
    budget: Money
    currency: Currency = "USD"
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    site_ids: Annotated[list[UUID], Field(max_length=1000)] = []

    def draft(self) -> CampaignDraft:
        """The domain's form."""
        return CampaignDraft(
            name=self.name,
            type=self.type,
            budget=self.budget,
            currency=self.currency,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            site_ids=tuple(self.site_ids),
        )


class CampaignOut(Out):
    """A campaign as the API answers it."""

    id: UUID
    name: str
    type: CampaignType
    status: Status
    budget: str
    currency: str
    starts_at: str | None
    ends_at: str | None
    site_ids: list[UUID]
    version: int
    created_by: UUID | None
    created_at: str
    updated_at: str
    launched_at: str | None


class CampaignPage(Out):
    """A page of campaigns, newest first."""

    items: list[CampaignOut]
    next_cursor: str | None


class CampaignQuery(PageQuery):
    """Which campaigns."""

    status: Status | None = None


class PerformanceDay(Out):
    """One day of a campaign's flight, in the zone of each of its sites."""

    day: str
    footfall: int
    transactions: int
    revenue: str
    refreshed_at: str


class PerformanceOut(Out):
    """How a campaign performs, as of the last refresh."""

    items: list[PerformanceDay]


class HistoryEntry(Out):
    """One thing done to a campaign."""

    id: UUID
    at: str
    actor: str
    action: str
    details: dict[str, object]


class HistoryPage(Out):
    """A page of a campaign's history, newest first."""

    items: list[HistoryEntry]
    next_cursor: str | None
