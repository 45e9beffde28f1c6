"""Calls on one thread: side by side, each with its own deadline and its own trouble."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from shared.outbound.gateway.client import KEPT_BODY, Strangers
from shared.outbound.gateway.conversation import Request
from shared.outbound.gateway.side_by_side import SideBySide
from shared.outbound.model import Outcome
from shared.outbound.rules.addresses import allow_list
from tests.shared.outbound.server import Conversation, Server

LOOPBACK = allow_list(["127.0.0.0/8"])
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Serve = Callable[[Conversation], Server]
Begin = Callable[[Strangers], SideBySide[str]]


@pytest.fixture(name="begun")
def calls_that_end() -> Iterator[Begin]:
    """Calls that are hung up at the end."""
    with ExitStack() as kept:
        yield lambda strangers: kept.enter_context(strangers.side_by_side())


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Server] = []

    def start(talk: Conversation) -> Server:
        servers.append(Server(talk))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def says_when(told: threading.Event) -> Conversation:
    def talk(accepted: Any) -> None:
        told.wait(20)
        accepted.sendall(OK)

    return talk


def asked(url: str, seconds: float = 10.0, **headers: str) -> Request:
    return Request("POST", url, headers, b"{}", seconds, KEPT_BODY)


def all_of(calls: SideBySide[str]) -> dict[str, Outcome | Exception]:
    found: dict[str, Outcome | Exception] = {}
    while ended := calls.wait():
        found |= dict(ended)
    return found


def test_calls_that_begin_together_are_under_way_together(serve: Serve, begun: Begin) -> None:
    meeting = threading.Barrier(3)

    def talk(accepted: Any) -> None:
        meeting.wait(10)  # each is answered only when all have asked
        accepted.sendall(OK)

    calls = begun(Strangers(LOOPBACK))
    for name in "abc":
        calls.begin(name, asked(f"http://127.0.0.1:{serve(talk).port}/{name}"))
    found = all_of(calls)
    assert {name: one.status for name, one in found.items() if isinstance(one, Outcome)} == dict.fromkeys("abc", 200)
    assert not calls.under_way


def test_what_ended_is_told_while_another_lets_wait(serve: Serve, begun: Begin) -> None:
    told = threading.Event()
    calls = begun(Strangers(LOOPBACK))
    calls.begin("slow", asked(f"http://127.0.0.1:{serve(says_when(told)).port}/"))
    calls.begin("fast", asked(f"http://127.0.0.1:{serve(lambda accepted: accepted.sendall(OK)).port}/"))
    assert [name for name, _ in calls.wait(gather=0.01)] == ["fast"]
    assert list(calls.under_way) == ["slow"]
    assert calls.wait(seconds=0.01) == []
    told.set()
    assert [name for name, _ in calls.wait()] == ["slow"]
    assert calls.wait() == []


def test_each_call_has_its_own_deadline(serve: Serve, begun: Begin) -> None:
    told = threading.Event()
    calls = begun(Strangers(LOOPBACK))
    for name, seconds in (("short", 0.1), ("long", 10.0)):
        calls.begin(name, asked(f"http://127.0.0.1:{serve(says_when(told)).port}/", seconds))
    [(name, outcome)] = calls.wait()
    assert isinstance(outcome, Outcome)
    assert (name, outcome.error) == ("short", "There was no whole answer in time.")
    told.set()
    [(name, outcome)] = calls.wait()
    assert isinstance(outcome, Outcome)
    assert (name, outcome.status) == ("long", 200)


def test_a_name_is_resolved_once_for_calls_that_begin_together_and_anew_for_the_next(
    serve: Serve, begun: Begin
) -> None:
    port = serve(lambda accepted: accepted.sendall(OK)).port
    resolved: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        resolved.append(host)
        return ["127.0.0.1"] if len(resolved) < 3 else ["10.0.0.1"]

    strangers = Strangers(LOOPBACK, resolver=resolve)
    for hosts in (["one", "one", "two"], ["one"]):
        calls = begun(strangers)
        for number, host in enumerate(hosts):
            calls.begin(f"{number}", asked(f"http://{host}.localhost:{port}/"))
        found = all_of(calls)
    assert sorted(resolved) == ["one.localhost", "one.localhost", "two.localhost"]
    assert [one.error for one in found.values() if isinstance(one, Outcome)] == [
        "The host may not be called: it is not on the public internet."
    ]


def test_a_resolver_that_hangs_keeps_nobody_waiting_but_its_own_call(serve: Serve, begun: Begin) -> None:
    port, answered = serve(lambda accepted: accepted.sendall(OK)).port, threading.Event()

    def resolve(host: str, _port: int) -> list[str]:
        if host.startswith("slow"):
            answered.wait(10)
        return ["127.0.0.1"]

    calls = begun(Strangers(LOOPBACK, resolver=resolve))
    for host in ("slow", "fast"):
        calls.begin(host, asked(f"http://{host}.localhost:{port}/", 1.0))
    assert [name for name, _ in calls.wait()] == ["fast"]
    [(name, outcome)] = calls.wait()
    answered.set()
    assert isinstance(outcome, Outcome)
    assert (name, outcome.error) == ("slow", "There was no whole answer in time.")


def test_what_held_us_up_is_not_the_receivers_fault(serve: Serve, begun: Begin) -> None:
    server = serve(lambda accepted: accepted.sendall(OK))
    calls = begun(Strangers(LOOPBACK))
    calls.begin("it", Request("POST", f"http://127.0.0.1:{server.port}/", {}, b"{}", 0.4, KEPT_BODY))
    threading.Event().wait(0.6)  # as a write to AWS that is tried again
    [(_, outcome)] = calls.wait()
    assert isinstance(outcome, Outcome)
    assert outcome.status == 200, outcome.error


def test_a_call_that_is_hung_up_is_told_to_nobody_and_leaves_the_others_alone(serve: Serve, begun: Begin) -> None:
    told = threading.Event()
    slow, quick = serve(says_when(told)), serve(lambda accepted: accepted.sendall(OK))
    calls = begun(Strangers(LOOPBACK))
    for name, server in (("slow", slow), ("quick", quick)):
        calls.begin(name, Request("POST", f"http://127.0.0.1:{server.port}/", {}, b"{}", 5, KEPT_BODY))
    ended = calls.wait(seconds=0.05)
    calls.hang_up("slow")
    told.set()
    ended += calls.wait()
    assert [name for name, _ in ended] == ["quick"]
    assert not calls.under_way


def test_an_error_of_ours_is_its_own_calls_alone(serve: Serve, begun: Begin) -> None:
    port = serve(lambda accepted: accepted.sendall(OK)).port
    calls = begun(Strangers(LOOPBACK))
    calls.begin("bad", asked(f"http://127.0.0.1:{port}/", x="1\r\nwebhook-id: forged"))
    calls.begin("good", asked(f"http://127.0.0.1:{port}/"))
    found = all_of(calls)
    assert isinstance(found["bad"], ValueError)
    assert isinstance(found["good"], Outcome)
    assert found["good"].status == 200


def test_who_does_not_wait_for_calls_leaves_nothing_open(serve: Serve) -> None:
    hung_up = threading.Event()

    def talk(accepted: Any) -> None:
        while accepted.recv(100):
            pass
        hung_up.set()

    with Strangers(LOOPBACK).side_by_side() as calls:
        calls.begin("left", asked(f"http://127.0.0.1:{serve(talk).port}/"))
        assert calls.wait(seconds=0.05) == []
        assert not hung_up.is_set()
    assert hung_up.wait(5)
