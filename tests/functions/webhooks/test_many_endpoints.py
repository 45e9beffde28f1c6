"""What a tenant with very many endpoints may take at a time, of all of them together."""

from datetime import timedelta
from typing import Any

import pytest

from shared.webhooks.service import replays
from tenant_context.clock import utc_now
from tenant_context.context import TenantContext
from tests.functions.webhooks.line import Context, Line, fan_out, launched, message
from tests.functions.webhooks.stores import Receiver

Tenants = tuple[TenantContext, TenantContext]
ENDPOINTS = 5


def held(line: Line, receiver: Receiver, tenant: TenantContext, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """An event for several endpoints of a tenant that has had its share of the queue."""
    for _ in range(ENDPOINTS):
        line.endpoint(tenant, receiver.url, "campaign.launched")
    line.settle()
    envelope = launched(tenant)
    with monkeypatch.context() as full:
        full.setattr(line.module("webhooks_fanout").fanout._shares, "take", lambda *_: False)
        fan_out(line, envelope)
    return envelope


def states(line: Line, tenant: TenantContext, envelope: dict[str, Any]) -> list[str]:
    return sorted(one["state"] for one in message(line, tenant, envelope)["deliveries"])


def looks(line: Line, *, at_least: int) -> list[dict[str, Any]]:
    """The messages that ask for a look at a backlog."""
    found: list[dict[str, Any]] = []
    while len(found) < at_least:
        records = line.resources.receive(line.resources.deliveries, seconds=10)
        assert records, f"{len(found)} of {at_least} came"
        for record in records:
            line.resources.done(line.resources.deliveries, record)
            found += [record] if "webhooks.release" in record["body"] else []
    return found


def test_what_a_second_lets_go_is_the_tenants_and_not_each_endpoints(
    line: Line, receiver: Receiver, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, globex = two_tenants
    envelope, others = (held(line, receiver, tenant, monkeypatch) for tenant in (acme, globex))
    monkeypatch.setattr(replays, "TENANTS_A_SECOND", 2)
    asked, now = looks(line, at_least=2 * ENDPOINTS), utc_now() + timedelta(seconds=30)
    with monkeypatch.context() as still:
        still.setattr(line.module("webhooks_dispatcher").replays, "_clock", lambda: now)
        assert line.dispatcher({"Records": asked}, Context()) == {"batchItemFailures": []}
    for tenant, sent in ((acme, envelope), (globex, others)):
        assert states(line, tenant, sent).count("waiting") == 2
        assert states(line, tenant, sent).count("held") == ENDPOINTS - 2
    for _ in range(100):
        if set(states(line, acme, envelope)) == {"delivered"}:
            break
        line.dispatch(seconds=2)
    assert states(line, acme, envelope) == ["delivered"] * ENDPOINTS


def test_so_many_endpoints_of_a_tenant_are_replayed_at_once_and_the_others_after_them(
    line: Line, receiver: Receiver, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    receiver.answers_challenges = lambda _: (500, b"")
    made = [line.endpoint(acme, receiver.url, "campaign.launched", proved=False)["id"] for _ in range(4)]
    line.settle()
    envelope = launched(acme)
    fan_out(line, envelope)
    line.settle()
    monkeypatch.setattr(replays, "TENANTS_AT_ONCE", 2)
    desk = line.module("webhooks_dispatcher")
    for endpoint in made:
        line.prove(acme, endpoint)
        desk.backlog.wake(acme, endpoint)
    monkeypatch.setattr(replays, "_BUSY_SECONDS", 1.0)
    asked = looks(line, at_least=4)
    assert line.dispatcher({"Records": asked}, Context()) == {"batchItemFailures": []}
    assert states(line, acme, envelope) == ["delivered"] * 2 + ["held"] * 2
    for _ in range(100):
        if set(states(line, acme, envelope)) == {"delivered"}:
            break
        line.dispatch(seconds=2)
    assert len(receiver.received) == 4
