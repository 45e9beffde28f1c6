"""Programs on the deployed platform: an API key opens what its scopes say, wherever a token would."""

import json
from typing import Any

import pytest

from local.demo.tenants import SignedIn
from local.stack import Stack
from tests.e2e.conftest import Reply, Wire, newcomer


@pytest.fixture(scope="module")
def owner(stack: Stack) -> SignedIn:
    return newcomer(stack.api_url, "programs")


def key(owner: SignedIn, *scopes: str) -> str:
    text: str = owner.api.post("/api/v1/api-keys", {"name": "program", "scopes": list(scopes)})["key"]
    return text


def send(owner: SignedIn, credential: str, method: str, path: str, body: Any = None) -> Reply:
    raw = None if body is None else json.dumps(body).encode()
    kind = {} if body is None else {"content_type": "application/json"}
    return Wire(owner.api.url, credential).send(method, path, raw, **kind)


def test_a_program_works_with_campaigns_by_its_key(owner: SignedIn) -> None:
    program = key(owner, "campaigns.read", "campaigns.create", "campaigns.update")
    made = send(owner, program, "POST", "/api/v1/campaigns", {"name": "By a program", "budget": "10.00"})
    assert (made.status, made.json["created_by"]) == (201, None), made.body
    listed = send(owner, program, "GET", "/api/v1/campaigns").json["items"]
    assert [one["id"] for one in listed] == [made.json["id"]]
    prefix = program.split("_")[2]
    where = f"/api/v1/organizations/{owner.organization}/audit?actor=key:{prefix}"
    entries = owner.api.get(where)["items"]
    assert [entry["action"] for entry in entries] == ["campaign.created"]
    assert entries[0]["source_ip"]


def test_a_key_in_its_own_header_is_as_good(owner: SignedIn) -> None:
    program = key(owner, "campaigns.read")
    assert Wire(owner.api.url).send("GET", "/api/v1/campaigns", x_api_key=program).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/sites"),
        ("GET", "/api/v1/organizations/{organization}/members"),
        ("GET", "/api/v1/auth/me"),
        ("GET", "/api/v1/auth/sessions"),
        ("POST", "/api/v1/auth/logout"),
        ("DELETE", "/api/v1/auth/me"),
        ("GET", "/api/v1/organizations/{organization}"),
    ],
)
def test_what_its_scopes_do_not_say_and_what_is_for_users_stays_shut(owner: SignedIn, method: str, path: str) -> None:
    program = key(owner, "campaigns.read")
    refused = send(owner, program, method, path.format(organization=owner.organization))
    assert (refused.status, refused.json["code"]) == (403, "forbidden")


def test_even_a_key_that_may_everything_does_nothing_sensitive(owner: SignedIn) -> None:
    program = key(owner, "*.*")
    body = {"name": "another", "scopes": ["campaigns.read"]}
    assert send(owner, program, "POST", "/api/v1/api-keys", body).status == 403
    where = f"/api/v1/organizations/{owner.organization}"
    assert send(owner, program, "POST", f"{where}/roles", {"name": "x", "permissions": ["sites.read"]}).status == 403
    assert send(owner, program, "GET", f"{where}/members").status == 200


def test_a_key_opens_nothing_of_another_tenant(owner: SignedIn, stack: Stack) -> None:
    other = newcomer(stack.api_url, "other")
    campaign = other.api.post("/api/v1/campaigns", {"name": "Theirs", "budget": "1.00"})["id"]
    program = key(owner, "*.*")
    assert send(owner, program, "GET", f"/api/v1/campaigns/{campaign}").status == 404
    assert send(owner, program, "GET", f"/api/v1/organizations/{other.organization}/members").status == 404
    named = Wire(owner.api.url, program).send("GET", "/api/v1/campaigns", x_tenant_id=other.organization)
    assert named.status == 403


@pytest.mark.parametrize("text", ["rmap_", "rmap_local_x_y", "rmap_local_" + "A" * 12 + "_" + "B" * 38, "rmap_\u2603"])
def test_what_is_no_key_opens_nothing(owner: SignedIn, text: str) -> None:
    assert send(owner, text.encode().decode("latin-1"), "GET", "/api/v1/campaigns").status == 401


def test_scopes_that_mean_nothing_are_no_scopes(owner: SignedIn) -> None:
    wire = Wire(owner.api.url, owner.token)
    body = json.dumps({"name": "x", "scopes": ["campaigns.read", "nothing.read"]}).encode()
    refused = wire.send("POST", "/api/v1/api-keys", body, content_type="application/json")
    assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/scopes/1")
