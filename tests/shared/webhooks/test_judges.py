"""What is sent is Standard Webhooks 1.0.0 to receivers on Python and on Node alike."""

import json
from datetime import UTC, datetime

from shared.webhooks.model import Algorithm
from shared.webhooks.rules import signature
from tests.shared.webhooks.judges import accepted, by_node, by_python

NONE_MATCHES = "No matching signature found"


def now() -> int:
    """The judges go by the machine's clock."""
    return int(datetime.now(UTC).timestamp())


def test_both_judges_accept_every_kind_of_body() -> None:
    bodies: list[dict[str, object]] = [
        {},
        {"a": 1.5e300},
        {"ü": "Bücher\u2028\x7f\U0001f600"},
        {"nested": [[{}]] * 50},
        {"long": "x" * 19_000},
    ]
    for content in bodies:
        body = json.dumps(content, ensure_ascii=False).encode()
        key, _ = signature.new_key(Algorithm.HMAC)
        headers = signature.headers([(Algorithm.HMAC, key)], "msg_1", now(), body)
        assert accepted([signature.shown(key)], headers, body)


def test_both_judges_refuse_what_was_changed_or_is_old() -> None:
    key, _ = signature.new_key(Algorithm.HMAC)
    secret = signature.shown(key)
    headers = signature.headers([(Algorithm.HMAC, key)], "msg_1", now(), b'{"amount":1}')
    old = signature.headers([(Algorithm.HMAC, key)], "msg_1", now() - 3600, b'{"amount":1}')
    changed = '{"amount":2}'
    assert by_node({"secret": secret, "headers": headers, "body": changed}) == [NONE_MATCHES]
    assert by_python(secret, headers, changed) == NONE_MATCHES
    assert by_node({"secret": secret, "headers": old, "body": '{"amount":1}'}) == ["Message timestamp too old"]
    assert by_python(secret, old, '{"amount":1}') == "Message timestamp too old"


def test_an_asymmetric_signature_verifies_by_its_public_key_alone() -> None:
    key, public = signature.new_key(Algorithm.ED25519)
    _, other = signature.new_key(Algorithm.ED25519)
    headers = signature.headers([(Algorithm.ED25519, key)], "msg_1", now(), b"{}")
    assert headers["webhook-signature"].startswith("v1a,")
    case = {"headers": headers, "body": "{}"}
    assert by_node({**case, "public_key": public}, {**case, "public_key": other}) == ["", NONE_MATCHES]
    assert by_node({**case, "public_key": public, "body": "[]"}) == [NONE_MATCHES]


def test_libraries_that_know_one_kind_of_signature_pass_over_the_other() -> None:
    hmac, _ = signature.new_key(Algorithm.HMAC)
    key, public = signature.new_key(Algorithm.ED25519)
    headers = signature.headers([(Algorithm.ED25519, key), (Algorithm.HMAC, hmac)], "msg_1", now(), b"{}")
    assert accepted([signature.shown(hmac)], headers, b"{}")
    assert by_node({"public_key": public, "headers": headers, "body": "{}"}) == [""]
