"""Passkeys on the deployed platform: set up, asked for, alone or after the password, taken away."""

from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest

from local.demo.api import wait_for
from tests.authenticator import EDDSA, ES256, Authenticator, Manner
from tests.e2e.conftest import SOON, secure
from tests.e2e.passkey_holder import LOG_IN, MFA, STEP_UP, Person, somebody
from tests.e2e.test_second_factors import claims


@pytest.fixture
def person(api_url: str) -> Person:
    return somebody(api_url)


@pytest.fixture(scope="module")
def ada(api_url: str) -> Person:
    """Somebody with a passkey."""
    made = somebody(api_url)
    made.enrolled()
    return made


def test_the_first_passkey_lifts_the_session_and_ends_the_others(person: Person) -> None:
    other = Person(person.url, person.signed_in, person.challenge()["access_token"])
    begun = person.begin()
    assert begun["options"]["rp"]["id"] == "localhost"
    added = person.enrolled()
    assert (claims(person.token)["aal"], claims(person.token)["amr"]) == (2, ["pwd", "hwk"])
    assert len(set(added["recovery_codes"])) == 10
    assert person.send("GET", "/api/v1/auth/mfa").json == {"totp": False, "passkeys": 1, "recovery_codes": 10}
    (listed,) = person.send("GET", MFA).json["items"]
    assert listed == added["passkey"]
    assert (listed["name"], listed["synced"], listed["last_used_at"]) == ("Laptop", False, None)
    wait_for("the end", lambda: other.send("GET", "/api/v1/campaigns").status == 401, seconds=SOON)
    assert person.told("passkey_added")[0]["name"] == "Laptop"


def test_the_second_passkey_leaves_codes_and_sessions_alone(person: Person) -> None:
    person.enrolled()
    other = Person(person.url, person.signed_in, person.answer(person.asked()).json["access_token"])
    assert person.enrolled("Phone")["recovery_codes"] == []
    assert other.send("GET", "/api/v1/auth/mfa").json == {"totp": False, "passkeys": 2, "recovery_codes": 10}


def test_the_password_asks_for_the_passkey(person: Person) -> None:
    added = person.enrolled()
    begun = person.challenge()
    assert (begun["methods"], "access_token" in begun) == (["passkey", "recovery"], False)
    asked = person.asked(begun["challenge"])
    assert [one["id"] for one in asked["options"]["allowCredentials"]] == [added["passkey"]["id"]]
    done = person.answer(asked, Manner(verifies=False, handle=None))
    assert (done.status, claims(done.json["access_token"])["amr"]) == (200, ["pwd", "hwk"])
    assert claims(done.json["access_token"])["aal"] == 2
    assert person.answer(asked).status == 401, "a question is answered once"
    assert person.send("POST", f"{LOG_IN}/options", {"challenge": begun["challenge"]}).status == 401
    assert person.send("GET", MFA).json["items"][0]["last_used_at"] is not None


def test_a_recovery_code_stands_in_for_the_passkey(person: Person) -> None:
    code = person.enrolled()["recovery_codes"][0]
    body = {"challenge": person.challenge()["challenge"], "code": code}
    assert person.send("POST", "/api/v1/auth/login/verify", body).status == 200


@pytest.mark.parametrize(
    ("device", "proof"),
    [(Authenticator(ES256), "hwk"), (Authenticator(EDDSA, synced=True, counts=False), "swk")],
    ids=["a key of ES256 that counts", "a synced key of EdDSA that does not"],
)
def test_a_passkey_is_enough_where_it_verifies_its_user(api_url: str, device: Authenticator, proof: str) -> None:
    person = somebody(api_url, device)
    person.enrolled()
    for _ in range(2):
        asked = person.asked()
        assert asked["options"]["allowCredentials"] == []
        assert asked["options"]["userVerification"] == "required"
        done = person.answer(asked, organization=person.signed_in.user.slug)
        assert done.status == 200, done.body
        assert (claims(done.json["access_token"])["aal"], claims(done.json["access_token"])["amr"]) == (
            2,
            [proof, "user"],
        )
    assert done.json["user"]["email"] == person.signed_in.user.email
    refused = person.answer(person.asked(), organization="no-such-place")
    assert (refused.status, refused.json["code"]) == (403, "no-membership")


def test_a_step_up_by_passkey_opens_what_is_sensitive(ada: Person) -> None:
    asked = ada.send("POST", f"{STEP_UP}/passkey/options").json
    body = {"passkey": {"ticket": asked["ticket"], "credential": ada.device.get(asked["options"])}}
    stepped = ada.send("POST", STEP_UP, body)
    assert stepped.status == 200, stepped.body
    assert claims(stepped.json["access_token"])["auth_time"] >= claims(ada.token)["auth_time"]
    assert ada.send("POST", STEP_UP, body).status == 401, "once"
    by_password = ada.send("POST", STEP_UP, {"password": ada.signed_in.user.password})
    assert (by_password.status, by_password.json["code"]) == (403, "second-factor-required")
    assert ada.send("POST", STEP_UP, {**body, "code": "123456"}).status == 422


def test_who_has_no_passkey_is_asked_for_none(person: Person) -> None:
    assert person.send("POST", f"{STEP_UP}/passkey/options").status == 404
    assert person.send("POST", f"{LOG_IN}/options", {"challenge": "ch_" + "A" * 43}).status == 401


def test_a_user_has_ten_passkeys_at_most(person: Person) -> None:
    begun = [person.begin() for _ in range(13)]
    bodies = [
        {"ticket": one["ticket"], "credential": person.device.create(one["options"]), "name": f"Key {number}"}
        for number, one in enumerate(begun)
    ]
    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(lambda body: person.send("POST", MFA, body).status, bodies))
    assert sorted(set(statuses)) == [201, 409]
    while len(person.send("GET", MFA).json["items"]) < 10:
        assert person.enroll().status == 201
    assert (person.send("POST", f"{MFA}/begin").status, len(person.send("GET", MFA).json["items"])) == (409, 10)


def test_with_the_last_passkey_the_recovery_codes_go(ada: Person, person: Person) -> None:
    laptop = person.enrolled()["passkey"]["id"]
    phone = person.enrolled("Phone")["passkey"]["id"]
    assert ada.send("DELETE", f"{MFA}/{phone}").status == 404, "another user's is not there"
    assert person.send("DELETE", f"{MFA}/{laptop}").status == 204
    assert person.send("DELETE", f"{MFA}/{laptop}").status == 404
    assert person.send("GET", "/api/v1/auth/mfa").json == {"totp": False, "passkeys": 1, "recovery_codes": 10}
    assert person.send("DELETE", f"{MFA}/{phone}").status == 204
    assert person.send("GET", "/api/v1/auth/mfa").json == {"totp": False, "passkeys": 0, "recovery_codes": 0}
    assert "access_token" in person.challenge()
    assert person.answer(person.asked()).status == 401, "what was taken away logs nobody in"
    assert [told["name"] for told in person.told("passkey_removed")] == ["Phone", "Laptop"]


def test_what_is_sensitive_about_passkeys_asks_again(person: Person, stale: str) -> None:
    old = Person(person.url, person.signed_in, stale)
    for method, path in (("POST", f"{MFA}/begin"), ("DELETE", f"{MFA}/AAAA")):
        assert old.send(method, path).json["code"] == "step-up-required", path


def test_an_app_and_a_passkey_stand_side_by_side(person: Person) -> None:
    secret = person.send("POST", "/api/v1/auth/mfa/totp").json["secret"]
    code = pyotp.TOTP(secret).now()
    confirmed = person.send("POST", "/api/v1/auth/mfa/totp/confirm", {"code": code}).json
    person.token = confirmed["access_token"]
    assert (len(confirmed["recovery_codes"]), person.enrolled()["recovery_codes"]) == (10, [])
    assert person.challenge()["methods"] == ["totp", "passkey", "recovery"]
    assert person.send("DELETE", "/api/v1/auth/mfa/totp").status == 204
    assert person.challenge()["methods"] == ["passkey", "recovery"]
    assert person.send("GET", "/api/v1/auth/mfa").json == {"totp": False, "passkeys": 1, "recovery_codes": 10}
    fresh = person.send("POST", "/api/v1/auth/mfa/recovery-codes").json["recovery_codes"]
    assert len(set(fresh) - set(confirmed["recovery_codes"])) == 10


def test_a_passkey_is_what_an_organization_asks_everybody_for(person: Person) -> None:
    where = f"/api/v1/organizations/{person.signed_in.organization}"
    changed = secure(person.send, where, mfa_required=True)
    assert changed.status == 200, changed.body
    person.token = person.challenge()["access_token"]
    assert person.send("GET", "/api/v1/campaigns").json["code"] == "second-factor-required"
    person.enrolled()
    assert person.send("GET", "/api/v1/campaigns").status == 200
    person.token = person.answer(person.asked()).json["access_token"]
    assert person.send("GET", "/api/v1/campaigns").status == 200
