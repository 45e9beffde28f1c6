"""Members on the deployed platform: roles given and taken, people who go, and an owner there always is."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest

from local.demo.api import wait_for
from local.demo.tenants import SignedIn
from local.stack import Stack
from tests.e2e.conftest import SOON, Reply, Wire, newcomer


@dataclass
class Team:
    """An organization, its owner and members, each with a token of it."""

    stack: Stack
    owner: SignedIn

    @property
    def where(self) -> str:
        return f"/api/v1/organizations/{self.owner.organization}"

    def join(self, role: str) -> "Member":
        """Somebody with an organization of their own becomes a member of this one."""
        somebody = newcomer(self.stack.api_url, "member")
        own = Wire(self.stack.api_url, somebody.token)
        user = own.send("GET", f"/api/v1/organizations/{somebody.organization}/members").json["items"][0]["user_id"]
        with psycopg.connect(self.stack.database_admin_url, autocommit=True) as admin:
            admin.execute(
                "INSERT INTO memberships (tenant_id, user_id, role, created_at) VALUES (%s, %s, %s, now())",
                (self.owner.organization, user, role),
            )
        member = Member(self, somebody, user, "")
        member.enter()
        return member

    def send(self, token: str, method: str, path: str, body: object = None) -> Reply:
        raw = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"content_type": "application/json"}
        return Wire(self.stack.api_url, token).send(method, self.where + path, raw, **kind)

    def as_owner(self, method: str, path: str, body: object = None) -> Reply:
        return self.send(self.owner.token, method, path, body)

    def roles(self, token: str) -> dict[str, str]:
        items = self.send(token, "GET", "/members").json["items"]
        return {item["user_id"]: item["role"] for item in items}


@dataclass
class Member:
    """One of them."""

    team: Team
    somebody: SignedIn
    user: str
    token: str

    def enter(self) -> Reply:
        """Switch from their own organization to the team's."""
        own = Wire(self.team.stack.api_url, self.somebody.token)
        body = json.dumps({"organization": self.team.owner.organization}).encode()
        reply = own.send("POST", "/api/v1/auth/switch", body, content_type="application/json")
        self.token = reply.json.get("access_token", "")
        return reply

    def send(self, method: str, path: str, body: object = None) -> Reply:
        return self.team.send(self.token, method, path, body)


@pytest.fixture
def team(stack: Stack) -> Team:
    return Team(stack, newcomer(stack.api_url, "team"))


def test_a_new_role_is_in_force_after_five_seconds(team: Team) -> None:
    member = team.join("viewer")
    assert member.send("GET", "/members").status == 200
    assert team.as_owner("POST", f"/members/{member.user}/role", {"role": "member"}).status == 204
    wait_for("the end of the old token", lambda: member.send("GET", "/members").status == 401, seconds=SOON)
    assert member.enter().json["organization"]["role"] == "member"
    assert member.send("GET", "/members").status == 403
    actions = [entry["action"] for entry in team.as_owner("GET", "/audit").json["items"]]
    assert "member.role_changed" in actions


def test_whoever_is_removed_is_out_after_five_seconds_and_nowhere_else(team: Team) -> None:
    member = team.join("admin")
    assert team.as_owner("DELETE", f"/members/{member.user}").status == 204
    wait_for("the end", lambda: member.send("GET", "/members").status == 401, seconds=SOON)
    assert member.enter().json["code"] == "no-membership"
    assert Wire(team.stack.api_url, member.somebody.token).send("GET", "/api/v1/campaigns").status == 200
    assert team.as_owner("DELETE", f"/members/{member.user}").status == 404


def test_an_admin_neither_makes_nor_unmakes_owners(team: Team) -> None:
    admin, member = team.join("admin"), team.join("member")
    (owner,) = [user for user, role in team.roles(admin.token).items() if role == "owner"]
    for method, path, body in (
        ("POST", f"/members/{admin.user}/role", {"role": "owner"}),
        ("POST", f"/members/{member.user}/role", {"role": "owner"}),
        ("POST", f"/members/{owner}/role", {"role": "viewer"}),
        ("DELETE", f"/members/{owner}", None),
        ("POST", "/owner", {"user_id": admin.user}),
    ):
        refused = admin.send(method, path, body)
        assert (refused.status, refused.json["code"]) == (403, "owners-only"), path
    assert admin.send("POST", f"/members/{member.user}/role", {"role": "manager"}).status == 204


@pytest.mark.parametrize("role", ["manager", "member", "viewer"])
def test_roles_below_admin_change_nobody(team: Team, role: str) -> None:
    member = team.join(role)
    assert member.send("POST", f"/members/{member.user}/role", {"role": "admin"}).status == 403
    assert member.send("DELETE", f"/members/{member.user}").status == 403


def test_the_last_owner_stays(team: Team) -> None:
    (owner,) = team.roles(team.owner.token)
    for method, path, body in (
        ("POST", "/leave", None),
        ("DELETE", f"/members/{owner}", None),
        ("POST", f"/members/{owner}/role", {"role": "admin"}),
    ):
        refused = team.as_owner(method, path, body)
        assert (refused.status, refused.json["code"]) == (409, "last-owner"), path


def test_two_owners_who_leave_at_once_leave_one_behind(team: Team) -> None:
    other = team.join("owner")
    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(lambda token: team.send(token, "POST", "/leave"), (team.owner.token, other.token)))
    assert sorted(reply.status for reply in replies) == [204, 409]


def test_ownership_is_handed_over(team: Team) -> None:
    heir = team.join("member")
    for nobody in (UUID(int=1), UUID(team.owner.organization)):
        assert team.as_owner("POST", "/owner", {"user_id": str(nobody)}).status == 404
    assert team.as_owner("POST", "/owner", {"user_id": heir.user}).status == 204
    wait_for("the end", lambda: team.as_owner("GET", "/members").status == 401, seconds=SOON)
    assert heir.enter().json["organization"]["role"] == "owner"
    assert sorted(team.roles(heir.token).values()) == ["admin", "owner"]


def test_somebody_leaves_of_their_own(team: Team) -> None:
    member = team.join("viewer")
    assert member.send("POST", "/leave").status == 204
    wait_for("the end", lambda: member.send("GET", "/members").status == 401, seconds=SOON)
    assert len(team.roles(team.owner.token)) == 1


@pytest.mark.parametrize("role", ["god", "", "Owner", None, 7])
def test_what_is_no_role_is_refused(team: Team, role: object) -> None:
    assert team.as_owner("POST", f"/members/{UUID(int=1)}/role", {"role": role}).status == 422
    assert team.as_owner("POST", f"/members/{UUID(int=1)}/role", {"role": "viewer"}).status == 404
