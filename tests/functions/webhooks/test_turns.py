"""A crowd of one tenant's events goes to the end of the line, before anything is asked of the database for it.

Of 2,000 events, or as many as RMAP_CROWD says.
"""

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from shared.webhooks.service.opening import PATIENCE
from shared.webhooks.service.turns import BURST, LONGEST, PER_SECOND
from tenant_context.aws import AwsError
from tenant_context.bus import Bus
from tenant_context.context import TenantContext
from tests.functions.webhooks.line import Context, Line, bus_record, launched
from tests.functions.webhooks.stores import Receiver

Tenants = tuple[TenantContext, TenantContext]
CROWD = int(os.environ.get("RMAP_CROWD", "2000"))


@pytest.fixture
def fanned_out(line: Line, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tenants of the events that came to the database, in order."""
    fanout, seen = line.module("webhooks_fanout").fanout, []
    audience = fanout._audience

    def counted(tenant: TenantContext, kind: str, subject: str) -> Any:
        seen.append(str(tenant.tenant))
        return audience(tenant, kind, subject)

    monkeypatch.setattr(fanout, "_audience", counted)
    return seen


def publish(line: Line, envelopes: Sequence[Mapping[str, Any]]) -> None:
    """Put events on the bus, whose rule puts them into the queue of the fan-out."""
    taken = Bus(line.resources.bus).put([dict(one) for one in envelopes])
    assert len(taken) == len(envelopes)


def work(line: Line, *, seconds: float = 0) -> int:
    """One batch of what is in the queue of the fan-out; answers how many that was."""
    return line._run(line.resources.events, line.fanout, seconds)


def stop_the_clock(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """No time passes by which a tenant would have more turns."""
    monkeypatch.setattr(line.module("webhooks_fanout").turns, "_elapsed", lambda: 0.0)


@pytest.mark.timeout(300 + CROWD // 20)
def test_an_event_behind_two_thousand_of_another_tenant_waits_for_two_hundred_of_them(
    line: Line, two_tenants: Tenants, fanned_out: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, globex = two_tenants
    monkeypatch.setattr("shared.webhooks.service.turns.PER_SECOND", 0.001)  # what waits does not come in this test
    stop_the_clock(line, monkeypatch)
    publish(line, [*(launched(acme) for _ in range(CROWD)), launched(globex)])
    while str(globex.tenant) not in fanned_out:
        assert work(line, seconds=20), "the quiet tenant's event did not arrive"
    assert Counter(fanned_out) == {str(acme.tenant): BURST, str(globex.tenant): 1}
    assert line.resources.count(line.resources.events) == CROWD - BURST  # the rest waits for its turns


def test_what_was_put_off_is_fanned_out_once_when_its_turn_comes_and_delivered(
    line: Line, receiver: Receiver, two_tenants: Tenants, fanned_out: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    line.endpoint(acme, receiver.url, "campaign.launched")
    line.settle()
    fanned_out.clear()
    line.module("webhooks_fanout").turns._taken.clear()
    monkeypatch.setattr("shared.webhooks.service.turns.BURST", 3)
    stop_the_clock(line, monkeypatch)
    envelopes = [launched(acme) for _ in range(8)]
    publish(line, envelopes)
    came, deadline = 0, time.monotonic() + 20
    while came < 8 + 5:
        came += work(line, seconds=1)
        assert time.monotonic() < deadline, f"{came} of 13 came"
    assert (len(fanned_out), work(line)) == (8, 0)
    while line.dispatch(seconds=1):
        pass
    assert Counter(got[1]["webhook-id"] for got in receiver.received) == Counter(one["id"] for one in envelopes)


def test_a_queue_that_takes_nothing_back_has_everything_worked_on_at_once(
    line: Line, two_tenants: Tenants, fanned_out: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    monkeypatch.setattr("shared.webhooks.service.turns.BURST", 3)
    stop_the_clock(line, monkeypatch)

    def refuse(*_: object) -> None:
        raise AwsError("ServiceUnavailable", "on purpose", 503)

    monkeypatch.setattr(line.module("webhooks_fanout").turns._queue, "send_each", refuse)
    publish(line, [launched(acme) for _ in range(8)])
    came = 0
    while came < 8:
        came += work(line, seconds=10)
    assert len(fanned_out) == 8


def test_a_tenant_that_keeps_its_pace_waits_for_nothing(
    line: Line, two_tenants: Tenants, fanned_out: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    turns, now = line.module("webhooks_fanout").turns, 0.0
    monkeypatch.setattr(turns, "_elapsed", lambda: now)
    batch = bus_record(launched(acme))
    for _ in range(int(BURST) * 2):
        assert line.fanout(batch, Context()) == {"batchItemFailures": []}
        now += 1 / PER_SECOND
    assert (len(fanned_out), line.resources.count(line.resources.events)) == (BURST * 2, 0)


def test_an_event_is_put_off_for_less_than_a_later_one_waits_for_it() -> None:
    assert timedelta(seconds=LONGEST) < PATIENCE
