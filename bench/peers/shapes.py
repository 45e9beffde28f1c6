"""The peer's wire shapes: pydantic, as FastAPI has them, with the checks that ours makes."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator


class CampaignType(StrEnum):
    """Where a campaign runs."""

    IN_STORE = "in_store"
    ONSITE = "onsite"
    OFFSITE = "offsite"
    GOOGLE_ADS = "google_ads"
    META_ADS = "meta_ads"


class Status(StrEnum):
    """Where a campaign stands."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    ARCHIVED = "archived"


class CampaignIn(BaseModel):
    """A campaign as a caller describes it."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=255)]
    type: CampaignType = CampaignType.IN_STORE
    budget: Annotated[Decimal, Field(ge=0, max_digits=14, decimal_places=2)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    site_ids: Annotated[list[UUID], Field(max_length=1000)] = []

    @model_validator(mode="after")
    def _ends_after_start(self) -> "CampaignIn":
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValueError("ends_at must be after starts_at")
        return self


class CampaignOut(BaseModel):
    """A campaign as the API answers it."""

    id: UUID
    name: str
    type: CampaignType
    status: Status
    budget: Decimal
    currency: str
    starts_at: datetime | None
    ends_at: datetime | None
    site_ids: list[UUID]
    version: int
    created_by: UUID
    created_at: datetime
    updated_at: datetime
    launched_at: datetime | None


class CampaignPage(BaseModel):
    """A page of campaigns, newest first."""

    items: list[CampaignOut]
    next_cursor: str | None
