"""What may happen to a campaign, and when."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from shared.campaigns.errors import ActionNotAllowed, CampaignNotEditable, FlightEndsBeforeItStarts, FlightIsOver
from shared.campaigns.model import Action, Campaign, CampaignDraft, CampaignId, Status

TRANSITIONS: dict[Action, tuple[frozenset[Status], Status]] = {
    Action.LAUNCH: (frozenset({Status.DRAFT}), Status.ACTIVE),
    Action.PAUSE: (frozenset({Status.ACTIVE}), Status.PAUSED),
    Action.RESUME: (frozenset({Status.PAUSED}), Status.ACTIVE),
    Action.COMPLETE: (frozenset({Status.ACTIVE, Status.PAUSED}), Status.COMPLETED),
    Action.ARCHIVE: (frozenset({Status.DRAFT, Status.COMPLETED}), Status.ARCHIVED),
}
EVENT_OF: dict[Action, str] = {
    Action.LAUNCH: "campaign.launched",
    Action.PAUSE: "campaign.paused",
    Action.RESUME: "campaign.resumed",
    Action.COMPLETE: "campaign.completed",
    Action.ARCHIVE: "campaign.archived",
}
EDITABLE = frozenset({Status.DRAFT, Status.ACTIVE, Status.PAUSED})


def create(campaign_id: CampaignId, draft: CampaignDraft, author: UUID | None, now: datetime) -> Campaign:
    """A new campaign: a draft until it is launched."""
    _check_flight(draft.starts_at, draft.ends_at)
    return Campaign(
        id=campaign_id,
        name=draft.name,
        type=draft.type,
        status=Status.DRAFT,
        budget=draft.budget,
        currency=draft.currency,
        starts_at=draft.starts_at,
        ends_at=draft.ends_at,
        site_ids=tuple(sorted(set(draft.site_ids))),
        version=1,
        created_by=author,
        created_at=now,
        updated_at=now,
        launched_at=None,
    )


def amend(campaign: Campaign, draft: CampaignDraft, now: datetime) -> Campaign:
    """The campaign with other particulars, one version later; what has been launched keeps a start."""
    if campaign.status not in EDITABLE:
        raise CampaignNotEditable(f"A campaign that is {campaign.status} stays as it is.")
    starts_at = draft.starts_at or (campaign.starts_at if campaign.launched_at else None)
    _check_flight(starts_at, draft.ends_at)
    return replace(
        campaign,
        name=draft.name,
        type=draft.type,
        budget=draft.budget,
        currency=draft.currency,
        starts_at=starts_at,
        ends_at=draft.ends_at,
        site_ids=tuple(sorted(set(draft.site_ids))),
        version=campaign.version + 1,
        updated_at=now,
    )


def act(campaign: Campaign, action: Action, now: datetime) -> Campaign:
    """The campaign after an action, one version later; a launch starts the flight of one that has no start."""
    allowed, becomes = TRANSITIONS[action]
    if campaign.status not in allowed:
        wanted = " or ".join(sorted(allowed))
        raise ActionNotAllowed(f"To {action}, a campaign must be {wanted}; this one is {campaign.status}.")
    moved = replace(campaign, status=becomes, version=campaign.version + 1, updated_at=now)
    return _launched(moved, now) if action is Action.LAUNCH else moved


def _launched(campaign: Campaign, now: datetime) -> Campaign:
    starts_at = campaign.starts_at or now
    if campaign.ends_at and campaign.ends_at <= starts_at:
        raise FlightIsOver
    return replace(campaign, starts_at=starts_at, launched_at=now)


def _check_flight(starts_at: datetime | None, ends_at: datetime | None) -> None:
    if starts_at and ends_at and ends_at <= starts_at:
        raise FlightEndsBeforeItStarts
