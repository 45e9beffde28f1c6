"""Calls to real servers on the loopback interface, well-behaved and not."""

import datetime as dt
import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.outbound.gateway.client import KEPT_BODY, Strangers
from shared.outbound.gateway.kept import KeptConnections
from shared.outbound.rules.addresses import allow_list
from shared.outbound.rules.own import own
from tests.shared.outbound.server import Conversation, Server

LOOPBACK = allow_list(["127.0.0.0/8"])


def says(answer: bytes) -> Conversation:
    return lambda accepted: accepted.sendall(answer)


def repeats(first: bytes, again: bytes, pause: float) -> Conversation:
    def talk(accepted: socket.socket) -> None:
        accepted.sendall(first)
        while True:
            accepted.sendall(again)
            time.sleep(pause)  # the server's own slowness, not the test's

    return talk


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Server] = []

    def start(talk: Conversation, tls: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(talk, tls))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def receivers() -> Strangers:
    return Strangers(LOOPBACK, seconds=1.0)


def post(receivers: Strangers, server: Server, path: str = "/hook?x=1") -> tuple[int | None, str, bytes]:
    outcome = receivers.post(f"http://127.0.0.1:{server.port}{path}", {"webhook-id": "m"}, b'{"a":1}')
    return outcome.status, outcome.error, outcome.body


def test_a_call_carries_path_host_headers_and_body(serve: Serve, receivers: Strangers) -> None:
    server = serve(says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    assert post(receivers, server) == (200, "", b"ok")
    head, _, body = server.heard[0].partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /hook?x=1 http/1.1"
    assert f"host: 127.0.0.1:{server.port}" in lines
    assert "webhook-id: m" in lines
    assert "accept-encoding: identity" in lines
    assert sum(line.startswith("host:") for line in lines) == 1
    assert body == b'{"a":1}'


def test_each_step_is_timed(serve: Serve, receivers: Strangers) -> None:
    server = serve(says(b"HTTP/1.1 204 No Content\r\n\r\n"))
    timing = receivers.post(f"http://127.0.0.1:{server.port}/", {}, b"{}").timing
    assert list(timing) == ["dns", "connect", "first_byte", "total"]
    assert sorted(timing.values()) == list(timing.values())


def test_a_redirect_is_not_followed(serve: Serve, receivers: Strangers) -> None:
    elsewhere = serve(says(b"HTTP/1.1 200 OK\r\n\r\n"))
    location = f"http://127.0.0.1:{elsewhere.port}/".encode()
    server = serve(says(b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"))
    status, error, _ = post(receivers, server)
    assert (status, "redirects are not followed" in error, elsewhere.heard) == (302, True, [])


def test_a_failing_status_is_told_with_its_body_and_its_wish(serve: Serve, receivers: Strangers) -> None:
    server = serve(says(b"HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 4\r\n\r\nbusy"))
    outcome = receivers.post(f"http://127.0.0.1:{server.port}/", {}, b"{}")
    assert (outcome.status, outcome.body, outcome.retry_after) == (503, b"busy", "120")
    assert outcome.error == "The receiver answered 503."


def test_a_long_body_is_cut(serve: Serve, receivers: Strangers) -> None:
    server = serve(says(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5_000_000))
    assert post(receivers, server) == (200, "", b"x" * KEPT_BODY)


def test_a_chunked_body_is_put_together(serve: Serve, receivers: Strangers) -> None:
    server = serve(says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"))
    assert post(receivers, server) == (200, "", b"abcde")


def test_a_gzip_bomb_stays_packed(serve: Serve, receivers: Strangers) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    server = serve(says(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + bomb))
    assert post(receivers, server) == (200, "", bomb[:KEPT_BODY])


def test_a_body_that_breaks_off_after_a_good_status_is_still_delivered(serve: Serve, receivers: Strangers) -> None:
    server = serve(says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"))
    status, error, body = post(receivers, server)
    assert (status, body) == (200, b"")
    assert error


SLOW = {
    "says nothing": repeats(b"", b"", 0.05),
    "drips its status": repeats(b"HTTP/1.1 200 ", b"O", 0.05),
    "drips headers": repeats(b"HTTP/1.1 200 OK\r\n", b"x", 0.05),
    "says continue for ever": repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05),
}


@pytest.mark.parametrize("talk", SLOW.values(), ids=SLOW.keys())
def test_a_receiver_that_drips_is_left_at_the_deadline(serve: Serve, receivers: Strangers, talk: Conversation) -> None:
    began = time.monotonic()
    status, error, _ = post(receivers, serve(talk))
    assert (status, error) == (None, "There was no whole answer in time.")
    assert time.monotonic() - began < 3


def test_a_body_that_drips_is_left_at_the_deadline(serve: Serve, receivers: Strangers) -> None:
    began = time.monotonic()
    status, _, body = post(receivers, serve(repeats(b"HTTP/1.1 200 OK\r\n\r\n", b"x", 0.05)))
    assert (status, set(body)) == (200, {ord("x")})
    assert time.monotonic() - began < 3


ENDLESS = {
    "one header": repeats(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 8192, 0),
    "many headers": repeats(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 500, 0),
    "continue": repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 500, 0),
    "a status": repeats(b"", b"HTTP" * 2000, 0),
}


@pytest.mark.parametrize("talk", ENDLESS.values(), ids=ENDLESS.keys())
def test_endless_headers_end_the_call(serve: Serve, receivers: Strangers, talk: Conversation) -> None:
    status, error, body = post(receivers, serve(talk))
    assert (status, body) == (None, b"")
    assert error in {"The answer is too long.", "The answer is not HTTP."}


BROKEN = {
    "another protocol": says(b"220 mail.example.com ESMTP\r\n"),
    "binary": says(bytes(range(256)) * 10 + b"\n"),
    "a bad status": says(b"HTTP/1.1 abc\r\n\r\n"),
    "half a header": says(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "nothing": says(b""),
}


@pytest.mark.parametrize("talk", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_answer_is_told_in_words(serve: Serve, receivers: Strangers, talk: Conversation) -> None:
    status, error, _ = post(receivers, serve(talk))
    assert status in {None, 200}
    assert error.endswith(".") or status == 200


def test_nobody_listening_is_told_in_words(receivers: Strangers) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert receivers.post(f"http://127.0.0.1:{port}/", {}, b"").error == "The connection was refused."


def test_an_unknown_name_is_told_in_words() -> None:
    def unknown(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    outcome = Strangers((), resolver=unknown).post("https://nowhere.example/", {}, b"")
    assert (outcome.status, outcome.error) == (None, "The host's name cannot be resolved.")


def test_a_resolver_that_hangs_is_left_at_the_deadline() -> None:
    answered = threading.Event()

    def hang(_host: str, _port: int) -> list[str]:
        answered.wait(10)
        return ["8.8.8.8"]

    outcome = Strangers((), resolver=hang, seconds=0.2).post("https://slow.example/", {}, b"")
    answered.set()
    assert outcome.error == "There was no whole answer in time."


@pytest.mark.parametrize("found", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::1"], ["169.254.169.254"], []])
def test_a_name_with_a_closed_address_is_not_called_and_the_address_not_told(serve: Serve, found: list[str]) -> None:
    server = serve(says(b"HTTP/1.1 200 OK\r\n\r\n"))
    outcome = Strangers((), resolver=lambda _host, _port: found).post("https://inside.example/", {}, b"")
    assert outcome.status is None
    assert outcome.error == "The host may not be called: it is not on the public internet."
    assert server.heard == []


def test_plain_http_to_a_name_outside_the_allow_list_is_not_called() -> None:
    outcome = Strangers(LOOPBACK, resolver=lambda _host, _port: ["8.8.8.8"]).post("http://out.localhost:99/", {}, b"")
    assert outcome.error == "The host may not be called: it is not on the public internet."


def test_the_platform_does_not_call_itself(serve: Serve) -> None:
    server = serve(says(b"HTTP/1.1 200 OK\r\n\r\n"))
    url = f"http://127.0.0.1:{server.port}/"
    outcome = Strangers(LOOPBACK, own=own([url]), seconds=2).post(url, {}, b"")
    assert (outcome.status, outcome.error) == (
        None,
        "The URL must not be an address of this platform, which would call itself.",
    )
    assert server.heard == []


def test_a_name_is_resolved_once_a_call_and_anew_at_each(serve: Serve) -> None:
    server = serve(says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    answers = [["127.0.0.1"], ["10.0.0.1"]]
    receivers = Strangers(LOOPBACK, resolver=lambda _host, _port: answers.pop(0), seconds=2)
    url = f"http://changing.localhost:{server.port}/"
    assert receivers.post(url, {}, b"").status == 200
    assert "may not be called" in receivers.post(url, {}, b"").error
    assert answers == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of hooks.localhost and its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "pair.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


def tls_server(serve: Serve, certificate: Path) -> Server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return serve(says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), context)


def trusting(certificate: Path) -> Strangers:
    return Strangers(
        LOOPBACK,
        resolver=lambda _host, _port: ["127.0.0.1"],
        tls=ssl.create_default_context(cafile=str(certificate)),
        seconds=5,
    )


def test_a_tls_connection_serves_the_next_call_without_another_handshake(serve: Serve, certificate: Path) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def talk(accepted: socket.socket) -> None:
        accepted.sendall(answer)
        while accepted.recv(65_536):
            accepted.sendall(answer)

    server = serve(talk, context)
    calls = Strangers(
        LOOPBACK,
        resolver=lambda _host, _port: ["127.0.0.1"],
        tls=ssl.create_default_context(cafile=str(certificate)),
        kept=KeptConnections(),
    )
    outcomes = [calls.post(f"https://hooks.localhost:{server.port}/", {}, b"") for _ in range(3)]
    assert [(one.status, one.error) for one in outcomes] == [(200, "")] * 3
    assert len(server.names) == 1


def test_tls_goes_to_the_checked_address_and_asks_for_the_name(serve: Serve, certificate: Path) -> None:
    server = tls_server(serve, certificate)
    outcome = trusting(certificate).post(f"https://hooks.localhost:{server.port}/", {}, b"{}")
    assert (outcome.status, outcome.error) == (200, "")
    assert server.names == ["hooks.localhost"]
    assert f"host: hooks.localhost:{server.port}".encode() in server.heard[0].lower()
    assert "tls" in outcome.timing


def test_a_certificate_of_another_name_is_refused(serve: Serve, certificate: Path) -> None:
    server = tls_server(serve, certificate)
    outcome = trusting(certificate).post(f"https://other.localhost:{server.port}/", {}, b"{}")
    assert outcome.status is None
    assert outcome.error.startswith("The certificate is not valid")
    assert server.heard == []


def test_a_certificate_nobody_vouches_for_is_refused(serve: Serve, certificate: Path) -> None:
    server = tls_server(serve, certificate)
    receivers = Strangers(LOOPBACK, resolver=lambda _host, _port: ["127.0.0.1"], seconds=5)
    outcome = receivers.post(f"https://hooks.localhost:{server.port}/", {}, b"{}")
    assert outcome.status is None
    assert outcome.error.startswith("The certificate is not valid")
    assert server.heard == []


def test_plain_http_on_a_tls_port_is_told_in_words(serve: Serve) -> None:
    server = serve(says(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    receivers = Strangers(LOOPBACK, seconds=1)
    assert receivers.post(f"https://127.0.0.1:{server.port}/", {}, b"").status is None
