"""Organizations whose people come in by their provider alone: who does all the same, and who does not any more."""

from collections.abc import Iterator
from functools import partial

import jwt
import pytest

from local.demo.api import wait_for
from local.stack import Stack
from tests.e2e.conftest import SOON, newcomer, secure
from tests.e2e.houses import CALLBACK, House, names
from tests.e2e.providers import Provider, running
from tests.e2e.test_second_factors import Person


@pytest.fixture(scope="module")
def provider(stack: Stack) -> Iterator[Provider]:
    with running(stack.api_url + CALLBACK) as found:
        yield found


@pytest.fixture
def house(stack: Stack, provider: Provider) -> House:
    """An organization with a provider and a domain, whose owner has an authenticator app."""
    owner = newcomer(stack.api_url, "only")
    made = House(stack, owner, provider, f"{owner.user.slug}.example")
    claimed = made.as_owner("POST", "/domains", {"domain": made.domain}).json
    names(stack, claimed["record"], claimed["challenge"])
    assert made.as_owner("POST", f"/domains/{made.domain}/verify").status == 200
    assert made.configure().status == 200
    return made


def switch_on(house: House, token: str = "") -> None:
    """From now on, people come in by the provider alone."""
    token = token or house.owner.token
    changed = secure(partial(house.send, token=token), house.where, sso_only=True)
    assert (changed.status, changed.json["sso_only"]) == (200, True), changed.body


def test_an_owner_with_two_proofs_of_their_own_breaks_the_glass(house: House) -> None:
    owner = Person(house.stack.api_url, house.owner, house.owner.token)
    owner.enroll()
    switch_on(house, owner.token)
    begun = owner.log_in()
    assert "access_token" not in begun, "one proof is not enough"
    came = owner.verify(begun["challenge"], owner.code())
    assert came.status == 200, came.body
    claims = jwt.decode(came.json["access_token"], options={"verify_signature": False})
    assert (claims["amr"], claims["aal"], claims["role"]) == (["pwd", "otp"], 2, "owner")
    assert house.send("GET", house.where, token=came.json["access_token"]).status == 200
    refreshed = house.send("POST", "/api/v1/auth/refresh", {"refresh_token": came.json["refresh_token"]})
    assert refreshed.status == 200, "and stays in"


def test_a_wrong_code_breaks_no_glass(house: House) -> None:
    owner = Person(house.stack.api_url, house.owner, house.owner.token)
    owner.enroll()
    switch_on(house, owner.token)
    begun = owner.log_in()
    used = owner.code()
    wrong = f"{(int(used) + 1) % 1_000_000:06d}"
    refused = owner.verify(begun["challenge"], wrong)
    assert (refused.status, refused.json["code"]) == (401, "wrong-code")


def test_a_session_by_password_is_refused_its_refresh_once_people_come_in_by_the_provider_alone(house: House) -> None:
    user = house.owner.user
    by_password = house.send("POST", "/api/v1/auth/login", {"email": user.email, "password": user.password}).json
    vouched = house.log_in(house.somebody()).json
    before = house.send("POST", "/api/v1/auth/refresh", {"refresh_token": by_password["refresh_token"]})
    assert before.status == 200
    switch_on(house)
    refused = house.send("POST", "/api/v1/auth/refresh", {"refresh_token": before.json["refresh_token"]})
    assert (refused.status, refused.json["code"]) == (401, "session-ended")
    token = before.json["access_token"]
    wait_for("the end", lambda: house.send("GET", house.where, token=token).status == 401, seconds=SOON)
    refreshed = house.send("POST", "/api/v1/auth/refresh", {"refresh_token": vouched["refresh_token"]})
    assert refreshed.status == 200, "who came by the provider stays"
