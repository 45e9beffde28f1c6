"""The main job, once: sign-up, campaign, counts in, metrics out, a signed webhook at a receiver."""

import json
import urllib.request
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from local.demo.api import Api, ApiError, GaveUp, wait_for
from local.demo.tenants import DEMO_USERS, SignedIn, device_key, find_or_make, know_devices, log_in, sign_up
from local.demo.week import counts, receipts
from local.errors import LocalError
from local.instance import Instance, read_json, write_json
from local.progress import Progress

DOORS = ("door-north", "door-south", "door-east")
_PUSH = 500


def main(instance: Instance, progress: Progress | None = None) -> int:
    """Do it, tell it, and write the demo users into the instance's description; 0 when all of it happened."""
    progress = progress or Progress()
    about = read_json(instance.description)
    story = Story(str(about["api_url"]), str(about["webhook_receiver_url"]), progress)
    try:
        told = story.tell()
    except (ApiError, GaveUp) as error:
        raise LocalError(
            f"The demo stopped: {error}", "see `make logs`; `make up` goes on where it stopped."
        ) from error
    write_json(instance.description, {**about, "demo_users": [user.shown() for user in DEMO_USERS]})
    for line in told:
        progress.say(line)
    return 0


class Story:
    """The steps, in order; each may be done again."""

    def __init__(self, url: str, receiver: str, progress: Progress) -> None:
        self._url = url
        self._receiver = receiver
        self._progress = progress
        now = datetime.now(UTC)
        self._monday = (now - timedelta(days=7)).replace(hour=0, minute=0, second=0, microsecond=0)

    def tell(self) -> list[str]:
        """Run every step; answers the lines of the summary."""
        acme = self._tenants()
        endpoint = self._endpoint(acme)
        site = self._site(acme)
        campaign = self._campaign(acme, site)
        pushed = self._push(acme, site)
        self._refresh(acme)
        footfall, days = self._metrics(acme, site, campaign)
        arrived = self._webhook(campaign)
        return [
            "",
            "  What happened",
            f"    {pushed[0]} counts and {pushed[1]} till receipts pushed, queued, processed and rolled up",
            f"    footfall of the week {footfall}; campaign performance over {days} days",
            f"    webhook {arrived['type']} arrived at endpoint {endpoint['id']}; its signature verifies",
            "",
            "  Log in as",
            *(f"    {user.email:<22}{user.password:<24}(organization {user.slug})" for user in DEMO_USERS),
            "",
            "  Try it",
            f"    curl -s {self._url}/api/v1/auth/login -H 'content-type: application/json' \\",
            f"      -d '{json.dumps({'email': DEMO_USERS[0].email, 'password': DEMO_USERS[0].password})}'",
            "",
        ]

    def _tenants(self) -> SignedIn:
        with self._progress.step("Two tenants sign up, their users log in") as notes:
            new = [sign_up(self._url, user) for user in DEMO_USERS]
            acme, globex = (log_in(self._url, user) for user in DEMO_USERS)
            if not any(new):
                know_devices(acme)
                notes.text = "they had signed up before"
        with self._progress.step("Billing starts at the Stripe stand-in"):
            for tenant in (acme, globex):
                wait_for("the subscription", partial(_is_billed, tenant))
        return acme

    def _endpoint(self, acme: SignedIn) -> dict[str, Any]:
        with self._progress.step("A webhook endpoint is added at the receiver"):
            url = f"{self._receiver}/hooks/acme"
            body = {"url": url, "description": "The demo's receiver", "event_types": ["campaign.*"]}
            for old in acme.api.get("/api/v1/webhooks/endpoints?limit=200")["items"]:
                if old["url"] == url:
                    acme.api.call("DELETE", f"/api/v1/webhooks/endpoints/{old['id']}")
            endpoint: dict[str, Any] = acme.api.post("/api/v1/webhooks/endpoints", body)
            _send(f"{self._receiver}/_control/paths/acme", "PUT", {"secret": endpoint["secret"]})
            return endpoint

    def _site(self, acme: SignedIn) -> dict[str, Any]:
        with self._progress.step("A site and its people counters are registered"):
            site = find_or_make(
                acme,
                "sites",
                "code",
                {
                    "name": "Acme Berlin",
                    "code": "berlin",
                    "address": "Unter den Linden 1",
                    "time_zone": "Europe/Berlin",
                },
            )
            for serial in DOORS:
                body = {"site_id": site["id"], "name": serial, "serial": serial, "interval_minutes": 15}
                find_or_make(acme, "sensors", "serial", body)
            return site

    def _campaign(self, acme: SignedIn, site: dict[str, Any]) -> dict[str, Any]:
        with self._progress.step("A campaign is created and launched"):
            body = {
                "name": f"Demo of {datetime.now(UTC):%Y-%m-%d %H:%M}",
                "budget": "2500.00",
                "currency": "EUR",
                "starts_at": self._monday.isoformat(),
                "site_ids": [site["id"]],
            }
            campaign = acme.api.post("/api/v1/campaigns", body)
            launched: dict[str, Any] = acme.api.post(f"/api/v1/campaigns/{campaign['id']}/launch")
            return launched

    def _push(self, acme: SignedIn, site: dict[str, Any]) -> tuple[int, int]:
        with self._progress.step("A week of counts and receipts is pushed through the ingest address") as notes:
            device = device_key(acme, "Demo devices")
            rows = [row for door, serial in enumerate(DOORS) for row in counts(serial, door, self._monday)]
            sales = list(receipts(str(site["code"]), self._monday))
            batches = [
                *_pushed(device, "counts", rows),
                *_pushed(device, "transactions", sales),
            ]
            for batch in batches:
                wait_for("the batch", partial(is_done, acme, batch["batch"]))
            accepted = sum(batch["accepted"] for batch in batches)
            notes.text = f"{accepted} of {len(rows) + len(sales)} rows accepted"
            return len(rows), len(sales)

    def _refresh(self, acme: SignedIn) -> None:
        with self._progress.step("The timed refresh runs"):
            run = acme.api.post("/api/v1/jobs/refresh-performance/run")
            wait_for("the refresh", lambda: acme.api.get(f"/api/v1/jobs/runs/{run['id']}")["status"] == "done")

    def _metrics(self, acme: SignedIn, site: dict[str, Any], campaign: dict[str, Any]) -> tuple[int, int]:
        with self._progress.step("The metrics are read back"):
            start, end = self._monday, self._monday + timedelta(days=8)
            span = f"from={start:%Y-%m-%dT00:00:00Z}&to={end:%Y-%m-%dT00:00:00Z}"
            series = acme.api.get(f"/api/v1/sites/{site['id']}/metrics?metric=footfall&granularity=day&{span}")
            performance = acme.api.get(f"/api/v1/campaigns/{campaign['id']}/performance")
            return int(series["total"]), len(performance["items"])

    def _webhook(self, campaign: dict[str, Any]) -> dict[str, Any]:
        with self._progress.step("A signed webhook arrives at the receiver and verifies"):
            return dict(wait_for("the webhook", lambda: self._arrived(str(campaign["id"]))))

    def _arrived(self, campaign: str) -> dict[str, Any] | None:
        listed = _send(f"{self._receiver}/requests?path=/hooks/acme&limit=1000", "GET")
        for request in listed["requests"]:
            body = json.loads(request["body"])
            if body["type"] == "campaign.launched" and body["data"]["id"] == campaign and request["verified"]:
                return dict(body)
        return None


def _pushed(device: Api, kind: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    parts = (rows[start : start + _PUSH] for start in range(0, len(rows), _PUSH))
    return [device.post(f"/api/v1/ingest/{kind}", {kind: part}) for part in parts]


def _is_billed(tenant: SignedIn) -> bool:
    return bool(tenant.api.get(f"/api/v1/organizations/{tenant.organization}")["status"] == "active")


def is_done(tenant: SignedIn, batch: str) -> dict[str, Any] | None:
    """What became of a batch, once all of it is processed."""
    try:
        shown: dict[str, Any] = tenant.api.get(f"/api/v1/ingest/batches/{batch}")
    except ApiError as error:
        if error.status == 404:  # noqa: PLR2004  listed once its first part is processed
            return None
        raise
    return shown if shown["state"] == "done" else None


def _send(url: str, method: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310  the receiver is ours, on loopback
        return json.loads(response.read() or b"null")
