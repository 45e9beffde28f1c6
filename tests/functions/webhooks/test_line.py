"""From an event to a signed call and its record."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from standardwebhooks import Webhook

from shared.webhooks.rules import retries
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.events import Event
from tests.conftest import Clone
from tests.functions.webhooks.line import Context, Line, Receiver, bus_record, leave_behind, moment

Tenants = tuple[TenantContext, TenantContext]


def launched(tenant: TenantContext) -> dict[str, Any]:
    """The envelope of an event as the bus carries it."""
    event = Event("campaign.launched", f"campaign/{uuid7()}", {"name": "Spring drinks"})
    return event.envelope(tenant.tenant, datetime.now(UTC))


def fan_out(line: Line, envelope: dict[str, Any]) -> None:
    assert line.fanout(bus_record(envelope), Context()) == {"batchItemFailures": []}


def message(line: Line, tenant: TenantContext, envelope: dict[str, Any]) -> Any:
    answer = line.api(tenant, "GET", f"webhooks/messages/{envelope['id']}")
    assert answer.status == 200, answer
    return answer.json


def test_an_event_reaches_the_receiver_signed(
    line: Line, receiver: Receiver, clone: Clone, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, f"{receiver.url}/hooks", "campaign.*")
    event = Event("campaign.launched", f"campaign/{uuid7()}", {"name": "Bücher & Söhne"})
    leave_behind(clone, acme, event)
    assert line.sweep() == 1
    line.settle()

    [(path, headers, body)] = receiver.received
    assert path == "/hooks"
    payload = Webhook(endpoint["secret"]).verify(body, headers)
    assert payload == {
        "specversion": "1.0",
        "id": str(event.id),
        "type": "campaign.launched",
        "source": "rmap",
        "subject": event.subject,
        "time": payload["time"],
        "timestamp": payload["time"],
        "tenant": str(acme.tenant),
        "data": {"name": "Bücher & Söhne"},
    }
    assert headers["webhook-id"] == str(event.id)
    assert headers["content-type"] == "application/json"

    shown = message(line, acme, {"id": str(event.id)})
    assert shown["payload"] == payload
    assert [(one["endpoint_id"], one["state"], one["attempts"]) for one in shown["deliveries"]] == [
        (endpoint["id"], "delivered", 1)
    ]
    [attempt] = shown["attempts"]
    assert (attempt["status"], attempt["error"], attempt["body"], attempt["attempt"]) == (200, "", "ok", 1)
    assert attempt["timing"]["total"] > 0
    listed = line.api(acme, "GET", f"webhooks/endpoints/{endpoint['id']}/attempts").json
    assert listed == {"items": [attempt], "next_cursor": None}


def test_an_event_goes_to_the_endpoints_that_asked_for_it(line: Line, receiver: Receiver, two_tenants: Tenants) -> None:
    acme, globex = two_tenants
    for path, types in {
        "exact": ["campaign.launched"],
        "area": ["site.*", "campaign.*"],
        "all": ["*"],
        "other": ["campaign.paused", "site.*"],
    }.items():
        line.endpoint(acme, f"{receiver.url}/{path}", *types)
    line.endpoint(globex, f"{receiver.url}/globex", "*")
    line.settle()
    receiver.received.clear()

    fan_out(line, launched(acme))
    line.settle()
    assert sorted(path for path, _, _ in receiver.received) == ["/all", "/area", "/exact"]


def test_a_test_event_goes_to_its_endpoint_only(line: Line, receiver: Receiver, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    tested = line.endpoint(acme, f"{receiver.url}/tested", "site.created")
    line.endpoint(acme, f"{receiver.url}/star", "webhook.test")
    line.settle()
    answer = line.api(acme, "POST", f"webhooks/endpoints/{tested['id']}/test")
    assert answer.status == 202
    line.settle()
    [(path, headers, body)] = receiver.received
    assert path == "/tested"
    assert headers["webhook-id"] == answer.json["message_id"]
    assert Webhook(tested["secret"]).verify(body, headers)["data"]["endpoint"] == tested["id"]


def test_an_event_that_comes_twice_is_delivered_once(line: Line, receiver: Receiver, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    line.endpoint(acme, receiver.url, "campaign.*")
    envelope = launched(acme)
    fan_out(line, envelope)
    fan_out(line, envelope)
    line.settle()
    fan_out(line, envelope)
    line.settle()
    assert len(receiver.received) == 1


def test_a_fan_out_that_died_before_its_end_is_taken_up_again(
    line: Line, receiver: Receiver, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    line.endpoint(acme, f"{receiver.url}/a", "campaign.*")
    line.endpoint(acme, f"{receiver.url}/b", "campaign.*")
    envelope = launched(acme)
    with monkeypatch.context() as dying:
        dying.setattr("tenant_context.queues.Queue.send", _die)
        assert len(line.fanout(bus_record(envelope), Context())["batchItemFailures"]) == 1
    with monkeypatch.context() as dying:
        dying.setattr("shared.webhooks.repository.deliveries.DeliveryRepository.close_message", _die)
        assert len(line.fanout(bus_record(envelope), Context())["batchItemFailures"]) == 1
    fan_out(line, envelope)
    line.settle()
    assert sorted(path for path, _, _ in receiver.received) == ["/a", "/b"]


def _die(*_arguments: object, **_named: object) -> None:
    raise RuntimeError("the sandbox died")


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
    began = time.monotonic()
    assert line.dispatch() == 1
    [delivery] = message(line, acme, envelope)["deliveries"]
    assert (delivery["state"], delivery["attempts"]) == ("waiting", 1)
    due = moment(delivery["next_attempt_at"])
    assert timedelta(seconds=1) < due - datetime.now(UTC) < timedelta(seconds=7)

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
    receiver.answers += [(503, {})] * 20
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
    assert [one["state"] for one in message(line, acme, first)["deliveries"]] == ["stopped"]
    [delivery] = message(line, acme, second)["deliveries"]
    assert (delivery["state"], delivery["attempts"]) == ("stopped", 0)
    assert line.api(acme, "GET", address).json["gone_at"] is not None
    [listed] = line.api(acme, "GET", "webhooks/endpoints").json["items"]
    assert listed["gone_at"] is not None

    body = {"url": receiver.url, "event_types": ["campaign.*"]}
    assert line.api(acme, "PUT", address, body, if_match='"1"').json["gone_at"] is None
    line.settle()
    assert line.api(acme, "GET", address).json["gone_at"] is None
    fan_out(line, launched(acme))
    line.settle()
    assert len(receiver.received) == 2


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("change", ["disable", "delete"])
def test_what_waits_for_an_endpoint_is_stopped_when_it_is_taken_away(
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
    assert [one["state"] for one in message(line, acme, envelope)["deliveries"]] == ["stopped"]


def test_while_a_secret_is_rotated_both_sign(line: Line, receiver: Receiver, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, receiver.url, "campaign.*")
    rotated = line.api(acme, "POST", f"webhooks/endpoints/{endpoint['id']}/rotate-secret")
    assert rotated.status == 200
    fan_out(line, launched(acme))
    line.settle()
    [(_, headers, body)] = receiver.received
    assert rotated.json["secret"] != endpoint["secret"]
    for secret in (endpoint["secret"], rotated.json["secret"]):
        Webhook(secret).verify(body, headers)


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


def test_globex_reads_neither_messages_nor_attempts_of_acme(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    endpoint = line.endpoint(acme, receiver.url, "campaign.*")
    envelope = launched(acme)
    fan_out(line, envelope)
    line.settle()
    assert line.api(globex, "GET", f"webhooks/messages/{envelope['id']}").status == 404
    assert line.api(globex, "GET", f"webhooks/endpoints/{endpoint['id']}/attempts").status == 404


def test_attempts_come_in_pages_newest_first(line: Line, receiver: Receiver, two_tenants: Tenants) -> None:
    acme, globex = two_tenants
    endpoint = line.endpoint(acme, receiver.url, "campaign.*")
    envelopes = [launched(acme) for _ in range(5)]
    for envelope in envelopes:
        fan_out(line, envelope)
        line.dispatch()
    address = f"webhooks/endpoints/{endpoint['id']}/attempts?limit=2"
    seen: list[str] = []
    cursor = ""
    while True:
        page = line.api(acme, "GET", address + cursor).json
        seen += [item["message_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [envelope["id"] for envelope in reversed(envelopes)]

    other = line.endpoint(globex, receiver.url, "campaign.*")
    foreign = line.api(globex, "GET", f"webhooks/endpoints/{other['id']}/attempts?limit=2{cursor}")
    assert (foreign.status, foreign.json["items"]) == (200, [])
    assert line.api(acme, "GET", f"{address}&cursor=nonsense").status == 422
    forged = base64.urlsafe_b64encode(b"x#y#z").decode()
    assert line.api(acme, "GET", f"{address}&cursor={forged}").status == 422


def test_a_secret_opens_for_its_own_endpoint_only(line: Line, receiver: Receiver, two_tenants: Tenants) -> None:
    acme, globex = two_tenants
    line.endpoint(acme, receiver.url, "campaign.*")
    fan_out(line, launched(acme))
    [record] = line.resources.receive(line.resources.deliveries, seconds=5)
    stolen = json.loads(record["body"])
    stolen["tenant"] = str(globex.tenant)
    forged = {**record, "body": json.dumps(stolen)}
    assert line.dispatcher({"Records": [forged]}, Context()) == {"batchItemFailures": []}
    assert receiver.received == []


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


def test_an_event_nobody_asked_for_leaves_no_trace(line: Line, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    envelope = launched(acme)
    fan_out(line, envelope)
    assert line.api(acme, "GET", f"webhooks/messages/{envelope['id']}").status == 404
    assert line.dispatch() == 0
    assert UUID(envelope["id"])
