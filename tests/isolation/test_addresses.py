"""Every address of the deployed platform, asked with another tenant's ids: the same 404 as for no such thing."""

import importlib
import json
from typing import Any
from uuid import UUID

import pytest

from infra import catalog
from local.demo.api import Api
from local.demo.tenants import SignedIn, device_key, log_in
from tenant_context.clock import uuid7
from tenant_context.routing import Proof, Route, Routes
from tests.e2e.conftest import Reply, Wire
from tests.isolation.things import END, QUERIES, START, Things, address, parameters

pytestmark = pytest.mark.timeout(900)
"""The first test of a process that asks for one of everything waits for timed work (`tests.e2e.conftest`)."""


def _routes() -> list[Route]:
    found: list[Route] = []
    for row in catalog.http_functions():
        routes = importlib.import_module(f"functions.{row.name}.routes").routes
        assert isinstance(routes, Routes)
        found += [route for route in routes.all if route.proof is Proof.TOKEN]
    return found


ROUTES = _routes()
OF_ONE_THING = [route for route in ROUTES if parameters(route)]
LISTS = [route for route in ROUTES if route.method == "GET" and "{" not in route.path]
name_of = "{0.method} {0.path}".format
every_thing = pytest.mark.parametrize("route", OF_ONE_THING, ids=name_of)
every_list = pytest.mark.parametrize("route", LISTS, ids=name_of)


@pytest.fixture
def thief(globex: SignedIn) -> Wire:
    return Wire(globex.api.url, globex.token)


def ask(wire: Wire, route: Route, ids: dict[str, str], body: bytes | None) -> Reply:
    headers = {"content_type": "application/json"} if body is not None else {}
    if route.method in {"PUT", "PATCH", "DELETE"}:
        headers["if_match"] = '"1"'
    return wire.send(route.method, address(route, ids), body, **headers)


def told(reply: Reply) -> tuple[int, dict[str, Any]]:
    """What a caller can tell one answer from another by."""
    problem = {name: value for name, value in reply.json.items() if name != "instance"}
    return reply.status, problem


def nobodys(ids: dict[str, str]) -> dict[str, str]:
    return {name: str(uuid7()) if _is_uuid(value) else "0" * len(value) for name, value in ids.items()}


def _is_uuid(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True


@every_thing
def test_another_tenants_thing_is_not_there(route: Route, things: Things, thief: Wire) -> None:
    body = things.body(route)
    foreign = ask(thief, route, things.ids, body)
    assert foreign.status == 404, foreign.body[:500]
    assert told(foreign) == told(ask(thief, route, nobodys(things.ids), body))


@pytest.mark.parametrize("route", [route for route in OF_ONE_THING if route.method == "GET"], ids=name_of)
def test_its_owner_finds_it_at_the_same_address(route: Route, things: Things, acme: SignedIn) -> None:
    """What makes the test above worth something, for those that read."""
    assert ask(Wire(acme.api.url, acme.token), route, things.ids, None).status == 200


def test_its_owner_finds_it_to_write_at_the_same_address(spent: Things) -> None:
    """The same for those that write. They use the things up, so each takes its turn, what takes away at the end.

    That its owner is told of a version, a state or a rule says as well that it was found.
    """
    writes = sorted((route for route in OF_ONE_THING if route.method != "GET" and route.path != HANDS_OVER), key=_harm)
    found, owner = {}, spent.owner
    for route in writes:
        reply = ask(Wire(owner.api.url, owner.token), route, spent.ids, spent.body(route))
        if reply.status == 401:  # what was changed before ended the token
            owner = log_in(owner.api.url, owner.user)
            reply = ask(Wire(owner.api.url, owner.token), route, spent.ids, spent.body(route))
        found[name_of(route)] = reply
    missed = {name: (reply.status, reply.json["detail"]) for name, reply in found.items() if reply.status not in FOUND}
    assert missed == {}
    assert sum(reply.status < 300 for reply in found.values()) > len(found) / 2


HANDS_OVER = "/api/v1/organizations/{organization_id}/owner"
"""To another member, of whom there is none here; `tests/e2e/test_members.py` has two."""
FOUND = {200, 201, 202, 204, 402, 409, 412, 422}


def _harm(route: Route) -> tuple[int, int]:
    """How late a write comes: the second factor goes first, so that one can log in anew; what ends the caller last."""
    if "{credential}" in route.path:
        return -1, 0
    ends = route.path.endswith("/close") or "session_id" in route.path or "user_id" in route.path
    taken = route.method == "DELETE" or route.path.endswith(("/complete", "/archive", "/retire"))
    return 2 if ends else int(taken), -route.path.count("/")


def test_nothing_was_changed_by_asking(things: Things, acme: SignedIn, thief: Wire) -> None:
    before = snapshot(things, acme)
    for route in OF_ONE_THING:
        if route.method != "GET":
            ask(thief, route, things.ids, things.body(route))
    assert snapshot(things, acme) == before


def snapshot(things: Things, acme: SignedIn) -> dict[str, Any]:
    kinds = ("organizations/{organization_id}", "organizations/{organization_id}/settings",
             "organizations/{organization_id}/branding", "organizations/{organization_id}/custom-domains",
             "sites/{site_id}", "sensors/{sensor_id}", "campaigns/{campaign_id}",
             "webhooks/endpoints/{endpoint_id}", "api-keys", "auth/sessions", "auth/mfa/passkeys")  # fmt: skip
    shown = {kind: acme.api.get("/api/v1/" + kind.format(**things.ids)) for kind in kinds}
    # Its URL is asked by itself whether it is its owner's, and billing goes on.
    for moving in ("verification", "health"):
        shown["webhooks/endpoints/{endpoint_id}"].pop(moving, None)
    for moving in ("status", "billing", "version", "updated_at"):
        shown["organizations/{organization_id}"].pop(moving)
    return shown


@every_list
def test_no_list_shows_another_tenants_things(route: Route, things: Things, thief: Wire) -> None:
    reply = thief.send("GET", route.path + QUERIES.get(route.path, ""))
    assert reply.status == 200, reply.body[:500]
    assert [name for name, value in things.ids.items() if value.encode() in reply.body] == []


def posted(wire: Wire, path: str, body: object) -> Reply:
    return wire.send("POST", path, json.dumps(body).encode(), content_type="application/json")


def assert_alike(call: Any, foreign: str) -> None:
    """The answers differ in nothing but the id that was asked for."""
    missing = str(uuid7())
    first, second = call(foreign), call(missing)
    assert first.status == second.status
    told_first, told_second = (json.dumps(told(reply)[1]) for reply in (first, second))
    assert told_first.replace(foreign, "…") == told_second.replace(missing, "…")


def test_a_user_cannot_switch_to_a_strangers_organization(things: Things, thief: Wire) -> None:
    def switch(organization: str) -> Reply:
        return posted(thief, "/api/v1/auth/switch", {"organization": organization})

    assert switch(things.ids["organization_id"]).status in {403, 404}
    assert_alike(switch, things.ids["organization_id"])
    assert switch(things.owner.user.slug).status in {403, 404}


def test_a_header_or_a_subdomain_does_not_choose_the_tenant(things: Things, thief: Wire) -> None:
    reply = thief.send("GET", "/api/v1/campaigns", x_tenant_id=things.ids["organization_id"])
    assert reply.status == 403


def test_a_serial_of_another_tenant_is_free_to_use_and_its_counts_stay_apart(
    things: Things, globex: SignedIn, acme: SignedIn
) -> None:
    count = {"sensor": things.serial, "start": START, "end": END, "entries": 7, "exits": 7}
    device = device_key(globex, "door")
    refused = device.post("/api/v1/ingest/counts", {"counts": [count]})
    assert [row["code"] for row in refused["rejected"]] == ["unknown-sensor"]

    site = globex.api.post("/api/v1/sites", {"name": "Corner"})["id"]
    globex.api.post("/api/v1/sensors", {"site_id": site, "name": "Door", "serial": things.serial})
    assert device.post("/api/v1/ingest/counts", {"counts": [count]})["accepted"] == 1
    assert_owns_its_batch_only(acme, globex, things)


def assert_owns_its_batch_only(acme: SignedIn, globex: SignedIn, things: Things) -> None:
    assert acme.api.get(f"/api/v1/sensors/{things.ids['sensor_id']}")["serial"] == things.serial
    mine = {item["serial"]: item["id"] for item in globex.api.get("/api/v1/sensors")["items"]}
    assert mine[things.serial] != things.ids["sensor_id"]


def test_a_session_of_another_tenant_cannot_be_refreshed_with_a_token_made_up_from_its_id(
    things: Things, stack: Any
) -> None:
    guess = f"{things.ids['session_id']}.1.{'A' * 43}"
    reply = posted(Wire(stack.api_url), "/api/v1/auth/refresh", {"refresh_token": guess})
    assert reply.status == 401
    assert Api(things.owner.api.url, token=things.owner.token).get("/api/v1/auth/sessions")["items"]
