"""Connections that are kept: used again for the same URL and address, and only where nothing was said meanwhile."""

import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from shared.outbound.gateway import kept as module
from shared.outbound.gateway.client import Strangers
from shared.outbound.gateway.kept import KeptConnections
from shared.outbound.rules.addresses import allow_list


class Counting(ThreadingHTTPServer):
    """Knows how many connections it took, and how it is to answer."""

    connections, extra, closes = 0, b"", False

    def get_request(self) -> tuple[socket.socket, object]:
        """One more."""
        self.connections += 1
        return super().get_request()


class Handler(BaseHTTPRequestHandler):
    """Says ok."""

    protocol_version = "HTTP/1.1"
    server: Counting

    def do_POST(self) -> None:
        """Say ok, and whatever more the server is to say."""
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
        if self.server.extra:
            time.sleep(0.05)
            self.wfile.write(self.server.extra)
        self.close_connection = self.server.closes

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Counting]:
    made = Counting(("127.0.0.1", 0), Handler)
    Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def url(server: Counting, path: str = "/") -> str:
    return f"http://127.0.0.1:{server.server_address[1]}{path}"


def caller(**more: float) -> Strangers:
    return Strangers(allow_list(("127.0.0.0/8",)), kept=KeptConnections(**more))  # type: ignore[arg-type]


def test_a_connection_serves_the_next_call_of_its_url_and_no_other(server: Counting) -> None:
    calls = caller()
    assert [calls.post(url(server), {}, b"x").status for _ in range(3)] == [200] * 3
    assert server.connections == 1
    assert calls.post(url(server, "/other"), {}, b"x").status == 200
    assert server.connections == 2


def test_a_name_that_points_elsewhere_by_now_gets_no_kept_connection(server: Counting) -> None:
    found = [["127.0.0.1"]]
    calls = Strangers(allow_list(("127.0.0.0/8",)), resolver=lambda _h, _p: found[-1], kept=KeptConnections())
    named = f"http://hooks.localhost:{server.server_address[1]}/"
    assert calls.post(named, {}, b"x").status == 200
    found.append(["127.0.0.2"])
    assert calls.post(named, {}, b"x").status is None  # nobody listens there
    found.append(["10.0.0.1"])
    assert calls.post(named, {}, b"x").error == "The host may not be called: it is not on the public internet."


def test_what_the_other_side_said_unasked_answers_nobody(server: Counting) -> None:
    server.extra = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged"
    calls = caller()
    assert calls.post(url(server), {}, b"x").body == b"ok"
    time.sleep(0.2)
    assert calls.post(url(server), {}, b"x").body == b"ok"
    assert server.connections == 2


def test_one_that_was_hung_up_is_made_anew(server: Counting) -> None:
    server.closes = True
    calls = caller()
    assert [calls.post(url(server), {}, b"x").status for _ in range(3)] == [200] * 3
    assert server.connections == 3


def test_one_that_was_idle_for_long_is_not_used(server: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = caller()
    assert calls.post(url(server), {}, b"x").status == 200
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.0)
    assert calls.post(url(server), {}, b"x").status == 200
    assert server.connections == 2


def test_so_many_are_kept_and_no_more(server: Counting) -> None:
    calls = caller(most=2)
    for path in ("/1", "/2", "/3", "/1"):
        assert calls.post(url(server, path), {}, b"x").status == 200
    assert server.connections == 4
