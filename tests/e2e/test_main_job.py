"""The platform's main job through its deployed API, as a newcomer sees it."""

import os
from pathlib import Path

import pytest

from local.demo import __main__ as real_demo
from local.demo.api import wait_for
from local.demo.story import Story
from local.demo.tenants import SignedIn
from local.progress import Silent
from local.stack import Stack
from tests.e2e.conftest import Wire

DATA = Path(os.environ.get("RMAP_DATA", "../shared/data"))


def test_the_demo_does_the_main_job_and_can_do_it_again(stack: Stack) -> None:
    for _ in range(2):
        told = Story(stack.api_url, stack.webhook_receiver_url, Silent()).tell()
        assert any("its signature verifies" in line for line in told)


@pytest.mark.skipif(not (DATA / "calit2").exists(), reason="the real data is not here; RMAP_DATA names its folder")
def test_every_row_of_the_real_files_is_accounted_for(stack: Stack) -> None:
    told = "\n".join(real_demo.run(stack.api_url, DATA, Silent()))
    assert "10080 rows = 10080 accounted for" in told
    assert "541909 lines = 541909 accounted for" in told


def test_the_schedule_itself_starts_refreshes(stack: Stack, acme: SignedIn) -> None:
    campaign = acme.api.post("/api/v1/campaigns", {"name": "Scheduled", "budget": "1.00"})
    queue = stack.client("dynamodb")

    def leased() -> bool:
        items = queue.scan(TableName="rmap-local-leases", Limit=50)["Items"]
        return any(item["pk"]["S"] == "job#refresh-performance" for item in items)

    wait_for("the schedule", leased, seconds=130)
    assert campaign["status"] == "draft"


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
