"""Endpoints that fail rest and are probed, owners are warned, and what was missed is replayed."""

import json
from typing import Any
from uuid import UUID

import pytest

from shared.mail.model import Kind
from shared.mail.rules import write
from shared.webhooks.repository.attempts import LEASE
from shared.webhooks.rules import circuit
from shared.webhooks.service import recovery
from shared.webhooks.service.queue import RECOVER
from tenant_context.context import TenantContext
from tests.functions.webhooks.line import Context, Line, fan_out, launched, message
from tests.functions.webhooks.stores import Receiver

Tenants = tuple[TenantContext, TenantContext]


def send(line: Line, tenant: TenantContext, count: int = 1) -> list[dict[str, Any]]:
    """Events of which each was given to the dispatcher once."""
    envelopes = [launched(tenant) for _ in range(count)]
    for envelope in envelopes:
        fan_out(line, envelope)
    flow(line)
    return envelopes


def flow(line: Line) -> None:
    while line.dispatch(seconds=0.3):
        pass


def wake(line: Line, **time: float) -> None:
    """Let time pass, and have the sweep see to what waits."""
    line.forward(**time)
    line.sweep_due()
    for _ in range(2):
        line.dispatch(seconds=2)
    flow(line)


def state(line: Line, tenant: TenantContext, envelope: dict[str, Any]) -> tuple[str, str | None, int]:
    [delivery] = message(line, tenant, envelope)["deliveries"]
    return delivery["state"], delivery["held_for"], delivery["attempts"]


def health(line: Line, tenant: TenantContext, endpoint: Any) -> str:
    return str(line.api(tenant, "GET", f"webhooks/endpoints/{endpoint['id']}").json["health"]["state"])


def mailed(line: Line) -> list[tuple[str, str, dict[str, str]]]:
    """The mails that were asked for since this was asked last: kind, to whom, and what they say."""
    found = []
    while records := line.resources.receive(line.resources.mails, seconds=0.3):
        for record in records:
            body = json.loads(record["body"])
            write(Kind(body["kind"]), body["data"]["values"])
            found.append((body["kind"], body["data"]["to"], body["data"]["values"]))
            line.resources.done(line.resources.mails, record)
    return found


def ids(receiver: Receiver, start: int = 0) -> list[str]:
    return [json.loads(body)["id"] for _, _, body in receiver.received[start:]]


@pytest.fixture(name="endpoint")
def one_endpoint(line: Line, receiver: Receiver, two_tenants: Tenants) -> Any:
    made = line.endpoint(two_tenants[0], receiver.url, "campaign.launched", retry_schedule=[])
    line.settle()
    return made


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_receiver_that_is_asked_too_much_is_left_alone_for_a_while(
    line: Line, receiver: Receiver, two_tenants: Tenants, endpoint: Any, status: int
) -> None:
    acme, _ = two_tenants
    receiver.answers.append((status, {"retry-after": "300"}))
    send(line, acme)
    [second] = send(line, acme)
    assert state(line, acme, second) == ("held", "throttle", 0)
    assert len(receiver.received) == 1
    wake(line, seconds=200)
    assert len(receiver.received) == 1
    wake(line, seconds=200)
    assert state(line, acme, second) == ("delivered", None, 1)
    assert health(line, acme, endpoint) == "ok"


def test_after_ten_failures_in_a_row_an_endpoint_rests_and_nothing_is_called_or_lost(
    line: Line, receiver: Receiver, two_tenants: Tenants, endpoint: Any
) -> None:
    acme, _ = two_tenants
    receiver.answers += [(500, {})] * (circuit.FAILURES + 1)
    send(line, acme, circuit.FAILURES)
    waiting = send(line, acme, 3)
    assert len(receiver.received) == circuit.FAILURES
    assert [state(line, acme, one) for one in waiting] == [("held", "circuit", 0)] * 3
    assert health(line, acme, endpoint) == "resting"

    wake(line, seconds=circuit.rest(0) + 60)
    # One of those that wait probed it; it fails, so that the rest goes on waiting, for twice as long.
    assert ids(receiver, circuit.FAILURES) == [waiting[0]["id"]]
    assert [state(line, acme, one)[:2] for one in waiting[1:]] == [("held", "circuit")] * 2
    rest = line.target(acme, endpoint["id"]).findings.circuit
    assert rest.trips == 2

    wake(line, seconds=circuit.rest(1) + 60)
    line.forward(seconds=40)
    wake(line, seconds=40)
    assert ids(receiver, circuit.FAILURES + 1) == [one["id"] for one in waiting[1:]]
    assert [state(line, acme, one) for one in waiting[1:]] == [("delivered", None, 1)] * 2
    assert health(line, acme, endpoint) == "ok"


@pytest.mark.usefixtures("endpoint")
def test_of_several_that_come_after_a_rest_one_probes(line: Line, receiver: Receiver, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    receiver.answers += [(500, {})] * (circuit.FAILURES + 1)
    send(line, acme, circuit.FAILURES)
    for envelope in [launched(acme) for _ in range(3)]:
        fan_out(line, envelope)
    records: list[Any] = []
    while len(records) < 3:
        records += line.resources.receive(line.resources.deliveries, seconds=5)
    line.forward(seconds=circuit.rest(0) + 1)
    assert line.dispatcher({"Records": records}, Context()) == {"batchItemFailures": []}
    assert len(receiver.received) == circuit.FAILURES + 1


@pytest.mark.usefixtures("endpoint")
def test_another_endpoint_of_the_tenant_goes_on_while_one_rests(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    receiver.answers += [(500, {})] * circuit.FAILURES
    send(line, acme, circuit.FAILURES)
    line.endpoint(acme, f"{receiver.url}/other", "campaign.launched")
    line.settle()
    before = len(receiver.received)
    send(line, acme)
    assert [path for path, _, _ in receiver.received[before:]] == ["/other"]


def test_owners_are_told_at_stages_and_when_an_endpoint_is_given_up_and_get_all_they_missed(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    line.endpoint(acme, f"{receiver.url}/owner", "webhook.endpoint_failing", "webhook.endpoint_disabled")
    failing = line.endpoint(acme, "http://127.0.0.1:9/", "campaign.launched", retry_schedule=[])
    line.settle()
    died = send(line, acme)
    told: list[Any] = []
    for hours in (7, 18, 48, 37):
        line.forward(hours=hours)
        died += send(line, acme)
        line.expect(1)
        line.settle()
        told = [json.loads(body) for _, _, body in receiver.received]
    assert [(one["type"], one["data"]["stage"]) for one in told] == [
        ("webhook.endpoint_failing", stage) for stage in (1, 2, 3, 4)
    ]
    assert {one["data"]["id"] for one in told} == {failing["id"]}
    mails = mailed(line)
    assert [kind for kind, _, _ in mails] == ["webhook-failing"] * 4
    assert {(to, said["endpoint"], said["host"]) for _, to, said in mails} == {
        ("owner@acme.example", failing["id"], "127.0.0.1")
    }
    line.forward(hours=1)
    died += send(line, acme)
    assert health(line, acme, failing) == "failing"  # five days are not over

    line.forward(hours=12)
    died += send(line, acme)
    line.expect(1)
    line.settle()
    assert json.loads(receiver.received[-1][2])["type"] == "webhook.endpoint_disabled"
    assert [(kind, to) for kind, to, _ in mailed(line)] == [("webhook-disabled", "owner@acme.example")]
    assert health(line, acme, failing) == "disabled"
    missed = send(line, acme, 3)
    assert [state(line, acme, one) for one in missed] == [("held", "endpoint", 0)] * 3
    assert {state(line, acme, one)[0] for one in died} == {"dead"}

    before = len(receiver.received)
    line.prove(acme, failing["id"])
    body = {"url": f"{receiver.url}/mended", "event_types": ["campaign.launched"], "replay_per_second": 2}
    assert line.api(acme, "PUT", f"webhooks/endpoints/{failing['id']}", body, if_match='"1"').status == 200
    line.fan_out()
    for _ in range(len(died) + len(missed)):
        line.dispatch(seconds=3)
    flow(line)
    assert ids(receiver, before) == [one["id"] for one in (*died, *missed)]
    assert health(line, acme, failing) == "ok"


class Sandbox(BaseException):
    """The dispatcher's sandbox is gone."""


def fail(line: Line, receiver: Receiver, tenant: TenantContext, *, status: int = 500, hours: int = 0) -> None:
    """Some time later, an event is refused."""
    line.forward(hours=hours)
    receiver.answers.append((status, {}))
    fan_out(line, launched(tenant))
    line.dispatch(seconds=3)


@pytest.mark.parametrize(
    ("status", "before", "hours", "mark", "mail"),
    [
        (500, (0,), 7, "mark_warned", "webhook-failing"),
        (500, (0, 7, 18, 48, 37), 13, "give_up", "webhook-disabled"),
        (410, (), 0, "mark_gone", "webhook-gone"),
    ],
)
def test_what_is_told_again_as_nobody_noted_that_it_was_told_is_the_same_event_and_one_mail(  # noqa: PLR0917
    line: Line,
    receiver: Receiver,
    two_tenants: Tenants,
    endpoint: Any,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    before: tuple[int, ...],
    hours: int,
    mark: str,
    mail: str,
) -> None:
    acme, _ = two_tenants
    line.endpoint(acme, f"{receiver.url}/owner", "webhook.endpoint_failing", "webhook.endpoint_disabled")
    line.settle()
    for some in before:
        fail(line, receiver, acme, hours=some)
        line.expect(int(some > 0))
        line.settle()
    mailed(line)
    receiver.received.clear()

    def die(*_: Any, **__: Any) -> None:
        raise Sandbox

    with monkeypatch.context() as dying:
        dying.setattr(line.module("webhooks_dispatcher").targets, mark, die)
        with pytest.raises(Sandbox):
            fail(line, receiver, acme, status=status, hours=hours)
    line.restart("webhooks_dispatcher")
    line.forward(seconds=LEASE.total_seconds() + 10)
    receiver.answers.append((status, {}))
    assert line.dispatch(seconds=5) == 1
    line.expect(2)
    line.settle()
    [told] = [json.loads(body) for path, _, body in receiver.received if path == "/owner"]
    assert (told["data"]["id"], UUID(told["id"]).version) == (endpoint["id"], 7)
    assert [(kind, to) for kind, to, _ in mailed(line)] == [(mail, "owner@acme.example")]
    assert health(line, acme, endpoint) == ("failing" if mark == "mark_warned" else "disabled")


def test_what_an_owner_missed_while_an_endpoint_was_switched_off_is_replayed_in_order(
    line: Line, receiver: Receiver, two_tenants: Tenants, endpoint: Any
) -> None:
    acme, globex = two_tenants
    address = f"webhooks/endpoints/{endpoint['id']}"
    body = {"url": receiver.url, "event_types": ["campaign.launched"]}
    assert line.api(acme, "PUT", address, {**body, "enabled": False}, if_match='"1"').status == 200
    line.settle()
    missed = send(line, acme, 4)
    send(line, globex)
    assert receiver.received == []
    assert state(line, acme, missed[0]) == ("held", "endpoint", 0)
    assert line.api(acme, "PUT", address, body, if_match='"2"').status == 200
    line.fan_out()
    line.dispatch(seconds=3)
    flow(line)
    assert ids(receiver) == [one["id"] for one in missed]


class GivenUp:
    """An endpoint that a receiver gave up by 410, after some of what it was sent had died."""

    def __init__(self, line: Line, receiver: Receiver, tenant: TenantContext) -> None:
        self.line, self.receiver, self.tenant = line, receiver, tenant
        self.body: dict[str, Any] = {"url": receiver.url, "event_types": ["campaign.launched"], "retry_schedule": []}
        self.endpoint = line.endpoint(tenant, receiver.url, "campaign.launched", retry_schedule=[])
        line.settle()
        receiver.answers.append((500, {}))
        self.before = send(line, tenant)
        send(line, tenant)  # it is well again
        receiver.answers += [(500, {})] * 3 + [(410, {})]
        self.died = send(line, tenant, 3)
        self.missed = send(line, tenant) + send(line, tenant)
        line.expect(1)
        line.settle()
        assert health(line, tenant, self.endpoint) == "disabled"
        receiver.received.clear()

    def comes_back(self) -> None:
        """Its owner saves it as it is."""
        address = f"webhooks/endpoints/{self.endpoint['id']}"
        assert self.line.api(self.tenant, "PUT", address, self.body, if_match='"1"').status == 200
        self.line.fan_out()


def test_what_died_while_it_failed_comes_first_and_what_died_before_stays_dead(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    one = GivenUp(line, receiver, acme)
    skipped = one.missed.pop()
    address = f"webhooks/endpoints/{one.endpoint['id']}/messages/{skipped['id']}"
    assert line.api(acme, "POST", f"{address}/skip").status == 200
    one.comes_back()
    for _ in range(6):
        line.dispatch(seconds=2)
    flow(line)
    assert ids(receiver) == [one["id"] for one in (*one.died, *one.missed)]
    assert [state(line, acme, envelope)[0] for envelope in (*one.before, skipped)] == ["dead"] * 2
    assert line.target(acme, one.endpoint["id"]).findings.missed_since is None


def test_a_recovery_of_what_died_whose_message_was_lost_is_begun_anew_and_nothing_goes_before_it(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    one = GivenUp(line, receiver, acme)
    one.comes_back()
    [look] = line.resources.receive(line.resources.deliveries, seconds=5)
    assert line.dispatcher({"Records": [look]}, Context()) == {"batchItemFailures": []}
    line.resources.done(line.resources.deliveries, look)
    [lost] = line.resources.receive(line.resources.deliveries, seconds=5)
    assert json.loads(lost["body"])["kind"] == RECOVER
    line.resources.done(line.resources.deliveries, lost)
    flow(line)
    assert receiver.received == []
    wake(line, seconds=LEASE.total_seconds() + 60)
    for _ in range(4):
        line.dispatch(seconds=2)
    flow(line)
    assert ids(receiver) == [one["id"] for one in (*one.died, *one.missed)]


def test_what_died_while_it_failed_is_recovered_in_parts_before_anything_of_it_is_sent(
    line: Line, receiver: Receiver, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    monkeypatch.setattr(recovery, "A_TURN", 2)
    one = GivenUp(line, receiver, acme)
    one.comes_back()
    for _ in range(6):
        line.dispatch(seconds=2)
    flow(line)
    assert ids(receiver) == [one["id"] for one in (*one.died, *one.missed)]
