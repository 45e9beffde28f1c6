"""Metrics over the deployed API: of each kind of place, kept answers, ranking, exports, and what cannot be asked."""

import csv
import io
from urllib.parse import quote
from uuid import uuid4

import pytest
from arro3.io import read_parquet

from local.demo.api import wait_for
from local.demo.tenants import SignedIn, device_key
from tests.e2e.conftest import Wire, newcomer
from tests.e2e.test_bad_input import assert_problem

SPAN = "from=2026-03-02T00:00:00Z&to=2026-03-04T00:00:00Z"


@pytest.fixture(scope="module")
def owner(api_url: str) -> SignedIn:
    """An organization of these tests' own."""
    return newcomer(api_url, "chain")


@pytest.fixture(scope="module")
def places(owner: SignedIn) -> dict[str, str]:
    """A region with a store with a zone, in which twelve were counted."""
    api, serial = owner.api, uuid4().hex
    region = api.post("/api/v1/sites", {"name": "=North", "kind": "region"})["id"]
    store = api.post("/api/v1/sites", {"name": "Main", "parent_id": region})["id"]
    zone = api.post("/api/v1/sites", {"name": "Foyer", "kind": "zone", "parent_id": store})["id"]
    api.post("/api/v1/sensors", {"site_id": store, "zone_id": zone, "name": "Door", "serial": serial})
    push(owner, serial, 12)
    found = {"region": region, "store": store, "zone": zone, "serial": serial}
    wait_for("the counts", lambda: api.get(f"/api/v1/sites/{store}/metrics?{SPAN}")["total"] == 12)
    return found


def push(owner: SignedIn, serial: str, entries: int) -> None:
    times = {"start": "2026-03-02T09:00:00Z", "end": "2026-03-02T09:15:00Z"}
    count = {"sensor": serial, **times, "entries": entries, "exits": 1}
    device_key(owner, "door").post("/api/v1/ingest/counts", {"counts": [count]})


@pytest.fixture(scope="module")
def wire(owner: SignedIn, api_url: str) -> Wire:
    return Wire(api_url, owner.token)


def test_every_place_tells_what_was_counted_in_it(owner: SignedIn, places: dict[str, str]) -> None:
    for name in ("region", "store", "zone"):
        told = owner.api.get(f"/api/v1/sites/{places[name]}/metrics?{SPAN}&metric=footfall,exits")
        assert [series["total"] for series in told["series"]] == [12, 1]
    told = owner.api.get(f"/api/v1/metrics?{SPAN}&group_by=child&compare=previous_period")
    assert [(group["name"], group["series"][0]["total"]) for group in told["groups"]] == [("=North", 12)]
    ranked = owner.api.get(f"/api/v1/metrics/ranking?{SPAN}&within={places['region']}")
    assert [(one["name"], one["value"], one["rank"]) for one in ranked["items"]] == [("Main", 12, 1)]


def test_an_answer_is_kept_until_something_is_counted(owner: SignedIn, places: dict[str, str], wire: Wire) -> None:
    path = f"/api/v1/metrics?{SPAN}&granularity=hour"
    first = wire.send("GET", path)
    again = wire.send("GET", path)
    assert first.headers["x-cache"] in {"MISS", "HIT shared"}
    assert again.headers["x-cache"] in {"HIT sandbox", "HIT shared"}
    assert again.json == first.json
    push(owner, places["serial"], 15)
    wait_for("the correction", lambda: wire.send("GET", path).json["total"] == 15)
    push(owner, places["serial"], 12)
    wait_for("the correction", lambda: wire.send("GET", path).json["total"] == 12)


def test_exports_are_files(places: dict[str, str], wire: Wire) -> None:
    path = f"/api/v1/metrics/export?{SPAN}&group_by=child&metric=footfall,conversion_rate"
    told = wire.send("GET", path)
    assert told.headers["content-type"] == "text/csv; charset=utf-8"
    assert told.headers["content-disposition"] == 'attachment; filename="metrics.csv"'
    assert told.headers["x-freshness"] == wire.send("GET", f"/api/v1/metrics?{SPAN}").json["freshness"]
    assert "x-sales-freshness" not in told.headers
    rows = list(csv.DictReader(io.StringIO(told.body.decode(), newline="")))
    assert [(row["name"], row["footfall"], row["conversion_rate"]) for row in rows] == [
        ("'=North", "12", ""),
        ("'=North", "", ""),
    ]
    told = wire.send("GET", f"/api/v1/sites/{places['store']}/metrics/export?{SPAN}&format=parquet")
    assert told.headers["content-type"] == "application/vnd.apache.parquet"
    table = read_parquet(io.BytesIO(told.body)).read_all()
    assert [row["footfall"] for row in table.to_struct_array().to_pylist()] == [12.0, None]


def test_a_ranking_is_a_file_too(places: dict[str, str], wire: Wire) -> None:
    path = f"/api/v1/metrics/ranking/export?{SPAN}&within={places['region']}"
    told = wire.send("GET", path)
    assert told.headers["content-type"] == "text/csv; charset=utf-8"
    assert told.headers["content-disposition"] == 'attachment; filename="ranking.csv"'
    assert told.headers["x-freshness"] == wire.send("GET", f"/api/v1/metrics?{SPAN}").json["freshness"]
    [row] = csv.DictReader(io.StringIO(told.body.decode(), newline=""))
    assert (row["rank"], row["place"], row["name"], row["footfall"]) == ("1", places["store"], "Main", "12")
    assert (row["previous_footfall"], row["change"]) == ("", "")
    assert 0 < float(row["coverage"]) < 1
    told = wire.send("GET", f"{path}&format=parquet")
    assert told.headers["content-type"] == "application/vnd.apache.parquet"
    table = read_parquet(io.BytesIO(told.body)).read_all()
    [row] = table.to_struct_array().to_pylist()
    assert (row["rank"], row["place"], row["footfall"], row["change"]) == (1, places["store"], 12.0, None)
    assert_problem(wire.send("GET", f"/api/v1/metrics/ranking/export?{SPAN}&limit=5001"), 422)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "from=2026-03-02T00:00:00&to=2026-03-04T00:00:00Z",
        f"{SPAN}&metric=visitors",
        f"{SPAN}&metric=footfall,footfall",
        f"{SPAN}&metric=",
        f"{SPAN}&granularity=year",
        f"{SPAN}&compare=tomorrow",
        f"{SPAN}&group_by=zone",
        f"{SPAN}&impute=zero",
        f"{SPAN}&currency=euro",
        f"{SPAN}&currency={quote('EUR' + chr(0))}",
        "from=2026-03-04T00:00:00Z&to=2026-03-02T00:00:00Z",
        "from=0001-01-01T00:00:00Z&to=9999-12-31T00:00:00Z",
        "from=2026-01-01T00:00:00Z&to=2026-03-31T00:00:00Z&granularity=15m",
        f"{SPAN}&format=csv",
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(wire: Wire, query: str) -> None:
    assert_problem(wire.send("GET", f"/api/v1/metrics?{query}"), 422)


@pytest.mark.parametrize("query", ["cursor=x", "order=up", "limit=0", "within=x", "metric=footfall,exits"])
def test_a_ranking_that_cannot_be_is_refused_in_words(wire: Wire, query: str) -> None:
    assert_problem(wire.send("GET", f"/api/v1/metrics/ranking?{SPAN}&{query}"), 422)


def test_a_place_that_is_not_there_is_404(wire: Wire) -> None:
    for path in (f"sites/{uuid4()}/metrics?{SPAN}", f"sites/{uuid4()}/metrics/export?{SPAN}"):
        assert_problem(wire.send("GET", f"/api/v1/{path}"), 404)
    assert_problem(wire.send("GET", f"/api/v1/metrics/ranking?{SPAN}&within={uuid4()}"), 404)
