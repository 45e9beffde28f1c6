"""Roles of an organization's own making, on the deployed platform."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.demo.api import wait_for
from local.demo.tenants import log_in
from local.stack import Stack
from tests.e2e.conftest import SOON, Reply, Wire, newcomer
from tests.e2e.test_members import Member, Team


@pytest.fixture
def team(stack: Stack) -> Team:
    return Team(stack, newcomer(stack.api_url, "roles"))


def make(team: Team, name: str, *permissions: str) -> Reply:
    return team.as_owner("POST", "/roles", {"name": name, "permissions": list(permissions)})


def give(team: Team, member: Member, role: str) -> None:
    """Another role, and a token that says so."""
    assert team.as_owner("POST", f"/members/{member.user}/role", {"role": role}).status == 204
    wait_for("the end of the old token", lambda: member.send("GET", "/members").status == 401, seconds=SOON)
    assert member.enter().json["organization"]["role"] == role


def test_a_role_of_ones_own_may_what_it_says_and_nothing_else(team: Team) -> None:
    made = make(team, "auditor", "audit.read", "users.read")
    assert (made.status, made.json["version"], made.headers["etag"]) == (201, 1, '"1"')
    listed = team.as_owner("GET", "/roles").json["items"]
    assert [role["name"] for role in listed] == ["owner", "admin", "manager", "member", "viewer", "auditor"]
    member = team.join("viewer")
    give(team, member, "auditor")
    assert member.send("GET", "/audit").status == 200
    assert member.send("GET", "/members").status == 200
    assert member.send("PATCH", "", {"name": "Mine"}).status == 403
    assert Wire(team.stack.api_url, member.token).send("GET", "/api/v1/campaigns").status == 403
    actions = [entry["action"] for entry in team.as_owner("GET", "/audit").json["items"]]
    assert "security.role_created" in actions


def test_what_a_role_may_changes_for_everybody_within_five_seconds(team: Team) -> None:
    make(team, "reader", "users.read")
    member = team.join("viewer")
    give(team, member, "reader")
    assert member.send("GET", "/audit").status == 403
    change = {"permissions": ["users.read", "audit.read"]}
    changed = as_owner_at(team, "/roles/reader", change, version=1)
    assert (changed.status, changed.json["version"]) == (200, 2)
    wait_for("the token's end", lambda: member.send("GET", "/members").status == 401, seconds=SOON)

    def may() -> bool:
        member.enter()
        return member.send("GET", "/audit").status == 200

    # The owner's own token is outdated too; a log-in in the very second of the change is as well.
    team.owner = log_in(team.stack.api_url, team.owner.user)
    wait_for("a token that says so", may, seconds=SOON)
    assert as_owner_at(team, "/roles/reader", change, version=1).status == 412


def as_owner_at(team: Team, path: str, body: object, version: int) -> Reply:
    """The owner's change of a version they read."""
    wire, raw = Wire(team.stack.api_url, team.owner.token), json.dumps(body).encode()
    return wire.send("PUT", team.where + path, raw, content_type="application/json", if_match=f'"{version}"')


def test_nobody_makes_gives_or_takes_a_role_that_may_more_than_they(team: Team) -> None:
    make(team, "personnel", "users.*")
    member, other = team.join("viewer"), team.join("manager")
    give(team, member, "personnel")
    for method, path, body in (
        ("POST", "/roles", {"name": "more", "permissions": ["campaigns.*"]}),
        ("POST", "/roles", {"name": "all", "permissions": ["*.*"]}),
        ("POST", f"/members/{member.user}/role", {"role": "admin"}),
        ("POST", f"/members/{other.user}/role", {"role": "personnel"}),
        ("DELETE", f"/members/{other.user}", None),
        ("POST", "/invitations", {"email": "x@example.com", "role": "manager"}),
    ):
        refused = member.send(method, path, body)
        assert (refused.status, refused.json["code"]) == (403, "role-not-held"), path
    assert member.send("POST", "/roles", {"name": "less", "permissions": ["users.read"]}).status == 201
    assert member.send("POST", "/invitations", {"email": "x@example.com", "role": "less"}).status == 201


def test_a_role_that_is_held_stays(team: Team) -> None:
    make(team, "held", "users.read")
    member = team.join("viewer")
    give(team, member, "held")
    refused = team.as_owner("DELETE", "/roles/held")
    assert (refused.status, refused.json["code"]) == (409, "role-in-use")
    give(team, member, "viewer")
    assert team.as_owner("DELETE", "/roles/held").status == 204
    assert team.as_owner("DELETE", "/roles/held").status == 404
    unknown = team.as_owner("POST", f"/members/{member.user}/role", {"role": "held"})
    assert (unknown.status, unknown.json["errors"][0]["pointer"]) == (422, "/role")


def test_a_role_given_and_taken_away_at_once_is_one_or_the_other(team: Team) -> None:
    member = team.join("viewer")
    for number in range(5):
        name = f"race-{number}"
        make(team, name, "users.read")
        with ThreadPoolExecutor(2) as pool:
            given = pool.submit(team.as_owner, "POST", f"/members/{member.user}/role", {"role": name})
            removed = pool.submit(team.as_owner, "DELETE", f"/roles/{name}")
        statuses = (given.result().status, removed.result().status)
        assert statuses in {(204, 409), (422, 204)}, statuses


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "owner", "permissions": ["users.read"]}, 409),
        ({"name": "Bad Name", "permissions": ["users.read"]}, 422),
        ({"name": "empty", "permissions": []}, 422),
        ({"name": "wrong", "permissions": ["users"]}, 422),
        ({"name": "unknown", "permissions": ["nothing.read"]}, 422),
        ({"name": "nul", "description": "\u0000", "permissions": ["users.read"]}, 422),
        ({"name": "long", "description": "x" * 256, "permissions": ["users.read"]}, 422),
    ],
)
def test_what_is_no_good_role_is_refused(team: Team, body: dict[str, Any], status: int) -> None:
    assert team.as_owner("POST", "/roles", body).status == status


def test_built_in_roles_are_nobodys_to_change(team: Team) -> None:
    assert as_owner_at(team, "/roles/viewer", {"permissions": ["users.read"]}, version=1).status == 404
    assert team.as_owner("DELETE", "/roles/viewer").status == 404
