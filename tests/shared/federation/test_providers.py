"""ID tokens of a provider, good and hostile, over real HTTP; signed with joserfc and judged by it."""

import base64
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from shared.federation.errors import LoginRefused, ProviderRefused, ProviderUnreachable
from shared.federation.gateway.providers import Providers
from shared.federation.model import Exchange
from shared.outbound.gateway.client import Strangers
from shared.outbound.rules.addresses import allow_list

LOOPBACK = allow_list(["127.0.0.0/8"])
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KEY, OTHER = RSAKey.generate_key(2048, {"kid": "one"}), RSAKey.generate_key(2048, {"kid": "other"})
CURVE = ECKey.generate_key("P-256", {"kid": "curve"})


Asked = tuple[str, str, dict[str, list[str]]]
"""Path, Authorization and form of a request."""


class House(BaseHTTPRequestHandler):
    """A provider as bad as its test wants it."""

    answers: ClassVar[dict[str, Any]]
    asked: ClassVar[list[Asked]]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Stay quiet."""

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        form = parse_qs(self.rfile.read(length).decode())
        self.asked.append((self.path, self.headers.get("authorization", ""), form))
        found = self.answers.get(self.path)
        status, body = found if isinstance(found, tuple) else (200 if found is not None else 404, found)
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = _answer  # noqa: N815  the base class names them so


class Time:
    """Both clocks, moved by hand."""

    def __init__(self) -> None:
        self.passed = 0.0

    def clock(self) -> datetime:
        return NOW + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed


class Bench:
    """A provider at an address, and our side of it."""

    def __init__(
        self, issuer: str, answers: dict[str, Any], asked: list[tuple[str, str, dict[str, list[str]]]]
    ) -> None:
        self.issuer, self.answers, self.asked = issuer, answers, asked
        self.time = Time()
        strangers = Strangers(LOOPBACK, seconds=2.0)
        self.providers = Providers(strangers, LOOPBACK, self.time.clock, self.time.monotonic)
        self.describe()
        self.keys(KEY, CURVE)

    def describe(self, **changes: Any) -> None:
        described = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            **changes,
        }
        kept = {name: value for name, value in described.items() if value is not None}
        self.answers["/.well-known/openid-configuration"] = kept

    def keys(self, *keys: RSAKey | ECKey) -> None:
        self.answers["/keys"] = {"keys": [key.as_dict(private=False) for key in keys]}

    def claims(self, **changes: Any) -> dict[str, Any]:
        at = int(self.time.clock().timestamp())
        good = {
            "iss": self.issuer, "aud": "us", "sub": "sam", "nonce": "n", "iat": at, "exp": at + 300,
            "email": "sam@acme.example",
        }  # fmt: skip
        return {name: value for name, value in {**good, **changes}.items() if value is not None}

    def answer(self, token: object) -> None:
        self.answers["/token"] = {"id_token": token, "access_token": "at", "token_type": "Bearer"}

    def exchange(self) -> dict[str, Any]:
        asked = Exchange(self.issuer, "us", "s:e c", "the code", "the verifier", "https://api.example/back", "n")
        return self.providers.exchange(asked)


@pytest.fixture
def bench() -> Iterator[Bench]:
    asked: list[Asked] = []
    answers: dict[str, Any] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (House,), {"answers": answers, "asked": asked}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Bench(f"http://127.0.0.1:{server.server_address[1]}", answers, asked)
    server.shutdown()
    server.server_close()


def signed(claims: dict[str, Any], key: RSAKey | ECKey = KEY, **header: Any) -> str:
    algorithm = "ES256" if isinstance(key, ECKey) else "RS256"
    return jwt.encode({"alg": algorithm, "kid": key.kid, **header}, claims, key)


@pytest.mark.parametrize("key", [KEY, CURVE], ids=["RS256", "ES256"])
def test_a_good_token_is_believed(bench: Bench, key: RSAKey | ECKey) -> None:
    bench.answer(signed(bench.claims(), key))
    assert bench.exchange()["sub"] == "sam"
    path, authorization, form = bench.asked[1]
    assert (path, form["code"], form["code_verifier"]) == ("/token", ["the code"], ["the verifier"])
    assert base64.b64decode(authorization.removeprefix("Basic ")) == b"us:s%3Ae%20c"


def test_a_secret_goes_into_the_body_where_the_provider_wants_it_there(bench: Bench) -> None:
    bench.describe(token_endpoint_auth_methods_supported=["client_secret_post"])
    bench.answer(signed(bench.claims()))
    bench.exchange()
    assert bench.asked[1][1:] == ("", {**bench.asked[1][2], "client_secret": ["s:e c"], "client_id": ["us"]})


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "somebody else"},
        {"aud": []},
        {"aud": None},
        {"aud": ["us", "others"]},
        {"aud": ["us", "others"], "azp": "others"},
        {"azp": "others"},
        {"nonce": "of another log-in"},
        {"nonce": None},
        {"exp": int(NOW.timestamp()) - 31},
        {"exp": None},
        {"exp": "soon"},
        {"iat": int(NOW.timestamp()) + 31},
        {"iat": None},
        {"nbf": int(NOW.timestamp()) + 31},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": 7},
    ],
    ids=str,
)
def test_a_claim_that_does_not_hold_logs_nobody_in(bench: Bench, changes: dict[str, Any]) -> None:
    bench.answer(signed(bench.claims(**changes)))
    with pytest.raises(LoginRefused):
        bench.exchange()


def test_time_may_differ_by_half_a_minute(bench: Bench) -> None:
    at = int(NOW.timestamp())
    bench.answer(signed(bench.claims(iat=at + 25, exp=at - 25)))
    assert bench.exchange()["sub"] == "sam"


def unsigned(claims: dict[str, Any], header: dict[str, Any], signature: str = "") -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims))
    return ".".join([*parts, signature])


def test_a_token_nobody_signed_is_refused(bench: Bench) -> None:
    for algorithm in ("none", "None", "NONE", ""):
        bench.answer(unsigned(bench.claims(), {"alg": algorithm, "kid": "one"}))
        with pytest.raises(LoginRefused):
            bench.exchange()


def test_a_token_signed_with_what_everybody_knows_is_refused(bench: Bench) -> None:
    for secret in (KEY.as_pem(private=False), b"s:e c", json.dumps(KEY.as_dict(private=False)).encode()):
        head, claims, _ = unsigned(bench.claims(), {"alg": "HS256", "kid": "one"}).split(".")
        mac = hmac.digest(secret, f"{head}.{claims}".encode(), "sha256")
        bench.answer(f"{head}.{claims}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}")
        with pytest.raises(LoginRefused):
            bench.exchange()


def test_keys_that_the_token_brings_along_are_nobodys(bench: Bench) -> None:
    own = OTHER.as_dict(private=False)
    for header in ({"jwk": own}, {"jku": "http://127.0.0.1:1/keys"}, {"x5u": "http://127.0.0.1:1/"}):
        bench.answer(signed(bench.claims(), OTHER, **header))
        with pytest.raises(LoginRefused):
            bench.exchange()
        bench.answer(signed(bench.claims(), OTHER, kid="one", **header))
        with pytest.raises(LoginRefused):
            bench.exchange()


@pytest.mark.parametrize("token", ["", "a.b.c", "x" * 70_000, "....", None, 7, ["a"], "\u2603.\u2603.\u2603"])
def test_what_is_no_token_is_refused(bench: Bench, token: object) -> None:
    bench.answer(token)
    with pytest.raises(LoginRefused):
        bench.exchange()


def test_a_symmetric_or_private_key_of_the_key_set_is_not_used(bench: Bench) -> None:
    secret = OctKey.import_key(b"everybody reads this in the key set", {"kid": "shared"})
    bench.answers["/keys"] = {"keys": [secret.as_dict(), OTHER.as_dict(private=True), KEY.as_dict(private=False)]}
    bench.answer(jwt.encode({"alg": "HS256", "kid": "shared"}, bench.claims(), secret))
    with pytest.raises(LoginRefused):
        bench.exchange()
    bench.answer(signed(bench.claims(), OTHER))
    with pytest.raises(LoginRefused):
        bench.exchange()


def test_a_turned_key_is_read_once_in_ten_seconds(bench: Bench) -> None:
    bench.answer(signed(bench.claims()))
    bench.exchange()
    bench.keys(OTHER)
    bench.answer(signed(bench.claims(), OTHER))
    for _ in range(5):
        with pytest.raises(LoginRefused):
            bench.exchange()
    assert [path for path, *_ in bench.asked].count("/keys") == 1
    bench.time.passed += 11
    bench.answer(signed(bench.claims(), OTHER))
    assert bench.exchange()["sub"] == "sam"
    assert [path for path, *_ in bench.asked].count("/keys") == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": None},
        {"jwks_uri": 7},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://10.0.0.1/"},
        {"authorization_endpoint": "https://user:pass@x.example/"},
        {"response_types_supported": ["id_token"]},
        {"code_challenge_methods_supported": ["plain"]},
        {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
    ],
    ids=str,
)
def test_a_description_that_cannot_be_used_is_refused(bench: Bench, changes: dict[str, Any]) -> None:
    bench.describe(**changes)
    with pytest.raises(ProviderRefused):
        bench.providers.describe(bench.issuer)


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"7", b"x" * 600_000, b"\xff\xfe"])
def test_a_description_that_is_none_is_refused(bench: Bench, body: bytes) -> None:
    bench.answers["/.well-known/openid-configuration"] = (200, body)
    with pytest.raises((ProviderRefused, ProviderUnreachable)):
        bench.providers.describe(bench.issuer)


def test_inner_addresses_of_a_description_are_not_called(bench: Bench) -> None:
    for name in ("token_endpoint", "jwks_uri"):
        bench.time.passed += 700
        bench.describe(**{name: "http://169.254.169.254/latest"})
        bench.answer(signed(bench.claims()))
        with pytest.raises(ProviderUnreachable) as refused:
            bench.exchange()
        assert "public internet" in refused.value.detail


def test_what_userinfo_tells_is_of_the_same_user(bench: Bench) -> None:
    bench.describe(userinfo_endpoint=f"{bench.issuer}/me")
    bench.answer(signed(bench.claims(email=None)))
    bench.answers["/me"] = {"sub": "sam", "email": "sam@acme.example", "email_verified": True, "iss": "evil"}
    found = bench.exchange()
    assert (found["email"], found["iss"]) == ("sam@acme.example", bench.issuer)
    bench.answers["/me"] = {"sub": "somebody else", "email": "ada@acme.example"}
    with pytest.raises(LoginRefused):
        bench.exchange()


def test_a_provider_that_fails_is_told_apart_from_one_that_refuses(bench: Bench) -> None:
    bench.answers["/token"] = (400, {"error": "invalid_grant"})
    with pytest.raises(LoginRefused, match="invalid_grant"):
        bench.exchange()
    bench.answers["/token"] = (400, b"<html>")
    with pytest.raises(LoginRefused, match="without a reason"):
        bench.exchange()
    bench.answers["/token"] = (503, b"")
    with pytest.raises(ProviderUnreachable):
        bench.exchange()


def test_claims_that_are_too_much_stay_behind(bench: Bench) -> None:
    bench.answer(signed(bench.claims(groups=["x"] * 20_000, **{f"c{number}": number for number in range(100)})))
    found = bench.exchange()
    assert "groups" not in found
    assert len(found) <= 50
