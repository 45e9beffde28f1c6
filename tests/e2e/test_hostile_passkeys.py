"""What is no passkey's answer on the deployed platform: copied, replayed, somebody else's, garbage."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.stack import Stack
from tests.authenticator import Authenticator, Manner, base64url
from tests.e2e.passkey_holder import LOG_IN, MFA, STEP_UP, Person, somebody


@pytest.fixture
def person(api_url: str) -> Person:
    return somebody(api_url)


@pytest.fixture(scope="module")
def ada(api_url: str) -> Person:
    """Somebody with a passkey, for tests that only answer badly."""
    made = somebody(api_url)
    made.enrolled()
    return made


@pytest.fixture(scope="module")
def mallory(api_url: str) -> Person:
    """Somebody else with a passkey."""
    made = somebody(api_url)
    made.enrolled()
    return made


def test_a_counter_that_goes_back_is_refused_and_told(person: Person) -> None:
    person.enrolled("Key ring")
    (key,) = person.device.keys
    assert person.answer(person.asked()).status == 200
    for back in (0, -1, -2):
        before = key.uses
        key.uses = max(0, before + back - 1)
        refused = person.answer(person.asked())
        assert (refused.status, refused.json["code"]) == (401, "passkey-cloned"), back
        key.uses = before
    assert person.answer(person.asked()).status == 200, "the one that goes on counting is still good"
    assert [told["name"] for told in person.told("passkey_cloned")] == ["Key ring"] * 3


def test_of_two_answers_with_one_count_one_is_good(person: Person) -> None:
    person.enrolled()
    (key,) = person.device.keys
    bodies = []
    for asked in [person.asked() for _ in range(4)]:
        key.uses = 5
        bodies.append({"ticket": asked["ticket"], "credential": person.device.get(asked["options"])})
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda body: person.send("POST", LOG_IN, body), bodies))
    assert sorted(reply.status for reply in replies) == [200, 401, 401, 401]


def test_a_ticket_is_used_once_however_many_answer_at_once(person: Person) -> None:
    person.enrolled()
    asked = person.asked()
    bodies = [{"ticket": asked["ticket"], "credential": person.device.get(asked["options"])} for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda body: person.send("POST", LOG_IN, body), bodies))
    assert sorted(reply.status for reply in replies) == [200, 401, 401, 401]


BAD = {
    "another origin": Manner(origin="https://evil.example"),
    "another domain": Manner(domain="evil.example"),
    "another challenge": Manner(challenge=base64url(b"c" * 32)),
    "the ceremony of a new key": Manner(kind="webauthn.create"),
    "a user not verified": Manner(verifies=False),
    "nobody there": Manner(present=False),
    "nobody named": Manner(handle=None),
    "somebody else named": Manner(handle=base64url(bytes(16))),
    "a page within another's": Manner(framed=True),
}


@pytest.mark.parametrize("manner", BAD.values(), ids=BAD)
def test_a_bad_answer_logs_nobody_in(ada: Person, manner: Manner) -> None:
    refused = ada.answer(ada.asked(), manner)
    assert (refused.status, refused.json["code"]) == (401, "wrong-passkey")
    assert ada.answer(ada.asked()).status == 200


def test_a_key_that_nobody_set_up_logs_nobody_in(ada: Person) -> None:
    stranger = Person(ada.url, ada.signed_in, "")
    stranger.device.create(ada.begin()["options"])
    assert stranger.answer(stranger.asked()).status == 401


def test_the_passkey_of_another_user_is_no_second_step(ada: Person, mallory: Person) -> None:
    asked = ada.asked(ada.challenge()["challenge"])
    asked["options"]["allowCredentials"] = []
    refused = mallory.answer(asked, Manner(handle=None))
    assert (refused.status, refused.json["code"]) == (401, "wrong-passkey")


def test_a_ticket_is_for_whom_and_for_what_it_was_given(ada: Person, mallory: Person) -> None:
    begun = ada.begin()
    body = {"ticket": begun["ticket"], "credential": mallory.device.create(begun["options"]), "name": "Mine"}
    assert mallory.send("POST", MFA, body).json["code"] == "ceremony-ended"
    mallory.device.keys.pop()
    asked = ada.send("POST", f"{STEP_UP}/passkey/options").json
    assert ada.answer(asked).json["code"] == "ceremony-ended", "a step-up is no log-in"
    body = {"ticket": asked["ticket"], "credential": mallory.device.get({**asked["options"], "allowCredentials": []})}
    assert mallory.send("POST", STEP_UP, {"passkey": body}).json["code"] == "ceremony-ended"
    alone, after = ada.asked(), ada.asked(ada.challenge()["challenge"])
    mixed = {**alone, "ticket": f"{alone['ticket']}.{after['ticket'].partition('.')[2]}"}
    assert ada.answer(mixed).json["code"] == "ceremony-ended", "a passkey alone is no second step"
    assert ada.answer({**after, "ticket": after["ticket"].partition(".")[0]}).json["code"] == "ceremony-ended"


def test_a_new_passkey_that_answers_badly_is_not_set_up(person: Person) -> None:
    for manner in (Manner(origin="https://evil.example"), Manner(domain="evil.example"), Manner(challenge="AAAA")):
        refused = person.enroll(manner)
        assert (refused.status, refused.json["code"]) == (422, "passkey-refused")
    assert person.send("GET", MFA).json["items"] == []
    begun = person.begin()
    body = {"ticket": begun["ticket"], "credential": person.device.create(begun["options"]), "name": "Laptop"}
    statuses = [person.send("POST", MFA, body).status for _ in range(2)]
    assert statuses == [201, 401], "a ticket is used once"


def test_a_passkey_belongs_to_one_user(ada: Person, person: Person) -> None:
    """Whoever knows a credential's id cannot take it for a key of their own."""
    stolen = ada.device.keys[0].id
    begun = person.begin()
    person.device.keys.clear()
    credential = person.device.create(begun["options"], id_of=stolen)
    reply = person.send("POST", MFA, {"ticket": begun["ticket"], "credential": credential, "name": "Mine"})
    assert (reply.status, reply.json["code"]) == (409, "passkey-exists")
    assert ada.answer(ada.asked()).status == 200


@pytest.mark.parametrize(
    "name", ["x", "A" * 934, "A" * 935, "A" * 5000, "..", "%00", "%2e%2e%2f", "%C3%A9", "user%23", "a%20b"]
)
def test_what_is_no_credential_id_is_not_found(ada: Person, name: str) -> None:
    assert ada.send("DELETE", f"{MFA}/{name}").status == 404


def test_a_question_ends_after_five_minutes(ada: Person, stack: Stack) -> None:
    """Its time is set back in the table, as waiting is not a test."""
    asked = ada.asked()
    key = f"ticket#passkey-log-in#{hashlib.sha256(asked['ticket'].encode()).hexdigest()}"
    client = stack.client("dynamodb")
    try:
        client.update_item(
            TableName="rmap-local-tickets",
            Key={"pk": {"S": key}, "sk": {"S": "ticket"}},
            UpdateExpression="SET expires_at = expires_at - :minutes",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues={":minutes": {"N": "301"}},
        )
    finally:
        client.close()
    assert ada.answer(asked).json["code"] == "ceremony-ended"


def _with(credential: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(credential))
    place = changed
    *folders, name = path.split(".")
    for folder in folders:
        place = place[folder]
    if value is None:
        del place[name]
    else:
        place[name] = value
    return changed


GARBAGE: list[Any] = [
    None,
    1,
    [],
    {},
    "",
    "A",
    "é",
    "=" * 8,
    "\x00",
    "A" * 60_000,
    "_" * 1000,
    {"a": {"b": []}},
    base64url(b"{}"),
]


@pytest.mark.parametrize(
    "path", ["id", "rawId", "type", "response", *map("response.{}".format, ("clientDataJSON", "authenticatorData",
                                                                         "signature", "userHandle"))]
)  # fmt: skip
def test_garbage_in_an_answer_is_refused_and_does_no_harm(person: Person, path: str) -> None:
    person.enrolled()
    for value in GARBAGE[path == "response.userHandle" :]:
        asked = person.asked()
        credential = _with(person.device.get(asked["options"]), path, value)
        reply = person.send("POST", LOG_IN, {"ticket": asked["ticket"], "credential": credential})
        assert reply.status in {400, 401, 413, 422}, (value, reply.body)
        assert person.answer(person.asked()).status == 200


@pytest.mark.parametrize("path", ["id", "response", "response.clientDataJSON", "response.attestationObject"])
def test_garbage_in_a_new_passkey_is_refused(ada: Person, path: str) -> None:
    for value in GARBAGE:
        begun = ada.begin()
        credential = _with(Authenticator().create(begun["options"]), path, value)
        reply = ada.send("POST", MFA, {"ticket": begun["ticket"], "credential": credential, "name": "x"})
        assert reply.status in {400, 413, 422}, (value, reply.body)


@pytest.mark.parametrize("ticket", ["", "pk_", ".", "pk_.ch_", "x" * 100, "x" * 101, "pk_" + "A" * 43, 5, None])
def test_a_ticket_that_nobody_gave_is_refused(ada: Person, ticket: object) -> None:
    credential = ada.device.get(ada.asked()["options"])
    reply = ada.send("POST", LOG_IN, {"ticket": ticket, "credential": credential})
    assert reply.status in {401, 422}


def test_guessing_is_slowed(api_url: str) -> None:
    person = somebody(api_url)
    person.enrolled()
    statuses = [person.answer(person.asked(), Manner(domain="evil.example")).status for _ in range(12)]
    assert statuses[0] == 401
    assert 429 in statuses
