"""Stripe's objects, as far as they matter here, and what they say of a tenant."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec

from shared.billing.errors import Nonsense
from shared.billing.model import Bill, BillingEvent, Plan
from shared.billing.rules import PLAN_OF

ENDS_FOR, CLOSING = "ends_for", "closing"
"""The mark in a subscription's metadata that its end is ours to take back: an owner's cancellation bears none."""
GOES_DOWN_TO = "goes_down_to"
"""The lower plan of a downgrade, while an upgrade in its place is being paid: it waits again where that fails."""
_LONGEST_NAME = 255
_LAST_SECOND = 4_102_444_800
"""The year 2100."""


class Lookup(msgspec.Struct):
    """A price."""

    id: str = ""
    lookup_key: str | None = None


class Item(msgspec.Struct):
    """An item of a subscription."""

    id: str = ""
    price: Lookup = msgspec.field(default_factory=Lookup)
    current_period_end: int | None = None


class Items(msgspec.Struct):
    """The items of a subscription."""

    data: list[Item] = []


class SubscriptionDetails(msgspec.Struct):
    """What an invoice says of its subscription."""

    subscription: str = ""
    metadata: dict[str, str] | None = None


class Parent(msgspec.Struct):
    """What an invoice is for."""

    subscription_details: SubscriptionDetails | None = None


_Cents = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]


class Thing(msgspec.Struct):
    """A subscription, an invoice or a checkout session; amounts in cents."""

    id: str = ""
    object: str = ""
    customer: str | None = None
    status: str | None = None
    mode: str | None = None
    metadata: dict[str, str] | None = None
    items: Items = msgspec.field(default_factory=Items)
    parent: Parent | None = None
    trial_end: int | None = None
    cancel_at_period_end: bool = False
    number: str | None = None
    currency: str | None = None
    total: _Cents = 0
    amount_due: _Cents = 0
    amount_paid: _Cents = 0

    @property
    def tenant(self) -> UUID | None:
        """Whose it is, by its metadata or its subscription's."""
        details = self.parent.subscription_details if self.parent else None
        metadata = (details.metadata if self.object == "invoice" and details else self.metadata) or {}
        try:
            return UUID(metadata.get("tenant", ""))
        except ValueError:
            return None

    @property
    def price_plan(self) -> Plan | None:
        """The plan whose price is paid."""
        keys = [item.price.lookup_key for item in self.items.data]
        return next((PLAN_OF[key] for key in keys if key in PLAN_OF), None)

    @property
    def is_closing(self) -> bool:
        """Whether it ends because its organization is being closed."""
        return self.cancel_at_period_end and (self.metadata or {}).get(ENDS_FOR) == CLOSING

    @property
    def period_end(self) -> datetime | None:
        """The end of what is paid for."""
        return moment(self.items.data[0].current_period_end) if self.items.data else None

    def goes_down_to(self, at: datetime) -> Plan | None:
        """The lower plan, from the next period on, that an upgrade was tried in the place of."""
        return self._until_kept(at, GOES_DOWN_TO)

    def kept_plan(self, at: datetime) -> Plan | None:
        """The plan that a downgrade leaves in force until the period that was paid for ends."""
        return self._until_kept(at, "keeps_plan")

    def _until_kept(self, at: datetime, name: str) -> Plan | None:
        metadata = self.metadata or {}
        until = metadata.get("keeps_until", "")
        if re.fullmatch(r"[0-9]{1,12}", until) is None or int(until) <= at.timestamp():
            return None
        return next((plan for plan in Plan if plan == metadata.get(name)), None)


def moment(seconds: int | None) -> datetime | None:
    """A time of Stripe's. Errors: Nonsense, for one that is not of this age."""
    if seconds is None:
        return None
    if not 0 <= seconds < _LAST_SECOND:
        raise Nonsense(f"A time of {str(seconds)[:20]} seconds is none of Stripe's.")
    return datetime.fromtimestamp(seconds, UTC)


def named(text: str) -> str:
    """A name of Stripe's: an id, a type, a status. Errors: Nonsense, for what no row can keep or nobody can read."""
    if len(text) > _LONGEST_NAME or not text.isprintable():
        raise Nonsense(f"{text[:20]!a} … is no name of Stripe's.")
    return text


def money(cents: int) -> str:
    """An amount as the API tells it."""
    return str((Decimal(cents) / 100).quantize(Decimal("0.01")))


def bill(invoice: Thing) -> Bill:
    """What an invoice comes to. Errors: Nonsense."""
    return Bill(
        number=None if invoice.number is None else named(invoice.number),
        status=named(invoice.status or ""),
        currency=named((invoice.currency or "").upper()),
        total=money(invoice.total),
        amount_due=money(invoice.amount_due),
        amount_paid=money(invoice.amount_paid),
    )


def thing(answer: Any) -> Thing:
    """An object of the library's."""
    return msgspec.convert(answer.to_dict(), Thing)


def told_of_subscription(found: Thing, event: str, kind: str, at: datetime, tenant: UUID) -> BillingEvent:
    """What a subscription says, as an event of a moment. Errors: Nonsense."""
    kept = found.kept_plan(at)
    return BillingEvent(
        id=named(event),
        type=named(kind),
        created=at,
        tenant=tenant,
        customer=named(found.customer or ""),
        subscription=named(found.id),
        status=None if found.status is None else named(found.status),
        plan=kept or found.price_plan,
        period_end=found.period_end,
        trial_end=moment(found.trial_end),
        cancels=found.cancel_at_period_end,
        next_plan=found.price_plan if kept else None,
        closing=found.is_closing,
    )
