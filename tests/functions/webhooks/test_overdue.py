"""A delivery whose message is in the dead-letter queue of our own queue: it says so, and can be made all the same."""

import json
from datetime import timedelta
from typing import Any

from tenant_context.clock import rfc3339, utc_now
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table, TenantTable
from tests.functions.webhooks.line import Context, Line, campaign_event, fan_out
from tests.functions.webhooks.stores import Receiver

Tenants = tuple[TenantContext, TenantContext]


class Lost:
    """A delivery whose message is out of its queue, for other reasons than that it was worked on."""

    def __init__(self, line: Line, receiver: Receiver, tenant: TenantContext, **more: Any) -> None:
        self.line, self.tenant = line, tenant
        self.endpoint = line.endpoint(tenant, receiver.url, "campaign.*", **more)["id"]
        line.settle()
        self.event = campaign_event("campaign.launched")
        fan_out(line, self.event.envelope(tenant.tenant, utc_now()))
        [self.letter] = line.resources.receive(line.resources.deliveries, seconds=5)
        line.resources.done(line.resources.deliveries, self.letter)
        self.address = f"webhooks/endpoints/{self.endpoint}/messages/{self.event.id}"

    def shown(self) -> tuple[str, bool]:
        """Its state, and whether it is overdue."""
        found = self.line.api(self.tenant, "GET", self.address).json
        return found["state"], found["overdue"]

    def waits(self, **time: float) -> None:
        """So much time has passed since."""
        table, place = TenantTable(Table(self.line.resources.table), self.tenant), f"message#{self.event.id}"
        then = {":then": rfc3339(utc_now() - timedelta(**time))}
        table.update(place, f"delivery#{self.endpoint}", "SET updated_at = :then, created_at = :then", then)

    def resend(self) -> int:
        """Ask for it to be made; the answer's status."""
        return self.line.api(self.tenant, "POST", f"{self.address}/resend").status

    def flow(self) -> None:
        """Work on what is queued, until nothing comes for a while."""
        while self.line.dispatch(seconds=2):
            pass


def test_a_delivery_that_nothing_asks_for_is_overdue_after_an_hour_and_can_be_resent(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    lost = Lost(line, receiver, two_tenants[0])
    lost.waits(minutes=59)
    assert (lost.shown(), lost.resend()) == (("waiting", False), 409)
    lost.waits(minutes=61)
    assert lost.shown() == ("waiting", True)
    assert lost.resend() == 202
    lost.flow()
    assert lost.shown() == ("delivered", False)
    assert line.dispatcher({"Records": [lost.letter]}, Context()) == {"batchItemFailures": []}  # it is redriven now
    assert len(receiver.received) == 1


def test_one_that_is_redriven_before_it_was_made_again_is_made_once(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    lost = Lost(line, receiver, two_tenants[0])
    lost.waits(hours=2)
    assert lost.resend() == 202
    assert line.dispatcher({"Records": [lost.letter]}, Context()) == {"batchItemFailures": []}
    lost.flow()
    assert (lost.shown(), len(receiver.received)) == (("delivered", False), 1)


def test_one_that_an_attempt_is_under_way_of_is_not_overdue(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    lost = Lost(line, receiver, two_tenants[0])
    lost.waits(hours=2)
    seen: list[tuple[str, bool]] = []
    receiver.before = lambda: seen.append(lost.shown())  # type: ignore[method-assign]
    assert line.dispatcher({"Records": [lost.letter]}, Context()) == {"batchItemFailures": []}
    assert seen == [("waiting", False)]


def test_those_behind_an_overdue_one_in_its_lane_go_on_after_it_was_resent(
    line: Line, receiver: Receiver, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    lost = Lost(line, receiver, acme, ordering="entity")
    later = campaign_event("campaign.launched")
    fan_out(line, {**later.envelope(acme.tenant, utc_now()), "subject": lost.event.subject})
    lost.flow()
    assert receiver.received == []
    lost.waits(hours=2)
    assert lost.resend() == 202
    lost.flow()
    assert [json.loads(body)["id"] for _, _, body in receiver.received] == [str(lost.event.id), str(later.id)]


def test_globex_cannot_resend_an_overdue_delivery_of_acme(line: Line, receiver: Receiver, two_tenants: Tenants) -> None:
    lost = Lost(line, receiver, two_tenants[0])
    lost.waits(hours=2)
    assert line.api(two_tenants[1], "POST", f"{lost.address}/resend").status == 404
    assert lost.shown() == ("waiting", True)
