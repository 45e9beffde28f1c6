"""How often a tenant may call, on the deployed platform: one measure for all functions, and nobody else's."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from local.demo.tenants import SignedIn
from local.stack import Stack
from tenant_context.plans import PLANS
from tests.e2e.conftest import Reply, Wire, newcomer, platform_signer

BURST = 6
SANDBOXES = 4
"""Of each, a part of a call may be let through too much."""
FUNCTIONS = ("/api/v1/campaigns", "/api/v1/sites", "/api/v1/webhooks/endpoints", "/api/v1/api-keys")


def slowed(stack: Stack, person: SignedIn, rate: list[int | None]) -> Wire:
    """The person with a token as a very small plan would have it."""
    claims = jwt.decode(person.token, options={"verify_signature": False})
    with platform_signer(stack) as signer:
        return Wire(person.api.url, signer.sign({**claims, "rate": rate}))


@pytest.mark.parametrize("plan", ["free", "enterprise"])
def test_a_token_carries_what_its_tenants_plan_allows(api_url: str, plan: str) -> None:
    mark = f"rates-{plan}-{datetime.now(UTC):%H%M%S%f}"
    body = {
        "email": f"owner@{mark}.example",
        "password": f"password-of-{mark}",
        "name": "Owner",
        "organization": {"name": mark, "plan": plan},
    }
    signed_up = Wire(api_url).send(
        "POST", "/api/v1/auth/signup", json.dumps(body).encode(), content_type="application/json"
    )
    assert signed_up.status == 201, signed_up.body
    found = [signed_up.json["access_token"]]
    login = json.dumps({"email": body["email"], "password": body["password"]}).encode()
    found.append(
        Wire(api_url).send("POST", "/api/v1/auth/login", login, content_type="application/json").json["access_token"]
    )
    carried = [jwt.decode(token, options={"verify_signature": False})["rate"] for token in found]
    assert carried == [PLANS[plan].rate.claim()] * 2


def test_all_functions_count_together_and_say_when_to_ask_again(stack: Stack, api_url: str) -> None:
    wire = slowed(stack, newcomer(api_url, "counted"), [1, BURST, None])
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        asked = pool.map(lambda number: wire.send("GET", FUNCTIONS[number % len(FUNCTIONS)]), range(8 * BURST))
        replies = list(asked)
    allowed = BURST + (time.monotonic() - began) + SANDBOXES
    assert sum(reply.status == 200 for reply in replies) <= allowed
    refused = [reply for reply in replies if reply.status == 429]
    assert {reply.status for reply in replies} == {200, 429}
    assert {reply.json["code"] for reply in refused} == {"rate-limited"}
    assert all(int(reply.headers["retry-after"]) >= 1 for reply in refused)
    assert {reply.headers["ratelimit-policy"] for reply in replies} == {f'"tenant";q={BURST};w={BURST}'}
    assert all(reply.headers["ratelimit"].startswith('"tenant";r=0;') for reply in refused)


def test_a_keys_pushes_are_calls_and_end_with_the_days_quota(stack: Stack, api_url: str) -> None:
    if (datetime.now(UTC) + timedelta(minutes=2)).date() != datetime.now(UTC).date():
        pytest.skip("in a moment it is another day")
    person = newcomer(api_url, "pushing")
    wire = slowed(stack, person, [50, 50, 4])
    body = json.dumps({"name": "till", "scopes": ["ingest.write"]}).encode()
    made = wire.send("POST", "/api/v1/api-keys", body, content_type="application/json")
    assert made.status == 201, made.body

    def push() -> Reply:
        return Wire(api_url).send(
            "POST",
            "/api/v1/ingest/counts",
            b'{"counts": []}',
            content_type="application/json",
            x_api_key=made.json["key"],
        )

    replies = [push() for _ in range(5)]
    assert {reply.status for reply in replies} == {422, 429} or {reply.status for reply in replies} == {429}
    refused = replies[-1]
    assert (refused.status, refused.json["code"]) == (429, "daily-quota-exceeded")
    assert "4 calls a day" in refused.json["detail"]
    assert 0 < int(refused.headers["retry-after"]) <= 86_400


def test_a_tenant_that_floods_is_refused_alone(stack: Stack, api_url: str, acme: SignedIn) -> None:
    """Its neighbours are let through meanwhile, in the same sandboxes."""
    noisy, quiet = slowed(stack, newcomer(api_url, "noisy"), [1, BURST, None]), Wire(api_url, acme.token)

    def flood(_: int) -> int:
        return noisy.send("GET", "/api/v1/campaigns").status

    began = time.monotonic()
    with ThreadPoolExecutor(3) as pool:
        flooding = pool.map(flood, range(90))
        heard = [quiet.send("GET", "/api/v1/campaigns") for _ in range(30)]
        statuses = list(flooding)
    assert {reply.status for reply in heard} == {200}
    allowed = BURST + (time.monotonic() - began) + SANDBOXES
    assert statuses.count(200) <= allowed
    assert set(statuses) == {200, 429}
    assert "ratelimit" in heard[-1].headers
