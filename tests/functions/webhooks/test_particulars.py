"""What an endpoint says of how it is called, and which events it wants, is what happens."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.webhooks.rules import retention
from tenant_context.context import TenantContext
from tenant_context.events import Event
from tests.conftest import Clone
from tests.functions.webhooks.line import Context, Line, bus_record, campaign_event, fan_out, launched, message, moment
from tests.functions.webhooks.stores import Receiver
from tests.functions.webhooks.test_api import codes
from tests.shared.webhooks.judges import accepted, by_node

Tenants = tuple[TenantContext, TenantContext]
URL = "https://hooks.example.com/rmap"


def envelope_of(tenant: TenantContext, event: Event) -> dict[str, Any]:
    return event.envelope(tenant.tenant, datetime.now(UTC))


def test_own_headers_are_sent_sealed_and_never_shown(
    line: Line, receiver: Receiver, clone: Clone, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    sent = {"Authorization": "Bearer of-the-gateway", "X-Tenant": "acme"}
    endpoint = line.endpoint(acme, receiver.url, "campaign.*", headers=sent)
    assert endpoint["headers"] == {"authorization": None, "x-tenant": None}
    fan_out(line, launched(acme))
    line.settle()
    [(_, headers, _)] = receiver.received
    assert (headers["authorization"], headers["x-tenant"]) == ("Bearer of-the-gateway", "acme")
    with clone.connect() as admin:
        assert "of-the-gateway" not in str(admin.execute("SELECT w::text FROM webhook_endpoints w").fetchall())
        assert "of-the-gateway" not in str(admin.execute("SELECT details::text FROM audit_log").fetchall())


def test_an_endpoint_sent_back_as_it_was_read_keeps_its_headers(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, receiver.url, "campaign.*", headers={"X-Key": "one", "X-Other": "two"})
    address = f"webhooks/endpoints/{endpoint['id']}"
    body = {"url": receiver.url, "event_types": ["campaign.*"]}
    assert line.api(acme, "PUT", address, body, if_match='"1"').json["headers"] == endpoint["headers"]
    fewer = line.api(acme, "PUT", address, {**body, "headers": {"x-key": None}}, if_match='"2"')
    assert fewer.json["headers"] == {"x-key": None}
    fan_out(line, launched(acme))
    line.settle()
    [(_, headers, _)] = receiver.received
    assert headers["x-key"] == "one"
    assert "x-other" not in headers
    assert line.api(acme, "PUT", address, {**body, "headers": {}}, if_match='"3"').json["headers"] == {}


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"headers": {"webhook-id": "mine"}}, "/headers/webhook-id", "reserved-header"),
        ({"headers": {"x-key": None}}, "/headers/x-key", "no-value"),
        ({"conditions": [{"path": "status", "value": "x"}]}, "/conditions/0/path", "condition-path"),
        ({"conditions": [{"path": "/a", "op": "in", "value": "x"}]}, "/conditions/0/value", "condition-value"),
        ({"conditions": [{"path": "/a", "value": "x"}] * 21}, "/conditions", "too_long"),
        ({"site_ids": ["x"]}, "/site_ids/0", "uuid_parsing"),
        ({"payload_version": 2}, "/payload_version", "unknown-version"),
        ({"retry_schedule": [5, 36_001]}, "/retry_schedule", "retry-schedule"),
        ({"timeout_seconds": 31}, "/timeout_seconds", "less_than_equal"),
        ({"rate_per_second": 0}, "/rate_per_second", "greater_than_equal"),
        ({"max_concurrency": 101}, "/max_concurrency", "less_than_equal"),
        ({"ordering": "total"}, "/ordering", "enum"),
        ({"signing": []}, "/signing", "too_short"),
    ],
)
def test_what_is_out_of_bounds_is_named(
    line: Line, two_tenants: Tenants, change: dict[str, Any], pointer: str, code: str
) -> None:
    acme, _ = two_tenants
    answer = line.api(acme, "POST", "webhooks/endpoints", {"url": URL, **change})
    assert (answer.status, codes(answer)) == (422, {pointer: code})


def test_particulars_are_kept_and_handed_to_the_dispatcher(line: Line, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    said: dict[str, Any] = {
        "conditions": [{"path": "/data/status", "op": "in", "value": ["active", "paused"]}],
        "site_ids": [line.place(acme)],
        "campaign_ids": [line.campaign(acme)],
        "payload_version": 1,
        "retry_schedule": [7, 70],
        "timeout_seconds": 3,
        "rate_per_second": 20,
        "max_concurrency": 4,
        "ordering": "entity",
    }
    made = line.endpoint(acme, URL, **said)
    shown = line.api(acme, "GET", f"webhooks/endpoints/{made['id']}").json
    assert {name: shown[name] for name in said} == said
    manner = line.target(acme, made["id"]).manner
    assert (manner.retry_schedule, manner.timeout_seconds) == ((7, 70), 3)
    assert (manner.rate_per_second, manner.max_concurrency, manner.ordering) == (20, 4, "entity")


def test_what_is_newly_asked_for_must_be_there(line: Line, two_tenants: Tenants) -> None:
    acme, globex = two_tenants
    mine, theirs, campaign = line.place(acme), line.place(globex), line.campaign(acme)
    filters = {"site_ids": [mine, theirs], "campaign_ids": [theirs, campaign]}
    answer = line.api(acme, "POST", "webhooks/endpoints", {"url": URL, **filters})
    wanted = {"/site_ids/1": "unknown-place", "/campaign_ids/0": "unknown-campaign"}
    assert (answer.status, codes(answer)) == (422, wanted)

    made = line.endpoint(acme, URL, site_ids=[mine])
    with line.admin() as admin:
        admin.execute("DELETE FROM sites WHERE id = %s", (mine,))
    address = f"webhooks/endpoints/{made['id']}"
    body = {"url": URL, "event_types": ["*"], "site_ids": [mine], "description": "It was there once."}
    assert line.api(acme, "PUT", address, body, if_match='"1"').status == 200
    answer = line.api(acme, "PUT", address, {**body, "site_ids": [mine, theirs]}, if_match='"2"')
    assert (answer.status, codes(answer)) == (422, {"/site_ids/1": "unknown-place"})


def test_conditions_and_sites_choose_among_events(line: Line, receiver: Receiver, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    big = campaign_event("campaign.launched", budget="5000.00")
    over = [{"path": "/data/budget", "op": "greater", "value": 1000}]
    line.endpoint(acme, f"{receiver.url}/big", "campaign.*", conditions=over)
    line.endpoint(acme, f"{receiver.url}/mine", "*", campaign_ids=[line.campaign(acme, UUID(str(big.data["id"])))])
    line.endpoint(acme, f"{receiver.url}/none", "*", site_ids=[line.place(acme)])
    line.settle()
    receiver.received.clear()
    for event in (big, campaign_event("campaign.launched", budget="10.00")):
        fan_out(line, envelope_of(acme, event))
    line.settle()
    assert sorted(path for path, _, _ in receiver.received) == ["/big", "/mine"]


def test_an_own_schedule_is_followed_and_ends(line: Line, receiver: Receiver, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    line.endpoint(acme, receiver.url, "campaign.*", retry_schedule=[1])
    receiver.answers += [(500, {})] * 5
    envelope = launched(acme)
    fan_out(line, envelope)
    assert line.dispatch(seconds=5) == 1
    assert line.dispatch(seconds=10) == 1
    [delivery] = message(line, acme, envelope)["deliveries"]
    assert (delivery["state"], delivery["attempts"]) == ("dead", 2)


def test_a_wait_that_no_queue_can_hold_goes_back_until_its_time(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    line.endpoint(acme, receiver.url, "campaign.*", retry_schedule=[7200])
    receiver.answers.append((500, {}))
    envelope = launched(acme)
    fan_out(line, envelope)
    [first] = line.resources.receive(line.resources.deliveries, seconds=5)
    assert line.dispatcher({"Records": [first]}, Context()) == {"batchItemFailures": []}
    [delivery] = message(line, acme, envelope)["deliveries"]
    due = moment(delivery["next_attempt_at"])
    assert timedelta(seconds=5700) < due - datetime.now(UTC) < timedelta(seconds=8700)

    early = json.loads(first["body"])
    early["data"].update(attempt=2, due=int(time.time()) + 3600)
    assert line.dispatcher({"Records": [{**first, "body": json.dumps(early)}]}, Context())["batchItemFailures"] == []
    assert len(receiver.received) == 1
    early["data"]["due"] = int(time.time())
    assert line.dispatcher({"Records": [{**first, "body": json.dumps(early)}]}, Context())["batchItemFailures"] == []
    assert len(receiver.received) == 2


def test_failing_is_shown_with_what_is_wrong_now_until_it_is_over(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, receiver.url, "campaign.*", retry_schedule=[])
    address = f"webhooks/endpoints/{endpoint['id']}"
    receiver.answers += [(500, {}), (501, {})]
    since = set()
    for status in (500, 501):
        fan_out(line, launched(acme))
        line.dispatch()
        health = line.api(acme, "GET", address).json["health"]
        assert (health["state"], health["reason"]) == ("failing", f"The receiver answered {status}.")
        since.add(health["since"])
    assert len(since) == 1
    fan_out(line, launched(acme))
    line.dispatch()
    assert line.api(acme, "GET", address).json["health"]["state"] == "ok"


def test_who_switched_it_off_is_shown(line: Line, receiver: Receiver, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, receiver.url, "campaign.*")
    body = {"url": receiver.url, "event_types": ["campaign.*"]}
    address = f"webhooks/endpoints/{endpoint['id']}"
    off = line.api(acme, "PUT", address, {**body, "enabled": False}, if_match='"1"').json
    assert (off["health"]["state"], off["health"]["by"]) == ("disabled", acme.actor)
    assert off["health"]["since"] == off["updated_at"]
    on = line.api(acme, "PUT", address, body, if_match='"2"').json
    assert on["health"]["state"] == "ok"
    receiver.answers.append((410, {}))
    fan_out(line, launched(acme))
    line.settle()
    gone = line.api(acme, "GET", address).json["health"]
    assert (gone["state"], gone["by"], gone["reason"]) == ("disabled", "platform", "The receiver answered 410 Gone.")


def test_ed25519_signs_beside_hmac_and_its_public_key_is_readable(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, receiver.url, "campaign.*", signing=["hmac", "ed25519"])
    fan_out(line, launched(acme))
    line.settle()
    [(_, headers, body)] = receiver.received
    public = next(key["public_key"] for key in endpoint["keys"] if key["algorithm"] == "ed25519")
    assert len(base64.b64decode(public.removeprefix("whpk_"), validate=True)) == 32
    assert by_node({"public_key": public, "headers": headers, "body": body.decode()}) == [""]
    assert accepted([endpoint["secret"]], headers, body)
    alone = line.endpoint(acme, URL, signing=["ed25519"])
    assert (alone["secret"], len(alone["keys"])) == (None, 1)


def test_an_overlap_is_chosen_and_a_key_can_be_ended_at_once(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, receiver.url, "campaign.*")
    address = f"webhooks/endpoints/{endpoint['id']}"
    rotated = line.api(acme, "POST", f"{address}/rotate-secret?overlap_hours=168").json
    new, old = rotated["keys"]
    until = moment(old["ends_at"]) - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < until <= timedelta(days=7)
    assert line.api(acme, "DELETE", f"{address}/keys/{old['id']}").status == 204
    assert line.api(acme, "DELETE", f"{address}/keys/{old['id']}").status == 404
    assert line.api(acme, "DELETE", f"{address}/keys/{new['id']}").status == 409
    fan_out(line, launched(acme))
    line.settle()
    [(_, headers, body)] = receiver.received
    assert accepted([rotated["secret"]], headers, body)
    assert not accepted([endpoint["secret"]], headers, body)
    assert line.api(acme, "POST", f"{address}/rotate-secret?overlap_hours=169").status == 422


def test_an_event_that_is_too_long_is_a_notice_with_the_address_of_the_whole(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    endpoint = line.endpoint(acme, receiver.url, "campaign.*")
    envelope = envelope_of(acme, campaign_event("campaign.launched", name="x" * 20_000))
    assert line.fanout(bus_record(envelope), Context()) == {"batchItemFailures": []}
    line.settle()
    [(_, headers, body)] = receiver.received
    assert len(body) < 1000
    assert accepted([endpoint["secret"]], headers, body)
    notice = json.loads(body)
    assert "data" not in notice
    address = f"webhooks/messages/{envelope['id']}/payload"
    assert notice["dataref"] == f"https://api.test.example/api/v1/{address}"
    whole = line.api(acme, "GET", address)
    assert whole.status == 200
    assert whole.json["data"] == envelope["data"]
    assert {**whole.json, "dataref": notice["dataref"]} == {**notice, "data": envelope["data"]}
    assert line.api(globex, "GET", address).status == 404


def test_what_was_sent_is_kept_as_long_as_the_plan_keeps_logs(
    line: Line, receiver: Receiver, clone: Clone, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    with clone.connect() as admin:
        admin.execute("UPDATE tenants SET plan = 'enterprise' WHERE tenant_id = %s", (acme.tenant,))
    line.endpoint(acme, receiver.url, "campaign.*")
    envelope = launched(acme)
    fan_out(line, envelope)
    line.settle()
    ends = line.ends(acme, envelope["id"])
    assert len(ends) == 3
    assert {round((end - time.time()) / 86_400) for end in ends} == {retention.DAYS["enterprise"]}


def test_an_endpoint_of_the_release_before_goes_on_unchallenged_and_signed(
    line: Line, receiver: Receiver, clone: Clone, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, receiver.url, "campaign.*", proved=False)
    with clone.connect() as admin:
        admin.execute("UPDATE webhook_endpoints SET secret_keys = '[]', must_prove = false, version = 2")
    fan_out(line, launched(acme))
    line.settle()
    [(_, headers, body)] = receiver.received
    assert accepted([endpoint["secret"]], headers, body)
    assert receiver.challenges == []
