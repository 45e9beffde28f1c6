"""Failed proofs on the deployed platform, as an organization's admins read them."""

from typing import Any

import pytest

from tests.authenticator import Manner
from tests.e2e.conftest import Wire, newcomer
from tests.e2e.passkey_holder import STEP_UP
from tests.e2e.passkey_holder import somebody as passkey_holder
from tests.e2e.test_second_factors import Person

LOG_IN = "/api/v1/auth/login"


@pytest.fixture
def person(api_url: str) -> Person:
    signed_in = newcomer(api_url, "failing")
    return Person(api_url, signed_in, signed_in.token)


def told(url: str, token: str, organization: str, action: str) -> list[dict[str, Any]]:
    """What the admins read, oldest first."""
    path = f"/api/v1/organizations/{organization}/audit?action=security.{action}"
    items: list[dict[str, Any]] = Wire(url, token).send("GET", path).json["items"]
    return items[::-1]


def reasons(person: Person, action: str) -> list[str]:
    entries = told(person.url, person.token, str(person.signed_in.organization), action)
    assert all(entry["source_ip"] and entry["details"]["source_ip"] == entry["source_ip"] for entry in entries)
    return [entry["details"]["reason"] for entry in entries]


def test_wrong_passwords_and_codes_are_told_and_good_ones_are_not(person: Person) -> None:
    user = person.signed_in.user
    wrong = {"email": user.email, "password": "not the password"}
    assert person.send("POST", LOG_IN, wrong).status == 401
    assert reasons(person, "sign_in_failed") == ["wrong-password"]
    person.enroll()
    challenge = person.log_in()["challenge"]
    assert person.verify(challenge, "no-such-code").status == 401
    came = person.verify(challenge, person.code())
    assert came.status == 200, came.body
    assert reasons(person, "sign_in_failed") == ["wrong-password", "wrong-code"]


def test_a_failed_log_in_says_whose_account_it_was_for_and_not_who_tried(person: Person) -> None:
    user = person.signed_in.user
    assert person.send("POST", LOG_IN, {"email": user.email.upper(), "password": "not the password"}).status == 401
    (entry,) = told(person.url, person.token, str(person.signed_in.organization), "sign_in_failed")
    me = person.send("GET", "/api/v1/auth/me").json["id"]
    assert (entry["subject"], entry["details"]["user"]) == (f"user/{me}", me)
    assert me not in entry["actor"]
    assert "not the password" not in str(entry)


def test_failed_step_ups_are_told(person: Person) -> None:
    assert person.send("POST", STEP_UP, {"password": "not the password"}).status == 401
    change = {"current_password": "not the password", "password": "another long password"}
    assert person.send("POST", "/api/v1/auth/password", change).status == 401
    person.enroll()
    assert person.send("POST", STEP_UP, {"code": "no-such-code"}).status == 401
    assert reasons(person, "step_up_failed") == ["wrong-password", "wrong-password", "wrong-code"]


def test_passkeys_that_answer_badly_are_told(api_url: str) -> None:
    holder = passkey_holder(api_url)
    holder.enrolled()
    bad = Manner(origin="https://evil.example")
    for asked in (holder.asked(), holder.asked(holder.challenge()["challenge"])):
        assert holder.answer(asked, bad).status == 401
    asked = holder.send("POST", f"{STEP_UP}/passkey/options").json
    answer = {"ticket": asked["ticket"], "credential": holder.device.get(asked["options"], bad)}
    assert holder.send("POST", STEP_UP, {"passkey": answer}).status == 401
    assert [one["reason"] for one in holder.told("sign_in_failed")] == ["wrong-passkey"] * 2
    assert [one["reason"] for one in holder.told("step_up_failed")] == ["wrong-passkey"]
