"""Meta, Google and TikTok: only what they signed with what was agreed on is kept, as nobody's yet."""

import base64
import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from local.stack import Stack
from tests.functions.inbound.place import AGREED, GOOGLE_KEYS, Place, google_keys


def of_meta(*ids: str, at: float = 0.0, field: str = "leadgen") -> str:
    moment = int(time.time() + at)
    entries = [
        {"id": name, "time": moment, "changes": [{"field": field, "value": {"leadgen_id": name}}]} for name in ids
    ]
    return json.dumps({"object": "page", "entry": entries})


def of_google(name: str = "2070443601311540", **message: object) -> str:
    told = {
        "attributes": {"eventType": "LEAD"},
        "data": base64.b64encode(b'{"lead_id": "1"}').decode(),
        "messageId": name,
        "publishTime": "2026-03-02T09:00:00.123456789Z",
        **message,
    }
    return json.dumps({"message": told, "subscription": "projects/p/subscriptions/rmap"})


def of_tiktok(**told: object) -> str:
    usual = {"client_key": "key", "event": "lead.generated", "create_time": 1772442000, "user_openid": "act.1"}
    return json.dumps({**usual, "content": '{"lead_id": "1"}', **told})


def test_what_meta_signed_is_kept_each_entry_by_itself_and_nobodys_yet(place: Place) -> None:
    answer = place.meta(of_meta("1", "2"))
    assert (answer["status"], answer["kept"]) == (200, 2)
    assert place.work() == []
    found = place.order("inbox", method="GET")["items"]
    assert [(one["kind"], one["state"], one["organization"]) for one in found] == [
        ("page.leadgen", "ignored", None)
    ] * 2
    assert found[0]["reason"].startswith("Nobody's yet")
    assert {one["subject"] for one in found} == {"page/1", "page/2"}


def test_the_same_entry_of_meta_is_known_again_in_another_delivery(place: Place) -> None:
    one, both = json.loads(of_meta("1")), json.loads(of_meta("1", "2"))
    both["entry"][0] = dict(reversed(one["entry"][0].items()))
    place.meta(json.dumps(one))
    assert place.meta(json.dumps(both))["kept"] == 2
    place.work()
    assert place.meta(json.dumps(both)) == {
        "media": "application/json", "status": 200, "received": True, "kept": 0, "repeated": 2,
    }  # fmt: skip


def test_metas_handshake_gives_the_challenge_to_who_knows_the_token(place: Place) -> None:
    said = f"hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={AGREED['meta_verify_token']}"
    answer = place.get("/api/v1/inbound/meta", said)
    assert (answer["status"], answer["text"]) == (200, "1158201444")
    assert answer["media"].startswith("text/plain")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("hub.mode=subscribe&hub.challenge=1&hub.verify_token=guess", 400),
        ("hub.mode=subscribe&hub.challenge=1&hub.verify_token=", 400),
        ("hub.mode=other&hub.challenge=1&hub.verify_token=meta-verify-token", 400),
        ("hub.mode=subscribe&hub.challenge=%3Cscript%3E&hub.verify_token=meta-verify-token", 422),
        ("hub.mode=subscribe&hub.verify_token=meta-verify-token", 422),
        ("", 422),
    ],
)
def test_metas_handshake_gives_nothing_to_others(place: Place, query: str, status: int) -> None:
    answer = place.get("/api/v1/inbound/meta", query)
    assert (answer["status"], answer["media"]) == (status, "application/problem+json")


@pytest.mark.parametrize(
    ("signature", "code"),
    [
        ("", "unsigned"),
        ("sha256=" + "0" * 64, "bad-signature"),
        ("sha1=" + "0" * 40, "bad-signature"),
        ("sha256=é", "bad-signature"),
    ],
)
def test_what_meta_did_not_sign_is_refused(place: Place, signature: str, code: str) -> None:
    answer = place.post("meta", of_meta("1"), {"x-hub-signature-256": signature})
    assert (answer["status"], answer["code"]) == (400, code)
    assert place.rows() == []


@pytest.mark.parametrize("at", [-49 * 3600, 3600])
def test_entries_of_meta_that_are_not_of_now_are_refused(place: Place, at: int) -> None:
    assert place.meta(of_meta("1", at=at))["code"] == "stale-delivery"
    assert place.rows() == []


def test_what_tiktok_signed_is_kept_once(place: Place) -> None:
    assert place.tiktok(of_tiktok())["kept"] == 1
    place.work()
    assert place.tiktok(of_tiktok(), at=-600.0)["repeated"] == 1, "signed anew, and the same"
    assert place.rows() == [("tiktok", "lead.generated", "ignored")]


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"at": -73 * 3600}, "stale-delivery"),
        ({"at": 3600}, "stale-delivery"),
        ({"secret": "guess"}, "bad-signature"),
        ({"secret": ""}, "bad-signature"),
    ],
)
def test_what_tiktok_did_not_sign_lately_is_refused(place: Place, how: dict[str, Any], code: str) -> None:
    assert place.tiktok(of_tiktok(), **how)["code"] == code
    assert place.rows() == []


@pytest.mark.parametrize("signature", ["t=1", "s=" + "0" * 64, "t=1772442000,s=xyz", "t=99999999999999,s=" + "0" * 64])
def test_what_is_no_signature_of_tiktoks_is_refused(place: Place, signature: str) -> None:
    answer = place.post("tiktok", of_tiktok(), {"tiktok-signature": signature})
    assert (answer["status"], answer["code"]) == (400, "bad-signature")


def test_what_googles_service_account_pushed_is_kept(place: Place) -> None:
    assert place.pushed(of_google(), place.token())["kept"] == 1
    place.work()
    assert place.rows() == [("google", "LEAD", "ignored")]
    assert place.pushed(of_google(), place.token())["repeated"] == 1


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://another.example"},
        {"iss": "https://evil.example"},
        {"email": "somebody@gmail.com"},
        {"email_verified": False},
        {"email_verified": "true"},
        {"exp": int(time.time()) - 3600, "iat": int(time.time()) - 7200},
        {"exp": None},
        {"aud": None},
    ],
)
def test_a_token_of_google_for_somebody_else_is_refused(place: Place, claims: dict[str, Any]) -> None:
    kept = {name: value for name, value in claims.items() if value is not None}
    token = place.token(**kept)
    if len(kept) < len(claims):
        import jwt  # noqa: PLC0415

        told = jwt.decode(token, options={"verify_signature": False})
        for name in claims:
            told.pop(name)
        token = jwt.encode(told, place.google, algorithm="RS256", headers={"kid": "one"})
    answer = place.pushed(of_google(), token)
    assert (answer["status"], answer["code"]) == (400, "bad-signature")
    assert place.rows() == []


def test_a_token_under_another_key_or_none_is_refused(place: Place) -> None:
    stranger = rsa.generate_private_key(65537, 2048)
    assert place.pushed(of_google(), place.token(stranger))["code"] == "bad-signature"
    assert place.pushed(of_google(), place.token(stranger, kid="other"))["code"] == "bad-signature"
    assert place.pushed(of_google(), "no token")["code"] == "bad-signature"
    assert place.pushed(of_google(), "x" * 10_000)["code"] == "bad-signature"
    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"one"}').decode().rstrip("=")
    assert place.pushed(of_google(), f"{none}.{place.token().split('.')[1]}.")["code"] == "bad-signature"
    assert place.post("google", of_google())["code"] == "unsigned"


def test_googles_keys_are_read_anew_when_it_signs_with_another(place: Place) -> None:
    assert place.pushed(of_google(), place.token())["status"] == 200
    fresh = rsa.generate_private_key(65537, 2048)
    place.strangers.pages[GOOGLE_KEYS] = google_keys(two=fresh)
    place.monkeypatch.setattr("shared.inbox.gateway.elsewhere._AGAIN_SECONDS", 0.0)
    assert place.pushed(of_google("2"), place.token(fresh, kid="two"))["status"] == 200


@pytest.mark.parametrize("page", ["", "[]", '{"keys": [{"kty": "RSA"}]}', '{"keys": 5}'])
def test_while_googles_keys_cannot_be_read_it_is_asked_to_try_again(place: Place, page: str) -> None:
    place.strangers.pages[GOOGLE_KEYS] = page
    answer = place.pushed(of_google(), place.token())
    assert (answer["status"], answer["code"]) == (503, "unavailable")


@pytest.mark.parametrize("source", ["meta", "google", "tiktok"])
def test_what_was_never_agreed_on_is_believed_from_nobody(place: Place, servers: Stack, source: str) -> None:
    """An HMAC under an empty secret is anybody's to make."""
    name = place.inbound.settings.inbound_secret
    servers.client("secretsmanager").put_secret_value(SecretId=name, SecretString="{}")
    place.monkeypatch.setattr("shared.inbox.gateway.secrets._TRUSTED_SECONDS", 0.0)
    from tenant_context.secrets import forget_secrets  # noqa: PLC0415

    forget_secrets()
    posts = {
        "meta": lambda: place.meta(of_meta("1"), secret=""),
        "google": lambda: place.pushed(of_google(), place.token(aud="", email="")),
        "tiktok": lambda: place.tiktok(of_tiktok(), secret=""),
    }
    answer = posts[source]()
    assert (answer["status"], answer["code"]) == (404, "source-not-set-up")
    assert place.rows() == []


def test_a_secret_that_was_replaced_counts_without_a_new_sandbox(place: Place, servers: Stack) -> None:
    assert place.meta(of_meta("1"))["status"] == 200
    fresh = json.dumps({**AGREED, "meta_app_secret": "replaced"})
    servers.client("secretsmanager").put_secret_value(
        SecretId=place.inbound.settings.inbound_secret, SecretString=fresh
    )
    place.monkeypatch.setattr("shared.inbox.gateway.secrets._TRUSTED_SECONDS", 0.0)
    assert place.meta(of_meta("2"), secret="replaced")["status"] == 200


GARBAGE = [
    "", "[", "[]", "5", "null", '"text"', "{}", '{"object": "page"}', '{"object": "page", "entry": []}',
    '{"object": "page", "entry": [5]}', '{"object": "page", "entry": [{"id": "1"}]}',
    '{"object": "pa\\u0000ge", "entry": [{"id": "1", "time": 1772442000}]}',
    '{"object": "page", "entry": [{"id": "1\\u202e", "time": 1772442000}]}',
    '{"object": "page", "entry": [{"id": "1", "time": 1e400}]}',
    '{"object": "page", "entry": [{"id": "1", "time": -5}]}',
    '{"object": "page", "entry": [{"id": "1", "time": true}]}',
    '{"event": "x", "create_time": 99999999999999999999, "client_key": "k"}',
    '{"event": 5, "create_time": 1772442000}',
    '{"subscription": "s", "message": []}',
    '{"subscription": "s", "message": {"messageId": "1", "publishTime": "0001-01-01T00:00:00+23:59"}}',
    '{"subscription": "s", "message": {"messageId": "1", "publishTime": "2026-03-02T09:00:00Z", "data": "é"}}',
    '{"subscription": "s", "message": {"messageId": 5, "publishTime": "2026-03-02T09:00:00Z"}}',
    '{"\\ud800": 1}', "[" * 5_000,
]  # fmt: skip


@pytest.mark.parametrize("source", ["meta", "google", "tiktok"])
def test_what_is_signed_and_cannot_be_read_is_a_bad_request(place: Place, source: str) -> None:
    posts = {"meta": place.meta, "google": lambda body: place.pushed(body, place.token()), "tiktok": place.tiktok}
    for body in GARBAGE:
        answer = posts[source](body)
        assert answer["status"] in {400, 415}, (body[:60], answer)
        assert answer["media"] == "application/problem+json"
    assert place.rows() == []


@pytest.mark.parametrize("source", ["ses", "meta", "google", "tiktok"])
def test_what_is_too_large_of_another_type_or_no_text_is_refused_before_it_is_read(place: Place, source: str) -> None:
    assert place.post(source, "x" * 1_048_577)["status"] == 413
    assert place.post(source, "{}", {"content-type": "application/xml"})["status"] == 415
    assert place.post(source, "{}", {"content-encoding": "br"})["status"] == 415
    assert place.post(source, b"\xff\xfe\xfd")["status"] == 400
    assert place.rows() == []
