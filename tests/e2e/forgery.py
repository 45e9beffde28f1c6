"""Tokens that nobody should believe: put together by hand, and signed by whoever a test says."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.x509.oid import NameOID

from infra.settings import STAGES
from tenant_context.aws import AwsClient
from tenant_context.clock import utc_now
from tenant_context.dynamo import Table
from tenant_context.key_ring import KeyRing

Sign = Callable[[bytes], bytes]
"""Signs the first two parts of a token."""


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def compact(header: Mapping[str, Any], payload: bytes, sign: Sign) -> str:
    """A token of any header over any bytes."""
    signed = f"{base64url(json.dumps(header).encode())}.{base64url(payload)}"
    return f"{signed}.{base64url(sign(signed.encode()))}"


def by(key: RSAPrivateKey) -> Sign:
    """Whoever has this key signs."""
    return lambda signed: key.sign(signed, PKCS1v15(), hashes.SHA256())


@dataclass(frozen=True)
class PlatformKey:
    """The key that the platform signs with now, as one who stole its use would use it."""

    kid: str
    sign: Sign

    def token(self, payload: bytes, **head: Any) -> str:
        """A token of any bytes under a signature that is good; `head` adds to the header or changes it."""
        return compact({"alg": "RS256", "typ": "JWT", "kid": self.kid, **head}, payload, self.sign)


@contextmanager
def platform_key() -> Iterator[PlatformKey]:
    """The signing key of the stage that the tests run on."""
    with closing(AwsClient("kms")) as kms, closing(AwsClient("dynamodb")) as dynamodb:
        key = KeyRing(Table(STAGES["local"].named("signing_keys"), dynamodb), utc_now).signing()

        def sign(signed: bytes) -> bytes:
            message = base64.b64encode(signed).decode()
            asked = {"KeyId": key.arn, "Message": message, "MessageType": "RAW"}
            answer = kms.call("Sign", {**asked, "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256"})
            return base64.b64decode(answer["Signature"])

        yield PlatformKey(key.kid, sign)


def certificate(key: RSAPrivateKey) -> x509.Certificate:
    """One that its holder gave to themselves."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "attacker.example")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
    return made.not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())


@dataclass(frozen=True)
class Shop:
    """A server of an attacker on this machine: what it serves, and what it was asked for."""

    url: str
    pages: dict[str, bytes]
    asked: list[str]


@contextmanager
def shop() -> Iterator[Shop]:
    """One that is open."""
    pages: dict[str, bytes] = {}
    asked: list[str] = []

    class Counter(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            page = pages.get(self.path, b"")
            self.send_response(200 if page else 404)
            self.send_header("content-length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Counter)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Shop(f"http://127.0.0.1:{server.server_address[1]}", pages, asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def pem(found: x509.Certificate) -> bytes:
    return found.public_bytes(serialization.Encoding.PEM)


def der(found: x509.Certificate) -> bytes:
    return found.public_bytes(serialization.Encoding.DER)
