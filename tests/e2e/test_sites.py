"""Stores over the deployed API: the tree, opening hours, search, devices and their health."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from uuid import uuid4

import pytest

from local.demo.api import Api, ApiError, wait_for
from local.demo.tenants import SignedIn, device_key
from tenant_context.clock import rfc3339, utc_now
from tests.e2e.conftest import Wire, newcomer
from tests.e2e.test_bad_input import assert_problem

JSON = {"content_type": "application/json"}
NIGHT = {
    "week": {"fri": [{"from": "22:00", "to": "03:00"}]},
    "exceptions": [{"date": "2026-12-25", "note": "Christmas"}],
}


@pytest.fixture(scope="module")
def owner(api_url: str) -> SignedIn:
    """An organization of these tests' own: they make more stores than others leave room for."""
    return newcomer(api_url, "retailer")


@pytest.fixture(scope="module")
def wire(owner: SignedIn, api_url: str) -> Wire:
    return Wire(api_url, owner.token)


def test_a_retailers_tree_is_built_moved_searched_and_taken_down(owner: SignedIn) -> None:
    api = owner.api
    north = api.post("/api/v1/sites", {"name": "North", "kind": "region"})
    coast = api.post("/api/v1/sites", {"name": "Coast", "kind": "district", "parent_id": north["id"]})
    said = {
        "name": "Café am Hafen",
        "parent_id": coast["id"],
        "address": "Fischmarkt 1",
        "city": "Kiel",
        "postal_code": "24103",
        "country": "DE",
        "latitude": 54.32,
        "longitude": 10.14,
        "time_zone": "Europe/Berlin",
        "area_m2": 900,
        "sales_area_m2": 600.5,
        "metadata": {"format": "flagship", "floors": [1, 2]},
    }
    store = api.post("/api/v1/sites", said)
    zone = api.post("/api/v1/sites", {"name": "Entrance", "kind": "zone", "parent_id": store["id"]})
    assert {**store, **said} == store
    shown = [(node["name"], node["depth"]) for node in api.get(f"/api/v1/sites/{north['id']}/tree")["items"]]
    assert shown == [("North", 0), ("Coast", 1), ("Café am Hafen", 2), ("Entrance", 3)]

    for query in (
        "search=cafe",
        "search=KIEL+hafen",
        f"metadata={quote(json.dumps({'format': 'flagship'}))}",
        f"within={north['id']}",
        f"parent={coast['id']}",
        "near=54.3,10.1&radius=10000",
    ):
        assert [one["id"] for one in api.get(f"/api/v1/sites?{query}")["items"]] == [store["id"]], query
    (near,) = api.get("/api/v1/sites?near=54.3,10.1")["items"]
    assert 3_000 < near["distance_m"] < 4_000
    assert [one["id"] for one in api.get("/api/v1/sites?parent=none")["items"]] == [north["id"]]

    moved = api.put(f"/api/v1/sites/{store['id']}/parent", {"parent_id": north["id"]}, version=1)
    assert (moved["parent_id"], moved["version"]) == (north["id"], 2)
    history = api.get(f"/api/v1/sites/{store['id']}/placements")["items"]
    assert [(one["parent_name"], one["until"] is None) for one in history] == [("North", True), ("Coast", False)]
    for held in (north, store):
        with pytest.raises(ApiError) as refused:
            api.call("DELETE", f"/api/v1/sites/{held['id']}")
        assert refused.value.status == 409
    for one in (zone, store, coast, north):
        api.call("DELETE", f"/api/v1/sites/{one['id']}")


def test_opening_hours_are_kept_and_asked(owner: SignedIn, wire: Wire) -> None:
    site = owner.api.post("/api/v1/sites", {"name": "Bar", "time_zone": "Europe/Berlin"})
    place = f"/api/v1/sites/{site['id']}"
    assert_problem(wire.send("PUT", f"{place}/hours", json.dumps(NIGHT).encode(), **JSON), 428)
    owner.api.put(f"{place}/hours", NIGHT, version=1)
    reply = wire.send("GET", f"{place}/hours")
    assert (reply.json, reply.headers["etag"]) == (NIGHT, '"2"')
    at = owner.api.get(f"{place}/open?at=2026-03-07T01:30:00Z")
    assert (at["open"], at["until"]) == (True, "2026-03-07T02:00:00Z")
    at = owner.api.get(f"{place}/open?at=2026-12-25T20:00:00Z")
    assert (at["open"], at["note"], at["opens_at"]) == (False, "Christmas", "2027-01-01T21:00:00Z")
    assert isinstance(owner.api.get(f"{place}/open")["open"], bool)
    owner.api.put(place, {"name": "Bar", "time_zone": "America/New_York"}, version=2)
    assert owner.api.get(f"{place}/open?at=2026-03-07T01:30:00Z")["opens_at"] == "2026-03-07T03:00:00Z"


def test_lists_go_on_where_they_ended(owner: SignedIn) -> None:
    region = owner.api.post("/api/v1/sites", {"name": "East", "kind": "region"})["id"]
    for name in ("a", "B", "c", "D", "e"):
        owner.api.post("/api/v1/sites", {"name": name, "kind": "district", "parent_id": region})
    seen, cursor = [], ""
    while True:
        page = owner.api.get(f"/api/v1/sites?parent={region}&sort=name&limit=2{cursor}")
        seen += [one["name"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ["a", "B", "c", "D", "e"]
    with pytest.raises(ApiError) as refused:
        owner.api.get(f"/api/v1/sites?parent={region}&sort=-name{cursor}")
    assert refused.value.status == 422


GOOD = {"name": "Somewhere"}
DEEP = b'{"name":"x","metadata":{"a":' + b"[" * 400_000 + b"]" * 400_000 + b"}}"


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"time_zone": "../../etc/passwd"}, "/time_zone"),
        ({"time_zone": "Europe/berlin\u0000"}, "/time_zone"),
        ({"latitude": 90.1, "longitude": 0}, "/latitude"),
        ({"latitude": 0, "longitude": -180.5}, "/longitude"),
        ({"latitude": 10}, "/longitude"),
        ({"latitude": "10", "longitude": 1e300}, "/longitude"),
        ({"country": "XX"}, "/country"),
        ({"country": "de"}, "/country"),
        ({"area_m2": 0}, "/area_m2"),
        ({"area_m2": 10, "sales_area_m2": 11}, "/sales_area_m2"),
        ({"sales_area_m2": 11}, "/sales_area_m2"),
        ({"kind": "planet"}, "/kind"),
        ({"kind": "zone"}, "/parent_id"),
        ({"parent_id": "none"}, "/parent_id"),
        ({"parent_id": str(uuid4())}, "/parent_id"),
        ({"city": "K\u0000iel"}, "/city"),
        ({"name": "x\u202ey"}, "/name"),
        ({"metadata": {"a": {"b": {"c": {"d": {"e": {"f": {}}}}}}}}, "/metadata/a/b/c/d/e/f"),
        ({"metadata": {"a": "x" * 20_000}}, "/metadata"),
        ({"metadata": {"a": {"k" * 65: 1}}}, "/metadata/a"),
        ({"metadata": {"a": 10**40}}, "/metadata/a"),
        ({"metadata": {"a": 1e300}}, "/metadata/a"),
        ({"metadata": {"a": ["\u0000"]}}, "/metadata/a/0"),
        ({"metadata": []}, "/metadata"),
    ],
)
def test_a_site_that_cannot_be_is_422_and_says_where(wire: Wire, said: dict[str, object], pointer: str) -> None:
    body = json.dumps({**GOOD, **said}).encode()
    reply = wire.send("POST", "/api/v1/sites", body, **JSON)
    assert_problem(reply, 422)
    assert pointer in {error["pointer"] for error in reply.json["errors"]}, reply.json


@pytest.mark.parametrize("body", [DEEP, b'{"name":"x","area_m2":1e999}', b'{"name":"x","metadata":{"a":NaN}}'])
def test_what_is_no_json_that_anybody_could_read_is_400(wire: Wire, body: bytes) -> None:
    assert_problem(wire.send("POST", "/api/v1/sites", body, **JSON), 400)


@pytest.mark.parametrize(
    "query",
    [
        f"search={'x' * 201}",
        "search=%00",
        "metadata=nope",
        "metadata=[]",
        "metadata=%7B%22a%22%3A%22%5Cu0000%22%7D",
        f"metadata={quote('{' + chr(34) + 'a' + chr(34) + ':' + '[' * 900 + ']' * 900 + '}')}",
        "near=1",
        "near=1,2,3",
        "near=91,0",
        "near=nan,0",
        "near=x,y",
        "radius=10",
        "near=1,1&radius=0",
        "near=1,1&radius=inf",
        "sort=distance",
        "sort=address",
        "sort=name;DROP",
        "parent=nowhere",
        "within=nowhere",
        "kind=planet",
        "limit=0",
        "limit=201",
        "cursor=!!!",
        "cursor=W10",
        "cursor=AZOgwntOfBGPWj0umxxKYA",
        "colour=red",
    ],
)
def test_a_search_that_cannot_be_is_422(wire: Wire, query: str) -> None:
    assert_problem(wire.send("GET", f"/api/v1/sites?{query}"), 422)


@pytest.mark.parametrize(
    "hours",
    [
        {"week": {"mon": [{"from": "09:00", "to": "12:00"}, {"from": "11:00", "to": "13:00"}]}},
        {"week": {"mon": [{"from": "9", "to": "12:00"}]}},
        {"week": {"monday": []}},
        {"week": {"mon": [{"from": "09:00", "to": "12:00"}] * 9}},
        {"exceptions": [{"date": "2026-02-30"}]},
        {"exceptions": [{"date": "2026-02-03"}, {"date": "2026-02-03"}]},
        {"exceptions": [{"date": "2026-02-03", "note": "\u0000"}]},
        {"exceptions": [{"date": "0001-01-01"}]},
        [],
    ],
)
def test_hours_that_cannot_be_are_422(owner: SignedIn, wire: Wire, hours: object) -> None:
    (site,) = owner.api.get("/api/v1/sites?limit=1")["items"] or [owner.api.post("/api/v1/sites", GOOD)]
    body = json.dumps(hours).encode()
    assert_problem(wire.send("PUT", f"/api/v1/sites/{site['id']}/hours", body, if_match='"1"', **JSON), 422)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "yesterday", "2026-03-02T09:00:00"])
def test_a_moment_that_nobody_can_reckon_with_is_422(owner: SignedIn, wire: Wire, at: str) -> None:
    (site,) = owner.api.get("/api/v1/sites?limit=1")["items"] or [owner.api.post("/api/v1/sites", GOOD)]
    assert_problem(wire.send("GET", f"/api/v1/sites/{site['id']}/open?at={at}"), 422)


def test_a_region_has_no_hours_and_no_sensors(owner: SignedIn, wire: Wire) -> None:
    region = owner.api.post("/api/v1/sites", {"name": "West", "kind": "region"})["id"]
    assert_problem(wire.send("GET", f"/api/v1/sites/{region}/hours"), 409)
    assert_problem(wire.send("GET", f"/api/v1/sites/{region}/open"), 409)
    sensor = json.dumps({"site_id": region, "name": "Door", "serial": f"door-{uuid4().hex}"}).encode()
    assert_problem(wire.send("POST", "/api/v1/sensors", sensor, **JSON), 422)
    campaign = json.dumps({"name": "Spring", "budget": "1.00", "site_ids": [region]}).encode()
    assert wire.send("POST", "/api/v1/campaigns", campaign, **JSON).status in {404, 422}


def test_another_organizations_region_is_no_place(globex: SignedIn, wire: Wire) -> None:
    theirs = globex.api.post("/api/v1/sites", {"name": "Theirs", "kind": "region"})["id"]
    body = json.dumps({"name": "Mine", "kind": "district", "parent_id": theirs}).encode()
    foreign = wire.send("POST", "/api/v1/sites", body, **JSON)
    assert_problem(foreign, 422)
    assert wire.send("GET", f"/api/v1/sites?within={theirs}&kind=district").json["items"] == []
    globex.api.call("DELETE", f"/api/v1/sites/{theirs}")


RECEIPT = {"id": "1", "site": "any", "time": "2026-03-02T09:00:00Z", "currency": "EUR", "total": "1", "lines": []}


def counted(serial: str, start: datetime, entries: int) -> dict[str, object]:
    end = start + timedelta(minutes=15)
    return {"sensor": serial, "start": rfc3339(start), "end": rfc3339(end), "entries": entries, "exits": 0}


def test_a_device_is_heard_of_replaced_and_late_counts_of_the_old_one_still_count(
    owner: SignedIn, api_url: str
) -> None:
    api = owner.api
    site = api.post("/api/v1/sites", {"name": "Doors"})["id"]
    zone = api.post("/api/v1/sites", {"name": "Entrance", "kind": "zone", "parent_id": site})["id"]
    old, new = f"old-{uuid4().hex[:8]}", f"new-{uuid4().hex[:8]}"
    sensor = api.post("/api/v1/sensors", {"site_id": site, "zone_id": zone, "name": "Door", "serial": old})
    other = api.post("/api/v1/sensors", {"site_id": site, "name": "Back", "serial": f"back-{uuid4().hex[:8]}"})
    assert (sensor["health"], sensor["last_seen_at"], sensor["zone_id"]) == ("offline", None, zone)
    place = f"/api/v1/sensors/{sensor['id']}"

    made = api.post(f"{place}/key")
    device = Api(api_url, key=made["key"])
    now = utc_now().replace(second=0, microsecond=0)
    quarter = now - timedelta(minutes=now.minute % 15)
    pushed = device.post("/api/v1/ingest/counts", {"counts": [counted(old, quarter - timedelta(minutes=15), 3)]})
    assert (pushed["accepted"], pushed["rejected"]) == (1, [])
    foreign = device.post("/api/v1/ingest/counts", {"counts": [counted(other["serial"], quarter, 1)]})
    assert [one["code"] for one in foreign["rejected"]] == ["not-this-device"]
    wait_for("the heartbeat", lambda: api.get(place)["health"] == "online")
    with pytest.raises(ApiError) as refused:
        device.post("/api/v1/ingest/transactions", {"transactions": [RECEIPT]})
    assert refused.value.status == 403

    replaced = api.post(f"{place}/replace", {"serial": new, "vendor": "xovis"})
    assert (replaced["id"], replaced["serial"], replaced["key_prefix"]) == (sensor["id"], new, None)
    assert [one["serial"] for one in api.get(f"{place}/devices")["items"]] == [new, old]
    wait_for("the revocation", lambda: _is_refused(device))

    gateway = device_key(owner, "gateway")
    late = quarter - timedelta(minutes=30)
    told = gateway.post(
        "/api/v1/ingest/counts",
        {"counts": [counted(old, late, 4), counted(new, late - timedelta(hours=1), 1)]},
    )
    assert (told["accepted"], [one["code"] for one in told["rejected"]]) == (1, ["before-device"])
    span = f"from={rfc3339(late - timedelta(hours=2))}&to={rfc3339(now + timedelta(hours=1))}&granularity=hour"
    wait_for("the counts", lambda: api.get(f"/api/v1/sites/{site}/metrics?metric=footfall&{span}")["total"] == 7)

    ahead = rfc3339(utc_now() + timedelta(minutes=3))
    noted = gateway.post("/api/v1/ingest/heartbeats", {"heartbeats": [{"sensor": new, "time": ahead}, {"sensor": "x"}]})
    assert (noted["accepted"], [one["row"] for one in noted["rejected"]]) == (1, [1])
    wait_for("the clock", lambda: api.get(place)["health"] == "clock_skewed")
    assert [one["id"] for one in api.get("/api/v1/sensors?health=clock_skewed")["items"]] == [sensor["id"]]


def _is_refused(device: Api) -> bool:
    try:
        device.post("/api/v1/ingest/heartbeats", {"heartbeats": [{"sensor": "any"}]})
    except ApiError as error:
        return error.status == 401
    return False


def test_a_clock_in_the_year_2036_shows_as_one_though_none_of_its_rows_counts(owner: SignedIn) -> None:
    site = owner.api.post("/api/v1/sites", {"name": "Future"})["id"]
    serial = f"future-{uuid4().hex[:8]}"
    sensor = owner.api.post("/api/v1/sensors", {"site_id": site, "name": "Door", "serial": serial})["id"]
    pushed = device_key(owner, "door").post(
        "/api/v1/ingest/counts", {"counts": [counted(serial, datetime(2036, 2, 7, 6, 15, tzinfo=UTC), 3)]}
    )
    assert (pushed["accepted"], [one["code"] for one in pushed["rejected"]]) == (0, ["future"])
    wait_for("the clock", lambda: owner.api.get(f"/api/v1/sensors/{sensor}")["health"] == "clock_skewed")


@pytest.mark.parametrize(
    "body",
    [
        {"serial": ""},
        {"serial": "a b"},
        {"serial": "new-1", "at": "2999-01-01T00:00:00Z"},
        {"serial": "new-1", "at": "1999-01-01T00:00:00Z"},
        {},
        {"serial": "new-1", "colour": "red"},
    ],
)
def test_a_device_that_cannot_be_is_422(owner: SignedIn, wire: Wire, body: dict[str, str]) -> None:
    found = owner.api.get("/api/v1/sensors?limit=1")["items"]
    site = owner.api.get("/api/v1/sites?limit=1")["items"]
    sensor = found[0] if found else None
    if sensor is None:
        place = site[0]["id"] if site else owner.api.post("/api/v1/sites", GOOD)["id"]
        sensor = owner.api.post("/api/v1/sensors", {"site_id": place, "name": "Door", "serial": uuid4().hex})
    reply = wire.send("POST", f"/api/v1/sensors/{sensor['id']}/replace", json.dumps(body).encode(), **JSON)
    assert_problem(reply, 422)
