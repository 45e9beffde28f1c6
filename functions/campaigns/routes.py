"""The addresses of campaigns."""

from functions.campaigns.schemas import (
    CampaignIn,
    CampaignOut,
    CampaignPage,
    CampaignQuery,
    HistoryPage,
    PerformanceOut,
)
from shared.campaigns.model import Action, Campaign, CampaignId
from shared.campaigns.service import Campaigns
from tenant_context.postgres import Transaction
from tenant_context.routing import Answer, Call, Routes, etag
from tenant_context.wire import PageQuery, page, page_of

routes = Routes()

_ONE = "/api/v1/campaigns/{campaign_id}"


def _answer(campaign: Campaign) -> Answer:
    return Answer(campaign, headers=etag(campaign.version))


@routes.write(
    "POST", "/api/v1/campaigns", permission="campaigns.create", body=CampaignIn, answer=CampaignOut, status=201
)
def create(call: Call[CampaignIn], tx: Transaction, campaigns: Campaigns) -> Answer:
    """Create a campaign as a draft."""
    campaign = campaigns.create(tx, call.body.draft())
    headers = {**etag(campaign.version), "location": f"/api/v1/campaigns/{campaign.id}"}
    return Answer(campaign, headers=headers)


@routes.read("/api/v1/campaigns", permission="campaigns.read", query=CampaignQuery, answer=CampaignPage)
def index(call: Call[None], campaigns: Campaigns) -> Answer:
    """List campaigns, newest first."""
    query: CampaignQuery = call.query
    found = campaigns.page(call.tenant, status=query.status, after=query.after(), limit=query.limit + 1)
    return Answer(page_of(found, query.limit))


@routes.read(_ONE, permission="campaigns.read", answer=CampaignOut)
def show(call: Call[None], campaigns: Campaigns) -> Answer:
    """Read a campaign."""
    return _answer(campaigns.show(call.tenant, CampaignId(call.id("campaign_id"))))


@routes.write("PUT", _ONE, permission="campaigns.update", body=CampaignIn, answer=CampaignOut)
def amend(call: Call[CampaignIn], tx: Transaction, campaigns: Campaigns) -> Answer:
    """Replace a campaign's particulars."""
    return _answer(campaigns.amend(tx, CampaignId(call.id("campaign_id")), call.body.draft(), call.expected_version()))


@routes.write("POST", _ONE + "/launch", permission="campaigns.launch", answer=CampaignOut)
def launch(call: Call[None], tx: Transaction, campaigns: Campaigns) -> Answer:
    """Launch a draft: it is active from now on."""
    return _answer(campaigns.act(tx, CampaignId(call.id("campaign_id")), Action.LAUNCH))


@routes.write("POST", _ONE + "/pause", permission="campaigns.launch", answer=CampaignOut)
def pause(call: Call[None], tx: Transaction, campaigns: Campaigns) -> Answer:
    """Pause an active campaign."""
    return _answer(campaigns.act(tx, CampaignId(call.id("campaign_id")), Action.PAUSE))


@routes.write("POST", _ONE + "/resume", permission="campaigns.launch", answer=CampaignOut)
def resume(call: Call[None], tx: Transaction, campaigns: Campaigns) -> Answer:
    """Resume a paused campaign."""
    return _answer(campaigns.act(tx, CampaignId(call.id("campaign_id")), Action.RESUME))


@routes.write("POST", _ONE + "/complete", permission="campaigns.launch", answer=CampaignOut)
def complete(call: Call[None], tx: Transaction, campaigns: Campaigns) -> Answer:
    """Complete an active or paused campaign."""
    return _answer(campaigns.act(tx, CampaignId(call.id("campaign_id")), Action.COMPLETE))


@routes.write("POST", _ONE + "/archive", permission="campaigns.update", answer=CampaignOut)
def archive(call: Call[None], tx: Transaction, campaigns: Campaigns) -> Answer:
    """Archive a draft or completed campaign."""
    return _answer(campaigns.act(tx, CampaignId(call.id("campaign_id")), Action.ARCHIVE))


@routes.write("POST", _ONE + "/clone", permission="campaigns.create", answer=CampaignOut, status=201)
def clone(call: Call[None], tx: Transaction, campaigns: Campaigns) -> Answer:
    """Make a draft like an existing campaign, without its flight."""
    return _answer(campaigns.clone(tx, CampaignId(call.id("campaign_id"))))


@routes.read(_ONE + "/performance", permission="campaigns.read", answer=PerformanceOut)
def performance(call: Call[None], campaigns: Campaigns) -> Answer:
    """Footfall, transactions and revenue for each day of the flight, as of the last refresh."""
    days = ",".join(campaigns.performance(call.tenant, CampaignId(call.id("campaign_id"))))
    return Answer(f'{{"items":[{days}]}}'.encode())


@routes.read(_ONE + "/history", permission="campaigns.read", query=PageQuery, answer=HistoryPage)
def history(call: Call[None], campaigns: Campaigns) -> Answer:
    """What was done to a campaign, by whom, newest first."""
    query: PageQuery = call.query
    rows = campaigns.history(
        call.tenant, CampaignId(call.id("campaign_id")), after=query.after(), limit=query.limit + 1
    )
    return Answer(page(rows, query.limit))
