"""`python -m local.demo --data FOLDER`: the main job on real input, every row accounted for."""

import argparse
import sys
from collections import Counter
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from local.demo.api import ApiError, GaveUp, wait_for
from local.demo.real_input import as_csv, read_calit2, read_online_retail
from local.demo.story import is_done
from local.demo.tenants import DemoUser, SignedIn, device_key, find_or_make, know_devices, log_in, sign_up
from local.errors import LocalError
from local.instance import MAIN, Instance, read_json
from local.progress import Progress

USER = DemoUser("Real Input", "demo-real-input", "Rita of Real Input", "rita@real.example", "demo-real-password")
DOOR, SHOP = "calit2-main-door", "online-retail"
_COUNTS_A_PUSH, _LINES_A_PUSH = 1_000, 20_000


class Unequal(Exception):
    """What was stored does not add up to what the file holds."""


def main() -> int:
    """Push both files and hold the answers against them."""
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder with calit2/ and online_retail/")
    parser.add_argument("--instance", default=MAIN)
    options = parser.parse_args()
    progress = Progress()
    try:
        url = str(read_json(Instance.of(options.instance).description)["api_url"])
        told = run(url, options.data, progress)
    except (ApiError, GaveUp, Unequal, LocalError) as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    except FileNotFoundError as error:
        print(
            f"✗ {error.filename} is not there.\n  Way out: name the folder that holds it with DATA=…", file=sys.stderr
        )
        return 1
    for line in told:
        progress.say(line)
    return 0


def run(url: str, data: Path, progress: Progress) -> list[str]:
    """Both files through the API at `url`; answers the lines of the account. Raises `Unequal`."""
    sign_up(url, USER)
    tenant = log_in(url, USER)
    know_devices(tenant)
    device = device_key(tenant, "Real input")
    counts = _counts(tenant, device, data / "calit2" / "CalIt2.data", progress)
    receipts = _receipts(tenant, device, data / "online_retail" / "online_retail.csv.gz", progress)
    return ["", *counts, "", *receipts, "", f"  Look at it as {USER.email} / {USER.password}."]


def _counts(tenant: SignedIn, device: Any, path: Path, progress: Progress) -> list[str]:
    with progress.step("CalIt2: half-hourly counts of a building are pushed, as a device would") as notes:
        site = _site(tenant, DOOR, "CalIt2 building", "America/Los_Angeles")
        body = {"site_id": site["id"], "name": "Main door", "serial": DOOR, "interval_minutes": 30}
        find_or_make(tenant, "sensors", "serial", body)
        file = read_calit2(path, DOOR)
        told: Counter[str] = Counter()
        batches = []
        for start in range(0, len(file.counts), _COUNTS_A_PUSH):
            push = {"counts": file.counts[start : start + _COUNTS_A_PUSH]}
            batches.append(_note(told, device.post("/api/v1/ingest/counts", push)))
        _settle(tenant, batches, told)
        notes.text = f"{file.rows} rows"
    with progress.step("CalIt2: footfall and exits are read back"):
        span = "granularity=month&from=2005-07-01T00:00:00Z&to=2005-12-01T00:00:00Z"
        entries = _total(tenant, site, "footfall", span)
        exits = _total(tenant, site, "exits", span)
    # Each interval of the file is two of its rows.
    accounted = 2 * (told["accepted"] + told["duplicates"] + told["rejected"])
    _equal("rows of CalIt2.data accounted for", accounted, file.rows)
    _equal("people in", entries, file.entries)
    _equal("people out", exits, file.exits)
    return [
        f"  CalIt2: {file.rows} rows = {accounted} accounted for",
        f"    {2 * told['accepted']} accepted, {2 * told['duplicates']} duplicate, {2 * told['rejected']} rejected",
        f"    {told['stored']} intervals new, {told['unchanged']} known already, {told['revised']} revised",
        f"    people in {entries} = {file.entries} in the file, out {exits} = {file.exits}",
    ]


def _receipts(tenant: SignedIn, device: Any, path: Path, progress: Progress) -> list[str]:
    with progress.step("Online Retail: receipts of a shop are pushed as CSV of their lines") as notes:
        site = _site(tenant, SHOP, "Online Retail", "Europe/London")
        file = read_online_retail(path)
        told: Counter[str] = Counter()
        batches = []
        for push, lines in as_csv(file, SHOP, _LINES_A_PUSH):
            answer = device.call("POST", "/api/v1/ingest/transactions", push, {"content-type": "text/csv"})
            batches.append(_note(told, answer))
            sent = answer["accepted"] + answer["duplicates"] + answer["rejected_count"]
            _equal("lines of one push accounted for", sent, lines)
        _settle(tenant, batches, told)
        notes.text = f"{file.lines} lines, {len(file.invoices)} receipts"
    with progress.step("Online Retail: what was rejected, and the revenue, are read back"):
        reasons, rejected = _rejected(tenant, {batch["batch"] for batch in batches})
        span = "granularity=month&from=2010-12-01T00:00:00Z&to=2012-01-01T00:00:00Z"
        revenue = Decimal(str(_total(tenant, site, "revenue", span)))
    accounted = told["accepted"] + told["duplicates"] + told["rejected"]
    _equal("lines of online_retail.csv accounted for", accounted, file.lines)
    _equal("duplicates", told["duplicates"], file.duplicates)
    _equal("revenue", revenue + file.duplicates_total + rejected, file.total)
    return [
        f"  Online Retail: {file.lines} lines = {accounted} accounted for",
        f"    {told['accepted']} accepted, {told['duplicates']} duplicate, {told['rejected']} rejected ({reasons})",
        f"    {told['stored']} receipts new, {told['unchanged']} known already, {told['revised']} revised",
        f"    revenue {revenue} + duplicates {file.duplicates_total} + rejected {rejected} = {file.total} in the file",
    ]


def _site(tenant: SignedIn, code: str, name: str, zone: str) -> dict[str, Any]:
    return find_or_make(tenant, "sites", "code", {"name": name, "code": code, "time_zone": zone})


def _note(told: Counter[str], answer: dict[str, Any]) -> dict[str, Any]:
    told.update(accepted=answer["accepted"], duplicates=answer["duplicates"], rejected=answer["rejected_count"])
    return answer


def _settle(tenant: SignedIn, batches: list[dict[str, Any]], told: Counter[str]) -> None:
    for batch in batches:
        done = wait_for("a batch", partial(is_done, tenant, batch["batch"]), seconds=300)
        told.update(stored=done["stored"], unchanged=done["unchanged"], revised=done["revised"])
        _equal("rows quarantined", done["quarantined"], 0)


def _rejected(tenant: SignedIn, batches: set[str]) -> tuple[str, Decimal]:
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


def _total(tenant: SignedIn, site: dict[str, Any], metric: str, span: str) -> Any:
    return tenant.api.get(f"/api/v1/sites/{site['id']}/metrics?metric={metric}&{span}")["total"]


def _equal(what: str, told: Any, file: Any) -> None:
    if told != file:
        raise Unequal(f"{what}: the platform says {told}, the file {file}.")


if __name__ == "__main__":
    sys.exit(main())
