"""Receivers that mean harm, each a real server: every call ends in time, in words, and tells nobody where it went."""

import re
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from shared.outbound.gateway.client import KEPT_BODY, Strangers
from shared.outbound.gateway.conversation import Means
from shared.outbound.rules.addresses import allow_list
from tests.shared.outbound.server import Conversation, Server

LOOPBACK = allow_list(["127.0.0.0/8"])
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
Serve = Callable[[Conversation], Server]
SECONDS = 1.0


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Server] = []

    def start(talk: Conversation) -> Server:
        servers.append(Server(talk))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def named() -> Strangers:
    """Calls names, all of which lead to this machine; what an error tells could be where that is."""
    return Strangers(LOOPBACK, resolver=lambda _host, _port: ["127.0.0.1"], seconds=SECONDS)


def says(*parts: bytes, pause: float = 0.0) -> Conversation:
    def talk(accepted: socket.socket) -> None:
        for part in parts:
            accepted.sendall(part)
            time.sleep(pause)  # the server's own slowness, not the test's

    return talk


def for_ever(first: bytes, again: bytes, pause: float = 0.0) -> Conversation:
    def talk(accepted: socket.socket) -> None:
        accepted.sendall(first)
        while True:
            accepted.sendall(again)
            time.sleep(pause)

    return talk


def reset(accepted: socket.socket) -> None:
    """Hang up as rudely as TCP allows."""
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def late(accepted: socket.socket) -> None:
    time.sleep(SECONDS * 2)
    accepted.sendall(OK + b"Content-Length: 0\r\n\r\n")


HOSTILE: dict[str, Conversation] = {
    "a chunk of no size": says(CHUNKED, b"\r\n\r\n"),
    "a chunk of a negative size": says(CHUNKED, b"-5\r\nabcde\r\n0\r\n\r\n"),
    "a chunk of more than there is": says(CHUNKED, b"ffffffffffffffffffff\r\nabc"),
    "a chunk size of no number": says(CHUNKED, b"0x5\r\nabcde\r\n0\r\n\r\n"),
    "a chunk size in other digits": says(CHUNKED, "\u0665\r\nabcde\r\n".encode()),
    "a chunk without its end": says(CHUNKED, b"5\r\nabcdefgh\r\n0\r\n\r\n"),
    "chunks that never end": for_ever(CHUNKED, b"1\r\nx\r\n"),
    "a chunk size that never ends": for_ever(CHUNKED, b"0" * 8192),
    "a chunk extension that never ends": for_ever(CHUNKED + b"5;", b"x" * 8192),
    "trailers that never end": for_ever(CHUNKED + b"0\r\n", b"X: y\r\n" * 500),
    "chunks that drip": for_ever(CHUNKED, b"1\r\nx\r\n", 0.05),
    "empty lines that never end": for_ever(b"", b"\r\n" * 500),
    "less than it promised": says(OK + b"Content-Length: 500\r\n\r\nabc"),
    "more than it promised": says(OK + b"Content-Length: 3\r\n\r\nabcdef"),
    "two lengths": says(OK + b"Content-Length: 3\r\nContent-Length: 99\r\n\r\nabc"),
    "a negative length": says(OK + b"Content-Length: -1\r\n\r\nabc"),
    "a length of thousands of digits": says(OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nabc"),
    "a length and chunks": says(OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    "a header of control characters": says(OK + b"X: \x00\x01\x02\r\nContent-Length: 0\r\n\r\n"),
    "a header without a name": says(OK + b": x\r\nContent-Length: 0\r\n\r\n"),
    "folded headers": says(OK + b"X: a\r\n b\r\n c\r\nContent-Length: 0\r\n\r\n"),
    "a thousand headers": says(OK + b"X: y\r\n" * 1000 + b"\r\n"),
    "a status of four digits": says(b"HTTP/1.1 2000 OK\r\n\r\n"),
    "a status of none": says(b"HTTP/1.1 -20 OK\r\n\r\n"),
    "HTTP of another age": says(b"HTTP/9.9 200 OK\r\n\r\n"),
    "an answer of before HTTP had headers": says(b"<html>hello</html>"),
    "a switch of protocols": says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
    "an answer in pieces of a byte": says(*(bytes([one]) for one in OK + b"Content-Length: 1\r\n\r\nx"), pause=0.001),
    "hanging up at once": reset,
    "hanging up after the status": says(OK),
    "hanging up in a header": says(OK + b"X: abc"),
    "an answer after the deadline": late,
}


def url_of(server: Server, scheme: str = "http") -> str:
    return f"{scheme}://hooks.localhost:{server.port}/hook"


def tells_nothing(error: str, server: Server) -> bool:
    """Whether an error leaves out where the name led to: no address, and no port but the one the URL named."""
    return re.search(r"\d+\.\d+\.\d+\.\d+|::|0x|socket|fd=", error.replace(f":{server.port}", "")) is None


@pytest.mark.parametrize("talk", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_answer_ends_in_time_and_in_words(serve: Serve, named: Strangers, talk: Conversation) -> None:
    server = serve(talk)
    outcome = named.post(url_of(server), {}, b"{}")
    assert outcome.status is None or 100 <= outcome.status < 1000
    assert len(outcome.body) <= KEPT_BODY
    assert outcome.error == "" or outcome.error.endswith(".")
    assert outcome.status is not None or outcome.error
    assert tells_nothing(outcome.error, server)
    assert outcome.timing["total"] < SECONDS * 1000 * 4, "the deadline and a busy machine, and no more"


def test_who_answers_after_the_deadline_has_not_answered(serve: Serve, named: Strangers) -> None:
    outcome = named.post(url_of(serve(late)), {}, b"{}")
    assert (outcome.status, outcome.error) == (None, "There was no whole answer in time.")


def test_who_says_200_to_everything_and_500_from_then_on_is_told_as_it_says(serve: Serve, named: Strangers) -> None:
    answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"] * 3

    def talk(accepted: socket.socket) -> None:
        accepted.sendall(answers.pop() if answers else b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")

    url = url_of(serve(talk))
    told = [named.post(url, {}, b"{}") for _ in range(5)]
    assert [one.status for one in told] == [200, 200, 200, 500, 500]
    assert [bool(one.error) for one in told] == [False, False, False, True, True]


def test_who_never_reads_is_left_at_the_deadline(named: Strangers) -> None:
    """The body is more than both ends' buffers hold."""
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    accepted: list[socket.socket] = []

    def hold() -> None:
        accepted.append(listener.accept()[0])
        stop.wait(SECONDS * 10)

    threading.Thread(target=hold, daemon=True).start()
    outcome = named.post(f"http://hooks.localhost:{listener.getsockname()[1]}/", {}, b"x" * 50_000_000)
    stop.set()
    for one in (*accepted, listener):
        one.close()
    assert (outcome.status, outcome.error) == (None, "There was no whole answer in time.")


@pytest.mark.parametrize(
    "talk",
    [for_ever(b"", b"", 0.05), for_ever(b"\x16\x03\x03\x40\x00", b"\x02", 0.05), says(b"\x15\x03\x03\x00\x02\x02\x28")],
    ids=["silent", "dripping", "an alert"],
)
def test_a_tls_handshake_that_does_not_come_to_an_end_is_left_at_the_deadline(
    named: Strangers, talk: Conversation
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve_one() -> None:
        accepted, _ = listener.accept()
        with accepted:
            try:
                accepted.recv(65_536)
                talk(accepted)
            except OSError:
                pass

    threading.Thread(target=serve_one, daemon=True).start()
    began = time.monotonic()
    outcome = named.post(f"https://hooks.localhost:{listener.getsockname()[1]}/", {}, b"{}")
    listener.close()
    assert outcome.status is None
    assert outcome.error in {"There was no whole answer in time.", "TLS could not be agreed on."}
    assert time.monotonic() - began < SECONDS * 4


def test_old_tls_is_not_spoken() -> None:
    context = Strangers(LOOPBACK).means.tls
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_the_call_goes_to_the_address_that_was_checked_whatever_the_name_says_next(serve: Serve) -> None:
    """DNS rebinding: a good address for the check, another for the connection."""
    good, trap = serve(says(OK + b"Content-Length: 0\r\n\r\n")), []
    answers = [["127.0.0.1"], ["127.0.0.2"], ["169.254.169.254"]]

    def resolver(_host: str, _port: int) -> list[str]:
        return answers.pop(0)

    with socket.create_server(("127.0.0.2", good.port)) as other:
        other.settimeout(0.2)
        outcome = Strangers(LOOPBACK, resolver=resolver, seconds=2).post(url_of(good), {}, b"{}")
        with suppress(TimeoutError):
            trap.append(other.accept())
    assert (outcome.status, len(good.heard), trap) == (200, 1, [])
    assert len(answers) == 2, "it was resolved once"


@pytest.mark.parametrize(
    "found",
    [
        ["127.0.0.1", "10.0.0.1"],
        ["127.0.0.1", "::ffff:169.254.169.254"],
        ["127.0.0.1", "fe80::1%lo"],
        ["127.0.0.1", "64:ff9b::7f00:1"],
        ["127.0.0.1"] * 500 + ["192.168.0.1"],
    ],
    ids=["private", "mapped", "with a zone", "NAT64", "the last of many"],
)
def test_one_bad_address_among_good_ones_means_no_call_at_all(serve: Serve, found: list[str]) -> None:
    server = serve(says(OK))
    outcome = Strangers(LOOPBACK, resolver=lambda _host, _port: found, seconds=2).post(url_of(server), {}, b"{}")
    assert outcome.error == "The host may not be called: it is not on the public internet."
    assert (outcome.status, server.heard) == (None, [])


def test_a_name_of_thousands_of_addresses_costs_no_memory_for_good() -> None:
    means = Means(())
    found = [f"8.{number // 250}.{number % 250}.1" for number in range(4000)]
    tracemalloc.start()
    for turn in range(10):
        means.check((*found[turn:], *found[:turn]), False)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000, f"{kept / 10 / 1e3:.0f} kB a look-up"


def test_a_name_of_thousands_of_addresses_is_not_tried_at_each_of_them() -> None:
    found = [f"127.{number // 250}.{number % 250}.1" for number in range(5000)]
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    outcome = Strangers(LOOPBACK, resolver=lambda _host, _port: found, seconds=5).post(
        f"http://hooks.localhost:{port}/", {}, b"{}"
    )
    assert outcome.error == "The connection was refused."


def test_hostile_receivers_called_together_hold_up_no_healthy_one(serve: Serve, named: Strangers) -> None:
    healthy = serve(says(OK + b"Content-Length: 2\r\n\r\nok"))
    hostile = [serve(talk) for talk in HOSTILE.values()]
    calls = [threading.Thread(target=named.post, args=(url_of(server), {}, b"{}")) for server in hostile]
    for call in calls:
        call.start()
    told = [named.post(url_of(healthy), {}, b"{}").status for _ in range(5)]
    for call in calls:
        call.join(SECONDS * 10)
    assert told == [200] * 5
    assert not any(call.is_alive() for call in calls)
