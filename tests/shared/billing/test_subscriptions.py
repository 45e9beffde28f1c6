"""What owners do with their subscription, against the stateful stand-in: nothing is charged twice, nothing lost."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from shared.billing.errors import CardRefused, NothingToChange
from shared.billing.gateway.endings import Endings
from shared.billing.gateway.pages import Pages
from shared.billing.gateway.provision import StripeGateway
from shared.billing.gateway.subscriptions import Owner, Subscriptions
from shared.billing.model import Ends, Plan, SignUp
from tenant_context.clock import uuid7
from tenant_context.context import from_message
from tests.local.harness import StandIn

DAY = 86_400
TRIAL = 14 * DAY


@dataclass
class Desk:
    """One tenant with a trial of the starter plan."""

    stand_in: StandIn
    subscriptions: Subscriptions
    pages: Pages
    customer: str
    subscription: str
    tenant: Any

    def owner(self, key: str = "") -> Owner:
        return Owner(self.tenant, self.customer, key or uuid4().hex)

    def card(self, card: str = "pm_card_visa") -> None:
        self.stand_in.client.v1.payment_methods.attach(card, {"customer": self.customer})
        self.pages.adopt_card(self.customer)

    def pay(self) -> None:
        """A card, and the trial over."""
        self.card()
        self.stand_in.control("clock", advance=TRIAL + 60)

    def totals(self) -> list[int]:
        """What was invoiced, oldest first; trials of nothing left out."""
        found = self.stand_in.client.v1.invoices.list({"customer": self.customer, "limit": 100}).data
        return [invoice.total for invoice in reversed(found) if invoice.total]


@pytest.fixture
def desk(stand_in: StandIn, secret_name: str) -> Iterator[Desk]:
    def now() -> datetime:
        return datetime.fromtimestamp(stand_in.state()["now"], UTC)

    with (
        closing(StripeGateway(secret_name, stand_in.url)) as gateway,
        closing(Subscriptions(secret_name, stand_in.url, clock=now)) as subscriptions,
        closing(Pages(secret_name, stand_in.url)) as pages,
    ):
        tenant = from_message(uuid7(), "request")
        made = gateway.provision(tenant, SignUp("Acme", "owner@acme.example", Plan.STARTER, "acme"))
        yield Desk(stand_in, subscriptions, pages, made.customer, made.subscription, tenant.tenant)


def test_an_upgrade_is_in_force_at_once_and_charges_the_rest_of_the_period(desk: Desk) -> None:
    desk.pay()
    desk.stand_in.control("clock", advance=15 * DAY)
    told = desk.subscriptions.change(desk.owner(), Plan.PROFESSIONAL)
    assert (told.plan, told.status, told.next_plan) == (Plan.PROFESSIONAL, "active", None)
    first, rest = desk.totals()
    assert first == 4_900
    assert 0 < rest < 19_900 - 4_900


def test_an_upgrade_that_is_asked_for_again_charges_once(desk: Desk) -> None:
    desk.pay()
    for key in ("same", "same", "another"):
        desk.subscriptions.change(desk.owner(key), Plan.PROFESSIONAL)
    assert len(desk.totals()) == 2


def test_an_upgrade_whose_answer_got_lost_charges_once(desk: Desk) -> None:
    desk.pay()
    # Two calls with effect and without an answer: the call, and the library's repetition.
    desk.stand_in.control(
        "faults", drop=True, executed=True, count=2, match=f"POST /v1/subscriptions/{desk.subscription}"
    )
    with pytest.raises(Exception, match="does not answer"):
        desk.subscriptions.change(desk.owner("key"), Plan.PROFESSIONAL)
    assert desk.subscriptions.change(desk.owner("key"), Plan.PROFESSIONAL).plan is Plan.PROFESSIONAL
    assert len(desk.totals()) == 2


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("generic_decline", "The card was declined; give another one."),
        ("insufficient_funds", "The card's account does not hold enough for this payment."),
        ("expired_card", "The card has expired; give another one."),
    ],
)
def test_why_a_card_was_refused_is_a_sentence_for_its_owner(desk: Desk, code: str, sentence: str) -> None:
    desk.pay()
    desk.stand_in.control("payments", decline=1, code=code)
    with pytest.raises(CardRefused) as refused:
        desk.subscriptions.change(desk.owner(), Plan.ENTERPRISE)
    assert str(refused.value) == sentence


def test_an_upgrade_that_is_not_paid_changes_nothing(desk: Desk) -> None:
    desk.pay()
    desk.stand_in.control("payments", decline=1)
    with pytest.raises(CardRefused):
        desk.subscriptions.change(desk.owner(), Plan.ENTERPRISE)
    present = desk.subscriptions.reread(desk.tenant, desk.customer, "evt", datetime.now(UTC))
    assert present is not None
    assert (present.plan, present.status) == (Plan.STARTER, "active")


def test_a_downgrade_waits_for_the_periods_end_and_the_next_invoice_is_the_lower_one(desk: Desk) -> None:
    desk.pay()
    desk.subscriptions.change(desk.owner(), Plan.PROFESSIONAL)
    told = desk.subscriptions.change(desk.owner(), Plan.STARTER)
    assert (told.plan, told.next_plan) == (Plan.PROFESSIONAL, Plan.STARTER)
    assert told.period_end is not None
    desk.stand_in.control("clock", to=told.period_end.timestamp() + 60)
    later = desk.subscriptions.change(desk.owner(), Plan.STARTER)
    assert (later.plan, later.next_plan) == (Plan.STARTER, None)
    assert desk.totals()[-1] == 4_900


def test_a_downgrade_is_taken_back_without_a_charge(desk: Desk) -> None:
    desk.pay()
    desk.subscriptions.change(desk.owner(), Plan.PROFESSIONAL)
    before = desk.totals()
    desk.subscriptions.change(desk.owner(), Plan.STARTER)
    told = desk.subscriptions.change(desk.owner(), Plan.PROFESSIONAL)
    assert (told.plan, told.next_plan) == (Plan.PROFESSIONAL, None)
    assert desk.totals() == before
    desk.stand_in.control("clock", advance=32 * DAY)
    assert desk.totals()[-1] == 19_900


def test_an_upgrade_after_a_downgrade_credits_what_was_paid(desk: Desk) -> None:
    desk.pay()
    desk.subscriptions.change(desk.owner(), Plan.PROFESSIONAL)
    desk.subscriptions.change(desk.owner(), Plan.STARTER)
    told = desk.subscriptions.change(desk.owner(), Plan.ENTERPRISE)
    assert (told.plan, told.next_plan) == (Plan.ENTERPRISE, None)
    assert desk.totals()[-1] <= 99_900 - 19_900


@pytest.mark.parametrize("card", ["declined", "none"])
def test_a_downgrade_goes_on_waiting_when_an_upgrade_in_its_place_is_not_paid(desk: Desk, card: str) -> None:
    desk.pay()
    desk.subscriptions.change(desk.owner(), Plan.PROFESSIONAL)
    waiting = desk.subscriptions.change(desk.owner(), Plan.STARTER)
    paid = desk.totals()
    if card == "declined":
        desk.stand_in.control("payments", decline=2)
    else:
        none = {"invoice_settings": {"default_payment_method": ""}}
        desk.stand_in.client.v1.customers.update(desk.customer, none)
    for _ in range(2):
        with pytest.raises(CardRefused):
            desk.subscriptions.change(desk.owner("same"), Plan.ENTERPRISE)
        present = desk.subscriptions.present(desk.owner())
        assert (present.plan, present.next_plan, present.period_end) == (
            Plan.PROFESSIONAL, Plan.STARTER, waiting.period_end,
        )  # fmt: skip
    assert desk.totals() == paid
    desk.card()
    told = desk.subscriptions.change(desk.owner("same"), Plan.ENTERPRISE)
    assert (told.plan, told.next_plan) == (Plan.ENTERPRISE, None)
    assert 99_900 - 2 * 19_900 < desk.totals()[-1] <= 99_900 - 19_900


def test_a_downgrade_comes_when_an_upgrade_in_its_place_failed(desk: Desk) -> None:
    desk.pay()
    desk.subscriptions.change(desk.owner(), Plan.PROFESSIONAL)
    desk.subscriptions.change(desk.owner(), Plan.STARTER)
    desk.stand_in.control("payments", decline=1)
    with pytest.raises(CardRefused):
        desk.subscriptions.change(desk.owner(), Plan.ENTERPRISE)
    desk.stand_in.control("clock", advance=32 * DAY)
    assert desk.totals()[-1] == 4_900
    assert desk.subscriptions.present(desk.owner()).plan is Plan.STARTER


def test_an_upgrade_that_was_lost_on_its_way_leaves_the_downgrade_to_the_next_attempt(desk: Desk) -> None:
    desk.pay()
    desk.subscriptions.change(desk.owner(), Plan.PROFESSIONAL)
    desk.subscriptions.change(desk.owner(), Plan.STARTER)
    desk.stand_in.client.v1.subscriptions.update(
        desk.subscription,
        {
            "items": [{"id": item_of(desk), "price": price_of(desk, "rmap_professional_monthly")}],
            "proration_behavior": "none",
            "metadata": {"keeps_plan": "", "goes_down_to": "starter"},
        },
    )
    desk.stand_in.control("payments", decline=1)
    with pytest.raises(CardRefused):
        desk.subscriptions.change(desk.owner(), Plan.ENTERPRISE)
    present = desk.subscriptions.present(desk.owner())
    assert (present.plan, present.next_plan) == (Plan.PROFESSIONAL, Plan.STARTER)


def item_of(desk: Desk) -> str:
    return str(desk.stand_in.client.v1.subscriptions.retrieve(desk.subscription)["items"].data[0].id)


def price_of(desk: Desk, key: str) -> str:
    return str(desk.stand_in.client.v1.prices.list({"lookup_keys": [key]}).data[0].id)


def test_the_preview_is_what_the_upgrade_then_costs(desk: Desk) -> None:
    desk.pay()
    desk.stand_in.control("clock", advance=10 * DAY)
    preview = desk.subscriptions.preview(desk.owner(), Plan.PROFESSIONAL)
    assert preview["effective"] == "now"
    assert desk.totals() == [4_900]
    desk.subscriptions.change(desk.owner(), Plan.PROFESSIONAL)
    # Some seconds of the stand-in's time may lie between the two.
    assert abs(round(float(preview["due_now"]) * 100) - desk.totals()[-1]) <= 2


def test_the_preview_of_a_downgrade_costs_nothing_now(desk: Desk) -> None:
    desk.pay()
    preview = desk.subscriptions.preview(desk.owner(), Plan.FREE)
    assert (preview["effective"], preview["due_now"]) == ("period_end", "0.00")


def test_in_a_trial_plans_change_without_a_charge(desk: Desk) -> None:
    assert desk.subscriptions.change(desk.owner(), Plan.ENTERPRISE).plan is Plan.ENTERPRISE
    assert desk.subscriptions.change(desk.owner(), Plan.STARTER).plan is Plan.STARTER
    assert desk.totals() == []


def test_a_cancellation_waits_for_the_period_and_can_be_taken_back(desk: Desk) -> None:
    desk.pay()
    cancelled = [desk.subscriptions.cancel(desk.owner()) for _ in range(2)]
    assert [(told.cancels, told.status) for told in cancelled] == [(True, "active")] * 2
    assert not desk.subscriptions.resume(desk.owner()).cancels
    desk.stand_in.control("clock", advance=32 * DAY)
    assert desk.subscriptions.resume(desk.owner()).status == "active"


def test_after_a_cancelled_period_there_is_nothing_to_change_but_a_new_beginning(desk: Desk) -> None:
    desk.pay()
    desk.subscriptions.cancel(desk.owner())
    desk.stand_in.control("clock", advance=32 * DAY)
    with pytest.raises(NothingToChange):
        desk.subscriptions.change(desk.owner(), Plan.PROFESSIONAL)
    page = desk.pages.checkout(desk.owner(), Plan.PROFESSIONAL, "https://a.example/", "https://a.example/no")
    assert page["purpose"] == "subscription"
    desk.stand_in.control(f"checkout/{page['id']}/complete")
    told = desk.subscriptions.change(desk.owner(), Plan.PROFESSIONAL)
    assert (told.plan, told.status, told.tenant) == (Plan.PROFESSIONAL, "active", desk.tenant)
    assert [customer.id for customer in desk.stand_in.client.v1.customers.list().data] == [desk.customer]


def test_checking_out_beside_a_subscription_takes_a_card_and_makes_no_second_one(desk: Desk) -> None:
    pages = [desk.pages.checkout(desk.owner(), Plan.STARTER, "https://a.example/", "https://a.example/") for _ in "ab"]
    assert {page["purpose"] for page in pages} == {"card"}
    client = desk.stand_in.client.v1
    assert [client.checkout.sessions.retrieve(page["id"]).status for page in pages] == ["expired", "open"]
    desk.stand_in.control(f"checkout/{pages[1]['id']}/complete")
    desk.pages.adopt_card(desk.customer)
    desk.stand_in.control("clock", advance=TRIAL + 60)
    assert [one.status for one in client.subscriptions.list({"status": "all"}).data] == ["active"]
    assert desk.totals() == [4_900]


def test_a_card_wakes_a_subscription_that_paused_when_its_trial_ended(desk: Desk) -> None:
    desk.stand_in.control("clock", advance=TRIAL + 60)
    assert desk.stand_in.client.v1.subscriptions.retrieve(desk.subscription).status == "paused"
    desk.card()
    assert desk.stand_in.client.v1.subscriptions.retrieve(desk.subscription).status == "active"


def test_a_card_pays_what_is_open(desk: Desk) -> None:
    desk.pay()
    desk.stand_in.control("payments", decline=1)
    desk.stand_in.control("clock", advance=31 * DAY)
    assert desk.stand_in.client.v1.subscriptions.retrieve(desk.subscription).status == "past_due"
    desk.card()
    assert desk.stand_in.client.v1.subscriptions.retrieve(desk.subscription).status == "active"


def test_invoices_come_page_by_page(desk: Desk) -> None:
    desk.pay()
    desk.stand_in.control("clock", advance=65 * DAY)
    first = desk.subscriptions.invoices(desk.owner(), 2, "")
    assert first["more"]
    rest = desk.subscriptions.invoices(desk.owner(), 50, first["items"][-1]["id"])
    ids = [one["id"] for page in (first, rest) for one in page["items"]]
    assert len(ids) == len(set(ids)) == 4
    assert first["items"][0]["total"] == "49.00"


def test_the_portal_is_of_the_tenants_customer(desk: Desk) -> None:
    page = desk.pages.portal(desk.owner(), "https://a.example/")
    assert page["url"].startswith(desk.stand_in.url)


@pytest.fixture
def endings(stand_in: StandIn, secret_name: str) -> Iterator[Endings]:
    with closing(Endings(secret_name, stand_in.url)) as opened:
        yield opened


def now_at_stripe(desk: Desk) -> tuple[str, bool, bool]:
    found = desk.subscriptions.reread(desk.tenant, desk.customer, "evt", datetime.now(UTC))
    assert found is not None
    return str(found.status), found.cancels, found.closing


def test_who_is_being_closed_pays_no_further_period(desk: Desk, endings: Endings) -> None:
    desk.pay()
    for _ in range(3):
        endings.settle(desk.customer, Ends.WITH_PERIOD)
    assert now_at_stripe(desk) == ("active", True, True)
    desk.stand_in.control("clock", advance=90 * DAY)
    assert now_at_stripe(desk)[0] == "canceled"
    assert desk.totals() == [4_900]


def test_who_is_had_back_pays_on_and_lost_nothing(desk: Desk, endings: Endings) -> None:
    desk.pay()
    endings.settle(desk.customer, Ends.WITH_PERIOD)
    for _ in range(3):
        endings.settle(desk.customer, Ends.NEVER)
    assert now_at_stripe(desk) == ("active", False, False)
    desk.stand_in.control("clock", advance=32 * DAY)
    assert desk.totals() == [4_900, 4_900]


@pytest.mark.parametrize("first", ["cancelled", "closed"])
def test_what_the_owner_cancelled_stays_cancelled(desk: Desk, endings: Endings, first: str) -> None:
    desk.pay()
    if first == "closed":
        endings.settle(desk.customer, Ends.WITH_PERIOD)
    desk.subscriptions.cancel(desk.owner())
    endings.settle(desk.customer, Ends.WITH_PERIOD)
    endings.settle(desk.customer, Ends.NEVER)
    assert now_at_stripe(desk) == ("active", True, False)


def test_a_customer_without_a_subscription_is_deleted_too(desk: Desk, endings: Endings) -> None:
    bare = desk.stand_in.customer(card=None)
    for _ in range(2):
        endings.settle(bare, Ends.AT_ONCE)
    assert desk.stand_in.client.v1.customers.retrieve(bare).to_dict()["deleted"] is True


def test_who_is_closed_for_good_has_no_subscription_no_open_page_and_no_name_at_stripe(
    desk: Desk, endings: Endings
) -> None:
    desk.pay()
    page = desk.pages.checkout(desk.owner(), Plan.STARTER, "https://a.example/", "https://a.example/")
    for _ in range(3):
        endings.settle(desk.customer, Ends.AT_ONCE)
        assert desk.stand_in.client.v1.customers.retrieve(desk.customer).to_dict()["deleted"] is True
    assert now_at_stripe(desk)[0] == "canceled"
    assert desk.stand_in.client.v1.checkout.sessions.retrieve(page["id"]).status == "expired"
    assert desk.totals() == [4_900]
