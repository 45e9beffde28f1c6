"""Claims, log entries and ends of a batch in DynamoDB: each delivery's for itself, however many there are."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.outbound.model import Outcome
from shared.webhooks.model import Delivery, EndpointId, Message, MessageId, State, Wait
from shared.webhooks.repository import attempts
from shared.webhooks.repository.attempts import AttemptRepository, Claim, Claimed, Ending, Made, Standing
from shared.webhooks.repository.deliveries import DeliveryRepository
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.dynamo import Table, TenantTable
from tenant_context.dynamo_many import Update, Updated
from tests.functions.webhooks.stores import Resources

Tenants = tuple[TenantContext, TenantContext]
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("connections")
Open = Callable[..., Claim]


class Unhelpful(Table):
    """Answers no update that is sent with others; each has to be sent alone."""

    def update_many(self, updates: Sequence[Update]) -> list[Updated]:
        return [Updated(False, error="InternalServerError") for _ in updates]


@pytest.fixture(params=[Table, Unhelpful], ids=["together", "each alone"])
def repository(request: pytest.FixtureRequest, resources: Resources) -> AttemptRepository:
    return AttemptRepository(request.param(resources.table))


@pytest.fixture(name="opened")
def open_one(resources: Resources) -> Open:
    """Opens a delivery and asks for its first attempt."""
    deliveries = DeliveryRepository(Table(resources.table))

    def made(tenant: TenantContext, name: str = "me", lane: str = "") -> Claim:
        message = Message(MessageId(uuid7()), "campaign.launched", "{}", int(NOW.timestamp()) + 86_400)
        endpoint = EndpointId(uuid7())
        deliveries.open_deliveries(tenant, message, {endpoint: lane}, NOW)
        return Claim(tenant, Delivery(message, endpoint, 1), name)

    return made


def stands(resources: Resources, claim: Claim) -> Any:
    table = TenantTable(Table(resources.table), claim.tenant)
    return table.get(f"message#{claim.delivery.message.id}", f"delivery#{claim.delivery.endpoint}")


def other(claim: Claim, **changed: Any) -> Claim:
    return Claim(
        changed.get("tenant", claim.tenant),
        changed.get("delivery", claim.delivery),
        changed.get("name", "another"),
    )


def test_each_is_claimed_for_itself_and_once(repository: AttemptRepository, opened: Open, two_tenants: Tenants) -> None:
    acme, globex = two_tenants
    first, second, nobodys = opened(acme, lane="lane#1"), opened(globex), opened(acme)
    forged = other(nobodys, tenant=globex)
    assert repository.claim([first, forged, second], NOW) == [Claimed("lane#1"), None, Claimed()]
    again = repository.claim([other(first), other(second), nobodys], NOW)
    assert again == [Standing(State.WAITING, 0), Standing(State.WAITING, 0), Claimed()]
    assert repository.claim([first], NOW) == [Claimed("lane#1")]  # whoever has it may ask once more


def test_a_delivery_of_the_release_before_which_told_no_end_of_a_claim_is_claimed_too(
    repository: AttemptRepository, resources: Resources, opened: Open, two_tenants: Tenants
) -> None:
    claim = opened(two_tenants[0])
    table = TenantTable(Table(resources.table), claim.tenant)
    place = f"message#{claim.delivery.message.id}", f"delivery#{claim.delivery.endpoint}"
    table.update(*place, "REMOVE claimed_until", {})
    assert repository.claim([claim], NOW) == [Claimed()]
    assert repository.claim([other(claim)], NOW) == [Standing(State.WAITING, 0)]


def test_a_claim_ends_with_its_time(repository: AttemptRepository, opened: Open, two_tenants: Tenants) -> None:
    claim = opened(two_tenants[0])
    repository.claim([claim], NOW)
    late = NOW + attempts.LEASE
    assert repository.claim([other(claim)], late) == [Standing(State.WAITING, 0)]
    assert repository.claim([other(claim)], late + timedelta(seconds=1)) == [Claimed()]


ENDS: dict[str, tuple[Ending, dict[str, Any]]] = {
    "delivered": (Ending(State.DELIVERED), {"state": "delivered", "attempts": 1, "next_attempt_at": None}),
    "dead": (Ending(State.DEAD), {"state": "dead", "attempts": 1, "dead_for": "attempts"}),
    "waits": (
        Ending(State.WAITING, NOW),
        {"state": "waiting", "attempts": 1, "next_attempt_at": "2026-03-02T09:00:00Z"},
    ),
    "held": (
        Ending(State.HELD, held_for=Wait.CIRCUIT, attempted=False),
        {"state": "held", "attempts": 0, "held_for": "circuit"},
    ),
    "parked": (Ending(State.WAITING, NOW, is_parked=True), {"state": "waiting", "attempts": 1}),
}
INDEXED = {"dead", "held", "parked"}


def test_each_ends_as_its_claims_holder_says(
    repository: AttemptRepository, resources: Resources, opened: Open, two_tenants: Tenants
) -> None:
    claims = {name: opened(two_tenants[number % 2], name) for number, name in enumerate(ENDS)}
    lost = opened(two_tenants[0])
    repository.claim([*claims.values(), lost], NOW)
    repository.end(
        [*((claims[name], end) for name, (end, _) in ENDS.items()), (other(lost), Ending(State.DELIVERED))], now=NOW
    )
    for name, (_, expected) in ENDS.items():
        item = stands(resources, claims[name])
        assert {key: item[key] for key in expected} == expected
        assert ("claimed_by" in item, item["claimed_until"]) == (False, 0)
        assert ("gsi1pk" in item) == (name in INDEXED), name
    assert (stands(resources, lost)["state"], stands(resources, lost)["claimed_by"]) == ("waiting", "me")


def test_each_claims_call_is_in_the_log_once(
    repository: AttemptRepository, resources: Resources, opened: Open, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    mine = opened(acme, "1-mine")
    hung_up, answered = Outcome(None, "hung up"), Outcome(500)
    calls = [(mine, hung_up), (other(mine, name="2-another"), answered)]
    for one, outcome in [*calls, *calls]:
        repository.record([Made(one, "https://x.example/", NOW, {}, outcome)])
    items, _ = TenantTable(Table(resources.table), acme).query(f"message#{mine.delivery.message.id}")
    found = [(item["attempt"], item["status"], item["error"]) for item in items if "status" in item]
    assert found == [(1, None, "hung up"), (1, 500, answered.error)]
    assert len({item["gsi1sk"] for item in items if "status" in item}) == 2


def test_more_than_a_call_takes_are_several_calls(
    repository: AttemptRepository, resources: Resources, opened: Open, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    claims = [opened(acme) for _ in range(27)]
    assert repository.claim(claims, NOW) == [Claimed()] * 27
    outcome = Outcome(200, body=b"\xff", headers={"set-cookie": "x"}, timing={"total": 1.5})
    made = [Made(one, "https://x.example/", NOW, {"webhook-id": "1"}, outcome) for one in claims]
    for _ in range(2):  # repeating it changes nothing
        repository.record(made)
    repository.end([(one, Ending(State.DELIVERED)) for one in claims], now=NOW)
    table = TenantTable(Table(resources.table), acme)
    for one in claims:
        items, _ = table.query(f"message#{one.delivery.message.id}")
        [attempt, delivery] = items
        assert (delivery["state"], attempt["attempt"], attempt["status"], attempt["body"]) == ("delivered", 1, 200, "�")
        assert (attempt["tenant"], attempt["answered"]) == (str(acme.tenant), {"set-cookie": "(not shown)"})
