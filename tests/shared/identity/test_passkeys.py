"""What a relying party takes for an answer of an authenticator, and what not."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from shared.identity.errors import PasskeyRefused, WrongPasskey
from shared.identity.gateway.passkeys import RelyingParty, handle
from shared.identity.model import Factors, Passkey, Signed, User
from tests.authenticator import EDDSA, ES256, Authenticator, Manner, base64url

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ADA = User(uuid4(), "ada@acme.example", "Ada")
CHALLENGE = b"c" * 32
PARTY = RelyingParty("localhost", ["http://localhost"])
BAD_MANNERS = {
    "another origin": Manner(origin="https://localhost.evil.example"),
    "another domain": Manner(domain="evil.example"),
    "another challenge": Manner(challenge=base64url(b"d" * 32)),
    "a challenge that is no base64url": Manner(challenge="é"),
    "the other ceremony": Manner(kind="payment.get"),
    "nobody there": Manner(present=False),
    "a page within another's": Manner(framed=True),
}
every_bad_manner = pytest.mark.parametrize("manner", BAD_MANNERS.values(), ids=BAD_MANNERS)
kinds = pytest.mark.parametrize("algorithm", [ES256, EDDSA], ids=["ES256", "EdDSA"])


def made(device: Authenticator, manner: Manner = Manner()) -> Passkey:  # noqa: B008  frozen
    options = PARTY.creation_options(ADA, CHALLENGE, [])
    return PARTY.made(ADA, device.create(options, manner), CHALLENGE, "Laptop", NOW)


def asked(passkey: Passkey) -> dict[str, Any]:
    return PARTY.request_options(CHALLENGE, [passkey], verify_user=False)


def judge(passkey: Passkey, credential: dict[str, Any], *, verify_user: bool = False) -> Signed:
    return PARTY.signed(passkey, credential, CHALLENGE, verify_user=verify_user)


@kinds
def test_a_key_is_set_up_and_signs(algorithm: int) -> None:
    device = Authenticator(algorithm)
    passkey = made(device)
    assert (passkey.id, passkey.proof, passkey.sign_count) == (base64url(device.keys[0].id), "hwk", 1)
    assert judge(passkey, device.get(asked(passkey)), verify_user=True) == Signed(sign_count=2, backed_up=False)


def test_a_key_that_can_be_copied_proves_less() -> None:
    passkey = made(Authenticator(synced=True))
    assert (passkey.proof, passkey.synced, passkey.backed_up) == ("swk", True, True)


@every_bad_manner
def test_a_bad_answer_sets_nothing_up(manner: Manner) -> None:
    with pytest.raises(PasskeyRefused):
        made(Authenticator(), manner)


@every_bad_manner
def test_a_bad_answer_proves_nothing(manner: Manner) -> None:
    device = Authenticator()
    passkey = made(device)
    with pytest.raises(WrongPasskey):
        judge(passkey, device.get(asked(passkey), manner))


def test_a_user_who_was_not_verified_is_told_from_one_who_was() -> None:
    device, manner = Authenticator(), Manner(verifies=False)
    passkey = made(device)
    judge(passkey, device.get(asked(passkey), manner))
    with pytest.raises(WrongPasskey):
        judge(passkey, device.get(asked(passkey), manner), verify_user=True)


def test_a_signature_of_another_key_proves_nothing() -> None:
    device, other = Authenticator(), Authenticator()
    passkey, foreign = made(device), made(other)
    with pytest.raises(WrongPasskey):
        judge(passkey, other.get(asked(foreign)))


def test_a_key_does_not_change_whether_it_can_be_copied() -> None:
    device = Authenticator()
    passkey = made(device)
    with pytest.raises(WrongPasskey):
        judge(replace(passkey, synced=True), device.get(asked(passkey)))


def test_a_key_under_another_ones_id_is_refused() -> None:
    credential = Authenticator().create(PARTY.creation_options(ADA, CHALLENGE, []))
    credential["id"] = credential["rawId"] = base64url(b"x" * 32)
    with pytest.raises(PasskeyRefused):
        PARTY.made(ADA, credential, CHALLENGE, "Laptop", NOW)


@pytest.mark.parametrize("field", ["clientDataJSON", "attestationObject"])
@pytest.mark.parametrize("text", ["A", "AAAA", "_" * 4096, base64url(b"{}"), base64url(b"\x81" * 3000)])
def test_garbage_sets_nothing_up(field: str, text: str) -> None:
    credential = Authenticator().create(PARTY.creation_options(ADA, CHALLENGE, []))
    credential["response"][field] = text
    with pytest.raises(PasskeyRefused):
        PARTY.made(ADA, credential, CHALLENGE, "Laptop", NOW)


@pytest.mark.parametrize("field", ["clientDataJSON", "authenticatorData", "signature"])
@pytest.mark.parametrize("text", ["A", "AAAA", "_" * 4096, base64url(b"{}"), base64url(b"[" * 3000)])
def test_garbage_proves_nothing(field: str, text: str) -> None:
    device = Authenticator()
    passkey = made(device)
    credential = device.get(asked(passkey))
    credential["response"][field] = text
    with pytest.raises(WrongPasskey):
        judge(passkey, credential)


def test_options_say_who_asks_and_nothing_about_the_user_but_what_they_know() -> None:
    passkey = made(Authenticator())
    options = PARTY.creation_options(ADA, CHALLENGE, [passkey])
    assert options["rp"] == {"id": "localhost", "name": "RMAP"}
    assert options["user"] == {"id": handle(ADA.id), "name": ADA.email, "displayName": ADA.name}
    assert [one["id"] for one in options["excludeCredentials"]] == [passkey.id]
    assert PARTY.request_options(CHALLENGE, [], verify_user=True)["userVerification"] == "required"


@pytest.mark.parametrize(
    ("factors", "methods"),
    [
        (Factors(totp=False, passkeys=0, recovery_codes=10), ()),
        (Factors(totp=False, passkeys=1, recovery_codes=0), ("passkey",)),
        (Factors(totp=True, passkeys=2, recovery_codes=3), ("totp", "passkey", "recovery")),
    ],
)
def test_a_second_step_is_made_with_what_is_there(factors: Factors, methods: tuple[str, ...]) -> None:
    assert factors.methods == methods
