"""The words of billing. What travels through the queues is these dataclasses as JSON."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tenant_context.states import State


class Plan(StrEnum):
    """What a tenant can subscribe to."""

    FREE = "free"
    STARTER = "starter"
    PROFESSIONAL = "professional"
    ENTERPRISE = "enterprise"


class Kind(StrEnum):
    """What the messages of the two billing queues are about."""

    PROVISION = "billing.provision"
    """To the provisioner: data is a `SignUp`."""
    CUSTOMER_MADE = "billing.customer_made"
    """To the outcomes: data is a `CustomerMade`; the subscription is still to come."""
    PROVISIONED = "billing.provisioned"
    """To the outcomes: data is a `Provisioned`."""
    DELAYED = "billing.delayed"
    """To the outcomes: data is a `Setback`; it is being tried again."""
    FAILED = "billing.failed"
    """To the outcomes: data is a `Setback`; nobody tries again before an operator redrives the message."""
    EVENT = "billing.event"
    """To the outcomes: data is a `BillingEvent`."""
    REREAD = "billing.reread"
    """To the provisioner: data is a `Doubt`; the answer to the outcomes is an `EVENT` of that type."""
    CARD_ADDED = "billing.card_added"
    """To the provisioner: data is a `CardAdded`."""
    ENDING = "billing.ending"
    """To the provisioner: data is an `Ending`."""
    MOVED = "billing.moved"
    """To the outcomes: data is a `Moved`."""
    REPLAY = "billing.replay"
    """To the outcomes, by an operator: data is a `Replay`."""


@dataclass(frozen=True, slots=True)
class PlanPrice:
    """A plan's monthly price in the currency's smallest unit; the two ids are ours, so each exists once."""

    plan: Plan
    name: str
    product: str
    lookup_key: str
    unit_amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class SignUp:
    """Who has just signed up: the organization's name and slug, its owner's mail address, the plan it tries."""

    name: str
    email: str
    plan: Plan
    slug: str
    customer: str | None = None
    """Whom Stripe knows it as, where an earlier attempt came so far."""


@dataclass(frozen=True, slots=True)
class CustomerMade:
    """A tenant's customer, kept as soon as it is there: whatever becomes of its owners, it gets no second one."""

    customer: str


@dataclass(frozen=True, slots=True)
class Provisioned:
    """A tenant's customer and subscription as Stripe made them; `as_of` is the subscription's birth."""

    customer: str
    subscription: str
    status: str
    plan: Plan
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Setback:
    """Why billing is not set up yet, in a sentence for the owner."""

    reason: str


@dataclass(frozen=True, slots=True)
class Bill:
    """What an invoice comes to; amounts as the API tells them, in the currency's unit."""

    number: str | None
    status: str
    currency: str
    total: str
    amount_due: str
    amount_paid: str


@dataclass(frozen=True, slots=True)
class BillingEvent:
    """What one of Stripe's events says of a tenant; `created` is Stripe's time, in whole seconds.

    Of a subscription: its status, and the plan when its price is one of ours. Of an invoice: its id, its subscription,
    and in `reason` why its payment failed.
    """

    id: str
    type: str
    created: datetime
    tenant: UUID
    customer: str
    subscription: str
    status: str | None = None
    plan: Plan | None = None
    reason: str = ""
    period_end: datetime | None = None
    trial_end: datetime | None = None
    cancels: bool = False
    """Whether the subscription ends with its period."""
    next_plan: Plan | None = None
    """The plan from the next period on, where a downgrade waits."""
    closing: bool = False
    """Whether it ends because the organization is being closed, and not because an owner cancelled it."""
    invoice: str = ""
    bill: Bill | None = None
    """What the invoice comes to, where that was told."""


class Ends(StrEnum):
    """When what an organization pays is to end because of its own life."""

    WITH_PERIOD = "with-period"
    AT_ONCE = "at-once"
    """Closed for good: the customer is deleted at Stripe, too."""
    NEVER = "never"
    """Not because of that: it goes on, unless an owner cancelled it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """When a customer's subscriptions are to end."""

    customer: str
    ends: Ends


@dataclass(frozen=True, slots=True)
class Moved:
    """A move of an organization's life, as the event tenant.state_changed tells it."""

    before: State
    after: State


@dataclass(frozen=True, slots=True)
class Doubt:
    """Two words that contradict each other: the customer whose subscription is read anew, for the second they name."""

    event: str
    created: datetime
    customer: str


@dataclass(frozen=True, slots=True)
class CardAdded:
    """A customer who gave a card on a page of Stripe's."""

    customer: str


@dataclass(frozen=True, slots=True)
class Replay:
    """What of the inbox is judged anew: everything since a moment, or all of it."""

    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class BillingState:
    """What is known of a tenant's billing; `as_of` is the moment in Stripe's time that it was so."""

    plan: str
    status: State
    reason: str
    as_of: datetime | None
    customer: str | None
    subscription: str | None
    subscription_status: str | None
    period_end: datetime | None = None
    trial_end: datetime | None = None
    cancels: bool = False
    next_plan: str | None = None
    dunning_since: datetime | None = None
    dunning_stage: str = ""
    """What not paying has led to: nothing yet, `restricted` or `suspended`."""
    held: State | None = None
    """What an operator ordered: billing makes it no less."""
    version: int = 0
    """Of the tenant's row: another one says that something was kept since it was read."""
    leaving: bool = False
    """Whether its owner wishes to close it, whatever its state is meanwhile."""


@dataclass(frozen=True, slots=True)
class Unpaid:
    """What the inbox tells of a customer's invoices; one is unpaid until it is paid or voided, written off or not."""

    since: datetime | None
    """When the payment of the first one that is unpaid failed; None: there is none."""
    invoice: str
    settled: bool
    """Whether payments had failed, and every one of those invoices was paid or voided by now."""


class Outcome(StrEnum):
    """What became of something that was said about a tenant's billing."""

    APPLIED = "applied"
    REPEATED = "repeated"
    OUTDATED = "outdated"
    """Something newer was applied before."""
    UNRELATED = "unrelated"
    """It concerns another customer or an earlier subscription, or changes nothing here."""
    DOUBTFUL = "doubtful"
    """It contradicts another word of the same second, or names another subscription: Stripe is asked."""


@dataclass(frozen=True, slots=True)
class Reminder:
    """A step of dunning: so many days after the first payment failed, which mail, and what it leads to."""

    name: str
    day: int
    mail: str
    stage: str
