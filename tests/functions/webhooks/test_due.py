"""Attempts that are due later than a queue can hold them back: found by the sweep, in time, and made once."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from threading import get_ident
from typing import Any
from uuid import UUID

import pytest

from infra.catalog import LATE_S
from shared.webhooks.model import EndpointId, State
from shared.webhooks.repository.due import place
from shared.webhooks.service.queue import RELEASE, about
from shared.webhooks.service.sweep import Crew
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext
from tenant_context.dynamo import Item, Table, TenantTable
from tests.functions.webhooks.line import Context, Line, campaign_event, fan_out, launched, message, moment
from tests.functions.webhooks.stores import Receiver

Tenants = tuple[TenantContext, TenantContext]


def planned(line: Line, receiver: Receiver, tenant: TenantContext, **more: Any) -> dict[str, Any]:
    """An event whose first attempt failed and whose second is due in an hour, more or less a fifth."""
    line.endpoint(tenant, receiver.url, "campaign.launched", retry_schedule=[3600], **more)
    line.settle()
    envelope = launched(tenant)
    receiver.answers.append((500, {}))
    fan_out(line, envelope)
    assert line.dispatch(seconds=5) == 1
    return envelope


def state(line: Line, tenant: TenantContext, envelope: dict[str, Any]) -> tuple[str, int]:
    [delivery] = message(line, tenant, envelope)["deliveries"]
    return delivery["state"], delivery["attempts"]


def test_an_attempt_that_is_due_in_an_hour_waits_in_no_queue_and_is_made_then(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    envelope = planned(line, receiver, acme)
    assert (line.sweep_due(), line.dispatch()) == (0, 0)
    assert state(line, acme, envelope) == ("waiting", 1)
    line.forward(minutes=75)
    assert (line.sweep_due(), line.dispatch(seconds=5)) == (1, 1)
    assert state(line, acme, envelope) == ("delivered", 2)
    assert (line.sweep_due(), line.dispatch()) == (0, 0)
    assert len(receiver.received) == 2


def test_the_sweep_queues_what_is_due_before_its_next_run_for_its_own_moment(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    envelope = planned(line, receiver, acme)
    [delivery] = message(line, acme, envelope)["deliveries"]
    sweeper = line.module("webhooks_sweeper").sweep
    left = moment(delivery["next_attempt_at"]) - sweeper._clock()
    line.forward(seconds=left.total_seconds() - 70)
    assert line.sweep_due() == 1
    assert line.dispatch(seconds=1) == 0  # held back by the queue
    line.forward(seconds=70)
    assert len(receiver.received) == 1


def test_a_sweep_that_died_before_it_took_notice_makes_no_second_call(
    line: Line, receiver: Receiver, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    envelope = planned(line, receiver, acme)
    line.forward(minutes=75)

    def nothing(_items: Sequence[Item]) -> None:
        """As if the run had ended here."""

    with monkeypatch.context() as dying:
        for crew in line.module("webhooks_sweeper").sweep._crews:
            dying.setattr(crew.due, "clear", nothing)
        assert (line.sweep_due(), line.sweep_due()) == (1, 1)
    while line.dispatch(seconds=1):
        pass
    assert state(line, acme, envelope) == ("delivered", 2)
    assert len(receiver.received) == 2


def test_after_hours_without_a_sweep_nothing_is_forgotten_and_its_lateness_is_told(
    line: Line, receiver: Receiver, two_tenants: Tenants, capsys: pytest.CaptureFixture[str]
) -> None:
    acme, globex = two_tenants
    envelopes = [(tenant, planned(line, receiver, tenant)) for tenant in (acme, globex)]
    assert line.sweep_due() == 0
    line.forward(hours=5)
    capsys.readouterr()
    assert line.sweep_due() == 2
    metrics = [json.loads(text) for text in capsys.readouterr().out.splitlines() if "SweepLateness" in text]
    [late] = [one["SweepLateness"] for one in metrics]
    assert timedelta(hours=3) < timedelta(seconds=max(late)) < timedelta(hours=5)
    while line.dispatch(seconds=1):
        pass
    assert [state(line, *one) for one in envelopes] == [("delivered", 2)] * 2


def test_one_tenants_trouble_does_not_keep_anothers_attempt_from_its_time(
    line: Line, receiver: Receiver, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, globex = two_tenants
    for tenant in two_tenants:
        planned(line, receiver, tenant)
    line.forward(minutes=75)
    sweep = line.module("webhooks_sweeper").sweep
    theirs = sweep._queue_theirs

    def troubled(tenant: TenantContext, crew: Crew, items: list[Item]) -> int:
        if tenant.tenant == acme.tenant:
            raise RuntimeError("on purpose")
        return int(theirs(tenant, crew, items))

    with monkeypatch.context() as trouble:
        trouble.setattr(sweep, "_queue_theirs", troubled)
        line.sweep_due()
    line.dispatch(seconds=5)
    assert [json.loads(body)["tenant"] for _, _, body in receiver.received[2:]] == [str(globex.tenant)]
    line.sweep_due()
    line.dispatch(seconds=5)
    assert json.loads(receiver.received[3][2])["tenant"] == str(acme.tenant)


def test_what_one_run_found_and_could_not_queue_the_next_one_finds_however_old_it_is(
    line: Line, receiver: Receiver, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    planned(line, receiver, acme)
    assert line.sweep_due() == 0
    line.forward(hours=4)

    def broken(_tenant: TenantContext, _crew: Crew, _items: list[Item]) -> int:
        raise RuntimeError("on purpose")

    with monkeypatch.context() as trouble:
        trouble.setattr(line.module("webhooks_sweeper").sweep, "_queue_theirs", broken)
        assert (line.sweep_due(), line.sweep_due()) == (0, 0)
    assert line.sweep_due() == 1


PARKED = 2_000


def park(line: Line, tenant: TenantContext, deliveries: int, at: float) -> None:
    """Deliveries of one message, to as many endpoints, whose next attempt is due at a moment."""
    table, message_id = TenantTable(Table(line.resources.table), tenant), str(uuid7())
    later = int(at) + 86_400
    message = {"message": message_id, "type": "campaign.launched", "payload": "{}", "expires_at": later}
    table.put(f"message#{message_id}", "message", message)
    for _ in range(deliveries):
        endpoint = str(uuid7())
        bucket, order = place(at, f"{message_id}#{endpoint}")
        item: Item = {"message": message_id, "endpoint": endpoint, "state": State.WAITING, "type": "campaign.launched"}
        item |= {"attempts": 3, "expires_at": later, "gsi1pk": bucket, "gsi1sk": order}
        table.put(f"message#{message_id}", f"delivery#{endpoint}", item)


@pytest.mark.timeout(300)
def test_thousands_that_are_due_at_once_are_queued_by_one_run_within_a_minute_of_their_time(
    line: Line, two_tenants: Tenants, capsys: pytest.CaptureFixture[str]
) -> None:
    due = utc_now().timestamp() + 60
    for tenant in two_tenants:
        park(line, tenant, PARKED // 2, due)
    line.forward(seconds=due + 10 - utc_now().timestamp())  # the run comes ten seconds late
    capsys.readouterr()
    assert line.sweep_due() == PARKED
    [late] = [json.loads(text)["SweepLateness"] for text in capsys.readouterr().out.splitlines() if "SweepL" in text]
    assert max(late) <= LATE_S
    assert line.resources.count(line.resources.deliveries) == PARKED
    assert line.sweep_due() == 0


def turns_of(line: Line, turns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each crew of the sweep end after so many turns, however long they take."""
    asked: Counter[int] = Counter()

    def elapsed() -> float:
        asked[get_ident()] += 1
        return asked[get_ident()] - 1

    sweep = line.module("webhooks_sweeper").sweep
    monkeypatch.setattr("shared.webhooks.service.sweep.BUDGET_SECONDS", turns - 1)
    monkeypatch.setattr(sweep, "_elapsed", elapsed)


def queued(line: Line) -> Counter[str]:
    """How much of each tenant's is in the queue of deliveries."""
    found: Counter[str] = Counter()
    while records := line.resources.receive(line.resources.deliveries, seconds=1):
        found.update(json.loads(record["body"])["tenant"] for record in records)
        for record in records:
            line.resources.done(line.resources.deliveries, record)
    return found


@pytest.mark.timeout(300)
def test_one_attempt_behind_thousands_of_another_tenant_is_queued_in_the_first_run(
    line: Line, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, globex = two_tenants
    due = utc_now().timestamp() - 600
    park(line, acme, PARKED, due)
    park(line, globex, 1, due + 300)
    turns_of(line, 2, monkeypatch)
    assert line.sweep_due() < PARKED  # it ends before it came to all of them
    assert queued(line)[str(globex.tenant)] == 1


def test_what_is_too_much_to_be_kept_in_mind_is_queued_by_the_same_run_and_once(
    line: Line, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = utc_now().timestamp() - 600
    for tenant in two_tenants:
        park(line, tenant, 300, due)
    monkeypatch.setattr("shared.webhooks.service.sweep.MOST_KEPT", 20)
    monkeypatch.setattr("shared.webhooks.service.sweep.MOST_READ", 50)
    monkeypatch.setattr("shared.webhooks.service.sweep.A_TURN", 10)
    assert line.sweep_due() == 600
    assert queued(line) == {str(tenant.tenant): 300 for tenant in two_tenants}
    assert line.sweep_due() == 0


def test_a_run_that_can_queue_nothing_of_what_it_may_read_ends(
    line: Line, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    park(line, acme, 100, utc_now().timestamp() - 600)

    def broken(_tenant: TenantContext, _crew: Crew, _items: list[Item]) -> int:
        raise RuntimeError("on purpose")

    monkeypatch.setattr("shared.webhooks.service.sweep.MOST_READ", 5)
    with monkeypatch.context() as trouble:
        trouble.setattr(line.module("webhooks_sweeper").sweep, "_queue_theirs", broken)
        assert line.sweep_due() == 0
    assert line.sweep_due() == 100


def test_a_batch_that_begins_with_a_look_at_a_backlog_tells_lateness_where_the_alarm_hears_it(
    line: Line, receiver: Receiver, two_tenants: Tenants, capsys: pytest.CaptureFixture[str]
) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, receiver.url, "campaign.*")
    line.settle()
    fan_out(line, launched(acme))
    [record] = line.resources.receive(line.resources.deliveries, seconds=5)
    late = json.loads(record["body"])
    late["data"]["due"] = int(time.time()) - 100
    look = about(acme, RELEASE, EndpointId(UUID(endpoint["id"]))).encode().decode()
    first = {**record, "messageId": "look", "body": look}
    capsys.readouterr()
    batch = [first, {**record, "body": json.dumps(late)}]
    assert line.dispatcher({"Records": batch}, Context()) == {"batchItemFailures": []}
    told = [json.loads(text) for text in capsys.readouterr().out.splitlines() if "AttemptLateness" in text]
    assert [(one["operation"], one["AttemptLateness"][0] >= 100) for one in told] == [("webhooks.deliver", True)]


def test_how_late_events_come_is_told_under_one_name_whatever_they_are(
    line: Line, two_tenants: Tenants, capsys: pytest.CaptureFixture[str]
) -> None:
    acme, _ = two_tenants
    for kind in ("campaign.launched", "campaign.paused"):
        event = campaign_event(kind)
        fan_out(line, event.envelope(acme.tenant, datetime.now(UTC) - timedelta(seconds=400)))
    told = [json.loads(text) for text in capsys.readouterr().out.splitlines() if "EventLag" in text]
    assert [(one["operation"], one["EventLag"][0] >= 400) for one in told] == [("webhooks.fan_out", True)] * 2
