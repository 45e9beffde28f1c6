"""Order per entity, rate, calls at once and shares of the queue: held by the dispatcher, for all sandboxes together."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.events import service as events
from shared.events.rules.catalogue import BY_NAME
from shared.webhooks.service import gate, opening, shares
from shared.webhooks.service.shares import Shares
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.events import Event
from tests.conftest import Clone
from tests.functions.webhooks.line import Context, Line, bus_record, fan_out, launched, leave_behind, message
from tests.functions.webhooks.stores import Receiver, Slow
from tests.functions.webhooks.test_hanging import becomes

Tenants = tuple[TenantContext, TenantContext]


def about(tenant: TenantContext, campaign: Any, count: int) -> list[dict[str, Any]]:
    """Events about one campaign, in the order in which they happened."""
    return [one.envelope(tenant.tenant, datetime.now(UTC)) for one in changes(campaign, count)]


def changes(campaign: Any, count: int) -> list[Event]:
    example = {**BY_NAME["campaign.updated"].example, "id": str(campaign)}
    return [
        Event("campaign.updated", f"campaign/{campaign}", {**example, "version": number + 1}) for number in range(count)
    ]


def committed(clone: Clone, tenant: TenantContext, campaign: Any, count: int) -> list[dict[str, Any]]:
    """Events that stand in the outbox, and that nobody has published yet."""
    events = changes(campaign, count)
    leave_behind(clone, tenant, *events, seconds=0)
    return [one.envelope(tenant.tenant, datetime.now(UTC)) for one in events]


def flow(line: Line, seconds: float = 2.5) -> None:
    while line.dispatch(seconds=seconds):
        pass


def got(receiver: Receiver) -> list[str]:
    return [json.loads(body)["id"] for _, _, body in receiver.received]


def ids(envelopes: list[dict[str, Any]]) -> list[str]:
    return [str(one["id"]) for one in envelopes]


def lets_go(slow: Slow, calls: int) -> None:
    """Have it answer once so many calls are on, and a moment later, in which one too many would have come."""

    def wait() -> None:
        becomes(lambda: slow.at_once >= calls)
        time.sleep(1)
        slow.go.set()

    threading.Thread(target=wait, daemon=True).start()


def state(line: Line, tenant: TenantContext, envelope: dict[str, Any]) -> tuple[str, str | None]:
    [delivery] = message(line, tenant, envelope)["deliveries"]
    return delivery["state"], delivery["held_for"]


@pytest.fixture
def ordered(line: Line, receiver: Receiver, two_tenants: Tenants) -> Any:
    made = line.endpoint(two_tenants[0], receiver.url, "campaign.updated", ordering="entity", retry_schedule=[5, 3600])
    line.settle()
    return made


def test_later_events_of_an_entity_wait_behind_one_that_fails_and_others_do_not(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    made = line.endpoint(acme, receiver.url, "campaign.updated", ordering="entity", retry_schedule=[3600])
    line.settle()
    assert made["ordering"] == "entity"
    one, other = about(acme, uuid7(), 4), about(acme, uuid7(), 1)
    receiver.answers += [(500, {})]
    fan_out(line, one[0])
    line.dispatch(seconds=3)
    for envelope in (*one[1:], *other):
        fan_out(line, envelope)
    flow(line, 1.2)
    assert state(line, acme, other[0])[0] == "delivered"
    assert state(line, acme, one[1]) == ("held", "order")
    assert set(got(receiver)) == {one[0]["id"], other[0]["id"]}
    line.forward(minutes=75)
    line.sweep_due()
    flow(line, 2)
    arrived = [which for which in got(receiver) if which != other[0]["id"]]
    assert arrived == [one[0]["id"], *ids(one)]


def test_events_that_come_to_the_fan_out_in_another_order_are_sent_in_theirs_however_late_they_come(
    line: Line, receiver: Receiver, clone: Clone, two_tenants: Tenants, ordered: Any
) -> None:
    acme, _ = two_tenants
    assert ordered["ordering"] == "entity"
    first, *others = envelopes = committed(clone, acme, uuid7(), 4)
    for envelope in reversed(others):
        fan_out(line, envelope)
        flow(line, 0.3)
    assert [state(line, acme, one) for one in others] == [("held", "order")] * 3
    assert got(receiver) == []
    fan_out(line, first)
    flow(line)
    assert got(receiver) == ids(envelopes)


def test_the_relay_brings_what_a_function_left_behind_before_what_came_after_it(
    line: Line, receiver: Receiver, clone: Clone, two_tenants: Tenants, ordered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    assert ordered["ordering"] == "entity"
    left, later = committed(clone, acme, uuid7(), 2)
    fan_out(line, later)
    flow(line, 0.3)
    monkeypatch.setattr(events, "PATIENCE", timedelta(0))
    assert line.sweep() >= 2
    line.settle()
    flow(line, 1)
    assert got(receiver) == ids([left, later])


def test_what_never_comes_holds_those_after_it_for_a_while_and_no_longer(
    line: Line, receiver: Receiver, clone: Clone, two_tenants: Tenants, ordered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    assert ordered["ordering"] == "entity"
    monkeypatch.setattr(opening, "PATIENCE", timedelta(seconds=6))
    _lost, *others = committed(clone, acme, uuid7(), 3)
    for envelope in others:
        fan_out(line, envelope)
    flow(line, 0.3)
    assert [state(line, acme, one) for one in others] == [("held", "order")] * 2
    assert got(receiver) == []
    flow(line, 9)
    assert got(receiver) == ids(others)


def test_nobody_waits_for_what_an_endpoint_does_not_ask_for_or_was_not_there_for(
    line: Line, receiver: Receiver, clone: Clone, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    campaign = uuid7()
    [before] = committed(clone, acme, campaign, 1)
    condition = {"path": "/data/version", "op": "equals", "value": 2}
    line.endpoint(acme, receiver.url, "campaign.updated", ordering="entity", conditions=[condition])
    line.settle()
    _first, second = committed(clone, acme, campaign, 2)
    assert before["id"] < second["id"]
    fan_out(line, second)
    flow(line, 1)
    assert got(receiver) == ids([second])


def test_a_fan_out_that_is_repeated_after_its_delivery_leaves_nothing_in_the_way(
    line: Line, receiver: Receiver, two_tenants: Tenants, ordered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    assert ordered["ordering"] == "entity"
    first, second = about(acme, uuid7(), 2)

    def die(*_: object) -> None:
        raise RuntimeError("the sandbox died")

    with monkeypatch.context() as dying:
        dying.setattr(line.module("webhooks_fanout").fanout._deliveries, "close_message", die)
        assert line.fanout(bus_record(first), Context())["batchItemFailures"]
    flow(line, 1)
    fan_out(line, first)
    fan_out(line, second)
    flow(line, 1)
    assert got(receiver) == ids([first, second])


def test_who_skips_an_event_lets_those_behind_it_go_on(
    line: Line, receiver: Receiver, two_tenants: Tenants, ordered: Any
) -> None:
    acme, globex = two_tenants
    first, *others = envelopes = about(acme, uuid7(), 3)
    receiver.answers += [(500, {})] * 2
    for envelope in envelopes:
        fan_out(line, envelope)
    for _ in range(6):  # as many batches as three messages and a second attempt may come in
        if len(receiver.received) < 2 or any(state(line, acme, one) != ("held", "order") for one in others):
            line.dispatch(seconds=8)
    assert [state(line, acme, one) for one in others] == [("held", "order")] * 2
    address = f"webhooks/endpoints/{ordered['id']}/messages/{first['id']}/skip"
    assert line.api(globex, "POST", address).status == 404
    skipped = line.api(acme, "POST", address)
    assert (skipped.status, skipped.json["state"], skipped.json["dead_for"]) == (200, "dead", "skipped")
    flow(line)
    assert got(receiver)[2:] == ids(others)
    assert line.api(acme, "POST", address).status == 409


def test_an_event_that_too_many_wait_for_is_set_aside(
    line: Line, receiver: Receiver, two_tenants: Tenants, ordered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    monkeypatch.setattr(line.module("webhooks_dispatcher").order, "_bound", 2)
    first, *others = envelopes = about(acme, uuid7(), 4)
    assert ordered["ordering"] == "entity"
    receiver.answers += [(500, {})] * 2
    fan_out(line, first)
    line.dispatch(seconds=3)
    line.dispatch(seconds=8)
    for envelope in others:
        fan_out(line, envelope)
    flow(line)
    [delivery] = message(line, acme, first)["deliveries"]
    assert (delivery["state"], delivery["dead_for"]) == ("dead", "order")
    assert got(receiver)[2:] == ids(envelopes[1:])


def test_a_crash_between_a_turns_end_and_the_next_one_loses_no_event(
    line: Line, receiver: Receiver, two_tenants: Tenants, ordered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    assert ordered["ordering"] == "entity"
    envelopes = about(acme, uuid7(), 2)
    for envelope in envelopes:
        fan_out(line, envelope)
    records: list[Any] = []
    while len(records) < 2:
        records += line.resources.receive(line.resources.deliveries, seconds=5)
    records.sort(key=lambda record: json.loads(record["body"])["data"]["message"])
    dispatcher = line.module("webhooks_dispatcher")
    with monkeypatch.context() as dying:
        dying.setattr(dispatcher.order, "_queue", None)  # it dies when it would queue the next one
        assert len(line.dispatcher({"Records": records}, Context())["batchItemFailures"]) == 1
    line.forward(seconds=100)  # its claim is over, and the queue gives the message out again
    assert line.dispatcher({"Records": records[:1]}, Context()) == {"batchItemFailures": []}
    flow(line)
    assert list(dict.fromkeys(got(receiver))) == ids(envelopes)


def test_what_was_given_up_comes_again_in_its_order_and_nothing_new_waits_for_it(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    made = line.endpoint(acme, receiver.url, "campaign.updated", ordering="entity", retry_schedule=[])
    line.settle()
    *given_up, new = envelopes = about(acme, uuid7(), 5)
    receiver.answers += [(500, {})] * 4
    for envelope in given_up:
        fan_out(line, envelope)
        flow(line, 0.5)
    assert [state(line, acme, one)[0] for one in given_up] == ["dead"] * 4
    receiver.received.clear()
    receiver.answers += [(500, {})]
    body = {"since": "2026-01-01T00:00:00Z"}
    assert line.api(acme, "POST", f"webhooks/endpoints/{made['id']}/recover", body).status == 202
    for _ in range(2):
        line.dispatch(seconds=3)
    fan_out(line, new)
    flow(line)
    arrived = got(receiver)
    assert [one for one in arrived if one != new["id"]] == ids(given_up)
    assert state(line, acme, envelopes[0])[0] == "dead"
    assert state(line, acme, new)[0] == "delivered"


def test_an_endpoint_is_called_no_faster_than_it_asked_for(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    line.endpoint(acme, receiver.url, "campaign.launched", rate_per_second=2)
    line.settle()
    frozen = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    dispatcher = line.module("webhooks_dispatcher")
    envelopes = [launched(acme) for _ in range(5)]
    for envelope in envelopes:
        fan_out(line, envelope)
    clock, dispatcher.dispatch._clock = dispatcher.dispatch._clock, lambda: frozen
    line.dispatch(seconds=5)
    assert len(receiver.received) == 2  # of one second
    assert sorted(state(line, acme, one) for one in envelopes) == [("delivered", None)] * 2 + [("held", "rate")] * 3
    dispatcher.dispatch._clock = clock
    flow(line)
    assert sorted(got(receiver)) == sorted(ids(envelopes))


def test_an_endpoint_has_no_more_calls_at_once_than_it_asked_for_and_a_crash_gives_its_place_back(
    line: Line, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    slow = Slow()
    line.endpoint(acme, slow.url, "campaign.launched", max_concurrency=2)
    line.settle()
    envelopes = [launched(acme) for _ in range(5)]
    for envelope in envelopes:
        fan_out(line, envelope)
    lets_go(slow, 2)
    line.dispatch(seconds=5)
    assert (slow.most, len(slow.received)) == (2, 2)
    flow(line)
    assert sorted(got(slow)) == sorted(ids(envelopes))
    slow.close()

    paces = line.module("webhooks_dispatcher").gate._paces
    now = datetime.now(UTC)
    soon = now.timestamp() + 30
    assert [paces.enter(acme, "x", claim, 2, now=now, until=soon) for claim in "abc"] == [True, True, False]
    later = datetime.fromtimestamp(soon + 1, UTC)
    assert paces.enter(acme, "x", "d", 2, now=later, until=soon + 60)


def test_hanging_receivers_of_a_tenant_get_a_few_calls_at_once_and_no_other_tenants(
    line: Line, receiver: Receiver, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, globex = two_tenants
    monkeypatch.setattr("shared.webhooks.service.dispatch.SLOW_SECONDS", 0.2)
    monkeypatch.setattr(gate, "SLOW_AT_ONCE", 1)
    slow = Slow()
    line.endpoint(acme, slow.url, "campaign.launched")
    line.endpoint(globex, receiver.url, "campaign.launched")
    line.settle()
    fan_out(line, launched(acme))
    lets_go(slow, 1)
    line.dispatch(seconds=5)  # it is known as slow from now on
    slow.go.clear()
    slow.most = 0
    waiting = [launched(acme) for _ in range(4)]
    for envelope in (*waiting, launched(globex)):
        fan_out(line, envelope)
    line.dispatch(seconds=5)  # the common queue keeps none of them
    assert (slow.most, len(receiver.received)) == (0, 1)
    lets_go(slow, 1)
    line.dispatch(seconds=5)
    assert slow.most == 1
    assert [state(line, acme, one) for one in waiting].count(("held", "concurrency")) == 3
    flow(line)
    assert len(slow.received) == 5
    slow.close()


def test_a_tenant_with_a_crowd_of_events_keeps_nobody_waiting_behind_it(
    line: Line, receiver: Receiver, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, globex = two_tenants
    monkeypatch.setattr(shares, "BURST", 5.0)
    monkeypatch.setattr(shares, "PER_SECOND", 0.0)
    for tenant in two_tenants:
        line.endpoint(tenant, receiver.url, "campaign.launched")
    line.settle()
    crowd, quiet = [launched(acme) for _ in range(40)], launched(globex)
    for envelope in crowd:
        fan_out(line, envelope)
    fan_out(line, quiet)
    line.dispatch(seconds=3)
    assert quiet["id"] in got(receiver)
    flow(line)
    assert sorted(got(receiver)) == sorted([*ids(crowd), quiet["id"]])


def test_a_share_fills_up_again_and_one_large_event_is_within_it() -> None:
    moment = [0.0]
    counted = Shares(elapsed=lambda: moment[0])
    tenant = uuid7()
    assert counted.take(tenant, 10_000)
    assert not counted.take(tenant, 1)
    assert counted.take(uuid7(), 1)
    moment[0] = 10_001 / shares.PER_SECOND
    assert counted.take(tenant, 1)
