"""The platform's main job through its deployed API, as a newcomer sees it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.demo.api import wait_for
from local.demo.reading import settled
from local.demo.story import Story
from local.demo.tenants import DEMO_USERS, SignedIn, device, log_in
from local.progress import Silent
from local.stack import Stack
from tests.e2e.conftest import TIMED_WORK, Wire


def test_the_demo_does_the_main_job_and_can_do_it_again(stack: Stack) -> None:
    for _ in range(2):
        told = Story(stack.api_url, stack.webhook_receiver_url, Silent()).tell()
        assert any("its signature verifies" in line for line in told)


def test_the_demo_leaves_one_campaign_and_no_key_behind(stack: Stack) -> None:
    for _ in range(2):
        Story(stack.api_url, stack.webhook_receiver_url, Silent()).tell()
    api = log_in(stack.api_url, DEMO_USERS[0]).api
    campaigns = api.get("/api/v1/campaigns?limit=200")["items"]
    assert [campaign["status"] for campaign in campaigns if campaign["name"] == "Demo week"] == ["active"]
    assert all(key["revoked"] for key in api.get("/api/v1/api-keys")["items"] if key["name"] == "Demo devices")


@pytest.fixture
def flying(acme: SignedIn) -> str:
    """A launched campaign at a site where three people were counted."""
    site = acme.api.post("/api/v1/sites", {"name": "Scheduled"})
    serial = f"scheduled-{site['id'][-12:]}"
    acme.api.post("/api/v1/sensors", {"site_id": site["id"], "name": "Door", "serial": serial})
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    body = {"name": "Scheduled", "budget": "1.00", "starts_at": hour.isoformat(), "site_ids": [site["id"]]}
    campaign = str(acme.api.post("/api/v1/campaigns", body)["id"])
    acme.api.post(f"/api/v1/campaigns/{campaign}/launch")
    end = hour + timedelta(minutes=15)
    count = {"sensor": serial, "start": hour.isoformat(), "end": end.isoformat(), "entries": 3, "exits": 1}
    with device(acme, "scheduled") as pusher:
        batch = pusher.post("/api/v1/ingest/counts", {"counts": [count]})["batch"]
    assert settled(acme, batch)["stored"] == 1
    return campaign


@pytest.mark.timeout(700)
def test_the_schedule_itself_refreshes_what_a_campaign_did(stack: Stack, acme: SignedIn, flying: str) -> None:
    leases = stack.client("dynamodb")
    began = datetime.now(UTC).replace(second=0, microsecond=0)

    def slots() -> list[datetime]:
        """The minutes since the test began that the schedule asked for; by hand, the samples ask for one long ago."""
        key = {":job": {"S": "job#refresh-performance"}}
        found = leases.query(
            TableName="rmap-local-leases", KeyConditionExpression="pk = :job", ExpressionAttributeValues=key,
            ConsistentRead=True,
        )["Items"]  # fmt: skip
        slots = [datetime.fromisoformat(item["sk"]["S"]) for item in found]
        return [slot for slot in slots if slot > began]

    def refreshed() -> Any:
        days = acme.api.get(f"/api/v1/campaigns/{flying}/performance")["items"]
        return [day for day in days if datetime.fromisoformat(day["refreshed_at"]) >= slot]

    slot = max(wait_for("the schedule", slots, seconds=200))
    days = wait_for("the refresh that the schedule started", refreshed, seconds=TIMED_WORK)
    assert [day["footfall"] for day in days] == [3]


def test_every_answer_carries_its_standard_headers(wire: Wire) -> None:
    reply = wire.send("GET", "/api/v1/campaigns")
    assert reply.status == 200
    assert {"x-request-id", "x-response-time", "ratelimit", "ratelimit-policy"} <= set(reply.headers)


def test_a_write_repeated_with_its_key_is_done_once(wire: Wire) -> None:
    body = b'{"name": "Once", "budget": "5.00"}'
    headers = {"content_type": "application/json", "idempotency_key": "once-and-only-once"}
    first, second = (wire.send("POST", "/api/v1/campaigns", body, **headers) for _ in range(2))
    assert (first.status, second.status) == (201, 201)
    assert first.json == second.json
    assert second.headers["idempotent-replayed"] == "true"
    other = wire.send("POST", "/api/v1/campaigns", b'{"name": "Other", "budget": "5.00"}', **headers)
    assert other.status == 422


def test_a_stale_version_is_412_and_a_missing_one_428(wire: Wire) -> None:
    made = wire.send("POST", "/api/v1/campaigns", b'{"name": "A", "budget": "5.00"}', content_type="application/json")
    path, body = f"/api/v1/campaigns/{made.json['id']}", b'{"name": "B", "budget": "6.00"}'
    assert wire.send("PUT", path, body, content_type="application/json").status == 428
    assert wire.send("PUT", path, body, content_type="application/json", if_match='"9"').status == 412
    assert wire.send("PUT", path, body, content_type="application/json", if_match='"1"').status == 200


def test_a_refresh_token_works_once_and_its_reuse_ends_the_session(api_url: str, acme: SignedIn) -> None:
    signed_in = acme.api.post("/api/v1/auth/switch", {"organization": acme.user.slug})
    token = signed_in["refresh_token"]
    public = Wire(api_url)

    def refresh(text: str) -> int:
        body = f'{{"refresh_token": "{text}"}}'.encode()
        reply = public.send("POST", "/api/v1/auth/refresh", body, content_type="application/json")
        fresh.append(reply.json.get("refresh_token", ""))
        return reply.status

    fresh: list[str] = []
    assert refresh(token) == 200
    assert refresh(fresh[0]) == 200
    assert refresh(token) == 401
    assert refresh(fresh[1]) == 401


def test_the_api_describes_itself_and_has_a_page_to_try_it(wire: Wire) -> None:
    document = wire.send("GET", "/openapi.json").json
    assert document["openapi"].startswith("3.1")
    assert "/api/v1/campaigns" in document["paths"]
    page = wire.send("GET", "/docs")
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")


def test_a_key_made_twice_with_one_idempotency_key_shows_its_text_once(wire: Wire) -> None:
    body = b'{"name": "Door", "scopes": ["ingest.write"]}'
    headers = {"content_type": "application/json", "idempotency_key": "one-door"}
    first, second = (wire.send("POST", "/api/v1/api-keys", body, **headers) for _ in range(2))
    assert first.json["key"].startswith("rmap_")
    assert second.json["prefix"] == first.json["prefix"]
    assert "key" not in second.json
