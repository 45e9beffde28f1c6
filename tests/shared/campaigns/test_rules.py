"""What may happen to a campaign in each status, and what becomes of its flight."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from shared.campaigns.errors import ActionNotAllowed, CampaignNotEditable, FlightEndsBeforeItStarts, FlightIsOver
from shared.campaigns.model import Action, Campaign, CampaignDraft, CampaignId, CampaignType, Status
from shared.campaigns.rules import EVENT_OF, act, amend, create

MADE = datetime(2026, 3, 2, 9, tzinfo=UTC)
NOW = MADE + timedelta(hours=1)
AUTHOR = UUID(int=1)
DRAFT = CampaignDraft(
    name="Spring",
    type=CampaignType.IN_STORE,
    budget=Decimal("1250.00"),
    currency="EUR",
    starts_at=None,
    ends_at=None,
    site_ids=(),
)

LIFE = {
    (Status.DRAFT, Action.LAUNCH): Status.ACTIVE,
    (Status.ACTIVE, Action.PAUSE): Status.PAUSED,
    (Status.PAUSED, Action.RESUME): Status.ACTIVE,
    (Status.ACTIVE, Action.COMPLETE): Status.COMPLETED,
    (Status.PAUSED, Action.COMPLETE): Status.COMPLETED,
    (Status.DRAFT, Action.ARCHIVE): Status.ARCHIVED,
    (Status.COMPLETED, Action.ARCHIVE): Status.ARCHIVED,
}
"""Every step there is; all others are refused."""
STEPS = [(status, action) for status in Status for action in Action]


def campaign(status: Status = Status.DRAFT, *, ends_at: datetime | None = None) -> Campaign:
    made = create(CampaignId(UUID(int=2)), DRAFT, AUTHOR, MADE)
    launched = MADE if status in {Status.ACTIVE, Status.PAUSED, Status.COMPLETED} else None
    return replace(made, status=status, starts_at=launched, launched_at=launched, ends_at=ends_at)


@pytest.mark.parametrize(("status", "action"), STEPS)
def test_an_action_moves_a_campaign_or_is_refused(status: Status, action: Action) -> None:
    before = campaign(status)
    becomes = LIFE.get((status, action))
    if becomes is None:
        with pytest.raises(ActionNotAllowed, match=f"To {action}, a campaign must be .*; this one is {status}"):
            act(before, action, NOW)
    else:
        after = act(before, action, NOW)
        assert (after.status, after.version, after.updated_at) == (becomes, 2, NOW)


@pytest.mark.parametrize(("status", "action"), [step for step in LIFE if step[1] is not Action.LAUNCH])
def test_only_a_launch_touches_the_flight(status: Status, action: Action) -> None:
    before = campaign(status, ends_at=NOW + timedelta(days=7))
    after = act(before, action, NOW)
    assert replace(after, status=before.status, version=1, updated_at=before.updated_at) == before


def test_every_action_has_an_event_of_its_own() -> None:
    assert set(EVENT_OF) == set(Action)
    assert len(set(EVENT_OF.values())) == len(Action)


def test_a_new_campaign_is_a_draft_at_each_of_its_sites_once() -> None:
    first, second = UUID(int=8), UUID(int=9)
    made = create(CampaignId(UUID(int=2)), replace(DRAFT, site_ids=(second, first, second)), AUTHOR, MADE)
    assert (made.status, made.version, made.launched_at, made.starts_at) == (Status.DRAFT, 1, None, None)
    assert (made.created_by, made.created_at, made.updated_at) == (AUTHOR, MADE, MADE)
    assert made.site_ids == (first, second)


def test_a_launch_starts_a_flight_that_has_no_start() -> None:
    launched = act(campaign(), Action.LAUNCH, NOW)
    assert (launched.starts_at, launched.launched_at) == (NOW, NOW)


@pytest.mark.parametrize("starts_at", [MADE - timedelta(days=400), NOW + timedelta(days=30)])
def test_a_launch_leaves_a_start_that_was_given(starts_at: datetime) -> None:
    launched = act(replace(campaign(), starts_at=starts_at), Action.LAUNCH, NOW)
    assert (launched.starts_at, launched.launched_at) == (starts_at, NOW)


@pytest.mark.parametrize("ends_at", [MADE, NOW])
def test_a_flight_that_would_start_after_its_end_cannot_be_launched(ends_at: datetime) -> None:
    with pytest.raises(FlightIsOver):
        act(campaign(ends_at=ends_at), Action.LAUNCH, NOW)
    act(campaign(ends_at=NOW + timedelta(microseconds=1)), Action.LAUNCH, NOW)


@pytest.mark.parametrize("length", [timedelta(0), timedelta(microseconds=-1), timedelta(days=-9)])
def test_a_flight_ends_after_it_starts(length: timedelta) -> None:
    backwards = replace(DRAFT, starts_at=NOW, ends_at=NOW + length)
    with pytest.raises(FlightEndsBeforeItStarts):
        create(CampaignId(UUID(int=2)), backwards, AUTHOR, MADE)
    with pytest.raises(FlightEndsBeforeItStarts):
        amend(campaign(), backwards, NOW)


def test_an_amendment_replaces_particulars_and_nothing_else() -> None:
    site, starts_at = UUID(int=8), NOW + timedelta(days=1)
    other = CampaignDraft("Summer", CampaignType.META_ADS, Decimal(1), "USD", starts_at, None, (site,))
    after = amend(campaign(), other, NOW)
    assert (after.name, after.type, after.budget, after.currency) == ("Summer", "meta_ads", Decimal(1), "USD")
    assert (after.starts_at, after.ends_at, after.site_ids) == (starts_at, None, (site,))
    assert (after.status, after.version, after.created_at, after.updated_at) == (Status.DRAFT, 2, MADE, NOW)


@pytest.mark.parametrize("status", Status)
def test_what_is_completed_or_archived_stays_as_it_is(status: Status) -> None:
    if status in {Status.COMPLETED, Status.ARCHIVED}:
        with pytest.raises(CampaignNotEditable, match=status):
            amend(campaign(status), DRAFT, NOW)
    else:
        assert amend(campaign(status), DRAFT, NOW).status is status


def test_what_was_launched_keeps_its_start_when_an_amendment_names_none() -> None:
    """Without one, no refresh would find its flight."""
    launched = act(campaign(), Action.LAUNCH, NOW)
    assert amend(launched, DRAFT, NOW).starts_at == NOW
    with pytest.raises(FlightEndsBeforeItStarts):
        amend(launched, replace(DRAFT, ends_at=NOW), NOW)
    assert amend(campaign(), DRAFT, NOW).starts_at is None
