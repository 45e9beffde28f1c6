"""What a tenant may push and keep, on the deployed platform: held at the doors, widened by operators."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.demo.api import wait_for
from local.demo.tenants import SignedIn, log_in
from local.stack import Stack
from tests.e2e.conftest import SOON, Reply, Wire, newcomer


@pytest.fixture
def owner(stack: Stack) -> SignedIn:
    return newcomer(stack.api_url, "quotas")


def operate(stack: Stack, owner: SignedIn, method: str, path: str, body: object = None) -> Reply:
    where = f"/api/v1/operator/organizations/{owner.organization}{path}"
    raw = None if body is None else json.dumps(body).encode()
    return Wire(stack.api_url, stack.operator_secret).send(method, where, raw, content_type="application/json")


def grant(stack: Stack, owner: SignedIn, name: str, amount: int) -> str:
    given = operate(stack, owner, "POST", "/grants", {"kind": "value", "name": name, "amount": amount, "reason": "x"})
    assert given.status == 201, given.body
    return str(given.json["id"])


class Door:
    """A sensor and the key it pushes with."""

    def __init__(self, owner: SignedIn) -> None:
        site = owner.api.post("/api/v1/sites", {"name": "Flagship", "code": "main", "time_zone": "UTC"})["id"]
        sensor = {"site_id": site, "name": "Door", "serial": "door-1", "kind": "line", "interval_minutes": 15}
        owner.api.post("/api/v1/sensors", sensor)
        self._key = owner.api.post("/api/v1/api-keys", {"name": "door", "scopes": ["ingest.write"]})["key"]
        self._url = owner.api.url
        self._at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=2)

    def push(self, rows: int) -> Reply:
        """So many counts, each of another quarter of an hour."""
        counts = []
        for _ in range(rows):
            end = self._at + timedelta(minutes=15)
            one = {"sensor": "door-1", "start": self._at.isoformat(), "end": end.isoformat(), "entries": 1, "exits": 1}
            counts.append(one)
            self._at = end
        body = json.dumps({"counts": counts}).encode()
        return Wire(self._url).send(
            "POST", "/api/v1/ingest/counts", body, content_type="application/json", x_api_key=self._key
        )


def limit_of(owner: SignedIn, name: str) -> dict[str, Any]:
    items = owner.api.get(f"/api/v1/organizations/{owner.organization}/limits")["items"]
    return next(dict(item) for item in items if item["limit"] == name)


def test_the_days_rows_are_held_at_the_door_and_shown(stack: Stack, owner: SignedIn) -> None:
    if (datetime.now(UTC) + timedelta(minutes=2)).date() != datetime.now(UTC).date():
        pytest.skip("in a moment it is another day")
    grant(stack, owner, "events_per_day", 5)
    door = Door(owner)
    taken = door.push(3)
    assert taken.status == 202, taken.body
    assert '"rows";r=2;' in taken.headers["ratelimit"]
    assert '"tenant";' in taken.headers["ratelimit"]
    assert taken.headers["ratelimit-policy"].endswith('"rows";q=5;w=86400')
    refused = door.push(3)
    assert (refused.status, refused.json["code"]) == (429, "limit-reached")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT00:00:00Z")
    assert {name: refused.json[name] for name in ("limit", "value", "usage", "resets_at")} == {
        "limit": "events_per_day", "value": 5, "usage": 3, "resets_at": tomorrow,
    }  # fmt: skip
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert door.push(2).status == 202
    shown = limit_of(owner, "events_per_day")
    assert (shown["value"], shown["usage"], shown["source"]) == (5, 5, "grant")
    grant(stack, owner, "events_per_day", 50)
    wait_for("the greater limit", lambda: door.push(1).status == 202, seconds=SOON)


def test_a_full_room_stops_pushes_and_creations_until_there_is_room(stack: Stack, owner: SignedIn) -> None:
    door = Door(owner)
    assert door.push(1).status == 202
    given = grant(stack, owner, "storage_gb", 0)
    answers: list[Reply] = []

    def is_full() -> bool:
        answers.append(door.push(1))
        return answers[-1].status == 402

    wait_for("the door's word", is_full, seconds=SOON)
    refused = answers[-1]  # the next one may be another sandbox's, which has not heard yet
    assert {name: refused.json[name] for name in ("code", "limit", "value", "resets_at")} == {
        "code": "limit-reached", "limit": "storage_gb", "value": 0, "resets_at": None,
    }  # fmt: skip
    assert "GB" in refused.json["detail"]
    body = json.dumps({"name": "Second", "code": "second"}).encode()

    def create() -> int:
        person = log_in(owner.api.url, owner.user)
        return (
            Wire(person.api.url, person.token)
            .send("POST", "/api/v1/sites", body, content_type="application/json")
            .status
        )

    assert create() == 402
    anew = log_in(owner.api.url, owner.user)
    assert Wire(anew.api.url, anew.token).send("GET", "/api/v1/sites").status == 200
    assert operate(stack, owner, "DELETE", f"/grants/{given}").status == 204
    wait_for("room for pushes", lambda: door.push(1).status == 202, seconds=SOON)
    assert create() == 201


@pytest.mark.parametrize(
    ("name", "path", "body"),
    [
        ("sites", "sites", {"name": "One"}),
        ("webhook_endpoints", "webhooks/endpoints", {"url": "https://hooks.example.com/x", "event_types": ["*"]}),
    ],
)
def test_creations_at_once_leave_exactly_as_many_as_the_limit(
    stack: Stack, owner: SignedIn, name: str, path: str, body: dict[str, Any]
) -> None:
    grant(stack, owner, name, 4)

    def create(number: int) -> int:
        unlike = {**body, "code": f"s-{number}"} if name == "sites" else body
        wire = Wire(owner.api.url, owner.token)
        return wire.send("POST", f"/api/v1/{path}", json.dumps(unlike).encode(), content_type="application/json").status

    with ThreadPoolExecutor(8) as pool:
        # Sandboxes that begin now, all at once, may take longer than a request has.
        list(pool.map(lambda _: Wire(owner.api.url, owner.token).send("GET", f"/api/v1/{path}"), range(16)))
        statuses = Counter(pool.map(create, range(40)))
    assert statuses == {201: 4, 402: 36}
    assert limit_of(owner, name)["usage"] == 4
