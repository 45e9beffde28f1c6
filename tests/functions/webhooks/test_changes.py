"""What an owner changes of an endpoint holds for what is queued already, from the moment the API has answered."""

from typing import Any

import pytest

from shared.webhooks.repository.targets import TargetRepository
from tenant_context.clock import utc_now
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table
from tests.functions.webhooks.line import Answer, Line, fan_out, launched, message
from tests.functions.webhooks.stores import Receiver
from tests.functions.webhooks.test_replays import Away, Watchful
from tests.shared.webhooks.judges import accepted

Tenants = tuple[TenantContext, TenantContext]


class Owner:
    """The owner of one endpoint with a delivery that is queued and not made yet."""

    def __init__(self, line: Line, tenant: TenantContext, receiver: Receiver) -> None:
        self.line, self.tenant = line, tenant
        self.body: dict[str, Any] = {"url": f"{receiver.url}/old", "event_types": ["campaign.*"]}
        self.endpoint = line.endpoint(tenant, self.body["url"], "campaign.*")
        self.address = f"webhooks/endpoints/{self.endpoint['id']}"
        line.settle()
        self.queued = launched(tenant)
        fan_out(line, self.queued)

    def says(self, **changes: Any) -> Answer:
        """Replace its particulars."""
        return self.line.api(self.tenant, "PUT", self.address, {**self.body, **changes}, if_match='"1"')

    def dispatch(self) -> tuple[str, str | None]:
        """Work on what is queued, before any event of the change is fanned out; where the delivery stands then."""
        while self.line.dispatch(seconds=0.3):
            pass
        [delivery] = message(self.line, self.tenant, self.queued)["deliveries"]
        return delivery["state"], delivery["held_for"]


@pytest.fixture
def owner(line: Line, receiver: Receiver, two_tenants: Tenants) -> Owner:
    return Owner(line, two_tenants[0], receiver)


def test_what_is_queued_does_not_go_to_the_old_url(owner: Owner, receiver: Receiver) -> None:
    assert owner.says(url=f"{receiver.url}/new").status == 200
    assert owner.dispatch() == ("held", "verification")
    assert receiver.received == []
    owner.line.settle()
    assert [path for path, _, _ in receiver.received] == ["/new"]


def test_what_is_queued_does_not_go_to_an_endpoint_that_is_switched_off(owner: Owner, receiver: Receiver) -> None:
    assert owner.says(enabled=False).status == 200
    assert owner.dispatch() == ("held", "endpoint")
    assert receiver.received == []


def test_what_is_queued_does_not_go_to_an_endpoint_that_is_deleted(owner: Owner, receiver: Receiver) -> None:
    assert owner.line.api(owner.tenant, "DELETE", owner.address).status == 204
    assert owner.dispatch() == ("stopped", None)
    assert receiver.received == []


def test_what_is_queued_is_not_signed_with_a_key_that_was_ended(owner: Owner, receiver: Receiver) -> None:
    rotated = owner.line.api(owner.tenant, "POST", f"{owner.address}/rotate-secret").json
    old = rotated["keys"][1]["id"]
    assert owner.line.api(owner.tenant, "DELETE", f"{owner.address}/keys/{old}").status == 204
    assert owner.dispatch() == ("delivered", None)
    [(_, headers, body)] = receiver.received
    assert accepted([rotated["secret"]], headers, body)
    assert not accepted([owner.endpoint["secret"]], headers, body)


def test_what_is_queued_is_signed_with_a_key_that_was_made_just_now(owner: Owner, receiver: Receiver) -> None:
    rotated = owner.line.api(owner.tenant, "POST", f"{owner.address}/rotate-secret").json
    assert owner.dispatch() == ("delivered", None)
    [(_, headers, body)] = receiver.received
    assert accepted([rotated["secret"], owner.endpoint["secret"]], headers, body)


def test_a_change_whose_sandbox_died_after_its_commit_is_brought_by_its_event(
    owner: Owner, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dead:
        dead.setattr(TargetRepository, "put", lambda *_: None)
        assert owner.says(enabled=False).status == 200
    assert owner.line.target(owner.tenant, owner.endpoint["id"]).enabled
    owner.line.fan_out()
    assert not owner.line.target(owner.tenant, owner.endpoint["id"]).enabled
    assert owner.dispatch() == ("held", "endpoint")
    assert receiver.received == []


def test_an_older_version_that_comes_late_does_not_replace_a_newer_one_nor_a_deleted_endpoint(owner: Owner) -> None:
    stores, targets = owner.line.module("webhooks_api").stores, TargetRepository(Table(owner.line.resources.table))
    before = stores.endpoints.show(stores.database, owner.tenant, owner.endpoint["id"])
    assert owner.says(enabled=False).status == 200
    targets.put(owner.tenant, before)
    assert not owner.line.target(owner.tenant, owner.endpoint["id"]).enabled
    targets.bury(owner.tenant, before.id, utc_now())
    targets.put(owner.tenant, before)
    assert owner.line.target(owner.tenant, owner.endpoint["id"]).is_deleted


def test_a_change_that_is_refused_changes_nothing_of_how_deliveries_are_made(owner: Owner, receiver: Receiver) -> None:
    assert owner.says(url=f"{receiver.url}/new", event_types=["no.such"]).status == 422
    assert owner.dispatch() == ("delivered", None)
    assert [path for path, _, _ in receiver.received] == ["/old"]


def test_a_replay_that_is_under_way_ends_with_the_call_that_was_on_when_its_endpoint_was_changed(
    line: Line, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    watchful = Watchful()
    away = Away(line, acme, f"{watchful.url}/old")
    missed = away.misses(3)
    body = {"url": f"{watchful.url}/new", "event_types": ["campaign.*"]}
    address = f"webhooks/endpoints/{away.endpoint}"
    watchful.meanwhile = lambda: [line.api(acme, "PUT", address, body, if_match='"3"')]  # type: ignore[assignment]
    away.switch(on=True)
    while line.dispatch(seconds=1):
        pass
    assert [path for path, _, _ in watchful.received] == ["/old"]
    line.settle()
    while line.dispatch(seconds=3):
        pass
    assert [path for path, _, _ in watchful.received] == ["/old", "/new", "/new"]
    assert watchful.ids() == [one["id"] for one in missed]
    watchful.close()
