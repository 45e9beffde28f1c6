"""Quality, occupancy, alerts and targets over the deployed API, from a push to what is told; bad input is told off."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from local.demo.api import Api, wait_for
from local.demo.tenants import SignedIn, device_key
from tenant_context.clock import rfc3339
from tests.e2e.conftest import TIMED_WORK, Wire, newcomer
from tests.e2e.test_bad_input import assert_problem

JSON = {"content_type": "application/json"}
QUARTER = timedelta(minutes=15)
RULE = {"name": "x", "site_id": "{site}", "condition": {"kind": "capacity"}}
AIM = {"site_id": "{site}", "value": 1}


class Shop:
    """An organization with a store in a region, and a door that counts."""

    def __init__(self, owner: SignedIn) -> None:
        self.owner, self.api = owner, owner.api
        self.region = self.api.post("/api/v1/sites", {"name": "North", "kind": "region"})["id"]
        self.site = self.api.post("/api/v1/sites", {"name": "Main", "parent_id": self.region})["id"]
        self.serial = f"door-{uuid4().hex[:8]}"
        made = self.api.post("/api/v1/sensors", {"site_id": self.site, "name": "Door", "serial": self.serial})
        self.sensor = made["id"]
        self.door: Api = device_key(owner, "door")

    def push(self, *counts: tuple[datetime, int, int]) -> Any:
        """Counts of quarters of an hour."""
        rows = [
            {"sensor": self.serial, "start": rfc3339(at), "end": rfc3339(at + QUARTER), "entries": came, "exits": left}
            for at, came, left in counts
        ]
        return self.door.post("/api/v1/ingest/counts", {"counts": rows})

    def alerts(self, status: str = "open") -> list[Any]:
        """Those in a status."""
        found: list[Any] = self.api.get(f"/api/v1/alerts?status={status}")["items"]
        return found


@pytest.fixture(scope="module")
def shop(api_url: str) -> Shop:
    return Shop(newcomer(api_url, "insight"))


@pytest.fixture(scope="module")
def wire(shop: Shop, api_url: str) -> Wire:
    return Wire(api_url, shop.owner.token)


@pytest.mark.timeout(600)
def test_what_a_sensor_says_is_tallied_scored_and_told_of(shop: Shop) -> None:
    day = datetime(2026, 3, 2, tzinfo=UTC)
    rows = [(day + n * QUARTER, 20 + n % 7, 20) for n in range(40)]
    pushed = shop.push(*rows, *rows)
    assert (pushed["accepted"], pushed["duplicates"]) == (40, 40)
    path = f"/api/v1/sensors/{shop.sensor}/quality?from=2026-03-02&to=2026-03-02"
    wait_for("the tally", lambda: shop.api.get(path)["items"])
    shop.api.post("/api/v1/jobs/quality/run")
    wait_for("the score", lambda: shop.api.get(path)["items"][0]["score"] is not None, seconds=TIMED_WORK)
    (found,) = shop.api.get(path)["items"]
    assert (found["received"], found["duplicates"]) == (40, 40)
    assert set(found["findings"]) == {"gap", "doubled_day"}
    assert found["score"] < 90
    listed = shop.api.get(f"/api/v1/quality/incidents?sensor={shop.sensor}&kind=doubled_day")["items"]
    assert [(one["first_day"], one["status"]) for one in listed] == [("2026-03-02", "closed")]
    assert "came twice" in listed[0]["suggestion"]


def test_a_limit_an_alert_and_a_target_follow_what_comes(shop: Shop) -> None:
    path = f"/api/v1/sites/{shop.site}"
    nothing = shop.api.get(f"{path}/capacity")
    assert (nothing["capacity"], nothing["version"]) == (None, 0)
    wire = Wire(shop.api.url, shop.owner.token)
    kept = wire.send("PUT", f"{path}/capacity", b'{"capacity": 50}', if_match='"0"', **JSON)
    assert (kept.status, kept.json["clear_at"], kept.headers["etag"]) == (200, 45, '"1"')
    rule = {"name": "Full", "site_id": shop.region, "each_store": True, "condition": {"kind": "capacity"}}
    made = shop.api.post("/api/v1/alerts/rules", rule)
    target = shop.api.post("/api/v1/targets", {"site_id": shop.region, "period": "day", "value": "100"})
    shares = shop.api.post(f"/api/v1/targets/{target['id']}/cascade", {"by": "equally"})["items"]
    assert [(one["site_id"], one["value"], one["cascaded_from"]) for one in shares] == [(shop.site, 100, target["id"])]

    now = datetime.now(UTC)
    start = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0) - QUARTER
    if start.date() != (now + timedelta(minutes=2)).date():
        pytest.skip("about midnight, what is today's is yesterday's in a moment")
    shop.push((start, 60, 5))
    (alert,) = wait_for("the alert", shop.alerts)
    assert (alert["rule_id"], alert["site_id"], alert["kind"]) == (made["id"], shop.site, "capacity")
    inside = shop.api.get(f"{path}/occupancy")
    assert (inside["raw"], inside["capacity"], inside["limit_reached"]) == (55, 50, True)
    assert inside["as_of"] == rfc3339(start + QUARTER)
    assert inside["coverage"] > 0
    for larger in (f"/api/v1/sites/{shop.region}/occupancy", "/api/v1/occupancy"):
        told = shop.api.get(larger)
        assert (told["raw"], told["stores"] >= 1, told["known"]) == (55, True, 1)
    span = f"from={rfc3339(start)}&to={rfc3339(start + QUARTER)}"
    (point,) = shop.api.get(f"{path}/occupancy?{span}")["points"]
    assert (point["entries"], point["raw"]) == (60, 55)
    seen = shop.api.post(f"/api/v1/alerts/{alert['id']}/acknowledge", {"note": "at the door"})
    assert (seen["status"], seen["note"]) == ("acknowledged", "at the door")
    far = shop.api.get(f"/api/v1/targets/{shares[0]['id']}/progress")
    assert (far["actual"], far["share"], far["freshness"]) == (60, 0.6, rfc3339(start + QUARTER))
    shop.push((start, 60, 40))
    wait_for("its end", lambda: shop.alerts("resolved"))
    assert shop.alerts("acknowledged") == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/v1/sensors/{sensor}/quality", None, 422),
        ("GET", "/api/v1/sensors/{sensor}/quality?from=2026-03-02&to=2026-03-01", None, 422),
        ("GET", "/api/v1/sensors/{sensor}/quality?from=1970-01-01&to=2026-03-01", None, 422),
        ("GET", "/api/v1/sensors/{sensor}/quality?from=2020-01-01&to=2026-03-01", None, 422),
        ("GET", "/api/v1/sensors/{sensor}/quality?from=yesterday&to=today", None, 422),
        ("GET", "/api/v1/sensors/{missing}/quality?from=2026-03-01&to=2026-03-01", None, 404),
        ("GET", "/api/v1/quality/incidents?kind=bad", None, 422),
        ("GET", "/api/v1/quality/incidents?cursor=%00", None, 422),
        ("GET", "/api/v1/sites/{site}/occupancy?from=2026-03-01T00:00:00Z", None, 422),
        ("GET", "/api/v1/sites/{site}/occupancy?from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", None, 422),
        ("GET", "/api/v1/sites/{site}/occupancy?from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z", None, 422),
        ("GET", "/api/v1/sites/{site}/occupancy?from=0001-01-01T00:00:00Z&to=0001-01-02T00:00:00Z", None, 422),
        ("GET", "/api/v1/sites/{site}/occupancy?from=9999-12-30T00:00:00Z&to=9999-12-31T00:00:00Z", None, 422),
        ("GET", "/api/v1/sites/{region}/occupancy?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z", None, 409),
        ("GET", "/api/v1/sites/{missing}/occupancy", None, 404),
        ("PUT", "/api/v1/sites/{region}/capacity", {"capacity": 5}, 409),
        ("PUT", "/api/v1/sites/{missing}/capacity", {"capacity": 5}, 404),
        ("PUT", "/api/v1/sites/{site}/capacity", {"capacity": 0}, 422),
        ("PUT", "/api/v1/sites/{site}/capacity", {"capacity": 2**63}, 422),
        ("PUT", "/api/v1/sites/{site}/capacity", {"capacity": 5, "clear_at": 5}, 422),
        ("POST", "/api/v1/alerts/rules", {"name": "x", "site_id": "{site}", "condition": {"kind": "magic"}}, 422),
        ("POST", "/api/v1/alerts/rules", {"name": "x", "site_id": "{missing}", "condition": {"kind": "capacity"}}, 422),
        (
            "POST",
            "/api/v1/alerts/rules",
            {"name": "x", "site_id": "{site}", "condition": {"kind": "missing_data", "value": 1}},
            422,
        ),
        (
            "POST",
            "/api/v1/alerts/rules",
            {"name": "x", "site_id": "{site}", "condition": {"kind": "threshold", "value": "1e999"}},
            422,
        ),
        (
            "POST",
            "/api/v1/alerts/rules",
            {**RULE, "condition": {"kind": "capacity", "quiet": {"from": "25:00", "to": "1"}}},
            422,
        ),
        (
            "POST",
            "/api/v1/alerts/rules",
            {**RULE, "condition": {"kind": "threshold", "metric": "footfall", "currency": "EUR"}},
            422,
        ),
        ("POST", "/api/v1/alerts/rules", {**RULE, "site_id": "{region}", "condition": {"kind": "capacity"}}, 422),
        ("PUT", "/api/v1/alerts/rules/{missing}", RULE, 404),
        ("POST", "/api/v1/alerts/{missing}/acknowledge", {"note": "\u0000"}, 422),
        ("POST", "/api/v1/alerts/{missing}/acknowledge", {}, 404),
        ("POST", "/api/v1/targets", {"site_id": "{site}", "value": "-1"}, 422),
        ("POST", "/api/v1/targets", {"site_id": "{site}", "value": "NaN"}, 422),
        ("POST", "/api/v1/targets", {"site_id": "{site}", "value": 1.5}, 422),
        ("POST", "/api/v1/targets", {"site_id": "{missing}", "value": 1}, 422),
        ("POST", "/api/v1/targets", {**AIM, "currency": "EUR"}, 422),
        ("POST", "/api/v1/targets", {**AIM, "metric": "revenue", "currency": "euro"}, 422),
        ("POST", "/api/v1/targets", {**AIM, "period": "week", "first_day": "2026-03-03"}, 422),
        ("POST", "/api/v1/targets", {"site_id": "{site}", "value": 1, "first_day": "0001-01-01"}, 422),
        ("POST", "/api/v1/targets/{missing}/cascade", {"by": "equally"}, 404),
        ("GET", "/api/v1/targets/{missing}/progress", None, 404),
    ],
)  # fmt: skip
def test_bad_input_is_told_off(shop: Shop, wire: Wire, method: str, path: str, body: Any, status: int) -> None:
    ids = {"sensor": shop.sensor, "site": shop.site, "region": shop.region, "missing": str(uuid4())}
    encoded = None
    if body is not None:
        text = json.dumps(body)
        for name, value in ids.items():
            text = text.replace(f"{{{name}}}", value)
        encoded = text.encode()
    headers = {"if_match": '"1"', **JSON} if body is not None else {}
    assert_problem(wire.send(method, path.format(**ids), encoded, **headers), status)


def test_a_change_of_what_somebody_else_changed_is_refused(shop: Shop, wire: Wire) -> None:
    target = shop.api.post("/api/v1/targets", {"site_id": shop.site, "metric": "exits", "value": 5})
    path = f"/api/v1/targets/{target['id']}"
    assert_problem(wire.send("PUT", path, b'{"value": 6}', **JSON), 428)
    assert wire.send("PUT", path, b'{"value": 6}', if_match='"1"', **JSON).status == 200
    assert_problem(wire.send("PUT", path, b'{"value": 7}', if_match='"1"', **JSON), 412)
    twice = json.dumps({"site_id": shop.site, "metric": "exits", "value": 5}).encode()
    assert_problem(wire.send("POST", "/api/v1/targets", twice, **JSON), 409)
    assert wire.send("DELETE", path).status == 204
    assert_problem(wire.send("GET", path), 404)
