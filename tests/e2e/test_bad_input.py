"""Bad input over the deployed API: a problem document that says what is wrong, never a stack trace, never a 500."""

import base64
import gzip
import json
from uuid import uuid4

import pytest

from local.demo.tenants import SignedIn, device_key
from shared.webhooks.rules.signature import USER_AGENT
from tests.e2e.conftest import Reply, Wire

JSON = {"content_type": "application/json"}
GOOD = {"name": "Spring", "budget": "100.00"}


def assert_problem(reply: Reply, status: int) -> None:
    assert reply.status == status, reply.body[:500]
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json
    assert set(problem) >= {"type", "title", "status", "detail", "instance"}
    assert problem["status"] == status
    assert problem["instance"] == reply.headers["x-request-id"]
    assert b"Traceback" not in reply.body


@pytest.mark.parametrize(
    "path", ["/nope", "/api/v1/nope", "/api/v1/campaigns/a/b/c", "/api/v1/campaignsx", "/api/v9/campaigns", "/api/v1/"]
)
def test_an_unknown_address_is_404(wire: Wire, path: str) -> None:
    assert_problem(wire.send("GET", path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/v1/campaigns", "GET, HEAD, POST"),
        ("PATCH", "/api/v1/auth/login", "POST"),
        ("POST", "/health", "GET, HEAD"),
        ("GET", "/api/v1/ingest/counts", "POST"),
    ],
)
def test_a_wrong_method_is_405_and_says_which_are_right(wire: Wire, method: str, path: str, allowed: str) -> None:
    reply = wire.send(method, path)
    assert_problem(reply, 405)
    assert reply.headers["allow"] == allowed


@pytest.mark.parametrize("body", [b"{", b'{"name": }', b"\xff\xfe", b"", b"nope", b"[" * 100_000])
def test_malformed_json_is_400(wire: Wire, body: bytes) -> None:
    assert_problem(wire.send("POST", "/api/v1/campaigns", body, **JSON), 400)


def test_wrong_types_are_422_and_name_each_field(wire: Wire) -> None:
    body = {"name": 5, "budget": 12.5, "starts_at": "yesterday", "site_ids": ["x"], "colour": "red"}
    reply = wire.send("POST", "/api/v1/campaigns", json.dumps(body).encode(), **JSON)
    assert_problem(reply, 422)
    assert {error["pointer"] for error in reply.json["errors"]} == {
        "/name", "/budget", "/starts_at", "/site_ids/0", "/colour",
    }  # fmt: skip
    assert all(error["code"] and error["message"] for error in reply.json["errors"])


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"null", b"7"])
def test_json_that_is_no_object_is_422(wire: Wire, body: bytes) -> None:
    assert_problem(wire.send("POST", "/api/v1/campaigns", body, **JSON), 422)


def test_wrong_parameters_are_422_and_named(wire: Wire) -> None:
    reply = wire.send("GET", "/api/v1/campaigns?limit=0&status=flying")
    assert_problem(reply, 422)
    assert {error["pointer"] for error in reply.json["errors"]} == {"?limit", "?status"}


def test_a_body_over_the_limit_is_413(wire: Wire) -> None:
    body = json.dumps({**GOOD, "name": "x" * 1_100_000}).encode()
    assert_problem(wire.send("POST", "/api/v1/campaigns", body, **JSON), 413)


def test_a_gzip_bomb_is_413(acme: SignedIn) -> None:
    device = device_key(acme, "bomb")
    bomb = gzip.compress(b" " * 50_000_000)
    reply = Wire(acme.api.url).send(
        "POST",
        "/api/v1/ingest/counts",
        bomb,
        content_type="application/gzip",
        x_api_key=device.key,
    )
    assert_problem(reply, 413)


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded"])
def test_a_wrong_content_type_is_415(wire: Wire, content_type: str) -> None:
    body = json.dumps(GOOD).encode()
    assert_problem(wire.send("POST", "/api/v1/campaigns", body, content_type=content_type), 415)


def _segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


BAD_TOKENS = [
    "",
    "nonsense",
    "a.b.c",
    f"{_segment({'alg': 'none'})}.{_segment({'sub': 'x'})}.",
    f"{_segment({'alg': 'HS256', 'kid': 'x'})}.{_segment({'sub': 'x'})}.{_segment('x')}",
    "rmap_local_000000000000_00000000000000000000000000000000000000",
    "x" * 9000,
]


@pytest.mark.parametrize("token", BAD_TOKENS)
def test_a_bad_token_is_401(stranger: Wire, token: str) -> None:
    reply = stranger.send("GET", "/api/v1/campaigns", authorization=f"Bearer {token}")
    assert_problem(reply, 401)
    assert reply.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "path", ["/api/v1/campaigns", "/api/v1/sites", "/api/v1/jobs", "/api/v1/webhooks/endpoints", "/metrics"]
)
def test_no_token_is_401(stranger: Wire, path: str) -> None:
    assert_problem(stranger.send("GET", path), 401)


def test_a_token_with_a_changed_claim_is_401(acme: SignedIn, stranger: Wire) -> None:
    head, claims, signature = acme.token.split(".")
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    forged = f"{head}.{_segment({**told, 'tid': str(uuid4())})}.{signature}"
    assert_problem(stranger.send("GET", "/api/v1/campaigns", authorization=f"Bearer {forged}"), 401)


def test_another_tenants_id_is_the_same_404_as_a_missing_one(acme: SignedIn, globex: SignedIn) -> None:
    campaign = acme.api.post("/api/v1/campaigns", GOOD)["id"]
    other = Wire(globex.api.url, globex.token)
    foreign = other.send("GET", f"/api/v1/campaigns/{campaign}")
    missing = other.send("GET", f"/api/v1/campaigns/{uuid4()}")
    assert_problem(foreign, 404)
    ignored = {"instance"}
    assert {k: v for k, v in foreign.json.items() if k not in ignored} == {
        k: v for k, v in missing.json.items() if k not in ignored
    }


def test_a_header_that_names_another_tenant_is_refused(wire: Wire) -> None:
    assert_problem(wire.send("GET", "/api/v1/campaigns", x_tenant_id=str(uuid4())), 403)


@pytest.mark.parametrize("path", ["/api/v1/campaigns", "/api/v1/ingest/counts", "/health", "/nope"])
def test_a_webhook_of_the_platform_cannot_call_it_under_any_name(wire: Wire, path: str) -> None:
    """By a name of its own, which no check of names can know: its event would make the next one."""
    answer = wire.send("POST", path, b"{}", content_type="application/json", user_agent=USER_AGENT)
    assert (answer.status, answer.json["code"]) == (403, "own-webhook")


def test_a_key_that_may_only_push_cannot_read(acme: SignedIn) -> None:
    device = device_key(acme, "pusher")
    key = device.key
    assert_problem(Wire(acme.api.url).send("GET", "/api/v1/campaigns", authorization=f"Bearer {key}"), 403)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{}", 422),
        (b'{"counts": []}', 422),
        (b'{"counts": 5}', 422),
        (b'{"counts": [' + b"[" * 200_000, 400),
        (b'{"counts": [' + b",".join([b"{}"] * 10_001) + b"]}", 422),
    ],
)
def test_a_push_that_cannot_be_read_is_refused_as_a_whole(acme: SignedIn, body: bytes, status: int) -> None:
    key = device_key(acme, "whole").key
    reply = Wire(acme.api.url).send("POST", "/api/v1/ingest/counts", body, x_api_key=key, **JSON)
    assert_problem(reply, status)


def test_each_bad_row_of_a_push_is_refused_alone_with_its_reason(acme: SignedIn) -> None:
    device = device_key(acme, "rows")
    site = acme.api.post("/api/v1/sites", {"name": "Rows"})
    serial = f"rows-{uuid4().hex[:8]}"
    acme.api.post("/api/v1/sensors", {"site_id": site["id"], "name": "Door", "serial": serial})
    good = {
        "sensor": serial, "start": "2026-03-02T09:00:00Z", "end": "2026-03-02T09:15:00Z", "entries": 1, "exits": 1,
    }  # fmt: skip
    rows = [
        good,
        good,
        {**good, "entries": 9},
        {**good, "start": "1970-01-01T00:00:00Z"},
        {**good, "end": "2036-01-01T00:00:00Z"},
        {**good, "start": "2026-03-02T09:00:00"},
        {**good, "entries": -1},
        {**good, "entries": 1.5},
        {**good, "entries": 2**63},
        {**good, "sensor": "nobody"},
        {**good, "extra": 1},
        "nonsense",
        None,
    ]
    answer = device.post("/api/v1/ingest/counts", {"counts": rows})
    assert (answer["accepted"], answer["duplicates"], answer["rejected_count"]) == (1, 1, 11)
    codes = {one["row"]: (one["field"], one["code"]) for one in answer["rejected"]}
    assert codes[2] == ("start", "conflict-in-push")
    assert codes[3] == ("start", "too-old")
    assert codes[4][1] in {"future", "interval-too-long"}
    assert codes[9] == ("sensor", "unknown-sensor")
    assert all(one["message"] for one in answer["rejected"])


def test_a_nul_in_a_text_is_422_wherever_it_stands(wire: Wire) -> None:
    body = json.dumps({"name": "Nul", "metadata": {"a": "x\x00y"}}).encode()
    assert_problem(wire.send("POST", "/api/v1/sites", body, **JSON), 422)


def test_a_row_with_a_nul_is_refused_alone(acme: SignedIn) -> None:
    device = device_key(acme, "nul")
    row = {"sensor": "a\x00b", "start": "2026-03-02T09:00:00Z", "end": "2026-03-02T09:15:00Z", "entries": 1, "exits": 1}
    answer = device.post("/api/v1/ingest/counts", {"counts": [row]})
    assert (answer["accepted"], answer["rejected_count"]) == (0, 1)
