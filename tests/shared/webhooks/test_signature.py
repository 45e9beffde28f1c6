"""Signatures are Standard Webhooks': the published vector, and the reference library as judge."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from shared.webhooks.model import Algorithm
from shared.webhooks.rules import signature

HMAC, ED25519 = Algorithm
VECTOR_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def key(shown: str) -> bytes:
    return base64.b64decode(shown.removeprefix("whsec_"))


def test_the_published_vector_is_reproduced() -> None:
    signed = signature.signature(
        [(HMAC, key(VECTOR_SECRET))], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_is_shown_as_the_library_reads_it() -> None:
    secret = bytes(range(32))
    assert key(signature.shown(secret)) == secret


@given(st.binary(min_size=24, max_size=64), st.uuids(), st.dictionaries(st.text(), st.text() | st.integers()))
def test_the_reference_library_accepts_every_body(secret: bytes, message: object, content: dict[str, object]) -> None:
    body = json.dumps(content).encode()
    sent = signature.headers([(HMAC, secret)], str(message), int(datetime.now(UTC).timestamp()), body)
    assert Webhook(signature.shown(secret)).verify(body, sent) == content


def test_during_a_rotation_both_secrets_verify() -> None:
    old, new = b"o" * 32, b"n" * 32
    sent = signature.headers([(HMAC, new), (HMAC, old)], "m", int(datetime.now(UTC).timestamp()), b"{}")
    for secret in (old, new):
        assert Webhook(signature.shown(secret)).verify(b"{}", sent) == {}


def test_a_changed_body_does_not_verify() -> None:
    sent = signature.headers([(HMAC, b"s" * 32)], "m", int(datetime.now(UTC).timestamp()), b'{"amount":1}')
    with pytest.raises(WebhookVerificationError):
        Webhook(signature.shown(b"s" * 32)).verify(b'{"amount":2}', sent)
