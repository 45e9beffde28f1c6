"""A campaign at work: launched at the first run, taken up again at every later one."""

from dataclasses import dataclass
from typing import Any

from local.demo.tenants import SignedIn, find

_OVER = frozenset({"completed", "archived"})


@dataclass(frozen=True)
class Launched:
    """An active campaign, and the type of the event that told so."""

    id: str
    event: str

    @property
    def again(self) -> bool:
        """Whether it had been launched before."""
        return self.event == "campaign.resumed"


def launch(tenant: SignedIn, body: dict[str, Any]) -> Launched:
    """Create and launch a campaign; one of its name that still runs is brought up to date, paused and resumed."""
    campaign = find(tenant, "campaigns", "name", body["name"])
    if campaign is None or campaign["status"] in _OVER:
        campaign = tenant.api.post("/api/v1/campaigns", body)
    else:
        campaign = tenant.api.put(f"/api/v1/campaigns/{campaign['id']}", body, version=campaign["version"])
    address = f"/api/v1/campaigns/{campaign['id']}"
    if campaign["status"] == "draft":
        tenant.api.post(f"{address}/launch")
        return Launched(campaign["id"], "campaign.launched")
    if campaign["status"] == "active":
        tenant.api.post(f"{address}/pause")
    tenant.api.post(f"{address}/resume")
    return Launched(campaign["id"], "campaign.resumed")
