"""The main job on real input: a building's people counts, a shop's receipts, a campaign for each; all accounted for."""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from local.demo.api import Api
from local.demo.campaigns import Launched, launch
from local.demo.hooks import Listener
from local.demo.reading import equal, performance, refresh, settled, total
from local.demo.real_input import CalIt2, Receipts, as_csv, read_calit2, read_online_retail
from local.demo.tenants import DemoUser, SignedIn, device, find_or_make, know_devices, log_in, meet
from local.progress import Progress

USER = DemoUser(
    "Real Files", "demo-real-files", "Rita of Real Files", "rita@real-files.example", "demo-real-password", "enterprise"
)
"""On a plan that takes any number of rows in a day."""
DOOR, SHOP = "calit2-main-door", "online-retail"
_COUNTS_A_PUSH, _LINES_A_PUSH = 1_000, 20_000


@dataclass(frozen=True)
class _Place:
    """A site, and the campaign that flies there while its file was written."""

    site: dict[str, Any]
    campaign: Launched
    span: str


@dataclass(frozen=True)
class _Push:
    """What the platform said to the pushes of one file, and what became of them."""

    told: Counter[str]
    batches: frozenset[str]

    @property
    def accounted(self) -> int:
        """How many rows were answered one way or another."""
        return self.told["accepted"] + self.told["duplicates"] + self.told["rejected"]

    def outcome(self, what: str) -> str:
        """What was stored, in words."""
        told = self.told
        return f"    {told['stored']} {what} new, {told['unchanged']} known already, {told['revised']} revised"


class RealStory:
    """The steps, in order; each may be done again."""

    def __init__(self, url: str, receiver: str, data: Path, progress: Progress) -> None:
        self._url = url
        self._receiver = receiver
        self._calit2 = data / "calit2" / "CalIt2.data"
        self._retail = data / "online_retail" / "online_retail.csv.gz"
        self._progress = progress

    def tell(self) -> list[str]:
        """Run every step; answers the lines of the account. Raises `Unequal` where it does not add up."""
        counts, receipts = self._files()
        tenant = self._tenant()
        listener = Listener(self._receiver, "real-input")
        with self._progress.step("A webhook endpoint is added at the receiver"):
            endpoint = listener.subscribe(tenant, "The real input's receiver")
        door, shop = self._places(tenant)
        counted, sold = self._counts(tenant, counts), self._receipts(tenant, receipts)
        with self._progress.step("The campaigns' performance is refreshed, at once instead of by the next schedule"):
            refresh(tenant)
        told = ["", *self._footfall(tenant, door, counts, counted), "", *self._revenue(tenant, shop, receipts, sold)]
        with self._progress.step("A signed webhook of each campaign arrives at the receiver and verifies"):
            arrived = [listener.hear(place.campaign.event, place.campaign.id) for place in (door, shop)]
        heard = " and ".join(f"{event['type']} ({event['data']['name']})" for event in arrived)
        webhooks = [f"  Webhooks {heard}", f"    arrived at endpoint {endpoint}; their signatures verify"]
        return [*told, "", *webhooks, "", f"  Look at it as {USER.email} / {USER.password}."]

    def _files(self) -> tuple[CalIt2, Receipts]:
        with self._progress.step("The files are read"):
            return read_calit2(self._calit2, DOOR), read_online_retail(self._retail)

    def _tenant(self) -> SignedIn:
        with self._progress.step("An organization signs up, its user logs in") as notes:
            new = meet(self._url, USER)
            tenant = log_in(self._url, USER)
            if not new:
                know_devices(tenant)
                notes.text = "it had signed up before"
            return tenant

    def _places(self, tenant: SignedIn) -> tuple[_Place, _Place]:
        with self._progress.step("Two sites and a people counter are registered"):
            building = _site(tenant, DOOR, "CalIt2 building", "America/Los_Angeles")
            body = {"site_id": building["id"], "name": "Main door", "serial": DOOR, "interval_minutes": 30}
            find_or_make(tenant, "sensors", "serial", body)
            shop = _site(tenant, SHOP, "Online Retail", "Europe/London")
        with self._progress.step("A campaign at each is created and launched") as notes:
            places = (
                _place(tenant, building, "USD", "2005-07-01T00:00:00Z", "2005-12-01T00:00:00Z"),
                _place(tenant, shop, "GBP", "2010-12-01T00:00:00Z", "2012-01-01T00:00:00Z"),
            )
            if all(place.campaign.again for place in places):
                notes.text = "before; now paused and resumed"
        return places

    def _counts(self, tenant: SignedIn, file: CalIt2) -> _Push:
        with self._progress.step("CalIt2: half-hourly counts of a building are pushed, as a device would") as notes:
            with device(tenant, "Real counts") as pusher:
                answers = [
                    pusher.post("/api/v1/ingest/counts", {"counts": file.counts[start : start + _COUNTS_A_PUSH]})
                    for start in range(0, len(file.counts), _COUNTS_A_PUSH)
                ]
            notes.text = f"{file.rows} rows"
            return _settled(tenant, answers)

    def _receipts(self, tenant: SignedIn, file: Receipts) -> _Push:
        with self._progress.step("Online Retail: receipts of a shop are pushed as CSV of their lines") as notes:
            with device(tenant, "Real receipts") as pusher:
                answers = [_pushed_csv(pusher, push, lines) for push, lines in as_csv(file, SHOP, _LINES_A_PUSH)]
            notes.text = f"{file.lines} lines, {len(file.invoices)} receipts"
            return _settled(tenant, answers)

    def _footfall(self, tenant: SignedIn, door: _Place, file: CalIt2, push: _Push) -> list[str]:
        with self._progress.step("CalIt2: footfall, exits and the campaign's performance are read back"):
            entries = total(tenant, door.site, "footfall", door.span)
            exits = total(tenant, door.site, "exits", door.span)
            performed = performance(tenant, door.campaign.id)
        # Each interval of the file is two of its rows.
        accounted = 2 * push.accounted
        equal("rows of CalIt2.data accounted for", accounted, file.rows)
        equal("people in", entries, file.entries)
        equal("people out", exits, file.exits)
        equal("footfall of the campaign", performed.footfall, file.entries)
        accepted, duplicates, rejected = (2 * push.told[name] for name in ("accepted", "duplicates", "rejected"))
        return [
            f"  CalIt2: {file.rows} rows = {accounted} accounted for",
            f"    {accepted} accepted, {duplicates} duplicate, {rejected} rejected",
            push.outcome("intervals"),
            f"    people in {entries} = {file.entries} in the file, out {exits} = {file.exits}",
            f"    the campaign's footfall over {performed.days} days is the same",
        ]

    def _revenue(self, tenant: SignedIn, shop: _Place, file: Receipts, push: _Push) -> list[str]:
        with self._progress.step("Online Retail: what was rejected, the revenue and the performance are read back"):
            reasons, rejected = _rejected(tenant, push.batches)
            revenue = total(tenant, shop.site, "revenue", shop.span)
            performed = performance(tenant, shop.campaign.id)
        equal("lines of online_retail.csv accounted for", push.accounted, file.lines)
        equal("duplicates", push.told["duplicates"], file.duplicates)
        equal("revenue", revenue + file.duplicates_total + rejected, file.total)
        equal("revenue of the campaign", performed.revenue, revenue)
        told, without = push.told, file.duplicates_total + rejected
        return [
            f"  Online Retail: {file.lines} lines = {push.accounted} accounted for",
            f"    {told['accepted']} accepted, {told['duplicates']} duplicate, {told['rejected']} rejected ({reasons})",
            push.outcome("receipts"),
            f"    revenue {revenue} = {file.total} in the file without {without} of duplicates and rejected",
            f"    the campaign's revenue over {performed.days} days is the same",
        ]


def _site(tenant: SignedIn, code: str, name: str, zone: str) -> dict[str, Any]:
    return find_or_make(tenant, "sites", "code", {"name": name, "code": code, "time_zone": zone})


def _place(tenant: SignedIn, site: dict[str, Any], currency: str, start: str, end: str) -> _Place:
    flight = {"starts_at": start, "ends_at": end, "site_ids": [site["id"]]}
    campaign = launch(tenant, {"name": site["name"], "budget": "1000.00", "currency": currency, **flight})
    return _Place(site, campaign, f"granularity=month&from={start}&to={end}")


def _pushed_csv(pusher: Api, push: bytes, lines: int) -> dict[str, Any]:
    answer: dict[str, Any] = pusher.call("POST", "/api/v1/ingest/transactions", push, {"content-type": "text/csv"})
    sent = answer["accepted"] + answer["duplicates"] + answer["rejected_count"]
    equal("lines of one push accounted for", sent, lines)
    return answer


def _settled(tenant: SignedIn, answers: list[dict[str, Any]]) -> _Push:
    """The answers added up, once what they accepted is processed."""
    told: Counter[str] = Counter()
    for answer in answers:
        told.update(accepted=answer["accepted"], duplicates=answer["duplicates"], rejected=answer["rejected_count"])
        done = settled(tenant, answer["batch"])
        told.update(stored=done["stored"], unchanged=done["unchanged"], revised=done["revised"])
    return _Push(told, frozenset(answer["batch"] for answer in answers))


def _rejected(tenant: SignedIn, batches: frozenset[str]) -> tuple[str, Decimal]:
    """The reasons of this run's rejected lines in words, and what those lines amount to."""
    reasons: Counter[str] = Counter()
    amount = Decimal(0)
    cursor = ""
    while True:
        page = tenant.api.get(f"/api/v1/ingest/rejected?limit=200{cursor}")
        for item in page["items"]:
            if item["batch"] in batches:
                reasons[item["code"]] += 1
                lines = item["content"]["lines"]
                amount += sum(Decimal(line["quantity"]) * Decimal(line["unit_price"]) for line in lines)
        if not page["next_cursor"]:
            return ", ".join(f"{count} {code}" for code, count in reasons.items()) or "none", amount
        cursor = f"&cursor={page['next_cursor']}"
