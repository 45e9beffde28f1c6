"""Webhook endpoints over HTTP."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from shared.events.rules.catalogue import CATALOGUE
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.permissions import ROLES
from tests.conftest import Clone
from tests.functions.webhooks.line import ISSUER, Line

Tenants = tuple[TenantContext, TenantContext]
URL = "https://hooks.example.com/rmap"
BODY: dict[str, Any] = {"url": URL, "description": "Orders", "event_types": ["campaign.*", "site.created"]}


def codes(answer: Any) -> dict[str, str]:
    """The field errors of an answer: pointer and code."""
    return {error["pointer"]: error["code"] for error in answer.json["errors"]}


def test_an_endpoint_is_created_read_and_listed(line: Line, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    made = line.api(acme, "POST", "webhooks/endpoints", BODY)
    assert made.status == 201
    secret = made.json.pop("secret")
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    [key] = made.json["keys"]
    assert made.json == {
        **BODY,
        "id": made.json["id"],
        "conditions": [],
        "site_ids": [],
        "campaign_ids": [],
        "headers": {},
        "payload_version": 1,
        "retry_schedule": None,
        "timeout_seconds": 15,
        "rate_per_second": None,
        "max_concurrency": None,
        "ordering": "none",
        "replay_per_second": None,
        "enabled": True,
        "keys": [
            {
                "id": key["id"],
                "algorithm": "hmac",
                "public_key": None,
                "created_at": made.json["created_at"],
                "ends_at": None,
            }
        ],
        "health": {
            "state": "pending",
            "since": None,
            "by": None,
            "reason": "Its URL is not verified yet; what is to be sent waits for that.",
        },
        "verification": {"state": "pending", "reason": "", "at": None},
        "version": 1,
        "created_at": made.json["created_at"],
        "updated_at": made.json["created_at"],
        "gone_at": None,
    }
    assert made.headers["location"] == f"/api/v1/webhooks/endpoints/{made.json['id']}"
    shown = line.api(acme, "GET", f"webhooks/endpoints/{made.json['id']}")
    assert (shown.status, shown.json, shown.headers["etag"]) == (200, made.json, '"1"')
    assert line.api(acme, "GET", "webhooks/endpoints").json == {"items": [made.json], "next_cursor": None}


def test_endpoints_come_in_pages_newest_first(line: Line, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    made = [line.endpoint(acme, f"{URL}/{number}")["id"] for number in range(3)]
    first = line.api(acme, "GET", "webhooks/endpoints?limit=2").json
    second = line.api(acme, "GET", f"webhooks/endpoints?limit=2&cursor={first['next_cursor']}").json
    assert [item["id"] for item in first["items"] + second["items"]] == made[::-1]
    assert second["next_cursor"] is None


def test_the_database_holds_no_secret_in_the_clear(line: Line, clone: Clone, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    made = line.api(acme, "POST", "webhooks/endpoints", BODY, idempotency_key="once").json
    secret = base64.b64decode(made["secret"].removeprefix("whsec_"))
    with clone.connect() as admin:
        rows = [
            *admin.execute("SELECT encode(secret, 'hex'), webhook_endpoints::text FROM webhook_endpoints"),
            *admin.execute("SELECT convert_from(body, 'UTF8') FROM idempotency_keys"),
            *admin.execute("SELECT details::text FROM audit_log"),
        ]
    assert len(rows) == 3
    everything = str(rows)
    assert secret.hex() not in everything
    assert made["secret"] not in everything


def test_a_repeated_create_makes_one_endpoint_and_shows_no_secret_again(line: Line, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    first = line.api(acme, "POST", "webhooks/endpoints", BODY, idempotency_key="once")
    again = line.api(acme, "POST", "webhooks/endpoints", BODY, idempotency_key="once")
    assert (again.status, again.json) == (201, {**first.json, "secret": None})
    assert len(line.api(acme, "GET", "webhooks/endpoints").json["items"]) == 1


def test_an_update_needs_the_present_version(line: Line, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    address = f"webhooks/endpoints/{line.endpoint(acme, URL)['id']}"
    assert line.api(acme, "PUT", address, BODY).status == 428
    changed = line.api(acme, "PUT", address, {**BODY, "enabled": False}, if_match='"1"')
    assert (changed.status, changed.json["version"], changed.json["enabled"]) == (200, 2, False)
    assert "secret" not in changed.json
    assert line.api(acme, "PUT", address, BODY, if_match='"1"').status == 412
    assert line.api(acme, "GET", address).json == changed.json


def test_rotation_shows_another_secret(line: Line, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    made = line.endpoint(acme, URL)
    rotated = line.api(acme, "POST", f"webhooks/endpoints/{made['id']}/rotate-secret")
    assert rotated.status == 200
    assert rotated.json["secret"].startswith("whsec_")
    assert rotated.json["secret"] != made["secret"]
    assert rotated.json["version"] == 2


def test_a_deleted_endpoint_is_gone(line: Line, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    address = f"webhooks/endpoints/{line.endpoint(acme, URL)['id']}"
    assert line.api(acme, "DELETE", address).status == 204
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/rotate-secret")):
        assert line.api(acme, method, address + path).status == 404


def test_a_disabled_endpoint_takes_no_test(line: Line, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    made = line.api(acme, "POST", "webhooks/endpoints", {**BODY, "enabled": False}).json
    assert line.api(acme, "POST", f"webhooks/endpoints/{made['id']}/test").status == 409


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"url": "http://hooks.example.com/"}, "/url", "url-refused"),
        ({"url": "https://10.0.0.1/"}, "/url", "url-refused"),
        ({"url": "https://2130706433/"}, "/url", "url-refused"),
        ({"url": "https://user:pass@hooks.example.com/"}, "/url", "url-refused"),
        ({"url": f"{ISSUER}/api/v1/webhooks/endpoints"}, "/url", "url-refused"),
        ({"url": "https://acme.shops.test.example/"}, "/url", "url-refused"),
        ({"url": ""}, "/url", "string_too_short"),
        ({"url": 7}, "/url", "string_type"),
        ({"url": "https://example.com/" + "a" * 2048}, "/url", "string_too_long"),
        ({"event_types": ["campaign.*", "campaign.exploded"]}, "/event_types/1", "unknown-event-type"),
        ({"event_types": []}, "/event_types", "too_short"),
        ({"event_types": ["*"] * 101}, "/event_types", "too_long"),
        ({"secret": "whsec_mine"}, "/secret", "extra_forbidden"),
    ],
)
def test_a_wrong_field_is_named(
    line: Line, two_tenants: Tenants, change: dict[str, Any], pointer: str, code: str
) -> None:
    acme, _ = two_tenants
    answer = line.api(acme, "POST", "webhooks/endpoints", {**BODY, **change})
    assert (answer.status, codes(answer)) == (422, {pointer: code})


def test_globex_cannot_touch_an_endpoint_of_acme(line: Line, two_tenants: Tenants) -> None:
    acme, globex = two_tenants
    address = f"webhooks/endpoints/{line.endpoint(acme, URL)['id']}"
    missing = f"webhooks/endpoints/{uuid7()}"
    for method, path, body in (
        ("GET", "", None),
        ("PUT", "", BODY),
        ("DELETE", "", None),
        ("POST", "/test", None),
        ("POST", "/rotate-secret", None),
        ("GET", "/attempts", None),
    ):
        foreign = line.api(globex, method, address + path, body, if_match='"1"')
        nobodys = line.api(globex, method, missing + path, body, if_match='"1"')
        assert (foreign.status, foreign.json) == (404, nobodys.json)
    assert line.api(globex, "GET", "webhooks/endpoints").json["items"] == []
    assert line.api(acme, "GET", address).status == 200


def test_a_member_may_not_and_a_viewer_may_only_read(line: Line, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    for role, statuses in {"member": (403, 403), "viewer": (200, 403), "manager": (403, 403)}.items():
        user = replace(acme, role=role, permissions=ROLES[role])
        assert line.api(user, "GET", "webhooks/endpoints").status == statuses[0]
        assert line.api(user, "POST", "webhooks/endpoints", BODY).status == statuses[1]
    assert line.api(None, "GET", "webhooks/endpoints").status == 401


def test_the_catalogue_is_served(line: Line, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    answer = line.api(acme, "GET", "events/types")
    assert answer.status == 200
    assert {item["type"] for item in answer.json["items"]} == {kind.name for kind in CATALOGUE}
    assert all(item["description"] and item["example"]["data"] for item in answer.json["items"])
    one = line.api(acme, "GET", "events/types/campaign.launched")
    assert (one.status, one.json) == (200, next(i for i in answer.json["items"] if i["type"] == "campaign.launched"))
    assert one.json["schema"]["properties"]["data"]["properties"]["budget"]["type"] == "string"
    assert line.api(acme, "GET", "events/types/campaign.exploded").status == 404
