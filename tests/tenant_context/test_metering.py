"""Requests are counted in the sandbox: many in one message, each once, and few ever at risk."""

from datetime import UTC, datetime, timedelta

import pytest

from tenant_context.aws import AwsError
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext, from_key
from tenant_context.entry.queue import Message
from tenant_context.metering import MOST, SECONDS, CallMeter

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Line:
    """A queue that may be away, a clock, and the meter between them."""

    def __init__(self) -> None:
        self.now = NOON
        self.away = False
        self.sent: list[Message] = []
        self.meter = CallMeter(self, lambda: self.now, uuid7)  # type: ignore[arg-type]  # as much of a queue as it uses

    def send(self, messages: list[Message]) -> None:
        if self.away:
            raise AwsError("ServiceUnavailable", "away", 503)
        self.sent += messages

    def ask(self, tenant: TenantContext, times: int = 1, every: float = 0.0) -> None:
        for _ in range(times):
            self.now += timedelta(seconds=every)
            self.meter.count(tenant)
            self.meter.tell_if_due()

    def told(self) -> int:
        return sum(message.data["quantity"] for message in self.sent)


@pytest.fixture
def line() -> Line:
    return Line()


def somebody() -> TenantContext:
    return from_key("prefix", uuid7(), frozenset(), "request")


def test_a_sandbox_that_is_asked_seldom_tells_every_request(line: Line) -> None:
    line.ask(somebody(), times=5, every=SECONDS)
    assert line.told() == 5


def test_a_busy_sandbox_tells_a_hundred_at_once(line: Line) -> None:
    line.ask(somebody(), times=1 + 5 * MOST, every=0.01)
    assert line.told() == 1 + 5 * MOST
    assert len(line.sent) == 6


def test_what_a_sandbox_holds_back_stays_below_a_hundred_and_ten_seconds(line: Line) -> None:
    acme = somebody()
    held_since = line.now
    for asked in range(1, 2_001):
        line.ask(acme, every=0.05 if asked % 3 else 0.4)
        if line.told() == asked:
            held_since = line.now
        assert asked - line.told() < MOST
        assert (line.now - held_since).total_seconds() < SECONDS


def test_tenants_and_hours_are_counted_apart(line: Line) -> None:
    acme, globex = somebody(), somebody()
    line.ask(acme)
    line.ask(acme, times=3)
    line.ask(globex, times=2)
    line.now = NOON + timedelta(hours=1)
    line.ask(acme)
    told = sorted((message.tenant == acme.tenant, message.data["at"][:13], message.data["quantity"])
                  for message in line.sent)  # fmt: skip
    assert told == [
        (False, "2026-03-02T12", 2),
        (True, "2026-03-02T12", 1),
        (True, "2026-03-02T12", 3),
        (True, "2026-03-02T13", 1),
    ]


def test_while_the_queue_is_away_nothing_is_lost_and_nothing_told_under_another_name(line: Line) -> None:
    acme = somebody()
    line.away = True
    line.ask(acme, times=3, every=SECONDS)
    line.away = False
    line.ask(acme, every=SECONDS)
    assert line.told() == 4
    assert len({message.data["flush"] for message in line.sent}) == 4
