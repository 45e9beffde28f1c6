"""The log of attempts: what it keeps, how it is searched and exported, and what is sent again."""

import base64
import json
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from shared.webhooks.service import opening
from tenant_context.clock import rfc3339, utc_now
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table, TenantTable
from tests.functions.webhooks.line import Line, campaign_event, fan_out, launched, message
from tests.functions.webhooks.stores import Receiver

Tenants = tuple[TenantContext, TenantContext]
LARGEST_ANSWER = 6_000_000
"""Bytes: Lambda's own bound."""


def flow(line: Line, seconds: float = 2.0) -> None:
    while line.dispatch(seconds=seconds):
        pass


def hooked(line: Line, receiver: Receiver, tenant: TenantContext, **more: Any) -> str:
    made = line.endpoint(tenant, receiver.url, "campaign.*", retry_schedule=[], **more)
    line.settle()
    return str(made["id"])


def sent(line: Line, tenant: TenantContext, count: int) -> list[str]:
    """Events that were dispatched one after the other; their ids."""
    envelopes = [launched(tenant) for _ in range(count)]
    for envelope in envelopes:
        fan_out(line, envelope)
        line.dispatch(seconds=5)
    return [one["id"] for one in envelopes]


def found(line: Line, tenant: TenantContext, endpoint: str, query: str = "") -> list[Any]:
    answer = line.api(tenant, "GET", f"webhooks/endpoints/{endpoint}/attempts{query}")
    assert answer.status == 200, answer
    return list(answer.json["items"])


def states(line: Line, tenant: TenantContext, ids: Sequence[str]) -> list[tuple[str, int]]:
    shown = [message(line, tenant, {"id": one})["deliveries"][0] for one in ids]
    return [(one["state"], one["attempts"]) for one in shown]


def test_an_attempt_tells_what_was_sent_without_secrets_and_what_was_answered(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    endpoint = hooked(line, receiver, acme, headers={"X-Token": "open sesame"})
    receiver.answers.append((418, {"x-brew": "tea", "set-cookie": "session=1"}))
    sent(line, acme, 1)
    [attempt] = found(line, acme, endpoint)
    assert attempt["request_headers"]["x-token"] == "(not shown)"
    assert attempt["request_headers"]["webhook-id"] == attempt["message_id"]
    assert (attempt["response_headers"]["x-brew"], attempt["response_headers"]["set-cookie"]) == ("tea", "(not shown)")
    assert (attempt["status"], attempt["error"], attempt["body"]) == (418, "The receiver answered 418.", "ok")
    assert {"dns", "connect", "first_byte", "total"} <= set(attempt["timing"])
    assert "open sesame" not in json.dumps(attempt)


def test_attempts_are_found_by_type_status_and_time_page_by_page(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    endpoint = hooked(line, receiver, acme)
    receiver.answers += [(200, {}), (500, {}), (404, {}), (200, {})]
    first = sent(line, acme, 2)
    middle = rfc3339(utc_now())
    later = sent(line, acme, 1)
    paused = campaign_event("campaign.paused").envelope(acme.tenant, utc_now())
    fan_out(line, paused)
    line.dispatch(seconds=5)

    def ids(query: str) -> list[str]:
        return [one["message_id"] for one in found(line, acme, endpoint, query)]

    assert ids("") == [paused["id"], *later, *reversed(first)]
    assert ids("?status=2xx") == [paused["id"], first[0]]
    assert ids("?status=404") == later
    assert ids("?status=none") == []
    assert ids("?type=campaign.paused") == [paused["id"]]
    assert ids(f"?message={first[1]}") == [first[1]]
    assert ids(f"?message={first[1]}&status=2xx") == []
    assert line.api(acme, "GET", f"webhooks/endpoints/{endpoint}/attempts?message={endpoint}").status == 404
    assert ids(f"?since={middle}") == [paused["id"], *later]
    assert ids(f"?until={middle}") == [*reversed(first)]
    pages: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        address = f"webhooks/endpoints/{endpoint}/attempts?limit=1&status=2xx"
        page = line.api(acme, "GET", address + (f"&cursor={cursor}" if cursor else "")).json
        pages += [one["message_id"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert pages == [paused["id"], first[0]]
    assert line.api(acme, "GET", f"webhooks/endpoints/{endpoint}/attempts?status=6xx").status == 422
    assert line.api(globex, "GET", f"webhooks/endpoints/{endpoint}/attempts").status == 404


def test_the_log_is_exported_as_json_lines(line: Line, receiver: Receiver, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    endpoint = hooked(line, receiver, acme)
    ids = sent(line, acme, 3)
    lines, headers = line.lines(acme, f"webhooks/endpoints/{endpoint}/attempts/export?limit=2")
    assert [one["message_id"] for one in lines] == [ids[2], ids[1]]
    cursor = headers["x-next-cursor"]
    rest, headers = line.lines(acme, f"webhooks/endpoints/{endpoint}/attempts/export?limit=2&cursor={cursor}")
    assert [one["message_id"] for one in rest] == ids[:1]
    assert "x-next-cursor" not in headers


def test_dead_letters_say_why_and_are_recovered_in_order(line: Line, receiver: Receiver, two_tenants: Tenants) -> None:
    acme, globex = two_tenants
    endpoint = hooked(line, receiver, acme, replay_per_second=2)
    began = rfc3339(utc_now())
    receiver.answers += [(500, {})] * 4
    dead = sent(line, acme, 4)
    [well] = sent(line, acme, 1)
    address = f"webhooks/endpoints/{endpoint}/dead-letters"
    page = line.api(acme, "GET", f"{address}?limit=3").json
    page["items"] += line.api(acme, "GET", f"{address}?limit=3&cursor={page['next_cursor']}").json["items"]
    assert [one["message_id"] for one in page["items"]] == dead
    assert page["items"][0]["dead_for"] == "attempts"
    assert page["items"][0]["explanation"] == "Its only attempt failed: The receiver answered 500."
    assert line.api(globex, "GET", address).status == 404
    body = {"since": began}
    assert line.api(globex, "POST", f"webhooks/endpoints/{endpoint}/recover", body).status == 404

    receiver.received.clear()
    assert line.api(acme, "POST", f"webhooks/endpoints/{endpoint}/recover", body).status == 202
    flow(line)
    assert [json.loads(got)["id"] for _, _, got in receiver.received] == dead
    assert states(line, acme, dead) == [("delivered", 2)] * 4
    assert states(line, acme, [well]) == [("delivered", 1)]
    assert line.api(acme, "GET", address).json["items"] == []


def test_all_of_some_time_is_sent_again_where_that_is_asked_for(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    endpoint = hooked(line, receiver, acme)
    before = sent(line, acme, 1)
    middle = rfc3339(utc_now())
    ids = sent(line, acme, 2)
    receiver.received.clear()
    body = {"since": middle, "what": "all"}
    assert line.api(acme, "POST", f"webhooks/endpoints/{endpoint}/recover", body).status == 202
    flow(line)
    assert sorted(json.loads(got)["id"] for _, _, got in receiver.received) == sorted(ids)
    assert states(line, acme, before) == [("delivered", 1)]


def test_one_message_is_sent_again_and_its_schedule_begins_anew(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    made = line.endpoint(acme, receiver.url, "campaign.*", retry_schedule=[3])
    line.settle()
    receiver.answers += [(500, {}), (500, {}), (500, {})]
    [one] = sent(line, acme, 1)
    address = f"webhooks/endpoints/{made['id']}/messages/{one}/resend"
    assert line.api(acme, "POST", address).status == 409  # it is on its way
    flow(line, 5)
    assert states(line, acme, [one]) == [("dead", 2)]
    assert line.api(globex, "POST", address).status == 404
    assert line.api(acme, "POST", address).status == 202
    flow(line, 5)
    assert states(line, acme, [one]) == [("delivered", 4)]
    assert [attempt["attempt"] for attempt in message(line, acme, {"id": one})["attempts"]] == [1, 2, 3, 4]


def test_calls_of_one_attempt_are_all_listed_and_the_last_one_explains_a_dead_letter(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    endpoint = hooked(line, receiver, acme)
    receiver.answers.append((500, {}))
    [dead] = sent(line, acme, 1)
    table = TenantTable(Table(line.resources.table), acme)
    [last] = [one for one in table.query(f"message#{dead}")[0] if one["sk"].startswith("attempt#")]
    claim, earlier = last["sk"].rpartition("#")[2], str(UUID(int=1))  # of a sandbox that died before it wrote the end
    at = {"at": "2026-01-01T00:00:00Z", "gsi1sk": f"2026-01-01T00:00:00Z#{dead}#001#{earlier}"}
    table.put(f"message#{dead}", last["sk"].replace(claim, earlier), {**last, **at, "status": None, "error": "lost"})
    for query in ("", f"?message={dead}"):
        assert [(one["attempt"], one["status"]) for one in found(line, acme, endpoint, query)] == [(1, 500), (1, None)]
    ours = f"webhooks/endpoints/{endpoint}"
    [page] = [line.api(acme, "GET", f"{ours}/attempts?limit=1").json]
    rest = line.api(acme, "GET", f"{ours}/attempts?limit=1&cursor={page['next_cursor']}").json
    assert [one["status"] for one in (*page["items"], *rest["items"])] == [500, None]
    assert [one["status"] for one in message(line, acme, {"id": dead})["attempts"]] == [None, 500]
    [letter] = line.api(acme, "GET", f"{ours}/dead-letters").json["items"]
    assert letter["explanation"] == "Its only attempt failed: The receiver answered 500."
    forged = base64.urlsafe_b64encode(f"x#{dead}#1#{earlier}#{earlier}".encode()).decode()
    assert line.api(acme, "GET", f"{ours}/attempts?cursor={forged}").status == 422


def test_what_became_of_a_message_at_one_endpoint_is_read_apart(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    one, other = hooked(line, receiver, acme), hooked(line, receiver, acme)
    envelope = launched(acme)
    fan_out(line, envelope)
    flow(line, 1)
    shown = message(line, acme, envelope)
    assert ({one_of["endpoint_id"] for one_of in shown["deliveries"]}, shown["is_whole"]) == ({one, other}, True)
    address = f"webhooks/endpoints/{one}/messages/{envelope['id']}"
    apart = line.api(acme, "GET", address)
    assert (apart.status, apart.json["endpoint_id"], apart.json["state"]) == (200, one, "delivered")
    assert line.api(globex, "GET", address).status == 404
    [attempt] = found(line, acme, one, f"?message={envelope['id']}")
    assert attempt["endpoint_id"] == one


def test_a_page_of_long_answers_is_as_long_as_an_answer_of_a_function_may_be(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    endpoint = hooked(line, receiver, acme)
    [first] = sent(line, acme, 1)
    table = TenantTable(Table(line.resources.table), acme)
    [made] = [one for one in table.query(f"message#{first}")[0] if one["sk"].startswith("attempt#")]
    long = {**made, "body": "\x00" * 20_000, "answered": {f"x-{number}": "y" * 1000 for number in range(60)}}
    claim = made["sk"].rpartition("#")[2]
    for number in range(2, 101):
        # Every other one as it was kept before claims were named.
        name = f"{number:03}#{claim}" if number % 2 else f"{number:03}"
        keys = {"attempt": number, "gsi1sk": made["gsi1sk"].replace(f"#001#{claim}", f"#{name}")}
        table.put(f"message#{first}", f"attempt#{endpoint}#{name}", {**long, **keys})
    found = list[int]()
    cursor: str | None = ""
    while cursor is not None:
        address = f"webhooks/endpoints/{endpoint}/attempts?limit=200"
        answer = line.api(acme, "GET", address + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status == 200
        assert len(json.dumps(answer.json)) < LARGEST_ANSWER
        found += [one["attempt"] for one in answer.json["items"]]
        cursor = answer.json["next_cursor"]
    assert found == list(range(100, 0, -1))
    whole = message(line, acme, {"id": first})
    assert not whole["is_whole"]
    assert len(json.dumps(whole)) < LARGEST_ANSWER


def test_one_event_to_very_many_endpoints_is_opened_in_parts(
    line: Line, receiver: Receiver, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    monkeypatch.setattr(opening, "A_PART", 2)
    made = [hooked(line, receiver, acme, ordering=how) for how in ("none", "entity", "none", "entity", "none")]
    envelope = launched(acme)
    for _ in range(2):
        fan_out(line, envelope)
    assert line.resources.count(line.resources.deliveries) == 3  # parts
    flow(line, 1)
    shown = message(line, acme, envelope)
    assert sorted(one["endpoint_id"] for one in shown["deliveries"]) == sorted(made)
    assert {one["state"] for one in shown["deliveries"]} == {"delivered"}
    assert len(receiver.received) == 5


def test_what_has_expired_is_shown_no_more_though_it_is_there_still(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, receiver.url, "campaign.*", retry_schedule=[])["id"]
    line.settle()
    receiver.answers += [(500, {})] * 3
    envelopes = [launched(acme) for _ in range(3)]
    for envelope in envelopes:
        fan_out(line, envelope)
    while line.dispatch():
        pass
    *over, kept = envelopes
    table = TenantTable(Table(line.resources.table), acme)
    for envelope in over:
        for item in table.query(f"message#{envelope['id']}")[0]:
            table.update(f"message#{envelope['id']}", item["sk"], "SET expires_at = :now", {":now": int(time.time())})
    ours = f"webhooks/endpoints/{endpoint}"
    for path in ("attempts", "dead-letters?limit=1"):
        found = line.api(acme, "GET", f"{ours}/{path}").json
        assert [one["message_id"] for one in found["items"]] == [kept["id"]], path
        assert found["next_cursor"] is None, path
    for envelope in over:
        there, at_it = f"webhooks/messages/{envelope['id']}", f"{ours}/messages/{envelope['id']}"
        for path in (there, f"{there}/payload", at_it, f"{ours}/attempts?message={envelope['id']}"):
            assert line.api(acme, "GET", path).status == 404
        for path in (f"{at_it}/resend", f"{at_it}/skip"):
            assert line.api(acme, "POST", path).status == 404
    assert line.api(acme, "POST", f"{ours}/recover", {"since": "2026-01-01T00:00:00Z"}).status == 202
    while line.dispatch(seconds=2):
        pass
    assert [json.loads(body)["id"] for _, _, body in receiver.received[3:]] == [kept["id"]]


def test_a_time_that_ends_before_it_begins_is_refused(line: Line, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    ours = f"webhooks/endpoints/{line.endpoint(acme, 'https://hooks.example.com/')['id']}"
    since, until = "2026-11-22T04:00:00Z", "2026-11-22T03:00:00Z"
    for path in ("attempts", "dead-letters"):
        answer = line.api(acme, "GET", f"{ours}/{path}?since={since}&until={until}")
        assert answer.status == 422, path
        assert answer.json["errors"] == [{"pointer": "?until", "code": "range-order", "message": "must be after since"}]
    answer = line.api(acme, "POST", f"{ours}/recover", {"since": since, "until": until})
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, "/until")
