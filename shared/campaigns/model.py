"""The words of a campaign."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NewType
from uuid import UUID

CampaignId = NewType("CampaignId", UUID)


class CampaignType(StrEnum):
    """Where a campaign runs."""

    IN_STORE = "in_store"
    ONSITE = "onsite"
    OFFSITE = "offsite"
    GOOGLE_ADS = "google_ads"
    META_ADS = "meta_ads"


class Status(StrEnum):
    """Where a campaign stands in its life."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    ARCHIVED = "archived"


class Action(StrEnum):
    """What moves a campaign from one status to another."""

    LAUNCH = "launch"
    PAUSE = "pause"
    RESUME = "resume"
    COMPLETE = "complete"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class CampaignDraft:
    """What a caller says of a campaign; `budget` in units of `currency` (ISO 4217)."""

    name: str
    type: CampaignType
    budget: Decimal
    currency: str
    starts_at: datetime | None
    ends_at: datetime | None
    site_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as it stands."""

    id: CampaignId
    name: str
    type: CampaignType
    status: Status
    budget: Decimal
    currency: str
    starts_at: datetime | None
    ends_at: datetime | None
    site_ids: tuple[UUID, ...]
    version: int
    created_by: UUID | None
    """None where a program did, by a key."""
    created_at: datetime
    updated_at: datetime
    launched_at: datetime | None
