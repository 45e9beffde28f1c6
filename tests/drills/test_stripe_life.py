"""A subscription's life at the stateful stand-in: its own events, three times each, in every order, some of a second.

What is doubtful is read anew from Stripe, as the provisioner does it, before or after the events that follow.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import msgspec
import pytest

from shared.billing.errors import InvoiceOwed
from shared.billing.gateway.pages import Pages
from shared.billing.gateway.provision import StripeGateway
from shared.billing.gateway.subscriptions import Owner, Subscriptions
from shared.billing.gateway.told import read
from shared.billing.model import BillingEvent, Doubt, Outcome, Plan, Provisioned, SignUp
from shared.billing.service.following import Billing
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction
from tests.billing import billing_on
from tests.dynamo import watched
from tests.functions.billing.fixtures import closed_connections, errands, outcomes, secret_name, stand_in
from tests.functions.inbound.fixtures import field_key, place
from tests.functions.inbound.place import Place
from tests.local.harness import StandIn

__all__ = ["closed_connections", "errands", "field_key", "outcomes", "place", "secret_name", "stand_in"]
Tenants = tuple[TenantContext, TenantContext]
DAY = 86_400
SUBSCRIPTIONS = ("customer.subscription.",)


class Undone(Exception):
    """Ends a transaction that is not to be kept."""


@contextmanager
def undone(database: Database, tenant: TenantContext) -> Iterator[Transaction]:
    """A transaction that leaves nothing behind."""
    with suppress(Undone), database.transaction(tenant) as tx:
        yield tx
        raise Undone


@dataclass
class Life:
    """A tenant of Stripe's, and the ways to it."""

    stand_in: StandIn
    tenant: TenantContext
    made: Provisioned
    subscriptions: Subscriptions
    pages: Pages
    billing: Billing

    def owner(self, key: str) -> Owner:
        return Owner(self.tenant.tenant, self.made.customer, key)

    def card(self) -> None:
        self.stand_in.client.v1.payment_methods.attach("pm_card_visa", {"customer": self.made.customer})
        self.pages.adopt_card(self.made.customer)

    def events(self, kinds: tuple[str, ...] = SUBSCRIPTIONS) -> list[BillingEvent]:
        """What Stripe would post of the subscription, or of the invoices too, oldest first."""
        understood = [read(json.dumps(one).encode()) for one in self.posted(kinds)]
        return [one.about for one in understood if one is not None and isinstance(one.about, BillingEvent)]

    def posted(self, kinds: tuple[str, ...] = SUBSCRIPTIONS) -> list[dict[str, Any]]:
        """Stripe's own words of the subscription, or of the invoices too, oldest first."""
        listed = self.stand_in.client.v1.events.list({"limit": 100})
        found = [json.loads(json.dumps(one.to_dict(for_json=True))) for one in listed.auto_paging_iter()]
        return [one for one in reversed(found) if one["type"].startswith(kinds)]

    def hear(self, tx: Transaction, events: list[BillingEvent], luck: random.Random) -> list[Outcome]:
        """Follow them; a doubt is settled at once or some events later."""
        outcomes, doubts = [], []
        for event in events:
            outcomes.append(self.billing.followed(tx, event))
            if outcomes[-1] is Outcome.DOUBTFUL:
                doubts.append(self.billing.doubt(tx, event))
            if doubts and luck.random() < 0.5:
                self.settle(tx, doubts.pop(0))
        for doubt in doubts:
            self.settle(tx, doubt)
        return outcomes

    def settle(self, tx: Transaction, doubt: Doubt) -> None:
        """Ask Stripe until there is no doubt left."""
        for _ in range(5):
            read = self.subscriptions.reread(self.tenant.tenant, doubt.customer, doubt.event, doubt.created)
            assert read is not None
            if self.billing.followed(tx, read) is not Outcome.DOUBTFUL:
                return
            doubt = self.billing.doubt(tx, read)
        raise AssertionError("the doubt does not end")


def state(tx: Transaction) -> tuple[Any, ...] | None:
    return tx.one(
        "SELECT status, subscription_status, plan, billing_next_plan, billing_cancels, billing_period_end,"
        " stripe_customer_id, stripe_subscription_id, dunning_since IS NULL, billing_reason FROM tenants"
    )


@pytest.fixture
def life(stand_in: StandIn, secret_name: str, two_tenants: Tenants, table_name: str) -> Iterator[Life]:
    def now() -> datetime:
        return datetime.fromtimestamp(stand_in.state()["now"], UTC)

    acme = two_tenants[0]
    with (
        closing(StripeGateway(secret_name, stand_in.url)) as gateway,
        closing(Subscriptions(secret_name, stand_in.url, clock=now)) as subscriptions,
        closing(Pages(secret_name, stand_in.url)) as pages,
        watched(table_name) as table,
    ):
        made = gateway.provision(acme, SignUp("Acme", "owner@acme.example", Plan.STARTER, "acme"))
        yield Life(stand_in, acme, made, subscriptions, pages, billing_on(table))


def repeated(order: Sequence[BillingEvent], luck: random.Random) -> list[BillingEvent]:
    """An order of first words; each is told twice more, anywhere after its first: at once, or when all is over."""
    mixed = list(order)
    for event in luck.sample([*order, *order], 2 * len(order)):
        mixed.insert(luck.randint(mixed.index(event) + 1, len(mixed)), event)
    return mixed


def test_what_is_repeated_may_come_at_once_or_last_and_leaves_the_order(life: Life) -> None:
    (event,) = life.events()
    order = [replace(event, id=f"evt_{number}") for number in range(3)]
    mixes = [repeated(order, random.Random(seed)) for seed in range(40)]  # noqa: S311  orders to try, no secret
    assert any(mix[0] == mix[1] for mix in mixes)
    assert any(mix[-1] == order[0] for mix in mixes)
    for mix in mixes:
        assert [mix.count(one) for one in order] == [3, 3, 3]
        assert list(dict.fromkeys(mix)) == order


def in_every_order(database: Database, life: Life, events: list[BillingEvent]) -> set[tuple[Any, ...] | None]:
    """The states that all orders of the events end in, each told three times, the repetitions anywhere between."""
    ends = set()
    orders = list(permutations(events))
    for number, order in enumerate(orders):
        luck = random.Random(number)  # noqa: S311  an order to try, no secret
        mixed = repeated(order, luck)
        with undone(database, life.tenant) as tx:
            life.billing.provisioned(tx, life.made)
            life.hear(tx, mixed, luck)
            ends.add(state(tx))
    return ends


def test_five_events_of_a_life_three_times_in_every_order_end_in_one_state(database: Database, life: Life) -> None:
    life.card()
    life.stand_in.control("clock", advance=14 * DAY + 60)
    life.stand_in.control("clock", advance=5 * DAY)
    life.subscriptions.change(life.owner("up"), Plan.PROFESSIONAL)
    life.stand_in.control("clock", advance=DAY)
    life.subscriptions.cancel(life.owner("stop"))
    life.stand_in.control("clock", advance=40 * DAY)
    found = life.events()
    told = [found[0], *found[-4:]]
    assert told[-1].status == "canceled"
    ends = in_every_order(database, life, told)
    assert [end[:3] for end in ends if end] == [("restricted", "canceled", "professional")]


@pytest.fixture
def door(place: Place) -> Callable[[Mapping[str, Any]], list[BillingEvent]]:
    """Stripe's door as it is deployed: posts a signed body, has it worked on, and reads what billing was told."""

    def post(event: Mapping[str, Any]) -> list[BillingEvent]:
        assert place.stripe(json.dumps(event))["status"] == 200
        place.work()
        return [msgspec.convert(told["data"], BillingEvent) for told in place.outcomes.messages()]

    return post


def test_a_shuffled_life_through_the_signed_door_ends_as_stripe_has_it(
    database: Database, life: Life, door: Callable[[Mapping[str, Any]], list[BillingEvent]]
) -> None:
    life.card()
    life.stand_in.control("clock", advance=14 * DAY + 60)
    life.stand_in.control("clock", advance=5 * DAY)
    life.subscriptions.change(life.owner("up"), Plan.PROFESSIONAL)
    life.stand_in.control("clock", advance=DAY)
    life.subscriptions.cancel(life.owner("stop"))
    life.stand_in.control("clock", advance=40 * DAY)
    words = {one["id"]: one for one in life.posted()}
    luck = random.Random(7)  # noqa: S311  an order to try, no secret
    order = repeated(luck.sample(told := life.events(), len(told)), luck)
    heard = [queued for event in order for queued in door(words[event.id])]
    assert heard == list({event.id: event for event in order}.values()), "what Stripe said, in its order, each once"
    with undone(database, life.tenant) as tx:
        life.billing.provisioned(tx, life.made)
        outcomes = life.hear(tx, heard, luck)
        assert Outcome.REPEATED not in outcomes
        end = state(tx)
        assert end is not None
        assert end[:3] == ("restricted", "canceled", "professional")


def test_five_events_of_one_second_are_settled_by_asking_stripe(database: Database, life: Life) -> None:
    """Within a second times tell nothing: only Stripe knows what was last."""
    life.card()
    life.stand_in.control("clock", advance=14 * DAY + 60)
    for key, plan in (("1", Plan.PROFESSIONAL), ("2", Plan.STARTER), ("3", Plan.ENTERPRISE)):
        life.subscriptions.change(life.owner(key), plan)
    life.subscriptions.cancel(life.owner("4"))
    found = life.events()[-5:]
    second = max(event.created for event in found)
    told = [replace(one, created=second) for one in found]
    ends = in_every_order(database, life, told)
    assert [end[:5] for end in ends if end] == [("active", "active", "enterprise", None, True)]


INVOICES = (*SUBSCRIPTIONS, "invoice.payment_failed", "invoice.paid", "invoice.voided", "invoice.marked_uncollectible")


def owing(life: Life) -> list[BillingEvent]:
    """A subscription whose first payment failed, and the words that told of it."""
    life.card()
    life.stand_in.control("payments", decline=1)
    life.stand_in.control("clock", advance=14 * DAY + 60)
    return [one for one in life.events(INVOICES) if one.status == "past_due" or one.reason]


def open_invoice(life: Life) -> str:
    (found,) = life.stand_in.client.v1.invoices.list({"customer": life.made.customer, "status": "open"}).data
    return str(found.id)


@pytest.mark.parametrize("end", ["paid", "voided", "written off"])
def test_a_failed_payment_and_its_end_lead_to_one_state_in_every_order(
    database: Database, life: Life, end: str
) -> None:
    """Invoices have an order of their own; one that is written off is owed all the same, as Stripe goes on."""
    failed = owing(life)
    (reason,) = {one.reason for one in failed if one.reason}
    invoice = open_invoice(life)
    match end:
        case "paid":
            life.stand_in.control("clock", advance=10 * DAY)
        case "voided":
            life.stand_in.client.v1.invoices.void_invoice(invoice)
        case _:
            life.stand_in.client.v1.invoices.mark_uncollectible(invoice)
    told = failed + life.events(INVOICES)[-2:]
    assert len(told) == 4, [(one.type, one.status) for one in told]
    ends = in_every_order(database, life, told)
    owed = ("past_due", "active", f"Invoice {invoice} is not paid.")
    assert [(*one[:2], one[-1]) for one in ends if one] == [owed if end == "written off" else ("active", "active", "")]
    ends = in_every_order(database, life, told[:2])
    assert [(*one[:2], one[-1]) for one in ends if one] == [("past_due", "past_due", reason)]


def test_a_debt_is_not_shed_by_cancelling_and_beginning_anew(database: Database, life: Life) -> None:
    """Nor by a page that was opened before anything was owed."""
    owing(life)
    life.stand_in.control("payments", decline=100)
    life.subscriptions.cancel(life.owner("stop"))
    life.stand_in.control("clock", advance=40 * DAY)
    invoice = open_invoice(life)
    urls = ("https://a.example/", "https://a.example/")
    with pytest.raises(InvoiceOwed, match=f"/invoice/{invoice}"):
        life.pages.checkout(life.owner("again"), Plan.FREE, *urls)
    price = life.stand_in.client.v1.prices.list({"lookup_keys": ["rmap_free"]}).data
    asked: Any = {
        "customer": life.made.customer,
        "items": [{"price": price[0].id if price else life.pages._price_of(life.stand_in.client, Plan.FREE)}],
        "metadata": {"tenant": str(life.tenant.tenant)},
    }
    life.stand_in.client.v1.subscriptions.create(asked)
    with database.transaction(life.tenant) as tx:
        luck = random.Random(1)  # noqa: S311  as above
        life.billing.provisioned(tx, life.made)
        life.hear(tx, life.events(INVOICES), luck)
        end = state(tx)
        assert end is not None
        assert (end[:3], end[8]) == (("past_due", "active", "free"), False)
    life.stand_in.client.v1.invoices.pay(invoice, {"paid_out_of_band": True})
    with database.transaction(life.tenant) as tx:
        life.hear(tx, life.events(INVOICES)[-1:], luck)
        end = state(tx)
        assert end is not None
        assert (end[:3], end[8]) == (("active", "active", "free"), True)


def test_a_second_subscription_of_the_customer_takes_over_when_the_first_has_ended(
    database: Database, life: Life
) -> None:
    life.card()
    life.stand_in.control("clock", advance=14 * DAY + 60)
    life.subscriptions.cancel(life.owner("stop"))
    life.stand_in.control("clock", advance=40 * DAY)
    page = life.pages.checkout(life.owner("again"), Plan.PROFESSIONAL, "https://a.example/", "https://a.example/")
    life.stand_in.control(f"checkout/{page['id']}/complete")
    found = life.events()
    told = [found[0], *found[-4:]]
    assert len({event.subscription for event in told}) == 2
    ends = in_every_order(database, life, told)
    assert [end[:3] for end in ends if end] == [("active", "active", "professional")]
    (end,) = ends
    assert end is not None
    assert end[6:8] == (life.made.customer, told[-1].subscription)


def test_replaying_the_inbox_ends_where_its_events_lead(database: Database, life: Life) -> None:
    life.card()
    life.stand_in.control("clock", advance=14 * DAY + 60)
    life.subscriptions.change(life.owner("up"), Plan.PROFESSIONAL)
    events = life.events()
    with database.transaction(life.tenant) as tx:
        life.hear(tx, events, random.Random(1))  # noqa: S311  as above
        before = state(tx)
    with database.transaction(life.tenant) as tx:
        # As if a fault of ours had spoilt it.
        tx.run("UPDATE tenants SET plan = 'free', subscription_status = 'past_due', billing_cancels = true")
    for _ in range(2):
        with database.transaction(life.tenant) as tx:
            life.billing.replayed(tx, None)
            assert state(tx) == before
