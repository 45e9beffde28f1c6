"""What people counters push in their vendors' own formats, over the deployed API until it stands in the metrics."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from local.demo.api import Api, ApiError, wait_for
from local.demo.tenants import SignedIn, device_key
from tests.e2e.conftest import Wire
from tests.shared.vendors import samples

VENDORS = "/api/v1/ingest/vendors"
QUARTER = timedelta(minutes=15)
SPAN = "from=2026-03-02T00:00:00Z&to=2026-03-03T00:00:00Z&granularity=day"


@pytest.fixture
def device(acme: SignedIn) -> Api:
    return device_key(acme, "counter")


@pytest.fixture
def site(acme: SignedIn) -> Iterator[str]:
    """A store in Berlin; its sensors are retired afterwards, so that others may have theirs."""
    made: str = acme.api.post("/api/v1/sites", {"name": "Mitte", "time_zone": "Europe/Berlin"})["id"]
    yield made
    for sensor in acme.api.get(f"/api/v1/sensors?site={made}")["items"]:
        acme.api.post(f"/api/v1/sensors/{sensor['id']}/retire")


def register(owner: SignedIn, site: str, serial: str) -> str:
    sensor: str = owner.api.post("/api/v1/sensors", {"site_id": site, "name": "Door", "serial": serial})["id"]
    return sensor


def total(owner: SignedIn, site: str) -> Any:
    return owner.api.get(f"/api/v1/sites/{site}/metrics?metric=footfall&{SPAN}")["total"]


def fresh(document: dict[str, Any], serial: str) -> dict[str, Any]:
    """The push as another device would send it: serials are taken once in a tenant."""
    return {**document, "Source": {"MacAddress": serial}}


def test_a_push_is_counted_once_however_often_it_comes(acme: SignedIn, device: Api, site: str) -> None:
    serial = f"vivotek-{uuid4().hex[:8]}"
    register(acme, site, serial)
    with ThreadPoolExecutor(10) as pool:  # a sandbox each: more of them begin slower than they are done
        pushes = [pool.submit(device.post, VENDORS, fresh(samples.VIVOTEK, serial)) for _ in range(50)]
    batches = [push.result()["batch"] for push in pushes]
    assert len(set(batches)) == 50
    for batch in batches:
        wait_for("the batch", partial(_done, acme, batch))
    assert total(acme, site) == 1


def test_a_month_that_comes_in_one_go_is_counted_day_by_day(acme: SignedIn, device: Api, site: str) -> None:
    serial = f"backlog-{uuid4().hex[:8]}"
    register(acme, site, serial)
    first = datetime(2026, 3, 1, tzinfo=ZoneInfo("Europe/Berlin"))
    quarters = [first.astimezone(UTC) + n * QUARTER for n in range(31 * 96 - 4)]  # the clocks go forward
    rows = [
        {"sensor": serial, "start": f"{one:%FT%TZ}", "end": f"{one + QUARTER:%FT%TZ}", "entries": n % 7, "exits": 1}
        for n, one in enumerate(quarters)
    ]
    answer = device.post("/api/v1/ingest/counts", {"counts": rows[::-1]})
    assert (answer["accepted"], answer["rejected_count"]) == (len(rows), 0)
    wait_for("the batch", partial(_done, acme, answer["batch"]))
    days = Counter[str]()
    for n, one in enumerate(quarters):
        days[f"{one.astimezone(first.tzinfo):%F}"] += n % 7
    span = "from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z&granularity=day"
    shown = acme.api.get(f"/api/v1/sites/{site}/metrics?metric=footfall&{span}")
    found = {
        f"{datetime.fromisoformat(point['start']).astimezone(first.tzinfo):%F}": (point["value"], point["coverage"])
        for point in shown["points"]
        if point["value"] is not None
    }
    assert found == {day: (value, 1.0) for day, value in days.items()}


def _done(owner: SignedIn, batch: str) -> bool:
    try:
        return bool(owner.api.get(f"/api/v1/ingest/batches/{batch}")["state"] == "done")
    except ApiError:  # it is listed once its first rows are processed
        return False


def test_standings_become_intervals(acme: SignedIn, device: Api, site: str) -> None:
    serial = f"axis-{uuid4().hex[:8]}"
    register(acme, site, serial)
    for stamp, entries in (("20260302100000", 10), ("20260302101500", 17), ("20260302103000", 20)):
        device.post(f"{VENDORS}/axis", {"serial": serial, "timestamp": stamp, "in": entries, "out": 0})
    wait_for("the counts", lambda: total(acme, site) == 10)


def test_a_refused_row_is_counted_once_its_sensor_is_registered(acme: SignedIn, device: Api, site: str) -> None:
    serial = f"late-{uuid4().hex[:8]}"
    answer = device.post(VENDORS, fresh(samples.VIVOTEK, serial))
    assert [one["code"] for one in answer["rejected"]] == ["unknown-sensor"]
    listed = f"/api/v1/ingest/rejected?batch={answer['batch']}"
    wait_for("the refused row", lambda: acme.api.get(listed)["items"])
    register(acme, site, serial)
    (row,) = acme.api.get(listed)["items"]
    taken = acme.api.post(f"/api/v1/ingest/rejected/{row['id']}/resubmit", {})
    assert (taken["stored"], total(acme, site)) == (1, 1)
    (after,) = acme.api.get(listed)["items"]
    assert after["resubmitted_as"] == taken["batch"]
    assert acme.api.get(f"/api/v1/ingest/rejected/{row['id']}") == after


def test_a_mapping_is_remembered_and_its_csv_is_read_by_it(acme: SignedIn, device: Api, site: str) -> None:
    serial = f"csv-{uuid4().hex[:8]}"
    sensor = register(acme, site, serial)
    wire, owner = Wire(device.url), Wire(acme.api.url, acme.token)
    setup = {"csv": {"start": "Zeit", "entries": "Zugang", "time_format": "%d.%m.%Y %H:%M"}}
    address = f"/api/v1/sensors/{sensor}/setup"
    body = json.dumps(setup).encode()
    assert owner.send("PUT", address, body, content_type="application/json").status == 428
    changed = owner.send("PUT", address, body, content_type="application/json", if_match='"1"')
    assert (changed.status, changed.headers["etag"]) == (200, '"2"')
    assert acme.api.get(address)["csv"]["start"] == "Zeit"
    reply = wire.send(
        "POST",
        f"/api/v1/ingest/counts?sensor={serial}",
        b"\xef\xbb\xbfZeit;Zugang\r\n02.03.2026 10:00;4\r\n02.03.2026 10:15;6,0\r\n",
        content_type="text/csv",
        x_api_key=device.key,
    )
    assert (reply.status, reply.json["accepted"]) == (202, 2), reply.body
    wait_for("the counts", lambda: total(acme, site) == 10)


def test_another_tenants_sensor_is_unknown_and_a_revoked_key_is_nobodys(
    acme: SignedIn, globex: SignedIn, site: str
) -> None:
    serial = f"mine-{uuid4().hex[:8]}"
    register(acme, site, serial)
    thief = device_key(globex, "counter")
    for query in ("", f"?sensor={serial}"):
        answer = thief.post(VENDORS + query, fresh(samples.VIVOTEK, serial))
        assert (answer["accepted"], [one["code"] for one in answer["rejected"]]) == (0, ["unknown-sensor"])
    assert total(acme, site) is None
    made = globex.api.post("/api/v1/api-keys", {"name": "gone", "scopes": ["ingest.write"]})
    globex.api.call("DELETE", f"/api/v1/api-keys/{made['prefix']}")
    body, stranger = json.dumps(samples.VIVOTEK).encode(), Wire(globex.api.url)

    def push() -> int:
        return stranger.send("POST", VENDORS, body, content_type="application/json", x_api_key=made["key"]).status

    wait_for("the end of the key", lambda: push() == 401)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>", 400, "unreadable-push"),
        (b"[" * 1_000_000, 400, "unreadable-push"),
        (b'{"logics_data": {}}', 422, "misshapen-push"),
        (b"{}", 422, "unrecognised-push"),
    ],
)
def test_what_is_no_push_is_a_problem_that_says_why(device: Api, body: bytes, status: int, code: str) -> None:
    reply = Wire(device.url).send("POST", VENDORS, body, content_type="application/xml", x_api_key=device.key)
    assert (reply.status, reply.json["code"]) == (status, code)
