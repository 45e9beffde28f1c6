"""Receivers that fail, endpoints that go away, messages that come twice."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from shared.webhooks.rules import retries
from tenant_context.clock import utc_now
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table
from tenant_context.state_news import Herald
from tenant_context.states import State
from tests.conftest import Clone
from tests.functions.webhooks.line import Context, Line, fan_out, launched, message, moment
from tests.functions.webhooks.stores import Receiver

Tenants = tuple[TenantContext, TenantContext]


def test_a_delivered_message_that_the_queue_repeats_is_not_sent_again(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    line.endpoint(acme, receiver.url, "campaign.*")
    fan_out(line, launched(acme))
    records = line.resources.receive(line.resources.deliveries, seconds=5)
    for _ in range(3):
        assert line.dispatcher({"Records": records}, Context()) == {"batchItemFailures": []}
    assert len(receiver.received) == 1


def test_a_copy_of_a_message_in_the_same_batch_makes_no_second_call(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    line.endpoint(acme, receiver.url, "campaign.*")
    fan_out(line, launched(acme))
    [record] = line.resources.receive(line.resources.deliveries, seconds=5)
    copy = {**record, "messageId": "copy"}
    assert line.dispatcher({"Records": [record, copy]}, Context()) == {"batchItemFailures": []}
    assert len(receiver.received) == 1


def test_a_failed_attempt_comes_again_after_five_seconds(line: Line, receiver: Receiver, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, receiver.url, "campaign.*")
    receiver.answers.append((500, {}))
    envelope = launched(acme)
    fan_out(line, envelope)
    began, before = time.monotonic(), datetime.now(UTC).replace(microsecond=0)
    assert line.dispatch() == 1
    after = datetime.now(UTC)
    [delivery] = message(line, acme, envelope)["deliveries"]
    assert (delivery["state"], delivery["attempts"]) == ("waiting", 1)
    due = moment(delivery["next_attempt_at"])
    assert before + timedelta(seconds=4) <= due <= after + timedelta(seconds=7)

    assert line.dispatch(seconds=15) == 1
    assert time.monotonic() - began >= 3
    shown = message(line, acme, envelope)
    assert [one["state"] for one in shown["deliveries"]] == ["delivered"]
    assert [(one["attempt"], one["status"], one["error"]) for one in shown["attempts"]] == [
        (1, 500, "The receiver answered 500."),
        (2, 200, ""),
    ]
    (_, first, body), (_, second, again) = receiver.received
    assert (first["webhook-id"], body) == (second["webhook-id"], again)
    Webhook(endpoint["secret"]).verify(again, second)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other without a wait."""
    monkeypatch.setattr(retries, "SCHEDULE", (0,) * 7)


@pytest.mark.usefixtures("at_once")
def test_after_eight_failures_a_delivery_is_dead(line: Line, receiver: Receiver, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    line.endpoint(acme, receiver.url, "campaign.*")
    receiver.answers += [(500, {})] * 20
    envelope = launched(acme)
    fan_out(line, envelope)
    line.settle()
    shown = message(line, acme, envelope)
    [delivery] = shown["deliveries"]
    assert (delivery["state"], delivery["attempts"], delivery["next_attempt_at"]) == ("dead", 8, None)
    assert [one["attempt"] for one in shown["attempts"]] == list(range(1, 9))
    assert len(receiver.received) == 8


def test_a_receivers_retry_after_is_honoured(line: Line, receiver: Receiver, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    line.endpoint(acme, receiver.url, "campaign.*")
    receiver.answers.append((429, {"retry-after": "120"}))
    envelope = launched(acme)
    fan_out(line, envelope)
    line.dispatch()
    [delivery] = message(line, acme, envelope)["deliveries"]
    due = moment(delivery["next_attempt_at"])
    assert timedelta(seconds=110) < due - datetime.now(UTC) <= timedelta(seconds=120)


def test_gone_stops_the_endpoint_until_it_is_changed(line: Line, receiver: Receiver, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, receiver.url, "campaign.*")
    address = f"webhooks/endpoints/{endpoint['id']}"
    receiver.answers.append((410, {}))
    first, second = launched(acme), launched(acme)
    for envelope in (first, second):
        fan_out(line, envelope)
        line.settle()
    assert len(receiver.received) == 1
    for envelope, attempts in ((first, 1), (second, 0)):
        [delivery] = message(line, acme, envelope)["deliveries"]
        assert (delivery["state"], delivery["held_for"], delivery["attempts"]) == ("held", "endpoint", attempts)
    assert line.api(acme, "GET", address).json["gone_at"] is not None
    [listed] = line.api(acme, "GET", "webhooks/endpoints").json["items"]
    assert listed["gone_at"] is not None

    body = {"url": receiver.url, "event_types": ["campaign.*"]}
    assert line.api(acme, "PUT", address, body, if_match='"1"').json["gone_at"] is None
    line.settle()
    assert line.api(acme, "GET", address).json["gone_at"] is None
    fan_out(line, launched(acme))
    line.settle()
    # What came meanwhile as well: the one that was answered 410, too.
    assert len(receiver.received) == 4


def test_owners_are_told_once_that_a_receiver_is_gone_however_many_of_a_batch_it_tells(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    line.endpoint(acme, receiver.url, "campaign.*")
    line.settle()
    receiver.answers += [(410, {})] * 4
    for _ in range(4):
        fan_out(line, launched(acme))
    assert line.dispatch(seconds=5) == 4
    assert len(receiver.received) == 4
    told = line.resources.receive(line.resources.events, seconds=5)
    assert ["webhook.endpoint_disabled" in record["body"] for record in told] == [True]
    for record in told:
        line.resources.done(line.resources.events, record)
    assert line.resources.receive(line.resources.events, seconds=1) == []


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("change", ["disable", "delete"])
def test_what_waits_for_an_endpoint_that_is_taken_away_is_kept_or_stopped(
    line: Line, receiver: Receiver, two_tenants: Tenants, change: str
) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, receiver.url, "campaign.*")
    address = f"webhooks/endpoints/{endpoint['id']}"
    receiver.answers.append((500, {}))
    envelope = launched(acme)
    fan_out(line, envelope)
    line.dispatch()
    if change == "disable":
        body = {"url": receiver.url, "event_types": ["campaign.*"], "enabled": False}
        assert line.api(acme, "PUT", address, body, if_match='"1"').status == 200
    else:
        assert line.api(acme, "DELETE", address).status == 204
    line.settle()
    assert len(receiver.received) == 1
    expected = {"disable": "held", "delete": "stopped"}[change]
    assert [one["state"] for one in message(line, acme, envelope)["deliveries"]] == [expected]


def test_what_was_held_for_an_endpoint_that_is_deleted_is_stopped(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, receiver.url, "campaign.*", proved=False)
    envelope = launched(acme)
    fan_out(line, envelope)
    line.dispatch()
    assert line.api(acme, "DELETE", f"webhooks/endpoints/{endpoint['id']}").status == 204
    line.settle()
    assert [one["state"] for one in message(line, acme, envelope)["deliveries"]] == ["stopped"]


def test_a_refused_address_is_an_attempt_that_failed(line: Line, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    # A name may be registered; what it resolves to is judged when it is called.
    line.endpoint(acme, "https://localhost/", "campaign.*")
    envelope = launched(acme)
    fan_out(line, envelope)
    line.dispatch()
    [attempt] = message(line, acme, envelope)["attempts"]
    assert attempt["status"] is None
    assert attempt["error"]


def test_one_receiver_that_fails_leaves_the_others_of_a_batch_alone(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    for tenant in (acme, globex):
        line.endpoint(tenant, f"{receiver.url}/{tenant.tenant}", "campaign.*")
    line.endpoint(acme, "http://127.0.0.1:9/", "campaign.*")
    envelopes = [launched(acme), launched(globex)]
    for envelope in envelopes:
        fan_out(line, envelope)
    while line.dispatch():
        pass
    assert sorted(path for path, _, _ in receiver.received) == sorted(f"/{one.tenant}" for one in two_tenants)
    assert sorted(one["state"] for one in message(line, acme, envelopes[0])["deliveries"]) == ["delivered", "waiting"]


class Slow(Receiver):
    """Takes an event when it is told to."""

    def __post_init__(self) -> None:
        self.go = threading.Event()
        super().__post_init__()

    def before(self) -> None:
        """An event has come."""
        self.go.wait(20)


def test_a_receiver_that_lets_wait_holds_up_no_record_but_its_own(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    slow = Slow()
    line.endpoint(acme, slow.url, "campaign.*")
    line.endpoint(acme, receiver.url, "campaign.*")
    line.settle()
    envelope = launched(acme)
    fan_out(line, envelope)
    states: list[str] = []

    def watch() -> None:
        until = time.monotonic() + 10
        while "delivered" not in states and time.monotonic() < until:
            states[:] = [one["state"] for one in message(line, acme, envelope)["deliveries"]]
        slow.go.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    line.dispatch(seconds=5)
    watcher.join()
    slow.close()
    assert sorted(states) == ["delivered", "waiting"]
    assert [one["state"] for one in message(line, acme, envelope)["deliveries"]] == ["delivered"] * 2


def test_a_message_that_cannot_be_read_fails_alone(line: Line, receiver: Receiver, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    line.endpoint(acme, receiver.url, "campaign.*")
    fan_out(line, launched(acme))
    [record] = line.resources.receive(line.resources.deliveries, seconds=5)
    broken = [{**record, "messageId": "1", "body": "{"}, {**record, "messageId": "2", "body": '{"tenant": 1}'}]
    wrong = json.loads(record["body"])
    wrong["data"] = {"message": "x"}
    broken.append({**record, "messageId": "3", "body": json.dumps(wrong)})
    answer = line.dispatcher({"Records": [*broken, record]}, Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": name} for name in "123"]}
    assert len(receiver.received) == 1


@pytest.mark.parametrize(("state", "calls"), [(State.SUSPENDED, 1), (State.CLOSING, 1), (State.CLOSED, 0)])
def test_what_waits_is_still_told_but_for_a_tenant_that_is_closed(
    line: Line, receiver: Receiver, two_tenants: Tenants, state: State, calls: int
) -> None:
    acme, globex = two_tenants
    for tenant in two_tenants:
        line.endpoint(tenant, receiver.url, "campaign.launched")
    line.settle()
    for tenant in two_tenants:
        fan_out(line, launched(tenant))
    table = Table(line.resources.table)
    Herald(table, utc_now).tell(acme.tenant, state, utc_now())
    records = line.resources.receive(line.resources.deliveries, seconds=5)
    assert line.dispatcher({"Records": records}, Context()) == {"batchItemFailures": []}
    told = [json.loads(body)["tenant"] for _, _, body in receiver.received]
    assert (told.count(str(acme.tenant)), told.count(str(globex.tenant))) == (calls, 1)


def test_the_fan_out_lets_go_what_is_for_a_tenant_that_is_closed(
    line: Line, receiver: Receiver, two_tenants: Tenants, clone: Clone
) -> None:
    for tenant in two_tenants:
        line.endpoint(tenant, receiver.url, "campaign.launched")
    line.settle()
    with clone.connect() as admin:
        admin.execute("UPDATE tenants SET status = 'closed' WHERE tenant_id = %s", (two_tenants[0].tenant,))
    for tenant in two_tenants:
        fan_out(line, launched(tenant))
    line.settle()
    assert [json.loads(body)["tenant"] for _, _, body in receiver.received] == [str(two_tenants[1].tenant)]
