"""The demo's parts: a client that speaks TLS, ears that do not tire, weeks that may overlap, sums that must match."""

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from standardwebhooks import Webhook

from local.demo.api import Api
from local.demo.hooks import Listener
from local.demo.reading import Unequal, equal
from local.demo.week import counts, receipts

SECRET = "whsec_" + base64.b64encode(b"a secret of the tests, 32 bytes.").decode()
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a certificate for this machine that nobody but this test trusts, in one file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path / "certificate.pem"
    file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return file


class Answering(BaseHTTPRequestHandler):
    """Says which path it was asked for."""

    def do_GET(self) -> None:
        body = json.dumps({"path": self.path}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Stay quiet."""


@pytest.fixture
def behind_tls(certificate: Path) -> Iterator[str]:
    """The address of a server that speaks TLS and nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = HTTPServer(("127.0.0.1", 0), Answering)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}/stage"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_address_that_begins_with_https_is_asked_over_tls(
    behind_tls: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert Api(behind_tls).get("/ready") == {"path": "/stage/ready"}


def test_a_certificate_that_nobody_vouches_for_is_refused(behind_tls: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        Api(behind_tls).get("/ready")


def sent(receiver: str, kind: str, subject: str, secret: str = SECRET) -> None:
    moment = datetime.now(UTC)
    body = json.dumps({"type": kind, "data": {"id": subject}})
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", moment, body),
    }
    assert requests.post(f"{receiver}/hooks/acme", data=body, headers=headers, timeout=5).ok


def test_a_webhook_is_heard_however_many_came_before(start_receiver: Callable[[], str]) -> None:
    receiver = start_receiver()
    assert requests.put(f"{receiver}/_control/paths/acme", json={"secret": SECRET}, timeout=5).ok
    with requests.Session() as session:
        for _ in range(1001):
            session.post(f"{receiver}/hooks/acme", data="{}", timeout=5)
        listener = Listener(receiver, "acme")
        sent(receiver, "campaign.launched", "one")
        for _ in range(250):
            session.post(f"{receiver}/hooks/acme", data="{}", timeout=5)
    sent(receiver, "campaign.launched", "two")
    assert listener.hear("campaign.launched", "two")["data"] == {"id": "two"}
    assert listener.hear("campaign.launched", "one")["data"] == {"id": "one"}


def test_what_is_older_or_does_not_verify_is_not_heard(start_receiver: Callable[[], str]) -> None:
    receiver = start_receiver()
    assert requests.put(f"{receiver}/_control/paths/acme", json={"secret": SECRET}, timeout=5).ok
    sent(receiver, "campaign.launched", "older")
    listener = Listener(receiver, "acme")
    sent(receiver, "campaign.launched", "forged", "whsec_" + base64.b64encode(b"stranger").decode())
    sent(receiver, "campaign.launched", "one")
    assert listener.hear("campaign.launched", "one")
    assert listener._heard("campaign.launched", "older") is None
    assert listener._heard("campaign.launched", "forged") is None


def test_weeks_that_overlap_say_the_same_of_the_days_they_share() -> None:
    def shared(rows: list[dict[str, Any]], field: str) -> list[dict[str, Any]]:
        since, until = (MONDAY + timedelta(days=3)).isoformat(), (MONDAY + timedelta(days=7)).isoformat()
        return [row for row in rows if since <= row[field] < until]

    later = MONDAY + timedelta(days=3)
    assert shared([*counts("door", 0, MONDAY)], "start") == shared([*counts("door", 0, later)], "start")
    assert shared([*receipts("main", MONDAY)], "time") == shared([*receipts("main", later)], "time")
    both = {sale["id"]: sale for sale in [*receipts("main", MONDAY), *receipts("main", later)]}
    assert len({sale["time"] for sale in both.values()}) == len(both)


def test_a_number_that_does_not_match_stops_the_demo() -> None:
    equal("footfall", 5, 5)
    with pytest.raises(Unequal, match="footfall: the platform says 0, what it was given makes 5"):
        equal("footfall", 0, 5)
