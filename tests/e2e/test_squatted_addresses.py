"""Accounts set up with somebody else's mail address: they go to whoever proves the address, and to nobody else."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from local.demo.api import wait_for
from local.demo.tenants import DemoUser, SignedIn, log_in, sign_up
from local.stack import Stack
from tests.e2e.conftest import SOON, Reply, Wire, newcomer
from tests.e2e.houses import CALLBACK, House, found
from tests.e2e.passkey_holder import MFA
from tests.e2e.passkey_holder import Person as Holder
from tests.e2e.providers import Provider, running
from tests.e2e.test_invitations import code, invite, joins, stranger, where
from tests.e2e.test_passwords import code_of, post
from tests.e2e.test_second_factors import Person

OWN = "the password of whose address it is"


@dataclass
class Squatter:
    """Signed up with another's address, with everything set up that could bring him back."""

    signed_in: SignedIn
    app: Person
    holder: Holder
    refresh_token: str

    @property
    def url(self) -> str:
        return self.app.url

    @property
    def email(self) -> str:
        return self.signed_in.user.email

    def is_in(self) -> bool:
        """Whether his account is as he left it."""
        return "challenge" in self.app.send("POST", "/api/v1/auth/login", self._credentials()).json

    def _credentials(self) -> dict[str, str]:
        return {"email": self.email, "password": self.signed_in.user.password}

    def check_out(self) -> None:
        """Nothing that he has opens anything."""
        assert self.app.send("POST", "/api/v1/auth/login", self._credentials()).status == 401
        assert self.app.send("POST", "/api/v1/auth/refresh", {"refresh_token": self.refresh_token}).status == 401
        assert self.holder.answer(self.holder.asked()).status == 401
        wait_for("the end", lambda: self.app.send("GET", "/api/v1/auth/me").status == 401, seconds=SOON)


def squat(stack: Stack, email: str) -> Squatter:
    mark = f"squat-{uuid4().hex[:10]}"
    user = DemoUser(mark.title(), mark, "Mallory", email, f"password-of-{mark}")
    sign_up(stack.api_url, user)
    signed_in = log_in(stack.api_url, user)
    app = Person(stack.api_url, signed_in, signed_in.token)
    app.enroll()
    holder = Holder(stack.api_url, signed_in, app.token)
    last = holder.enrolled()
    app.token = holder.token
    return Squatter(signed_in, app, holder, last["refresh_token"])


def me(url: str, token: str) -> dict[str, Any]:
    answer: dict[str, Any] = Wire(url, token).send("GET", "/api/v1/auth/me").json
    return answer


def logs_in(url: str, email: str, password: str) -> Reply:
    return post(url, "/api/v1/auth/login", {"email": email, "password": password})


@pytest.fixture
def host(stack: Stack) -> SignedIn:
    return newcomer(stack.api_url, "host")


@pytest.fixture(scope="module")
def provider(stack: Stack) -> Iterator[Provider]:
    with running(stack.api_url + CALLBACK) as started:
        yield started


@pytest.fixture
def house(stack: Stack, provider: Provider) -> House:
    return found(stack, provider)


def test_an_invitation_gives_the_account_to_who_was_invited(stack: Stack, host: SignedIn) -> None:
    email = stranger()
    squatter = squat(stack, email)
    invite(stack, host, email)
    came = joins(stack, code(stack, email), password=OWN)
    assert came.status == 201, came.body
    assert came.json["user"]["name"] == "Guest"
    assert came.json["organization"]["id"] == str(host.organization)
    squatter.check_out()
    again = logs_in(stack.api_url, email, OWN)
    assert "access_token" in again.json, "neither his app nor his passkey is asked for"
    mine = me(stack.api_url, again.json["access_token"])
    assert (mine["email"], mine["name"], mine["email_confirmed"]) == (email, "Guest", True)


def test_a_passkey_that_he_had_begun_is_not_set_up_any_more(stack: Stack, host: SignedIn) -> None:
    """His access token outlives his session by seconds, in which he must not find a way back in."""
    email = stranger()
    squatter = squat(stack, email)
    begun = squatter.holder.begin()
    late = {"ticket": begun["ticket"], "credential": squatter.holder.device.create(begun["options"]), "name": "Late"}
    invite(stack, host, email)
    token = joins(stack, code(stack, email), password=OWN).json["access_token"]
    assert squatter.holder.send("POST", MFA, late).status == 401
    assert Wire(stack.api_url, token).send("GET", MFA).json["items"] == []


def test_what_was_made_with_the_address_is_theirs_as_well(stack: Stack, host: SignedIn) -> None:
    email = stranger()
    squatter = squat(stack, email)
    invite(stack, host, email)
    token = joins(stack, code(stack, email), password=OWN).json["access_token"]
    organization = str(squatter.signed_in.organization)
    switched = post(stack.api_url, "/api/v1/auth/switch", {"organization": organization}, token).json
    assert switched["organization"]["role"] == "owner"
    there = Wire(stack.api_url, switched["access_token"])
    entries = there.send("GET", f"/api/v1/organizations/{organization}/audit?action=security.account_taken_over").json
    assert len(entries["items"]) == 1


def test_an_account_that_was_confirmed_goes_to_nobody(stack: Stack, host: SignedIn) -> None:
    somebody = newcomer(stack.api_url, "confirmed")
    email = somebody.user.email
    confirmation = code_of(stack, email, "Confirm your mail address")
    assert post(stack.api_url, "/api/v1/auth/confirm", {"token": confirmation}, somebody.token).status == 204
    invite(stack, host, email)
    refused = joins(stack, code(stack, email), password=OWN)
    assert (refused.status, refused.json["code"]) == (409, "email-taken")
    assert logs_in(stack.api_url, email, somebody.user.password).status == 200


def test_an_invitation_that_was_taken_back_takes_nothing_over(stack: Stack, host: SignedIn) -> None:
    email = stranger()
    squatter = squat(stack, email)
    invited = invite(stack, host, email).json
    token = code(stack, email)
    revoked = Wire(stack.api_url, host.token).send("DELETE", f"{where(host)}/invitations/{invited['id']}")
    assert revoked.status == 204
    assert joins(stack, token, password=OWN).status == 401
    assert squatter.is_in()


def test_of_many_who_accept_at_once_one_comes_in_and_stays_in(stack: Stack, host: SignedIn) -> None:
    email = stranger()
    squatter = squat(stack, email)
    invite(stack, host, email)
    token = code(stack, email)
    passwords = [f"the password of number {number}" for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda password: joins(stack, token, password=password), passwords))
    assert all(reply.status in {201, 401, 409} for reply in replies), [reply.body for reply in replies]
    came = [logs_in(stack.api_url, email, password).status for password in passwords]
    assert sorted(came) == [200, 401, 401, 401]
    squatter.check_out()


def test_whoever_accepts_with_a_session_has_confirmed_the_address(stack: Stack, host: SignedIn) -> None:
    somebody = newcomer(stack.api_url, "accepting")
    invite(stack, host, somebody.user.email)
    body = {"token": code(stack, somebody.user.email)}
    assert post(stack.api_url, "/api/v1/auth/invitations/accept", body, somebody.token).status == 200
    assert me(stack.api_url, somebody.token)["email_confirmed"]


def test_a_provider_that_vouches_for_the_address_gives_the_account_to_whose_it_is(stack: Stack, house: House) -> None:
    name = house.somebody()
    squatter = squat(stack, f"{name}@{house.domain}")
    came = house.log_in(name)
    assert came.status == 200, came.body
    assert came.json["organization"]["slug"] == house.owner.user.slug
    assert came.json["user"]["name"] == "Sam of the House"
    assert me(stack.api_url, came.json["access_token"])["email_confirmed"]
    squatter.check_out()
    assert house.log_in(name).json["user"]["id"] == came.json["user"]["id"]


def test_a_provider_that_gives_no_role_takes_nothing_over(stack: Stack, house: House) -> None:
    assert house.configure(role_claim="groups", role_map={"staff": "viewer"}, default_role=None).status == 200
    name = house.somebody(groups=["others"])
    squatter = squat(stack, f"{name}@{house.domain}")
    assert house.log_in(name).json["code"] == "not-entitled"
    assert squatter.is_in()


@pytest.mark.parametrize("claims", [{"email_verified": False}, {"email": "{name}@elsewhere.example"}])
def test_a_provider_that_does_not_vouch_takes_nothing_over(stack: Stack, house: House, claims: dict[str, Any]) -> None:
    name = f"u{uuid4().hex[:10]}"
    said = {key: value.format(name=name) if isinstance(value, str) else value for key, value in claims.items()}
    house.somebody(name, **said)
    squatter = squat(stack, said.get("email", f"{name}@{house.domain}"))
    assert house.log_in(name).json["code"] == "address-not-vouched"
    assert squatter.is_in()
