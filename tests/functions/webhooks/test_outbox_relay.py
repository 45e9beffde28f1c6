"""Events that were committed but not published get onto the bus all the same, once the time has come."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tenant_context.aws import AwsClient, AwsError
from tenant_context.bus import MAX_BYTES, Bus, Given
from tenant_context.context import TenantContext
from tenant_context.events import Event
from tests.conftest import Clone
from tests.functions.webhooks.line import Line, campaign_event, leave_behind

Tenants = tuple[TenantContext, TenantContext]


def made(number: int = 0) -> Event:
    return campaign_event("campaign.updated", version=number + 1)


def arrived(line: Line, count: int) -> list[dict[str, Any]]:
    """The envelopes that the bus gave to its queue."""
    envelopes: list[dict[str, Any]] = []
    while len(envelopes) < count:
        records = line.resources.receive(line.resources.events, seconds=10)
        assert records, f"{len(envelopes)} of {count} arrived"
        for record in records:
            envelopes.append(json.loads(record["body"])["detail"])
            line.resources.done(line.resources.events, record)
    return envelopes


def waiting(clone: Clone) -> int:
    with clone.connect() as admin:
        row = admin.execute("SELECT count(*) FROM outbox WHERE published_at IS NULL").fetchone()
    assert row is not None
    return int(str(row[0]))


def test_what_was_left_behind_is_published_as_it_was(line: Line, clone: Clone, two_tenants: Tenants) -> None:
    acme, globex = two_tenants
    events = {acme.tenant: made(1), globex.tenant: made(2)}
    for tenant in (acme, globex):
        leave_behind(clone, tenant, events[tenant.tenant])
    assert line.sweep() == 2
    for envelope in arrived(line, 2):
        event = next(event for event in events.values() if str(event.id) == envelope["id"])
        assert (envelope["type"], envelope["subject"], envelope["data"]) == (event.type, event.subject, event.data)
        committed = datetime.fromisoformat(envelope["time"])
        assert (datetime.now(UTC) - committed).total_seconds() >= 60
    assert waiting(clone) == 0
    assert line.sweep() == 0


def test_a_functions_own_thirty_seconds_are_respected(line: Line, clone: Clone, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    leave_behind(clone, acme, made(), seconds=10)
    assert line.sweep() == 0
    assert waiting(clone) == 1


def test_a_tenant_with_many_is_swept_to_the_end(line: Line, clone: Clone, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    leave_behind(clone, acme, *(made(number) for number in range(450)))
    assert line.sweep() == 450
    assert waiting(clone) == 0
    assert {envelope["data"]["version"] for envelope in arrived(line, 450)} == set(range(1, 451))


def test_a_run_that_is_killed_after_the_bus_took_them_loses_nothing(
    line: Line, clone: Clone, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    event = made()
    leave_behind(clone, acme, event)
    with monkeypatch.context() as dying:
        dying.setattr("shared.events.repository.OutboxRepository.published", _die)
        with pytest.raises(RuntimeError):
            line.sweep()
    assert waiting(clone) == 1
    assert line.sweep() == 1
    assert [envelope["id"] for envelope in arrived(line, 2)] == [str(event.id)] * 2


def _die(*_arguments: object) -> None:
    raise RuntimeError("the sandbox died")


def test_a_tenant_whose_events_the_bus_refuses_stops_no_other(
    line: Line, clone: Clone, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, globex = two_tenants
    leave_behind(clone, acme, made(), seconds=90)
    leave_behind(clone, globex, made())
    give = Bus.give

    def refuse_acme(bus: Bus, envelopes: list[dict[str, object]]) -> Given:
        if envelopes[0]["tenant"] == str(acme.tenant):
            raise AwsError("ThrottlingException", "later", 400)
        return give(bus, envelopes)

    monkeypatch.setattr(Bus, "give", refuse_acme)
    assert line.sweep() == 1
    assert waiting(clone) == 1
    assert [envelope["tenant"] for envelope in arrived(line, 1)] == [str(globex.tenant)]


def test_a_run_ends_before_its_time_is_up(
    line: Line, clone: Clone, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_behind(clone, two_tenants[0], made())
    monkeypatch.setattr("functions.outbox_relay.work.BUDGET_SECONDS", 0.0)
    assert line.sweep() == 0
    assert waiting(clone) == 1


def told(output: str, metric: str) -> list[float]:
    """The values of a metric in some lines of a log."""
    return [value for text in output.splitlines() if f'"{metric}"' in text for value in json.loads(text)[metric]]


def test_how_long_events_have_waited_is_told_whether_or_not_the_bus_answers(
    line: Line,
    clone: Clone,
    two_tenants: Tenants,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def runs() -> float:
        capsys.readouterr()
        line.sweep()
        [seconds] = told(capsys.readouterr().out, "OutboxOldestSeconds")
        return seconds

    def refuse(*_: object) -> Given:
        raise AwsError("InternalException", "down", 500)

    acme, globex = two_tenants
    leave_behind(clone, acme, made(), seconds=90)
    leave_behind(clone, globex, made(), seconds=400)
    with monkeypatch.context() as down:
        down.setattr(Bus, "give", refuse)
        assert [runs() >= 400 for _ in range(2)] == [True, True]
    assert waiting(clone) == 2
    assert runs() >= 400  # this one publishes them
    assert runs() == 0


def large(size: int) -> Event:
    """An event of so many bytes and some."""
    return campaign_event("campaign.updated", name="x" * size)


def test_an_event_that_the_bus_never_takes_keeps_none_back_and_is_told_of(
    line: Line,
    clone: Clone,
    two_tenants: Tenants,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    acme, globex = two_tenants
    monkeypatch.setattr("shared.events.service.EVENTS_A_TURN", 3)
    poison = [large(MAX_BYTES) for _ in range(4)]  # more than a turn begins with
    leave_behind(clone, acme, *poison, seconds=90)
    behind = [made(number) for number in range(5)]
    leave_behind(clone, acme, *behind)
    leave_behind(clone, globex, made())
    for published in (6, 0):
        capsys.readouterr()
        caplog.clear()
        assert line.sweep() == published
        assert told(capsys.readouterr().out, "RefusedEvents") == [4]
        refusals = [vars(one) for one in caplog.records if one.getMessage() == "the bus refuses an event"]
        assert {one["event"] for one in refusals} == {str(one.id) for one in poison}
        assert {(one["tenant"], one["event_type"]) for one in refusals} == {(str(acme.tenant), "campaign.updated")}
    assert {one["id"] for one in arrived(line, 6)} >= {str(one.id) for one in behind}
    assert waiting(clone) == 4


def test_large_events_go_in_as_many_calls_as_they_need(
    line: Line, clone: Clone, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    sizes: list[int] = []
    call = AwsClient.call

    def measured(client: AwsClient, operation: str, payload: dict[str, Any], **more: Any) -> Any:
        if operation == "PutEvents":
            sizes.append(sum(len(one["Detail"]) + len(one["DetailType"]) for one in payload["Entries"]))
        return call(client, operation, payload, **more)

    monkeypatch.setattr(AwsClient, "call", measured)
    events = [large(100_000) for _ in range(7)]
    leave_behind(clone, acme, *events)
    assert line.sweep() == 7
    assert max(sizes) <= MAX_BYTES
    assert len(sizes) == 4
    assert {one["id"] for one in arrived(line, 7)} == {str(one.id) for one in events}


def test_one_that_the_bus_refuses_among_others_is_found_alone(
    line: Line, clone: Clone, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    events = [made(number) for number in range(8)]
    leave_behind(clone, acme, *events)
    call = AwsClient.call

    def strict(client: AwsClient, operation: str, payload: dict[str, Any], **more: Any) -> Any:
        if operation == "PutEvents" and any(str(events[3].id) in one["Detail"] for one in payload["Entries"]):
            raise AwsError("ValidationException", "on purpose", 400)
        return call(client, operation, payload, **more)

    monkeypatch.setattr(AwsClient, "call", strict)
    assert line.sweep() == 7
    assert waiting(clone) == 1


def test_a_bus_that_stops_answering_on_the_way_has_what_it_took_marked(
    line: Line, clone: Clone, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    leave_behind(clone, acme, *(made(number) for number in range(25)))
    call, calls = AwsClient.call, 0

    def dying(client: AwsClient, operation: str, payload: dict[str, Any], **more: Any) -> Any:
        nonlocal calls
        calls += operation == "PutEvents"
        if calls > 1:
            raise AwsError("ConnectionError", "on purpose", 0)
        return call(client, operation, payload, **more)

    with monkeypatch.context() as trouble:
        trouble.setattr(AwsClient, "call", dying)
        assert (line.sweep(), waiting(clone)) == (10, 15)
    assert (line.sweep(), waiting(clone)) == (15, 0)
