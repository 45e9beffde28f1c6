"""Receivers that mean harm, through the real dispatcher: nobody else is harmed, and the log tells no address."""

import re
from collections.abc import Iterator

import pytest

from tenant_context.context import TenantContext
from tests.functions.webhooks.line import Line, fan_out, launched, message
from tests.functions.webhooks.stores import Receiver
from tests.shared.outbound.server import Conversation, Server
from tests.shared.outbound.test_hostile import CHUNKED, OK, for_ever, reset, says

Tenants = tuple[TenantContext, TenantContext]
HOSTILE: dict[str, Conversation] = {
    "drips": for_ever(OK, b"x", 0.05),
    "never ends": for_ever(CHUNKED, b"1\r\nx\r\n"),
    "never ends its headers": for_ever(OK, b"X: y\r\n" * 500),
    "resets": reset,
    "names a header of 70,000 bytes": says(OK + b"a" * 70_000 + b": x\r\nContent-Length: 2\r\n\r\nok"),
    "has a thousand headers": says(OK + b"X: y\r\n" * 1000 + b"\r\n"),
    "says a length of thousands of digits": says(OK + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nabc"),
    "is no HTTP": says(bytes(range(256)) * 10 + b"\n"),
}


@pytest.fixture(params=[0, 4], ids=["four", "four others"])
def hostile(request: pytest.FixtureRequest) -> Iterator[dict[str, Server]]:
    """As many of them as a tenant may have endpoints."""
    servers = {name: Server(talk) for name, talk in list(HOSTILE.items())[request.param :][:4]}
    yield servers
    for server in servers.values():
        server.close()


def test_hostile_receivers_leave_a_healthy_one_alone_and_no_log_tells_where_they_are(
    line: Line, receiver: Receiver, hostile: dict[str, Server], two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    for name, server in hostile.items():
        line.endpoint(acme, f"http://127.0.0.1:{server.port}/{name.replace(' ', '-')}", "campaign.*", timeout_seconds=1)
    line.endpoint(globex, receiver.url, "campaign.*")
    harmed, well = launched(acme), launched(globex)
    fan_out(line, harmed)
    fan_out(line, well)
    while line.dispatch():
        pass
    assert [one["state"] for one in message(line, globex, well)["deliveries"]] == ["delivered"]
    assert len(receiver.received) == 1
    attempts = message(line, acme, harmed)["attempts"]
    assert len({attempt["endpoint_id"] for attempt in attempts}) == len(hostile)
    told = " ".join(attempt["error"] for attempt in attempts)
    assert re.search(r"\d+\.\d+\.\d+\.\d+|::1", told) is None, "where a name leads to is nobody's business"
    bodies = [attempt.get("response_body") or attempt.get("body") or "" for attempt in attempts]
    assert all(len(body) <= 30_000 for body in bodies)


@pytest.mark.parametrize("pattern", ["(a+)+$", "campaign.(x+x+)+y", "^(([a-z])+.)+[A-Z]$", "*" * 500, "campaign.*.*"])
def test_a_filter_is_no_pattern_so_that_none_can_run_away(line: Line, two_tenants: Tenants, pattern: str) -> None:
    acme, _ = two_tenants
    body = {"url": "https://example.com/hook", "event_types": [pattern]}
    assert line.api(acme, "POST", "webhooks/endpoints", body).status == 422


def test_a_condition_takes_what_looks_like_a_pattern_for_text(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    condition = {"path": "/data/name", "op": "prefix", "value": "(a+)+$"}
    line.endpoint(acme, receiver.url, "campaign.*", conditions=[condition])
    fan_out(line, launched(acme))
    while line.dispatch():
        pass
    assert receiver.received == []
