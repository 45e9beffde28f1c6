"""The main job, once: sign-up, campaign, counts in, metrics out, a signed webhook at a receiver."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from local.demo.api import Api, ApiError, GaveUp, wait_for
from local.demo.campaigns import Launched, launch
from local.demo.hooks import Listener
from local.demo.reading import Performance, Unequal, equal, performance, refresh, settled, total
from local.demo.tenants import DEMO_USERS, SignedIn, device, find_or_make, know_devices, log_in, meet
from local.demo.week import counts, receipts
from local.errors import LocalError
from local.instance import Instance, read_json, write_json
from local.progress import Progress

DOORS = ("mitte-north", "mitte-south", "mitte-east")
_PUSH = 500


def main(instance: Instance, progress: Progress | None = None) -> int:
    """Do it, tell it, and write the demo users into the instance's description; 0 when all of it happened."""
    progress = progress or Progress()
    about = read_json(instance.description)
    story = Story(str(about["api_url"]), str(about["webhook_receiver_url"]), progress)
    try:
        told = story.tell()
    except (ApiError, GaveUp, Unequal) as error:
        raise LocalError(
            f"The demo stopped: {error}", "see `make logs`; `make up` goes on where it stopped."
        ) from error
    write_json(instance.description, {**about, "demo_users": [user.shown() for user in DEMO_USERS]})
    for line in told:
        progress.say(line)
    return 0


@dataclass(frozen=True)
class Pushed:
    """What the devices sent, reckoned from what they were given to send."""

    counts: int
    receipts: int
    entries: int
    revenue: Decimal


class Story:
    """The steps, in order; each may be done again."""

    def __init__(self, url: str, receiver: str, progress: Progress) -> None:
        self._url = url
        self._receiver = receiver
        self._progress = progress
        now = datetime.now(UTC)
        self._monday = (now - timedelta(days=7)).replace(hour=0, minute=0, second=0, microsecond=0)

    def tell(self) -> list[str]:
        """Run every step; answers the lines of the summary. Raises `Unequal` when what is read is not what was sent."""
        acme = self._tenants()
        listener = Listener(self._receiver, "acme")
        endpoint = self._endpoint(acme, listener)
        site = self._site(acme)
        campaign = self._campaign(acme, site)
        pushed = self._push(acme, site)
        self._refresh(acme)
        performed = self._metrics(acme, site, campaign, pushed)
        with self._progress.step("A signed webhook arrives at the receiver and verifies"):
            arrived = listener.hear(campaign.event, campaign.id)
        return [
            "",
            "  What happened",
            f"    {pushed.counts} counts and {pushed.receipts} till receipts pushed, queued, processed and rolled up",
            f"    footfall of the week {pushed.entries}, revenue {pushed.revenue} EUR: what was pushed",
            f"    the same as the campaign's performance over {performed.days} days",
            f"    webhook {arrived['type']} arrived at endpoint {endpoint}; its signature verifies",
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
            new = [meet(self._url, user) for user in DEMO_USERS]
            acme, globex = (log_in(self._url, user) for user in DEMO_USERS)
            if not any(new):
                know_devices(acme)
                notes.text = "they had signed up before"
        with self._progress.step("Billing starts at the Stripe stand-in"):
            for tenant in (acme, globex):
                wait_for("the subscription", partial(_is_billed, tenant), seconds=120)
        return acme

    def _endpoint(self, acme: SignedIn, listener: Listener) -> str:
        with self._progress.step("A webhook endpoint is added at the receiver"):
            return listener.subscribe(acme, "The demo's receiver")

    def _site(self, acme: SignedIn) -> dict[str, Any]:
        with self._progress.step("A site and its people counters are registered"):
            site = find_or_make(
                acme,
                "sites",
                "code",
                {
                    "name": "Acme Berlin",
                    "code": "berlin-mitte",
                    "address": "Unter den Linden 1",
                    "time_zone": "Europe/Berlin",
                },
            )
            for serial in DOORS:
                body = {"site_id": site["id"], "name": serial, "serial": serial, "interval_minutes": 15}
                find_or_make(acme, "sensors", "serial", body)
            return site

    def _campaign(self, acme: SignedIn, site: dict[str, Any]) -> Launched:
        with self._progress.step("A campaign is created and launched") as notes:
            body = {
                "name": "Demo week",
                "budget": "2500.00",
                "currency": "EUR",
                "starts_at": self._monday.isoformat(),
                "site_ids": [site["id"]],
            }
            launched = launch(acme, body)
            notes.text = "before; now moved to this week, paused and resumed" if launched.again else ""
            return launched

    def _push(self, acme: SignedIn, site: dict[str, Any]) -> Pushed:
        with self._progress.step("A week of counts and receipts is pushed through the ingest address") as notes:
            rows = [row for door, serial in enumerate(DOORS) for row in counts(serial, door, self._monday)]
            sales = list(receipts(str(site["code"]), self._monday))
            with device(acme, "Demo devices") as pusher:
                batches = [*_pushed(pusher, "counts", rows), *_pushed(pusher, "transactions", sales)]
            for batch in batches:
                settled(acme, batch["batch"])
            accepted, sent = sum(batch["accepted"] for batch in batches), len(rows) + len(sales)
            notes.text = f"{accepted} of {sent} rows accepted"
            equal("rows accepted", accepted, sent)
            revenue = sum((Decimal(sale["total"]) for sale in sales), Decimal(0))
            return Pushed(len(rows), len(sales), sum(row["entries"] for row in rows), revenue)

    def _refresh(self, acme: SignedIn) -> None:
        with self._progress.step("The campaign's performance is refreshed, at once instead of by the next schedule"):
            refresh(acme)

    def _metrics(self, acme: SignedIn, site: dict[str, Any], campaign: Launched, pushed: Pushed) -> Performance:
        with self._progress.step("The metrics are read back, and are what was pushed"):
            # Hours are the same everywhere; the store's days would reach over the ends of this week of UTC.
            span = f"granularity=hour&from={_zulu(self._monday)}&to={_zulu(self._monday + timedelta(days=7))}"
            equal("footfall", total(acme, site, "footfall", span), pushed.entries)
            equal("revenue", total(acme, site, "revenue", span), pushed.revenue)
            performed = performance(acme, campaign.id)
            equal("footfall of the campaign", performed.footfall, pushed.entries)
            equal("revenue of the campaign", performed.revenue, pushed.revenue)
            return performed


def _zulu(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _pushed(pusher: Api, kind: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    parts = (rows[start : start + _PUSH] for start in range(0, len(rows), _PUSH))
    return [pusher.post(f"/api/v1/ingest/{kind}", {kind: part}) for part in parts]


def _is_billed(tenant: SignedIn) -> bool:
    return bool(tenant.api.get(f"/api/v1/organizations/{tenant.organization}")["status"] == "active")
