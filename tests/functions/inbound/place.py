"""The inbox wired as in Lambda: what is posted to, what works, and the strangers that are asked in between."""

import base64
import hashlib
import hmac
import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, LiteralString
from uuid import uuid4

import jwt
import pytest
import stripe
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from tests.conftest import Clone
from tests.functions.billing.harness import WEBHOOK_SECRET, Context, Handler, Inspected, load, sample

TOPIC = "arn:aws:sns:us-east-1:000000000000:rmap-test-mail-events"
CERTIFICATE = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
OPERATOR = "operator-of-the-tests"
AGREED = {
    "meta_app_secret": "meta-app-secret",
    "meta_verify_token": "meta-verify-token",
    "tiktok_client_secret": "tiktok-client-secret",
    "google_audience": "https://api.rmap.example/api/v1/inbound/google",
    "google_service_account": "push@rmap.iam.gserviceaccount.com",
}
GOOGLE_KEYS = "www.googleapis.com/oauth2/v3/certs"


@dataclass
class Sns:
    """Amazon SNS, with a key and a certificate of its own."""

    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def certificate(self, *, days: tuple[int, int] = (-1, 1)) -> str:
        """The certificate, good from some days from now to others."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        begins, ends = (datetime.now(UTC) + timedelta(days=number) for number in days)
        built = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
        )
        return built.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    def signed(self, version: str = "2", **parts: str) -> dict[str, str]:
        """A message as SNS posts it."""
        kept = {
            "Type": "Notification",
            "MessageId": str(uuid4()),
            "TopicArn": TOPIC,
            "Message": "{}",
            "Timestamp": stamp(),
            **parts,
        }
        names = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
        text = "".join(f"{name}\n{kept[name]}\n" for name in names if name in kept)
        algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()  # noqa: S303  SNS's own version 1
        signature = self.key.sign(text.encode(), padding.PKCS1v15(), algorithm)
        kept |= {"SignatureVersion": version, "Signature": base64.b64encode(signature).decode()}
        return {"SigningCertURL": CERTIFICATE, **kept}


class Strangers:
    """The stand-in for the hosts that are asked: what stands at an address, and what was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.asked: list[str] = []
        self.status = 200
        strangers = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address = self.path.removeprefix("/pages/")
                strangers.asked.append(address)
                found = strangers.pages.get(address.partition("?")[0])
                self.send_response(404 if found is None else strangers.status)
                body = (found or "").encode()
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()


class _Invoked:
    """Lambda's client in front of the very handler."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803  boto3's names
        assert FunctionName == "inbound_egress"
        answer = json.dumps(self._handler(json.loads(Payload), Context())).encode()

        class Body:
            def read(self) -> bytes:
                return answer

        return {"Payload": Body()}


@dataclass
class Place:
    """The inbox of one test."""

    clone: Clone
    inbound: Any
    worker: Any
    inbox: Inspected
    outcomes: Inspected
    errands: Inspected
    strangers: Strangers
    sns: Sns
    google: rsa.RSAPrivateKey
    monkeypatch: pytest.MonkeyPatch

    def post(self, source: str, body: str | bytes, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Post a body to a source's address; the answer with its status."""
        event = sample("inbound/stripe.json")
        event["rawPath"] = "/api/v1/stripe/events" if source == "stripe" else f"/api/v1/inbound/{source}"
        event["headers"] = {"content-type": "application/json", **(headers or {})}
        if isinstance(body, bytes):
            event |= {"isBase64Encoded": True, "body": base64.b64encode(body).decode()}
        else:
            event["body"] = body
        return self._answered(event)

    def get(self, path: str, query: str = "", token: str = "") -> dict[str, Any]:
        """Ask an address."""
        event = sample("inbound/operators_list.json") | {"rawPath": path, "rawQueryString": query}
        event["requestContext"]["http"]["method"] = "GET"
        event["headers"] = {"authorization": f"Bearer {token}"} if token else {}
        return self._answered(event)

    def order(self, path: str, body: object = None, method: str = "POST") -> dict[str, Any]:
        """What an operator orders."""
        event = sample("inbound/operators_list.json") | {"rawPath": f"/api/v1/operator/{path}", "rawQueryString": ""}
        event["requestContext"]["http"]["method"] = method
        event["headers"] = {"authorization": f"Bearer {OPERATOR}"}
        if body is not None:
            event["headers"]["content-type"] = "application/json"
            event["body"] = json.dumps(body)
        return self._answered(event)

    def _answered(self, event: Mapping[str, Any]) -> dict[str, Any]:
        answer = self.inbound.handler(event, Context())
        body = answer["body"]
        told = json.loads(body) if "json" in answer["headers"]["content-type"] else {"text": body}
        return {**told, "media": answer["headers"]["content-type"], "status": answer["statusCode"]}

    def stripe(self, body: str) -> dict[str, Any]:
        """Post what Stripe signed just now."""
        signed = stripe.WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET, int(time.time()))
        return self.post("stripe", body, {"stripe-signature": signed})

    def ses(self, told: object, **parts: str) -> dict[str, Any]:
        """Post what SES tells, as SNS does."""
        return self.post("ses", json.dumps(self.sns.signed(Message=json.dumps(told), **parts)), SNS_HEADERS)

    def meta(self, body: str, secret: str = AGREED["meta_app_secret"]) -> dict[str, Any]:
        """Post what Meta signed."""
        mac = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
        return self.post("meta", body, {"x-hub-signature-256": f"sha256={mac}"})

    def tiktok(self, body: str, *, at: float = 0.0, secret: str = AGREED["tiktok_client_secret"]) -> dict[str, Any]:
        """Post what TikTok signed."""
        moment = int(time.time() + at)
        mac = hmac.new(secret.encode(), f"{moment}.{body}".encode(), hashlib.sha256).hexdigest()
        return self.post("tiktok", body, {"tiktok-signature": f"t={moment},s={mac}"})

    def token(self, key: rsa.RSAPrivateKey | None = None, kid: str = "one", **claims: object) -> str:
        """A token as Google makes it for a push."""
        now = int(time.time())
        told = {
            "iss": "https://accounts.google.com",
            "aud": AGREED["google_audience"],
            "email": AGREED["google_service_account"],
            "email_verified": True,
            "sub": "113774264463038321964",
            "iat": now,
            "exp": now + 3600,
            **claims,
        }
        return jwt.encode(told, key or self.google, algorithm="RS256", headers={"kid": kid})

    def pushed(self, body: str, token: str) -> dict[str, Any]:
        """Post what Pub/Sub pushes."""
        return self.post("google", body, {"authorization": f"Bearer {token}"})

    def work(self, *, times: int = 1) -> list[str]:
        """Have the worker handle what waits, so often; the messages that failed at last."""
        waiting, failed = self.inbox.messages(), []
        for _ in range(times):
            records = [
                {"messageId": str(number), "body": json.dumps(message)} for number, message in enumerate(waiting)
            ]
            answer = self.worker.handler({"Records": records}, Context())
            failed = [one["itemIdentifier"] for one in answer["batchItemFailures"]]
            waiting = [waiting[int(number)] for number in failed]
        return failed

    def sweep(self) -> int:
        """The worker's timed call; how many entries it told of."""
        started: int = self.worker.handler({}, Context())["started"]
        return started

    def rows(self, query: LiteralString = "SELECT source, kind, state FROM inbox ORDER BY id") -> list[Any]:
        """What the database holds, seen by its superuser."""
        with self.clone.connect() as connection:
            return connection.execute(query).fetchall()

    def suppressed(self, address: str) -> bool:
        """Whether an operator is told that an address is not mailed."""
        found: bool = self.order("mail/suppressed", {"email": address})["suppressed"]
        return found


SNS_HEADERS = {"content-type": "text/plain; charset=UTF-8"}


def stamp(moved: timedelta = timedelta()) -> str:
    """A moment as SNS writes it."""
    return (datetime.now(UTC) + moved).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def google_keys(**keys: rsa.RSAPrivateKey) -> str:
    """The key set that Google publishes."""
    found = [
        {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), "kid": kid, "alg": "RS256", "use": "sig"}
        for kid, key in keys.items()
    ]
    return json.dumps({"keys": found})


@contextmanager
def wired(
    clone: Clone,
    environment: Mapping[str, str],
    queues: tuple[Inspected, Inspected, Inspected],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    """The three functions."""
    strangers, sns, google = Strangers(), Sns(), rsa.generate_private_key(65537, 2048)
    given = {**environment, "RMAP_PLACES_URL": strangers.url, "RMAP_OUTBOUND_ALLOW": "127.0.0.0/8"}
    given["RMAP_SNS_TOPICS"] = TOPIC
    for name in ("inbound_egress", "inbound", "inbox_worker"):
        load(name, given, monkeypatch)
    inbound: Any = sys.modules["functions.inbound.handler"]
    worker: Any = sys.modules["functions.inbox_worker.handler"]
    egress = _Invoked(sys.modules["functions.inbound_egress.handler"].handler)
    inbound.elsewhere._egress._client = egress
    worker.elsewhere._egress._client = egress
    strangers.pages |= {
        CERTIFICATE.removeprefix("https://"): sns.certificate(),
        GOOGLE_KEYS: google_keys(one=google),
    }
    yield Place(clone, inbound, worker, *queues, strangers, sns, google, monkeypatch)
    inbound.database.close()
    worker.database.close()
    strangers.close()
