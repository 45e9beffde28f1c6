"""Sign-ups that are sent again: with their key or without, one after the other or all at once, by whomever."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from local.demo.api import Api, wait_for
from tests.e2e.conftest import Reply, Wire, newcomer
from tests.e2e.test_second_factors import Person

SIGN_UP = "/api/v1/auth/signup"
MANY = 20
SIDE_BY_SIDE = 6


@pytest.fixture
def body() -> dict[str, Any]:
    mark = f"again-{uuid4().hex[:10]}"
    owner = {"email": f"owner@{mark}.example", "password": f"password-of-{mark}", "name": "Ada Lovelace"}
    return {**owner, "organization": {"name": mark.title(), "slug": mark}}


def send(url: str, body: dict[str, Any], key: str = "") -> Reply:
    headers = {"idempotency_key": key} if key else {}
    return Wire(url).send("POST", SIGN_UP, json.dumps(body).encode(), content_type="application/json", **headers)


def organization_of(url: str, reply: Reply) -> str:
    """The organization that an answer's token works in."""
    assert reply.status == 201, reply.body
    made = str(reply.json["organization"]["id"])
    shown = Wire(url, reply.json["access_token"]).send("GET", f"/api/v1/organizations/{made}")
    assert (shown.status, shown.json["id"]) == (200, made), shown.body
    return made


@pytest.mark.parametrize("key", ["a-key", ""])
@pytest.mark.parametrize("slug", [True, False])
def test_a_sign_up_that_is_sent_again_answers_the_same_organization(
    api_url: str, body: dict[str, Any], key: str, *, slug: bool
) -> None:
    if not slug:
        del body["organization"]["slug"]
    assert len({organization_of(api_url, send(api_url, body, key)) for _ in range(3)}) == 1
    assert organization_of(api_url, send(api_url, body, "another-key")) == organization_of(api_url, send(api_url, body))


@pytest.mark.parametrize("key", ["a-key", ""])
def test_twenty_beside_each_other_make_one_organization(api_url: str, body: dict[str, Any], key: str) -> None:
    """A repetition is judged as a log-in, so some of many at once may hear 429: they ask again, as good clients do."""
    headers = {"idempotency-key": key} if key else {}
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        came = list(pool.map(lambda _: Api(api_url).post(SIGN_UP, body, **headers), range(MANY)))
    assert len({one["organization"]["id"] for one in came}) == 1
    assert len({one["access_token"] for one in came}) == MANY
    for one in came:
        assert (
            Api(api_url, token=one["access_token"]).get("/api/v1/auth/me")["organization"] == one["organization"]["id"]
        )


@pytest.mark.parametrize("change", ["name", "plan"])
def test_a_key_is_for_one_body(api_url: str, body: dict[str, Any], change: str) -> None:
    organization_of(api_url, send(api_url, body, "key"))
    others: dict[str, dict[str, Any]] = {
        "name": {"name": "Another"},
        "plan": {"organization": {**body["organization"], "plan": "free"}},
    }
    other = others[change]
    refused = send(api_url, {**body, **other}, "key")
    assert (refused.status, refused.json["errors"][0]["code"]) == (422, "idempotency-key-reused")


def test_a_key_is_one_address_and_organization(api_url: str, body: dict[str, Any]) -> None:
    organization_of(api_url, send(api_url, body, "key"))
    refused = send(api_url, {**body, "organization": {"name": "Another"}}, "key")
    assert (refused.status, refused.json["code"]) == (409, "email-taken")


def test_a_key_that_a_stranger_used_first_is_in_nobodys_way(api_url: str, body: dict[str, Any]) -> None:
    """With the same address, organization and key; what they asked for came to nothing."""
    squatted = {**body, "name": "Squatter", "password": "short"}
    assert send(api_url, squatted, "signup-1").status == 422
    organization_of(api_url, send(api_url, body, "signup-1"))


def test_a_stranger_with_the_key_hears_and_gets_no_more_than_without(api_url: str, body: dict[str, Any]) -> None:
    mine = organization_of(api_url, send(api_url, body, "key"))
    for change in ({}, {"name": "Stranger"}):
        guess = send(api_url, {**body, **change, "password": "not the password at all"}, "key")
        assert (guess.status, guess.json["code"]) == (409, "slug-taken")
    assert organization_of(api_url, send(api_url, body, "key")) == mine


@pytest.mark.parametrize("key", ["", "key"])
def test_who_does_not_know_the_password_hears_no_more_than_anybody(
    api_url: str, body: dict[str, Any], key: str
) -> None:
    organization_of(api_url, send(api_url, body, key))
    stranger = {**body, "password": "not the password at all"}
    unknown = {**stranger, "email": f"nobody@{body['organization']['slug']}.example"}
    told = [send(api_url, one, key).json for one in (stranger, unknown)]
    for problem in told:
        problem.pop("instance")
    assert told[0] == told[1], "a taken slug says nothing of the address"
    assert (told[0]["status"], told[0]["code"]) == (409, "slug-taken")
    elsewhere = send(api_url, {**stranger, "organization": {"name": "Quite Another"}})
    assert (elsewhere.status, elsewhere.json["code"]) == (409, "email-taken")


def test_a_second_factor_is_never_passed_by(api_url: str) -> None:
    owner = newcomer(api_url, "factor")
    person = Person(api_url, owner, owner.token)
    person.enroll()
    same = {"email": owner.user.email, "password": owner.user.password, "name": owner.user.name}
    same["organization"] = {"name": owner.user.organization, "slug": owner.user.slug}  # type: ignore[assignment]
    for key in ("", "a-key"):
        refused = send(api_url, same, key)
        assert (refused.status, refused.json["code"]) == (409, "slug-taken")
        assert "access_token" not in refused.body.decode()


def test_guessing_by_signing_up_again_is_slowed_as_at_the_log_in(api_url: str, body: dict[str, Any]) -> None:
    organization_of(api_url, send(api_url, body))
    long_enough_for_a_slow_machine = 8
    for number in range(40):
        guess = send(api_url, {**body, "password": f"a wrong password {number}"})
        assert guess.status in ({409, 429} if number else {409}), guess.body
        if guess.status == 429 and int(guess.headers["retry-after"]) >= long_enough_for_a_slow_machine:
            break
        if guess.status == 429:
            time.sleep(int(guess.headers["retry-after"]))
    assert guess.status == 429
    assert send(api_url, body).status == 429, "the guesser's place waits, whatever the password"


def test_its_billing_is_one_and_its_owner_reads_it(api_url: str, body: dict[str, Any]) -> None:
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: send(api_url, body, "key"), range(4)))
    wire = Wire(api_url, replies[0].json["access_token"])

    def ready() -> Any:
        shown = wire.send("GET", "/api/v1/billing")
        assert shown.status == 200, shown.body
        return shown.json if shown.json["status"] == "active" else None

    shown = wait_for("billing", ready, seconds=90)
    assert (shown["subscription_status"], shown["reason"], bool(shown["customer"])) == ("trialing", "", True)
