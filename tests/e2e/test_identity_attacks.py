"""What an attack on identity once found, on the deployed platform: each of it stays mended."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from local.demo.api import wait_for
from local.stack import Stack
from tests.e2e.conftest import SOON, Reply, Wire, newcomer
from tests.e2e.test_members import Member, Team
from tests.e2e.test_passwords import code_of, mails, post


@pytest.fixture
def team(stack: Stack) -> Team:
    return Team(stack, newcomer(stack.api_url, "attacked"))


def in_role(team: Team, name: str, *permissions: str) -> Member:
    """A member in a role of the team's own making."""
    assert team.as_owner("POST", "/roles", {"name": name, "permissions": list(permissions)}).status == 201
    member = team.join("viewer")
    assert team.as_owner("POST", f"/members/{member.user}/role", {"role": name}).status == 204
    wait_for("the new role", lambda: member.enter().json["organization"]["role"] == name, seconds=SOON)
    return member


@pytest.mark.parametrize("role", ["admin", "it"])
def test_nobody_but_an_owner_says_who_vouches_for_people(team: Team, role: str) -> None:
    member = team.join("admin") if role == "admin" else in_role(team, role, "settings.*", "sso.write")
    provider = {
        "issuer": "https://id.example",
        "client_id": "x",
        "client_secret": "x",
        "return_urls": ["https://x.example/"],
    }
    for method, path, body in (
        ("PUT", "/identity-provider", provider),
        ("POST", "/domains", {"domain": f"{uuid4().hex}.example"}),
        ("DELETE", "/identity-provider", None),
        ("DELETE", "/domains/x.example", None),
    ):
        assert member.send(method, path, body).status in {403, 422}, path
    assert team.as_owner("GET", "/domains").json["items"] == []


def test_a_demoted_admin_raises_himself_by_no_token_of_before(team: Team) -> None:
    admin = team.join("admin")
    assert team.as_owner("POST", f"/members/{admin.user}/role", {"role": "viewer"}).status == 204
    for method, path, body in (
        ("POST", f"/members/{admin.user}/role", {"role": "admin"}),
        ("POST", "/invitations", {"email": "x@example.com", "role": "admin"}),
        ("POST", "/roles", {"name": "mine", "permissions": ["users.*"]}),
    ):
        assert admin.send(method, path, body).status in {401, 403}, path
    assert team.roles(team.owner.token)[admin.user] == "viewer"


def test_a_code_of_before_another_password_is_good_no_more(stack: Stack) -> None:
    somebody = newcomer(stack.api_url, "codes")
    codes = []
    for number in (1, 2):
        post(stack.api_url, "/api/v1/auth/password/forgot", {"email": somebody.user.email})
        codes.append(code_of(stack, somebody.user.email, "Set a new password", number=number))
    used = {"token": codes[1], "password": "the password that was set"}
    assert post(stack.api_url, "/api/v1/auth/password/reset", used).status == 204
    late = {"token": codes[0], "password": "what a thief would set"}
    assert post(stack.api_url, "/api/v1/auth/password/reset", late).status == 401


def test_an_invitation_left_over_brings_nobody_back(team: Team) -> None:
    somebody = newcomer(team.stack.api_url, "invited")
    codes = []
    for number in (1, 2):
        invited = team.as_owner("POST", "/invitations", {"email": somebody.user.email, "role": "viewer"})
        assert invited.status == 201
        codes.append(invitation_of(team.stack, somebody.user.email, number))
    joined = post(team.stack.api_url, "/api/v1/auth/invitations/accept", {"token": codes[0]}, somebody.token)
    assert joined.status == 200, joined.body
    members = team.as_owner("GET", "/members").json["items"]
    (user,) = [item["user_id"] for item in members if item["email"] == somebody.user.email]
    assert team.as_owner("DELETE", f"/members/{user}").status == 204
    again = post(team.stack.api_url, "/api/v1/auth/invitations/accept", {"token": codes[1]}, somebody.token)
    assert again.status == 401


def invitation_of(stack: Stack, to: str, number: int) -> str:
    subject = "You are invited to an organization at RMAP"
    wait_for("the invitation", lambda: len(mails(stack, to, subject)) >= number)
    match = re.search(r"\bin_[A-Za-z0-9_-]{43}", json.dumps(mails(stack, to, subject)[number - 1]))
    assert match
    return match[0]


def test_a_removal_overtakes_log_ins_under_way(team: Team) -> None:
    member = team.join("admin")
    user = member.somebody.user
    body = {"email": user.email, "password": user.password, "organization": team.owner.organization}

    def log_in(_: int) -> Reply:
        return post(team.stack.api_url, "/api/v1/auth/login", body)

    with ThreadPoolExecutor(6) as pool:
        under_way = [pool.submit(log_in, number) for number in range(6)]
        assert team.as_owner("DELETE", f"/members/{member.user}").status == 204
        tokens = [one.result().json.get("access_token", "") for one in under_way]
    for token in filter(None, tokens):
        wait_for("the end", lambda t=token: team.send(t, "GET", "/members").status == 401, seconds=SOON)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/api/v1/organizations/{organization}/roles/%00", None),
        ("PUT", "/api/v1/organizations/{organization}/roles/%00", {"permissions": ["sites.read"]}),
        ("DELETE", "/api/v1/organizations/{organization}/domains/%00", None),
        ("DELETE", "/api/v1/api-keys/" + "x" * 3000, None),
        ("DELETE", "/api/v1/api-keys/%00", None),
        ("POST", "/api/v1/api-keys/%F0%9F%92%A9/rotate", {"grace_hours": 0}),
        ("DELETE", "/api/v1/auth/mfa/passkeys/%00", None),
    ],
)
def test_odd_names_in_paths_are_no_faults(team: Team, method: str, path: str, body: Any) -> None:
    wire = Wire(team.stack.api_url, team.owner.token)
    raw = None if body is None else json.dumps(body).encode()
    headers = {"if_match": '"1"', **({} if raw is None else {"content_type": "application/json"})}
    assert 400 <= wire.send(method, path.format(organization=team.owner.organization), raw, **headers).status < 500


@pytest.mark.parametrize("letter", ["\u1c89", "\ua7cb", "\ua7da", "\u0130", "\ud800", "\u202e"])
def test_odd_letters_in_addresses_are_no_faults(team: Team, letter: str) -> None:
    email = f"a{letter}@{uuid4().hex}.example"
    assert team.as_owner("POST", "/invitations", {"email": email, "role": "viewer"}).status in {201, 400, 422}
    body = {"email": email, "password": "x" * 20, "name": "N", "organization": {"name": "O"}}
    assert post(team.stack.api_url, "/api/v1/auth/signup", body).status in {201, 400, 422}
    asked = post(team.stack.api_url, "/api/v1/auth/sso", {"email": email, "return_to": "https://x.example/"})
    assert asked.status in {400, 404, 422}
