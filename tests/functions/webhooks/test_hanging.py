"""Receivers that hang: how many calls that last a tenant may hold over all sandboxes, and what becomes of others."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tenant_context.context import TenantContext
from tests.functions.webhooks.line import Context, Line, fan_out, launched, message
from tests.functions.webhooks.stores import Receiver, Slow

Tenants = tuple[TenantContext, TenantContext]


def test_endpoints_that_hang_without_being_known_for_it_leave_places_to_another_tenant(
    line: Line, receiver: Receiver, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, globex = two_tenants
    monkeypatch.setattr("shared.webhooks.service.dispatch.SLOW_SECONDS", 1.0)
    slow = Slow()
    line.endpoint(globex, receiver.url, "campaign.launched")
    for number in range(5):
        line.endpoint(acme, f"{slow.url}/{number}", "campaign.launched", timeout_seconds=30)
    line.settle()
    line.resources.hide(line.resources.deliveries, seconds=60)
    hanging, calm = [launched(acme) for _ in range(6)], launched(globex)
    for envelope in hanging:
        fan_out(line, envelope)
    with sandboxes(line, 3, slow.go):
        assert becomes(lambda: slow.most > 20), "each sandbox that there is has calls that hang"
        fan_out(line, calm)
        assert becomes(
            lambda: [json.loads(body)["id"] for _, _, body in receiver.received] == [str(calm["id"])], seconds=10
        )
        assert not slow.go.is_set()
        hung_up = {called(one) for one in log(line, acme, hanging) if "hung up" in one["error"]}
        assert hung_up
        slow.go.set()
        assert becomes(lambda: len({(path, headers["webhook-id"]) for path, headers, _ in slow.received}) == 30)
        assert becomes(lambda: all(delivered(line, acme, envelope) for envelope in hanging))
    slow.close()
    kept = log(line, acme, hanging)
    assert hung_up <= {called(one) for one in kept if "hung up" in one["error"]}
    assert (len([one for one in kept if one["status"] == 200]), {one["attempt"] for one in kept}) == (30, {1})
    times = {(slow.url + path, sent["webhook-id"], sent["webhook-timestamp"]) for path, sent, _ in slow.received}
    assert times <= {called(one) for one in kept}  # whatever the receiver may have taken


@contextmanager
def sandboxes(line: Line, count: int, go: threading.Event) -> Iterator[None]:
    """Sandboxes of both queues, each at work on a batch at a time; receivers answer at the end."""
    over, workers = threading.Event(), []
    for queue in (line.resources.deliveries, line.resources.slow):
        for _ in range(count):
            line.restart("webhooks_dispatcher")
            workers.append(threading.Thread(target=_works, args=(line, queue, line.dispatcher, over)))
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        go.set()
        over.set()
        for worker in workers:
            worker.join(40)


def log(line: Line, tenant: TenantContext, envelopes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The calls of some messages."""
    return [one for envelope in envelopes for one in message(line, tenant, envelope)["attempts"]]


def called(one: dict[str, Any]) -> tuple[str, str, str]:
    """Which call a line of the log is of."""
    return one["url"], one["message_id"], one["request_headers"]["webhook-timestamp"]


def delivered(line: Line, tenant: TenantContext, envelope: Any) -> bool:
    """Whether all of a message's deliveries are, by their first attempts."""
    return {(one["state"], one["attempts"]) for one in message(line, tenant, envelope)["deliveries"]} == {
        ("delivered", 1)
    }


def _works(line: Line, queue: str, dispatcher: Any, over: threading.Event) -> None:
    while not over.is_set():
        records = line.resources.receive(queue, seconds=0.5)
        if records and dispatcher({"Records": records}, Context()) == {"batchItemFailures": []}:
            for record in records:
                line.resources.done(queue, record)


def becomes(true: Callable[[], bool], *, seconds: float = 25) -> bool:
    """Whether something comes to be so, for which there is time."""
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return true()
