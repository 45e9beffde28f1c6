"""An endpoint's URL has to answer a challenge before events are sent to it; what comes before is held, not lost."""

import json
import socket
from typing import Any

import pytest

from shared.webhooks.rules import challenges
from shared.webhooks.service import proving
from tenant_context.context import TenantContext
from tests.functions.webhooks.line import Context, Line, fan_out, launched, message
from tests.functions.webhooks.stores import Receiver
from tests.functions.webhooks.test_api import codes
from tests.shared.outbound.server import Server
from tests.shared.webhooks.judges import accepted

Tenants = tuple[TenantContext, TenantContext]


def shown(line: Line, tenant: TenantContext, endpoint: Any) -> Any:
    return line.api(tenant, "GET", f"webhooks/endpoints/{endpoint['id']}").json


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No challenge comes again by itself, and those that are asked for keep no distance."""
    monkeypatch.setattr(challenges, "WAITS", ())
    monkeypatch.setattr(challenges, "SPACING", 0.0)


def test_a_new_endpoint_is_challenged_by_a_signed_event_and_then_verified(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, f"{receiver.url}/hooks", "site.created", proved=False, headers={"X-Key": "k"})
    assert (endpoint["verification"]["state"], endpoint["health"]["state"]) == ("pending", "pending")
    line.settle()
    [(path, headers, body)] = receiver.challenges
    assert (path, headers["x-key"]) == ("/hooks", "k")
    assert accepted([endpoint["secret"]], headers, body)
    assert json.loads(body)["data"]["endpoint"] == endpoint["id"]
    now = shown(line, acme, endpoint)
    assert (now["verification"]["state"], now["verification"]["reason"]) == ("verified", "")
    assert now["health"]["state"] == "ok"
    assert receiver.received == []


def test_what_comes_before_is_held_and_released_in_order(line: Line, receiver: Receiver, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, receiver.url, "campaign.*", proved=False)
    envelopes = [launched(acme) for _ in range(3)]
    for envelope in envelopes:
        fan_out(line, envelope)
        line.dispatch()
    assert [one["state"] for one in message(line, acme, envelopes[0])["deliveries"]] == ["held"]
    assert receiver.received == []
    line.settle()
    assert [json.loads(body)["id"] for _, _, body in receiver.received] == [one["id"] for one in envelopes]
    for envelope in envelopes:
        [delivery] = message(line, acme, envelope)["deliveries"]
        assert (delivery["state"], delivery["attempts"]) == ("delivered", 1)
    assert shown(line, acme, endpoint)["verification"]["state"] == "verified"


@pytest.mark.usefixtures("once")
def test_whoever_does_not_answer_gets_nothing_until_asked_again(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, receiver.url, "campaign.*", proved=False)
    receiver.answers_challenges = lambda _: (200, b"ok")
    envelope = launched(acme)
    fan_out(line, envelope)
    line.settle()
    failed = shown(line, acme, endpoint)["verification"]
    assert (failed["state"], failed["reason"]) == ("failed", challenges.UNANSWERED)
    assert failed["at"] is not None
    assert receiver.received == []

    receiver.answers_challenges = lambda challenge: (200, json.dumps({"challenge": challenge}).encode())
    asked = line.api(acme, "POST", f"webhooks/endpoints/{endpoint['id']}/verify")
    assert asked.status == 202
    line.settle()
    assert shown(line, acme, endpoint)["verification"]["state"] == "verified"
    assert [json.loads(body)["id"] for _, _, body in receiver.received] == [envelope["id"]]
    line.api(acme, "POST", f"webhooks/endpoints/{endpoint['id']}/verify")
    line.settle()
    assert len(receiver.challenges) == 2


def test_a_challenge_that_fails_comes_again_and_says_why_meanwhile(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, receiver.url, proved=False)
    receiver.answers_challenges = lambda challenge: (503, challenge.encode())
    line.settle()
    waiting = shown(line, acme, endpoint)["verification"]
    assert (waiting["state"], waiting["reason"]) == ("pending", "The receiver answered 503.")
    assert len(receiver.challenges) == 1


def test_another_url_is_challenged_and_gets_nothing_before(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, f"{receiver.url}/old", "campaign.*")
    body = {"url": f"{receiver.url}/new", "event_types": ["campaign.*"]}
    changed = line.api(acme, "PUT", f"webhooks/endpoints/{endpoint['id']}", body, if_match='"1"')
    assert changed.json["verification"]["state"] == "pending"
    fan_out(line, launched(acme))
    line.dispatch()
    assert receiver.received == []
    line.settle()
    assert [path for path, _, _ in receiver.challenges] == ["/new"]
    assert [path for path, _, _ in receiver.received] == ["/new"]


def test_values_of_headers_do_not_go_along_to_another_host(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    given = {"Authorization": "Bearer of-the-first", "X-Tenant": "acme"}
    endpoint = line.endpoint(acme, receiver.url, "campaign.*", headers=given)
    mine, address = Receiver(), f"webhooks/endpoints/{endpoint['id']}"
    body = {"url": mine.url, "event_types": ["campaign.*"]}
    for said in ({}, {"headers": None}, {"headers": endpoint["headers"]}):
        refused = line.api(acme, "PUT", address, {**body, **said}, if_match='"1"')
        assert refused.status == 422
        assert codes(refused) == {"/headers/authorization": "another-origin", "/headers/x-tenant": "another-origin"}
    anew = {"authorization": "Bearer of-the-second"}
    assert line.api(acme, "PUT", address, {**body, "headers": anew}, if_match='"1"').status == 200
    fan_out(line, launched(acme))
    line.settle()
    for _, headers, _ in [*mine.challenges, *mine.received]:
        assert (headers["authorization"], headers.get("x-tenant")) == ("Bearer of-the-second", None)
    assert (len(mine.challenges), len(mine.received)) == (1, 1)
    mine.close()


def test_a_receiver_that_sends_headers_back_does_not_show_their_values_in_the_log(
    line: Line, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants

    def says_back(accepted: socket.socket) -> None:
        said = echo.heard[-1].partition(b"\r\n\r\n")[0]
        named = next(line for line in said.split(b"\r\n") if line.lower().startswith(b"authorization"))
        head = b"HTTP/1.1 200 OK\r\nx-said: " + named.partition(b": ")[2]
        accepted.sendall(head + b"\r\ncontent-length: %d\r\n\r\n" % len(said) + said)

    echo = Server(says_back)
    url, given = f"http://127.0.0.1:{echo.port}/", {"Authorization": "Bearer of-the-gateway", "X-Short": "a"}
    line.endpoint(acme, url, "campaign.*", headers=given)
    envelope = launched(acme)
    fan_out(line, envelope)
    line.dispatch(seconds=5)
    [attempt] = message(line, acme, envelope)["attempts"]
    assert "of-the-gateway" not in json.dumps(attempt)
    assert "authorization: (not shown)" in attempt["body"].lower()
    assert attempt["response_headers"]["x-said"] == "(not shown)"
    echo.close()


def test_a_repeated_challenge_and_a_repeated_release_change_nothing(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    line.endpoint(acme, receiver.url, "campaign.*", proved=False)
    fan_out(line, launched(acme))
    line.dispatch()
    line.fan_out()
    records = line.resources.receive(line.resources.slow, seconds=5)
    for _ in range(3):
        assert line.dispatcher({"Records": records}, Context()) == {"batchItemFailures": []}
    line.settle()
    assert (len(receiver.challenges), len(receiver.received)) == (1, 1)


def test_globex_cannot_have_an_endpoint_of_acme_challenged(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    endpoint = line.endpoint(acme, receiver.url)
    key = endpoint["keys"][0]["id"]
    assert line.api(globex, "POST", f"webhooks/endpoints/{endpoint['id']}/verify").status == 404
    assert line.api(globex, "DELETE", f"webhooks/endpoints/{endpoint['id']}/keys/{key}").status == 404


@pytest.mark.usefixtures("once")
def test_a_url_that_nobody_proved_is_not_called_as_often_as_somebody_asks(
    line: Line, receiver: Receiver, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(challenges, "SPACING", 1.0)
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, receiver.url, proved=False)
    receiver.answers_challenges = lambda _: (200, b"no")
    for _ in range(30):
        assert line.api(acme, "POST", f"webhooks/endpoints/{endpoint['id']}/verify").status == 202
    line.settle()
    assert len(receiver.challenges) == 1
    while line.dispatch(seconds=2):
        pass
    # What was asked after the first call began is answered by one more; nobody has to ask again.
    assert len(receiver.challenges) <= 2
    assert shown(line, acme, endpoint)["verification"]["state"] == "failed"


def test_who_asks_again_ends_the_row_of_challenges_before(
    line: Line, receiver: Receiver, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(challenges, "SPACING", 0.0)
    monkeypatch.setattr(challenges, "WAITS", (1, 1, 1))
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, receiver.url, proved=False)
    receiver.answers_challenges = lambda _: (500, b"")
    line.settle()
    for _ in range(5):
        line.api(acme, "POST", f"webhooks/endpoints/{endpoint['id']}/verify")
        line.settle()
    begun = len(receiver.challenges)
    while line.dispatch(seconds=3):
        pass
    assert len(receiver.challenges) - begun <= len(challenges.WAITS)
    assert shown(line, acme, endpoint)["verification"]["state"] == "failed"


def test_a_tenant_has_a_few_challenges_at_once_and_the_next_one_its_own(
    line: Line, receiver: Receiver, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(challenges, "SECONDS", 1.0)
    monkeypatch.setattr(challenges, "AT_ONCE", 2)
    monkeypatch.setattr(challenges, "WAITS", ())
    monkeypatch.setattr(proving, "_ROOM", 1)
    acme, globex = two_tenants
    hung: list[socket.socket] = []
    silent = Server(lambda accepted: hung.append(accepted.dup()))
    made = [line.endpoint(acme, f"http://127.0.0.1:{silent.port}/{number}", proved=False) for number in range(5)]
    other = line.endpoint(globex, receiver.url, proved=False)
    line.fan_out()
    records = line.resources.receive(line.resources.slow, seconds=5)
    assert len(records) == 6
    line.dispatcher({"Records": records}, Context())
    assert len(silent.heard) == 2
    assert shown(line, globex, other)["verification"]["state"] == "verified"
    for record in records:
        line.resources.done(line.resources.slow, record)
    while line.dispatch(seconds=3):
        pass
    assert {shown(line, acme, one)["verification"]["state"] for one in made} == {"failed"}
    assert len(silent.heard) == 5
    for one in hung:
        one.close()
    silent.close()


def test_a_challenge_that_nobody_began_ahead_is_made_in_its_own_turn(
    line: Line, receiver: Receiver, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    endpoint = line.endpoint(acme, receiver.url, proved=False)
    monkeypatch.setattr(proving.Proving, "ahead", lambda *_: None)
    line.settle()
    assert len(receiver.challenges) == 1
    assert shown(line, acme, endpoint)["verification"]["state"] == "verified"
