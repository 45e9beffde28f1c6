"""Second factors on the deployed platform: set up, asked for, used once, lost, required."""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pyotp
import pytest

from local.demo.api import wait_for
from local.demo.tenants import SignedIn
from tests.e2e.conftest import SOON, Reply, Wire, newcomer, secure

STEP = 30


@dataclass
class Person:
    """A user at a client: what they know, and the token they hold."""

    url: str
    signed_in: SignedIn
    token: str
    secret: str = ""
    used: int = 0

    def send(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        raw = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"content_type": "application/json"}
        return Wire(self.url, self.token).send(method, path, raw, **kind, **headers)

    def code(self) -> str:
        """A code that was not used yet; the steps beside the present one are good too, so hardly anybody waits."""
        totp = pyotp.TOTP(self.secret)
        # One that still is, when the request arrives.
        step = max(totp.timecode(datetime.now(UTC) + timedelta(seconds=STEP / 2)) - 1, self.used + 1)
        while step > totp.timecode(datetime.now(UTC)) + 1:
            time.sleep(0.5)
        self.used = step
        return totp.generate_otp(step)

    def log_in(self, **more: str) -> dict[str, Any]:
        user = self.signed_in.user
        reply = self.send("POST", "/api/v1/auth/login", {"email": user.email, "password": user.password, **more})
        assert reply.status == 200, reply.body
        answer: dict[str, Any] = reply.json
        return answer

    def verify(self, challenge: str, code: str) -> Reply:
        return self.send("POST", "/api/v1/auth/login/verify", {"challenge": challenge, "code": code})

    def enroll(self) -> list[str]:
        """Set an authenticator app up; answers the recovery codes and goes on with the better token."""
        self.secret = self.send("POST", "/api/v1/auth/mfa/totp").json["secret"]
        confirmed = self.send("POST", "/api/v1/auth/mfa/totp/confirm", {"code": self.code()})
        assert confirmed.status == 200, confirmed.body
        self.token = confirmed.json["access_token"]
        codes: list[str] = confirmed.json["recovery_codes"]
        return codes


@pytest.fixture
def person(api_url: str) -> Person:
    somebody = newcomer(api_url, "factors")
    return Person(api_url, somebody, somebody.token)


def claims(token: str) -> dict[str, Any]:
    import jwt  # noqa: PLC0415

    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def test_an_app_is_set_up_and_asked_for_ever_after(person: Person) -> None:
    begun = person.send("POST", "/api/v1/auth/mfa/totp").json
    assert begun["uri"].startswith("otpauth://totp/RMAP:")
    assert ET.fromstring(begun["svg"]).tag.endswith("svg")  # noqa: S314  our own answer
    assert "challenge" not in person.log_in(), "it counts only once it is confirmed"
    codes = person.enroll()
    assert len(set(codes)) == 10
    assert person.send("GET", "/api/v1/auth/mfa").json == {"totp": True, "passkeys": 0, "recovery_codes": 10}
    begun = person.log_in()
    assert (begun["methods"], "access_token" in begun) == (["totp", "recovery"], False)
    done = person.verify(begun["challenge"], person.code())
    assert (done.status, claims(done.json["access_token"])["amr"]) == (200, ["pwd", "otp"])
    assert claims(done.json["access_token"])["aal"] == 2


def test_the_users_other_sessions_end_when_the_app_is_set_up(person: Person) -> None:
    other = Person(person.url, person.signed_in, person.log_in()["access_token"])
    assert other.send("GET", "/api/v1/campaigns").status == 200
    person.enroll()
    wait_for("the end", lambda: other.send("GET", "/api/v1/campaigns").status == 401, seconds=SOON)
    assert person.send("GET", "/api/v1/campaigns").status == 200


def test_a_code_is_good_once(person: Person) -> None:
    person.enroll()
    first, second = person.log_in()["challenge"], person.log_in()["challenge"]
    code = person.code()
    assert person.verify(first, code).status == 200
    assert person.verify(second, code).status == 401
    assert person.verify(first, person.code()).status == 401, "a challenge is good once too"


def test_a_recovery_code_is_good_once_however_it_is_typed(person: Person) -> None:
    codes = person.enroll()
    typed = codes[0].upper().replace("-", " ")
    assert person.verify(person.log_in()["challenge"], typed).status == 200
    assert person.verify(person.log_in()["challenge"], codes[0]).status == 401
    assert person.send("GET", "/api/v1/auth/mfa").json["recovery_codes"] == 9
    fresh = person.send("POST", "/api/v1/auth/mfa/recovery-codes").json["recovery_codes"]
    assert person.verify(person.log_in()["challenge"], codes[1]).status == 401
    assert person.verify(person.log_in()["challenge"], fresh[0]).status == 200


@pytest.mark.parametrize(
    "code", ["000000", "12345", "1234567", "abcdefghijkl", "\uff11\uff12\uff13\uff14\uff15\uff16", "      ", "0" * 40]
)
def test_what_is_no_code_is_refused(person: Person, code: str) -> None:
    person.enroll()
    assert person.verify(person.log_in()["challenge"], code).status in {401, 422}


def test_guessing_codes_is_slowed(person: Person) -> None:
    person.enroll()
    challenge = person.log_in()["challenge"]
    statuses = [person.verify(challenge, f"{guess:06}").status for guess in range(12)]
    assert statuses[0] == 401
    assert 429 in statuses


def test_without_the_app_nobody_else_gets_in(person: Person, globex: SignedIn) -> None:
    person.enroll()
    code = person.code()  # no challenge here is one, so none uses it up
    for challenge in ("", "ch_", "ch_" + "A" * 43, globex.token[:200]):
        assert person.verify(challenge, code).status == 401


def test_what_is_sensitive_asks_again_after_fifteen_minutes(person: Person, stale: str) -> None:
    old = Person(person.url, person.signed_in, stale)
    assert old.send("GET", "/api/v1/api-keys").status == 200
    refused = old.send("POST", "/api/v1/api-keys", {"name": "till", "scopes": ["ingest.write"]})
    assert (refused.status, refused.json["code"]) == (401, "step-up-required")
    assert 'error="insufficient_user_authentication"' in refused.headers["www-authenticate"]
    for method, path in (("POST", "/api/v1/auth/mfa/totp"), ("DELETE", "/api/v1/auth/mfa/totp"),
                         ("POST", "/api/v1/auth/mfa/recovery-codes"), ("DELETE", "/api/v1/api-keys/x")):  # fmt: skip
        assert old.send(method, path).json["code"] == "step-up-required", path


def test_stepping_up_opens_it(person: Person) -> None:
    wrong = person.send("POST", "/api/v1/auth/step-up", {"password": "not the password"})
    assert (wrong.status, wrong.json["code"]) == (401, "wrong-credentials")
    again = person.send("POST", "/api/v1/auth/step-up", {"password": person.signed_in.user.password})
    assert again.status == 200
    person.token = again.json["access_token"]
    assert claims(person.token)["auth_time"] >= claims(person.signed_in.token)["auth_time"]
    person.enroll()
    by_password = person.send("POST", "/api/v1/auth/step-up", {"password": person.signed_in.user.password})
    assert (by_password.status, by_password.json["code"]) == (403, "second-factor-required")
    assert person.send("POST", "/api/v1/auth/step-up", {"code": person.code()}).status == 200
    both = person.send("POST", "/api/v1/auth/step-up", {"code": "123456", "password": "x"})
    assert both.status == 422


def test_an_organization_can_ask_everybody_for_a_second_factor(person: Person) -> None:
    where = f"/api/v1/organizations/{person.signed_in.organization}"
    changed = secure(person.send, where, mfa_required=True)
    assert (changed.status, changed.json["mfa_required"]) == (200, True)
    person.token = person.log_in()["access_token"]
    refused = person.send("GET", "/api/v1/campaigns")
    assert (refused.status, refused.json["code"]) == (403, "second-factor-required")
    person.enroll()
    assert person.send("GET", "/api/v1/campaigns").status == 200


def test_taking_the_app_away_is_told_to_the_admins(person: Person) -> None:
    person.enroll()
    assert person.send("DELETE", "/api/v1/auth/mfa/totp").status == 204
    assert person.send("DELETE", "/api/v1/auth/mfa/totp").status == 404
    assert "access_token" in person.log_in()
    entries = person.send("GET", f"/api/v1/organizations/{person.signed_in.organization}/audit").json["items"]
    actions = [entry["action"] for entry in entries]
    assert {"security.mfa_enabled", "security.mfa_disabled", "security.signed_in"} <= set(actions)
    came = next(entry for entry in entries if entry["action"] == "security.signed_in")
    assert {"user", "source_ip", "agent", "proofs"} <= came["details"].keys()
    assert person.secret not in json.dumps(entries)
