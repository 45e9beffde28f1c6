"""A campaign's performance: what was counted and sold in its flight, at its sites, on their own days."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.campaigns.model import Action, CampaignDraft, CampaignId
from shared.campaigns.service import Campaigns
from shared.jobs.repository import JobRepository
from tenant_context.clock import rfc3339, uuid7
from tenant_context.postgres import Database
from tests.clocks import Moment
from tests.shared.jobs.conftest import NOON, Stores


class Line:
    """Campaigns and their refresh."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._campaigns = Campaigns(database, uuid7)
        self._jobs = JobRepository(database)

    def act(self, stores: Stores, campaign: CampaignId, *actions: Action) -> CampaignId:
        for action in actions:
            with self._database.transaction(stores.tenant) as tx:
                self._campaigns.act(tx, campaign, action)
        return campaign

    def move(self, stores: Stores, campaign: CampaignId, starts_at: str, ends_at: str | None) -> None:
        """Another flight for a campaign."""
        found = self._campaigns.show(stores.tenant, campaign)
        draft = CampaignDraft(
            name=found.name,
            type=found.type,
            budget=found.budget,
            currency=found.currency,
            starts_at=datetime.fromisoformat(starts_at),
            ends_at=datetime.fromisoformat(ends_at) if ends_at else None,
            site_ids=found.site_ids,
        )
        with self._database.transaction(stores.tenant) as tx:
            self._campaigns.amend(tx, campaign, draft, found.version)

    def refresh(self, stores: Stores) -> dict[str, int]:
        with self._database.transaction(stores.tenant) as tx:
            return self._jobs.refresh_performance(tx)

    def days(self, stores: Stores, campaign: CampaignId) -> list[dict[str, Any]]:
        return [json.loads(day) for day in self._campaigns.performance(stores.tenant, campaign)]

    def footfall(self, stores: Stores, campaign: CampaignId) -> dict[str, int]:
        return {day["day"]: day["footfall"] for day in self.days(stores, campaign)}


@pytest.fixture
def line(database: Database) -> Line:
    return Line(database)


def test_a_day_is_the_stores_own_and_sums_what_was_counted_and_sold(line: Line, acme: Stores) -> None:
    berlin, york = acme.site("Europe/Berlin"), acme.site("America/New_York")
    acme.counted(berlin, "2026-03-01T22:45Z", 1)  # 23:45 in Berlin
    acme.counted(berlin, "2026-03-01T23:00Z", 2)  # midnight there
    acme.counted(york, "2026-03-02T04:45Z", 4)  # 23:45 in New York
    acme.counted(york, "2026-03-02T05:00Z", 8)
    acme.sold(berlin, "2026-03-02T09:00Z", 2, "10.5000")
    acme.sold(york, "2026-03-02T09:00Z", 3, "0.2500")
    campaign = line.act(acme, acme.campaign("2026-03-01T00:00Z"), Action.LAUNCH)
    assert line.refresh(acme) == {"campaigns": 1, "days": 2}
    assert line.days(acme, campaign) == [
        {"day": "2026-03-01", "footfall": 5, "transactions": 0, "revenue": "0.0000", "refreshed_at": rfc3339(NOON)},
        {"day": "2026-03-02", "footfall": 10, "transactions": 5, "revenue": "10.7500", "refreshed_at": rfc3339(NOON)},
    ]


def test_only_the_campaigns_sites_count_and_without_any_all_do(line: Line, acme: Stores) -> None:
    here, there = acme.site("UTC"), acme.site("UTC")
    acme.counted(here, "2026-03-02T10:00Z", 1)
    acme.counted(there, "2026-03-02T10:00Z", 2)
    local = line.act(acme, acme.campaign("2026-03-01T00:00Z", None, here), Action.LAUNCH)
    everywhere = line.act(acme, acme.campaign("2026-03-01T00:00Z"), Action.LAUNCH)
    assert line.refresh(acme) == {"campaigns": 2, "days": 2}
    assert line.footfall(acme, local) == {"2026-03-02": 1}
    assert line.footfall(acme, everywhere) == {"2026-03-02": 3}


def test_a_flight_includes_its_start_and_excludes_its_end(line: Line, acme: Stores) -> None:
    site = acme.site("UTC")
    for bucket, entries in (("09:45", 1), ("10:00", 2), ("11:45", 4), ("12:00", 8)):
        acme.counted(site, f"2026-03-02T{bucket}Z", entries)
    campaign = line.act(acme, acme.campaign("2026-03-02T10:00Z", "2026-03-02T12:00Z"), Action.LAUNCH)
    line.refresh(acme)
    assert line.footfall(acme, campaign) == {"2026-03-02": 6}


def test_sales_in_another_currency_are_not_added_up(line: Line, acme: Stores) -> None:
    site = acme.site("UTC")
    acme.sold(site, "2026-03-02T10:00Z", 1, "5.00", "EUR")
    acme.sold(site, "2026-03-02T10:00Z", 7, "900.00", "USD")
    campaign = line.act(acme, acme.campaign("2026-03-01T00:00Z"), Action.LAUNCH)
    line.refresh(acme)
    (day,) = line.days(acme, campaign)
    assert (day["transactions"], day["revenue"]) == (1, "5.0000")


LIFE = {
    "active": [Action.LAUNCH],
    "paused": [Action.LAUNCH, Action.PAUSE],
    "completed": [Action.LAUNCH, Action.COMPLETE],
    "draft": [],
    "archived": [Action.ARCHIVE],
}


@pytest.mark.parametrize("status", LIFE)
def test_what_has_been_launched_performs(line: Line, acme: Stores, status: str) -> None:
    acme.counted(acme.site("UTC"), "2026-03-02T10:00Z", 1)
    campaign = line.act(acme, acme.campaign("2026-03-01T00:00Z"), *LIFE[status])
    line.refresh(acme)
    launched = status in {"active", "paused", "completed"}
    assert line.footfall(acme, campaign) == ({"2026-03-02": 1} if launched else {})


def test_a_campaign_that_is_archived_keeps_what_it_reached(line: Line, acme: Stores) -> None:
    acme.counted(acme.site("UTC"), "2026-03-02T10:00Z", 1)
    campaign = line.act(acme, acme.campaign("2026-03-01T00:00Z"), Action.LAUNCH, Action.COMPLETE)
    line.refresh(acme)
    line.act(acme, campaign, Action.ARCHIVE)
    assert line.refresh(acme) == {"campaigns": 0, "days": 0}
    assert line.footfall(acme, campaign) == {"2026-03-02": 1}


def test_a_later_refresh_takes_corrections_and_new_days(line: Line, acme: Stores, moment: Moment) -> None:
    site = acme.site("UTC")
    acme.counted(site, "2026-03-02T10:00Z", 5)
    campaign = line.act(acme, acme.campaign("2026-03-01T00:00Z"), Action.LAUNCH)
    line.refresh(acme)
    before = line.days(acme, campaign)
    line.refresh(acme)
    assert line.days(acme, campaign) == before
    acme.counted(site, "2026-03-02T10:00Z", 3)
    acme.counted(site, "2026-03-03T14:00Z", 8)
    moment.now = datetime(2026, 3, 3, 18, tzinfo=UTC)
    line.refresh(acme)
    assert line.footfall(acme, campaign) == {"2026-03-02": 3, "2026-03-03": 8}
    assert {day["refreshed_at"] for day in line.days(acme, campaign)} == {"2026-03-03T18:00:00Z"}


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "left"),
    [
        ("2026-03-02T00:00Z", None, {"2026-03-02": 2}),
        ("2026-03-01T00:00Z", "2026-03-02T00:00Z", {"2026-03-01": 1}),
        ("2026-02-01T00:00Z", "2026-02-02T00:00Z", {}),
        ("2026-04-01T00:00Z", None, {}),
    ],
    ids=["later", "shorter", "into the past", "into the future"],
)
def test_a_flight_that_moved_leaves_no_day_behind(
    line: Line, acme: Stores, starts_at: str, ends_at: str | None, left: dict[str, int]
) -> None:
    site = acme.site("UTC")
    acme.counted(site, "2026-03-01T10:00Z", 1)
    acme.counted(site, "2026-03-02T10:00Z", 2)
    campaign = line.act(acme, acme.campaign("2026-03-01T00:00Z"), Action.LAUNCH)
    line.refresh(acme)
    assert len(line.days(acme, campaign)) == 2
    line.move(acme, campaign, starts_at, ends_at)
    line.refresh(acme)
    assert line.footfall(acme, campaign) == left


def test_globexs_visitors_are_not_acmes(line: Line, acme: Stores, globex: Stores) -> None:
    acme.counted(acme.site("UTC"), "2026-03-02T10:00Z", 1)
    globex.counted(globex.site("UTC"), "2026-03-02T10:00Z", 2)
    ours = line.act(acme, acme.campaign("2026-03-01T00:00Z"), Action.LAUNCH)
    theirs = line.act(globex, globex.campaign("2026-03-01T00:00Z"), Action.LAUNCH)
    assert line.refresh(acme) == {"campaigns": 1, "days": 1}
    assert line.footfall(acme, ours) == {"2026-03-02": 1}
    assert line.footfall(globex, theirs) == {}
