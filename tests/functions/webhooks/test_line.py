"""From an event to a signed call and its record."""

import base64
import json
from uuid import UUID

import pytest
from standardwebhooks import Webhook

from tenant_context.context import TenantContext
from tests.conftest import Clone
from tests.functions.webhooks.line import (
    Context,
    Line,
    bus_record,
    campaign_event,
    fan_out,
    launched,
    leave_behind,
    message,
)
from tests.functions.webhooks.stores import Receiver

Tenants = tuple[TenantContext, TenantContext]


def test_an_event_reaches_the_receiver_signed(
    line: Line, receiver: Receiver, clone: Clone, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, f"{receiver.url}/hooks", "campaign.*")
    event = campaign_event("campaign.launched", name="Bücher & Söhne")
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
        "dataschema": "urn:rmap:event:campaign.launched:1",
        "data": event.data,
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


def test_an_event_nobody_asked_for_leaves_no_trace(line: Line, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    envelope = launched(acme)
    fan_out(line, envelope)
    assert line.api(acme, "GET", f"webhooks/messages/{envelope['id']}").status == 404
    assert line.dispatch() == 0
    assert UUID(envelope["id"])
