"""Receivers that mean harm in one batch with good ones: none harms the delivery beside it, and each ends in words."""

import datetime as dt
import gzip
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tenant_context.context import TenantContext
from tests.functions.webhooks.line import Context, Line, fan_out, launched, message
from tests.functions.webhooks.stores import Receiver
from tests.shared.outbound.server import Conversation, Server
from tests.shared.outbound.test_hostile import OK, says

Tenants = tuple[TenantContext, TenantContext]
HERE = x509.IPAddress(ip_address("127.0.0.1"))
ELSEWHERE = x509.DNSName("hooks.example.com")
NO_ANSWER, NO_TLS = "There was no whole answer in time.", "TLS could not be agreed on."
REFUSED = "The certificate is not valid"
BOMB = gzip.compress(bytes(50_000_000))


def late(accepted: socket.socket) -> None:
    time.sleep(7)  # the server's own slowness, not the test's
    accepted.sendall(OK + b"Content-Length: 0\r\n\r\n")


def certificate(folder: Path, name: x509.GeneralName) -> Path:
    """One that is signed by itself, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"of {name.value} {time.monotonic_ns()}")])
    builder = x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(hours=1))
    builder = builder.not_valid_after(now + dt.timedelta(hours=1))
    made = builder.add_extension(x509.SubjectAlternativeName([name]), critical=False).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / f"{time.monotonic_ns()}.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


def speaking(pair: Path, *, old: bool = False) -> ssl.SSLContext:
    """What a server speaks TLS with; old, no later version than 1.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    if old:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


class Raw:
    """Listens, and does with a connection as it is told, whatever was said."""

    def __init__(self, does: Callable[[socket.socket], None]) -> None:
        self._listener, self._does = socket.create_server(("127.0.0.1", 0)), does
        self.port: int = self._listener.getsockname()[1]
        self._ends = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                accepted, _ = self._listener.accept()
                threading.Thread(target=self._one, args=(accepted,), daemon=True).start()

    def _one(self, accepted: socket.socket) -> None:
        with suppress(OSError), accepted:
            accepted.recv(65_536)
            self._does(accepted)
            self._ends.wait(10)

    def close(self) -> None:
        """Hang up."""
        self._ends.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def listening() -> Iterator[list[Any]]:
    """What a test has listening, to be closed."""
    made: list[Any] = []
    yield made
    for one in made:
        one.close()


def one_batch(line: Line, tenants: Tenants, hostile: dict[str, str], good: str) -> dict[str, Any]:
    """Acme's event at hostile receivers and globex's at a good one, in one batch: what acme's came to, by name."""
    acme, globex = tenants
    made = {
        line.endpoint(acme, url, "campaign.launched", timeout_seconds=5)["id"]: name for name, url in hostile.items()
    }
    line.endpoint(globex, good, "campaign.launched")
    harmed, well = launched(acme), launched(globex)
    fan_out(line, harmed)
    fan_out(line, well)
    records: list[Any] = []
    while len(records) <= len(hostile):
        found = line.resources.receive(line.resources.deliveries, seconds=5)
        assert found
        records += found
    assert line.dispatcher({"Records": records}, Context()) == {"batchItemFailures": []}
    [delivery] = message(line, globex, well)["deliveries"]
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 1)
    attempts = message(line, acme, harmed)["attempts"]
    assert len(attempts) == len(hostile)
    return {made[attempt["endpoint_id"]]: attempt for attempt in attempts}


def test_answers_that_mean_harm_leave_those_beside_them_alone(
    line: Line, receiver: Receiver, two_tenants: Tenants, listening: list[Any]
) -> None:
    packed = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB)
    twice = OK + b"Content-Length: 2\r\n\r\nokHTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno"
    talks: dict[str, Conversation] = {
        "a bomb": says(packed + BOMB),
        "late": late,
        "200, then 500": says(twice),
        "500, then 200": says(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n"),
    }
    listening += (found := {name: Server(talk) for name, talk in talks.items()}).values()
    urls = {name: f"http://127.0.0.1:{server.port}/" for name, server in found.items()}
    came = one_batch(line, two_tenants, urls, receiver.url)
    assert {name: one["status"] for name, one in came.items()} == {
        "a bomb": 200,
        "late": None,
        "200, then 500": 200,
        "500, then 200": 500,
    }
    assert came["late"]["error"] == NO_ANSWER
    assert len(came["a bomb"]["body"]) <= 30_000
    assert (came["200, then 500"]["body"], len(receiver.received)) == ("ok", 1)


def test_tls_that_means_harm_leaves_those_beside_it_alone(
    line: Line, two_tenants: Tenants, listening: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, other, stranger = (certificate(tmp_path, name) for name in (HERE, ELSEWHERE, HERE))
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(ours.read_bytes() + other.read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    answer = says(OK + b"Content-Length: 2\r\n\r\nok")
    good = Server(answer, speaking(ours))
    bad: dict[str, Server | Raw] = {
        "signed by itself": Server(answer, speaking(stranger)),
        "another name": Server(answer, speaking(other)),
        "TLS 1.1": Server(answer, speaking(ours, old=True)),
        "hangs": Raw(lambda _: None),
        "garbage": Raw(lambda accepted: accepted.sendall(bytes(range(256)) * 64)),
    }
    listening += [good, *bad.values()]
    line.restart("webhooks_dispatcher")
    urls = {name: f"https://127.0.0.1:{server.port}/" for name, server in list(bad.items())}
    came = one_batch(line, two_tenants, urls, f"https://127.0.0.1:{good.port}/")
    assert len(good.heard) == 1
    assert {one["status"] for one in came.values()} == {None}
    errors = {name: one["error"] for name, one in came.items()}
    assert errors["signed by itself"].startswith(REFUSED)
    assert errors["another name"].startswith(REFUSED)
    assert {errors["TLS 1.1"], errors["garbage"], errors["hangs"]} == {NO_TLS, NO_ANSWER}
    assert errors["hangs"] == NO_ANSWER
    assert [server.heard for server in bad.values() if isinstance(server, Server)] == [[]] * 3
