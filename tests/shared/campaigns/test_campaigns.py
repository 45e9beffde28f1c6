"""A campaign's life on PostgreSQL, with two tenants: what is stored, what is told and what the history says."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from shared.campaigns.errors import ActionNotAllowed, CampaignNotFound, FlightIsOver, UnknownSites
from shared.campaigns.model import Action, Campaign, CampaignDraft, CampaignId, CampaignType, Status
from shared.campaigns.service import Campaigns
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext, from_key
from tenant_context.errors import PreconditionFailed
from tenant_context.postgres import Database

Tenants = tuple[TenantContext, TenantContext]

DRAFT = CampaignDraft(
    name="Spring",
    type=CampaignType.IN_STORE,
    budget=Decimal("1250.00"),
    currency="EUR",
    starts_at=None,
    ends_at=None,
    site_ids=(),
)


@pytest.fixture
def campaigns(database: Database) -> Campaigns:
    return Campaigns(database, uuid7)


def make(database: Database, campaigns: Campaigns, tenant: TenantContext, draft: CampaignDraft = DRAFT) -> Campaign:
    with database.transaction(tenant) as tx:
        return campaigns.create(tx, draft)


def act(
    database: Database, campaigns: Campaigns, tenant: TenantContext, campaign: CampaignId, *actions: Action
) -> Campaign:
    for action in actions:
        with database.transaction(tenant) as tx:
            after = campaigns.act(tx, campaign, action)
    return after


def add_site(database: Database, tenant: TenantContext) -> UUID:
    site = uuid7()
    with database.transaction(tenant) as tx:
        tx.run(
            "INSERT INTO sites (tenant_id, id, name, code, time_zone, created_at, updated_at)"
            " VALUES (%s, %s, 'Main', %s, 'UTC', now(), now())",
            (tenant.tenant, site, site.hex),
        )
    return site


def told(database: Database, tenant: TenantContext) -> list[tuple[str, dict[str, Any]]]:
    """Type and data of the tenant's events about campaigns, in the order of the campaign's versions."""
    rows = database.read(tenant, "SELECT type, data FROM outbox WHERE subject LIKE 'campaign/%'")
    return sorted(((row[0], row[1]) for row in rows), key=lambda event: (event[1]["id"], event[1]["version"]))


def test_a_campaign_is_read_as_it_was_made(database: Database, campaigns: Campaigns, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    sites = tuple(sorted(add_site(database, acme) for _ in range(2)))
    start = datetime(2026, 3, 2, 9, tzinfo=UTC)
    full = replace(DRAFT, starts_at=start, ends_at=start + timedelta(days=7), site_ids=sites)
    made = make(database, campaigns, acme, full)
    assert campaigns.show(acme, made.id) == made
    assert (made.site_ids, made.created_by) == (sites, acme.user)


def test_a_campaign_lives_from_draft_to_archive(database: Database, campaigns: Campaigns, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    made = make(database, campaigns, acme)
    life = [Action.LAUNCH, Action.PAUSE, Action.RESUME, Action.COMPLETE, Action.ARCHIVE]
    after = act(database, campaigns, acme, made.id, *life)
    assert (after.status, after.version) == (Status.ARCHIVED, 6)
    assert campaigns.show(acme, made.id) == after
    assert [(kind, data["status"]) for kind, data in told(database, acme)] == [
        ("campaign.created", "draft"),
        ("campaign.launched", "active"),
        ("campaign.paused", "paused"),
        ("campaign.resumed", "active"),
        ("campaign.completed", "completed"),
        ("campaign.archived", "archived"),
    ]


@pytest.mark.parametrize("action", [Action.PAUSE, Action.RESUME, Action.COMPLETE])
def test_a_refused_action_changes_and_tells_nothing(
    database: Database, campaigns: Campaigns, two_tenants: Tenants, action: Action
) -> None:
    acme, _ = two_tenants
    made = make(database, campaigns, acme)
    with pytest.raises(ActionNotAllowed):
        act(database, campaigns, acme, made.id, action)
    assert campaigns.show(acme, made.id) == made
    assert [kind for kind, _ in told(database, acme)] == ["campaign.created"]


def test_a_flight_that_is_over_is_refused_in_words(
    database: Database, campaigns: Campaigns, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    made = make(database, campaigns, acme, replace(DRAFT, ends_at=datetime(2020, 1, 1, tzinfo=UTC)))
    with pytest.raises(FlightIsOver):
        act(database, campaigns, acme, made.id, Action.LAUNCH)


def test_a_clone_is_a_draft_of_its_own_without_a_flight(
    database: Database, campaigns: Campaigns, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    site, start = add_site(database, acme), datetime(2026, 3, 2, 9, tzinfo=UTC)
    full = replace(DRAFT, name="n" * 255, starts_at=start, ends_at=start + timedelta(days=7), site_ids=(site,))
    source = make(database, campaigns, acme, full)
    source = act(database, campaigns, acme, source.id, Action.LAUNCH, Action.COMPLETE)
    with database.transaction(acme) as tx:
        copy = campaigns.clone(tx, source.id)
    assert copy.id != source.id
    assert copy.name == "n" * 248 + " (copy)"
    assert (copy.type, copy.budget, copy.currency, copy.site_ids) == (
        source.type, source.budget, source.currency, (site,),
    )  # fmt: skip
    assert (copy.status, copy.version) == (Status.DRAFT, 1)
    assert (copy.starts_at, copy.ends_at, copy.launched_at) == (None, None, None)
    assert campaigns.show(acme, copy.id) == copy
    assert campaigns.show(acme, source.id) == source


def test_an_amendment_moves_a_campaign_to_other_sites(
    database: Database, campaigns: Campaigns, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    before, after = add_site(database, acme), add_site(database, acme)
    made = make(database, campaigns, acme, replace(DRAFT, site_ids=(before,)))
    with database.transaction(acme) as tx:
        amended = campaigns.amend(tx, made.id, replace(DRAFT, name="Summer", site_ids=(after,)), version=1)
    assert (amended.name, amended.site_ids, amended.version) == ("Summer", (after,), 2)
    assert campaigns.show(acme, made.id) == amended


def test_an_amendment_of_an_older_version_is_refused(
    database: Database, campaigns: Campaigns, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    made = make(database, campaigns, acme)
    act(database, campaigns, acme, made.id, Action.LAUNCH)
    with pytest.raises(PreconditionFailed, match="version 2"), database.transaction(acme) as tx:
        campaigns.amend(tx, made.id, replace(DRAFT, name="Summer"), version=1)
    assert campaigns.show(acme, made.id).name == "Spring"


@pytest.mark.parametrize("whose", ["nobody's", "globex's"])
def test_a_campaign_runs_at_sites_of_its_own_tenant_alone(
    database: Database, campaigns: Campaigns, two_tenants: Tenants, whose: str
) -> None:
    acme, globex = two_tenants
    site = add_site(database, globex) if whose == "globex's" else uuid7()
    with pytest.raises(UnknownSites):
        make(database, campaigns, acme, replace(DRAFT, site_ids=(site,)))
    made = make(database, campaigns, acme)
    with pytest.raises(UnknownSites), database.transaction(acme) as tx:
        campaigns.amend(tx, made.id, replace(DRAFT, site_ids=(site,)), version=1)
    assert campaigns.page(acme, status=None, after=None, limit=10) == [made]


def test_a_campaign_that_a_program_creates_is_no_users(
    database: Database, campaigns: Campaigns, two_tenants: Tenants
) -> None:
    key = from_key("key-1", two_tenants[0].tenant, frozenset({"campaigns.create"}), "request-1")
    assert make(database, campaigns, key).created_by is None


def test_campaigns_are_listed_newest_first_by_status_and_page_by_page(
    database: Database, campaigns: Campaigns, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    made = sorted((make(database, campaigns, acme).id for _ in range(5)), reverse=True)
    make(database, campaigns, globex)
    act(database, campaigns, acme, made[3], Action.LAUNCH)
    first = campaigns.page(acme, status=None, after=None, limit=3)
    second = campaigns.page(acme, status=None, after=first[-1].id, limit=3)
    assert [one.id for one in (*first, *second)] == made
    assert [one.id for one in campaigns.page(acme, status="active", after=None, limit=3)] == [made[3]]


def test_the_history_tells_what_was_done_and_by_whom(
    database: Database, campaigns: Campaigns, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    made = make(database, campaigns, acme)
    make(database, campaigns, acme)
    act(database, campaigns, acme, made.id, Action.LAUNCH, Action.PAUSE)
    rows = campaigns.history(acme, made.id, after=None, limit=10)
    entries = [json.loads(text) for text, _ in rows]
    assert [UUID(entry["id"]) for entry in entries] == [row[1] for row in rows]
    assert [row[1] for row in rows] == sorted((row[1] for row in rows), reverse=True)
    assert {(entry["action"], entry["details"]["version"]) for entry in entries} == {
        ("campaign.created", 1), ("campaign.launched", 2), ("campaign.paused", 3),
    }  # fmt: skip
    assert {entry["actor"] for entry in entries} == {f"user:{acme.user}"}
    pages = [campaigns.history(acme, made.id, after=after, limit=2) for after in (None, rows[1][1], rows[2][1])]
    assert pages == [rows[:2], rows[2:], []]


def test_globex_cannot_reach_a_campaign_of_acme(database: Database, campaigns: Campaigns, two_tenants: Tenants) -> None:
    acme, globex = two_tenants
    made = make(database, campaigns, acme)
    with pytest.raises(CampaignNotFound):
        campaigns.show(globex, made.id)
    with pytest.raises(CampaignNotFound):
        campaigns.history(globex, made.id, after=None, limit=10)
    with pytest.raises(CampaignNotFound):
        campaigns.performance(globex, made.id)
    for action in Action:
        with pytest.raises(CampaignNotFound):
            act(database, campaigns, globex, made.id, action)
    with pytest.raises(CampaignNotFound), database.transaction(globex) as tx:
        campaigns.clone(tx, made.id)
    with pytest.raises(CampaignNotFound), database.transaction(globex) as tx:
        campaigns.amend(tx, made.id, DRAFT, version=1)
    assert campaigns.show(acme, made.id) == made
