"""What an endpoint missed comes to its receiver in order and one at a time, at any rate, whatever goes wrong."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from shared.webhooks.model import EndpointId
from shared.webhooks.repository.attempts import LEASE
from shared.webhooks.service import replays
from shared.webhooks.service.queue import RELEASE, about
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table, TenantTable
from tests.functions.webhooks.line import Context, Line, campaign_event, fan_out, launched, message
from tests.functions.webhooks.stores import Receiver

Tenants = tuple[TenantContext, TenantContext]
Missed = list[dict[str, Any]]
MANY = 12


class Watchful(Receiver):
    """Notes how many calls it had at once, and does what it is told while the first one waits."""

    def __post_init__(self) -> None:
        self.at_once = self.most = 0
        self.meanwhile: Callable[[], None] | None = None
        self._lock = threading.Lock()
        super().__post_init__()

    def before(self) -> None:
        """An event has come."""
        with self._lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        with self._lock:
            self.at_once -= 1

    def ids(self) -> list[str]:
        """The events that came, in order."""
        return [json.loads(body)["id"] for _, _, body in self.received]


@pytest.fixture
def watchful() -> Any:
    receiver = Watchful()
    yield receiver
    receiver.close()


class Away:
    """An endpoint whose owner switched it off, and what it missed."""

    def __init__(self, line: Line, tenant: TenantContext, url: str, **more: Any) -> None:
        self.line, self.tenant = line, tenant
        self._said = {"url": url, "event_types": ["campaign.*"], **more}
        self.endpoint = line.endpoint(tenant, url, "campaign.*", **more)["id"]
        line.settle()
        self._version = 1
        self.switch(on=False)

    def switch(self, *, on: bool) -> None:
        """As its owner does."""
        address, version = f"webhooks/endpoints/{self.endpoint}", f'"{self._version}"'
        said = self.line.api(self.tenant, "PUT", address, {**self._said, "enabled": on}, if_match=version)
        assert said.status == 200, said
        self._version += 1
        self.line.fan_out()

    def misses(self, count: int, *envelopes: dict[str, Any]) -> Missed:
        """Events that come meanwhile."""
        missed = [*envelopes, *(launched(self.tenant) for _ in range(count))]
        for envelope in missed:
            fan_out(self.line, envelope)
        self.flow()
        return missed

    def flow(self) -> None:
        """Work on what is queued, until nothing comes for a while."""
        while self.line.dispatch(seconds=2):
            pass

    def state(self, envelope: dict[str, Any]) -> tuple[str, str | None, int]:
        """Where a delivery stands, what for, after how many attempts."""
        [delivery] = message(self.line, self.tenant, envelope)["deliveries"]
        return delivery["state"], delivery["held_for"], delivery["attempts"]


def ids(missed: Missed) -> list[str]:
    return [one["id"] for one in missed]


@pytest.mark.parametrize("rate", [None, 50, 5])
def test_at_any_rate_one_comes_after_the_other(
    line: Line, watchful: Watchful, two_tenants: Tenants, rate: int | None
) -> None:
    away = Away(line, two_tenants[0], watchful.url, replay_per_second=rate)
    missed = away.misses(MANY)
    assert watchful.received == []
    away.switch(on=True)
    came, table = [0], TenantTable(Table(line.resources.table), two_tenants[0])
    while came[-1] < MANY:
        looked = utc_now().timestamp()
        assert line.dispatch(seconds=5)
        came.append(len(watchful.received))
        assert came[-1] - came[-2] <= (rate or MANY)
        [endpoint] = [found for found in [table.get(f"endpoint#{away.endpoint}", "target")] if found]
        assert endpoint["wake_at"] >= looked + 1  # and so many more after a second at the soonest
    away.flow()
    assert (watchful.ids(), watchful.most) == (ids(missed), 1)
    assert {away.state(one) for one in missed} == {("delivered", None, 1)}


def test_a_rate_of_one_at_a_time_is_no_obstacle(
    line: Line, watchful: Watchful, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replays, "_AT_IT", 60.0)
    away = Away(line, two_tenants[0], watchful.url, max_concurrency=1)
    missed = away.misses(MANY)
    away.switch(on=True)
    line.dispatch(seconds=3)
    assert watchful.ids() == ids(missed)


def test_another_sandbox_that_looks_at_the_same_backlog_meanwhile_calls_nothing(
    line: Line, watchful: Watchful, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    away = Away(line, acme, watchful.url)
    missed = away.misses(MANY)
    mine = line.dispatcher
    line.restart("webhooks_dispatcher")
    other, line.dispatcher = line.dispatcher, mine
    body = about(acme, RELEASE, EndpointId(away.endpoint)).encode().decode()
    answers: list[Any] = []

    def look() -> None:
        answers.append(other({"Records": [{"messageId": "another", "body": body}]}, Context()))

    watchful.meanwhile = look
    away.switch(on=True)
    away.flow()
    assert answers == [{"batchItemFailures": []}]
    assert (watchful.ids(), watchful.most) == (ids(missed), 1)


def test_those_behind_one_that_fails_wait_for_its_next_attempt(
    line: Line, watchful: Watchful, two_tenants: Tenants
) -> None:
    away = Away(line, two_tenants[0], watchful.url, retry_schedule=[30])
    missed = away.misses(5)
    watchful.answers += [(200, {}), (200, {}), (500, {})]
    away.switch(on=True)
    line.dispatch(seconds=3)
    assert watchful.ids() == ids(missed[:3])
    assert away.state(missed[2]) == ("held", "replay", 1)
    assert [away.state(one) for one in missed[3:]] == [("held", "endpoint", 0)] * 2
    line.dispatch(seconds=3)
    assert watchful.ids() == ids(missed[:3])
    line.forward(seconds=200)
    line.sweep_due()
    away.flow()
    assert watchful.ids() == ids([*missed[:3], *missed[2:]])
    assert {away.state(one)[0] for one in missed} == {"delivered"}


def test_one_that_a_receiver_never_takes_keeps_those_behind_it_for_its_soonest_attempts_alone(
    line: Line, watchful: Watchful, two_tenants: Tenants
) -> None:
    away = Away(line, two_tenants[0], watchful.url, retry_schedule=[1, 3600])
    missed = away.misses(3)
    watchful.answers += [(400, {})] * 2
    away.switch(on=True)
    away.flow()
    line.forward(seconds=5)
    away.flow()
    assert watchful.ids() == ids([missed[0], *missed])
    assert away.state(missed[0]) == ("waiting", None, 2)
    assert {away.state(one) for one in missed[1:]} == {("delivered", None, 1)}


class Sandbox(BaseException):
    """The dispatcher's sandbox is gone."""


@pytest.mark.parametrize("step", ["record", "end"])
def test_a_sandbox_that_dies_leaves_the_rest_where_it_was(
    line: Line, watchful: Watchful, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    away = Away(line, two_tenants[0], watchful.url)
    missed = away.misses(4)
    away.switch(on=True)

    def die(*_: Any, **__: Any) -> None:
        raise Sandbox

    with monkeypatch.context() as dying:
        dying.setattr(line.module("webhooks_dispatcher").attempts, step, die)
        with pytest.raises(Sandbox):
            line.dispatch(seconds=3)
    assert {away.state(one)[:2] for one in missed} == {("held", "endpoint")}
    line.restart("webhooks_dispatcher")
    assert line.dispatch(seconds=5) == 1
    assert {away.state(one)[:2] for one in missed} == {("held", "endpoint")}  # it still has its turn
    line.forward(seconds=LEASE.total_seconds() + 10)
    line.sweep_due()
    away.flow()
    called = len(watchful.received) - len(missed)
    assert watchful.ids() == ids([*missed[:called], *missed])
    assert {away.state(one)[0] for one in missed} == {"delivered"}


def test_a_sandbox_that_dies_is_followed_by_the_sweep_once_its_claims_have_ended(
    line: Line, watchful: Watchful, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = Away(line, two_tenants[0], watchful.url)
    missed = away.misses(2)
    away.switch(on=True)

    def die(*_: Any, **__: Any) -> None:
        raise Sandbox

    with monkeypatch.context() as dying:
        dying.setattr(line.module("webhooks_dispatcher").attempts, "end", die)
        with pytest.raises(Sandbox):
            line.dispatch(seconds=3)
    for record in line.resources.receive(line.resources.deliveries, seconds=5):  # what it worked on is back in minutes
        line.resources.done(line.resources.deliveries, record)
    line.restart("webhooks_dispatcher")
    line.forward(seconds=LEASE.total_seconds() + 40)
    assert line.sweep_due() == 1
    away.flow()
    assert {away.state(one)[0] for one in missed} == {"delivered"}


def test_one_that_a_receiver_puts_off_for_minutes_stays_the_first(
    line: Line, watchful: Watchful, two_tenants: Tenants
) -> None:
    away = Away(line, two_tenants[0], watchful.url)
    missed = away.misses(3)
    watchful.answers.append((429, {"retry-after": "120"}))
    away.switch(on=True)
    line.dispatch(seconds=3)
    assert away.state(missed[0]) == ("held", "replay", 1)
    line.forward(seconds=200)
    line.sweep_due()
    away.flow()
    assert (watchful.ids(), watchful.most) == (ids([missed[0], *missed]), 1)


def test_deliveries_whose_messages_have_expired_hold_nothing_up(
    line: Line, watchful: Watchful, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    monkeypatch.setattr(replays, "A_TURN", 2)
    away = Away(line, acme, watchful.url)
    missed = away.misses(6)
    for one in missed[:4]:
        TenantTable(Table(line.resources.table), acme).delete(f"message#{one['id']}", "message")
    away.switch(on=True)
    away.flow()
    assert watchful.ids() == ids(missed[4:])


def test_who_asks_twice_for_a_turn_because_an_answer_was_lost_has_it(
    line: Line, watchful: Watchful, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    endpoint = EndpointId(Away(line, acme, watchful.url).endpoint)
    targets, now = line.module("webhooks_dispatcher").targets, utc_now().timestamp()
    asked = [targets.take_turn(acme, endpoint, name, now, now + 60) for name in ("mine", "mine", "another's")]
    assert asked == [True, True, False]


def test_where_order_is_kept_by_entity_too_each_comes_once_and_in_order(
    line: Line, watchful: Watchful, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    away = Away(line, acme, watchful.url, ordering="entity")
    entities = [str(uuid7()), str(uuid7())]
    events = [campaign_event("campaign.launched") for _ in range(6)]
    envelopes = [
        {**event.envelope(acme.tenant, utc_now()), "subject": f"campaign/{entities[number % 2]}"}
        for number, event in enumerate(events)
    ]
    missed = away.misses(0, *envelopes)
    away.switch(on=True)
    away.flow()
    assert (watchful.ids(), watchful.most) == (ids(missed), 1)
    assert {away.state(one) for one in missed} == {("delivered", None, 1)}


def test_nothing_is_done_about_the_backlog_of_an_endpoint_that_is_switched_off(
    line: Line, watchful: Watchful, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    away = Away(line, acme, watchful.url)
    away.misses(2)
    line.module("webhooks_dispatcher").backlog.wake(acme, EndpointId(away.endpoint))
    assert line.dispatch(seconds=3) == 1
    assert line.dispatch(seconds=3) == 0


def test_another_tenants_delivery_of_the_same_batch_does_not_wait_for_a_replay(
    line: Line, watchful: Watchful, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    away = Away(line, acme, watchful.url)
    missed = away.misses(3)
    line.endpoint(globex, receiver.url, "campaign.*")
    line.settle()
    envelope = launched(globex)
    states: list[str] = []
    watchful.meanwhile = lambda: states.append(told(line, globex, envelope))
    fan_out(line, envelope)
    away.switch(on=True)
    away.flow()
    assert states == ["delivered"]
    assert watchful.ids() == ids(missed)


def told(line: Line, tenant: TenantContext, envelope: dict[str, Any]) -> str:
    """The state of an event's one delivery, once that has ended or ten seconds have gone by."""
    for _ in range(100):
        [delivery] = message(line, tenant, envelope)["deliveries"]
        if delivery["state"] == "delivered":
            break
        threading.Event().wait(0.1)
    return str(delivery["state"])
