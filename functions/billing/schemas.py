"""The wire's shapes of billing."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from tenant_context.wire import In, Moment, Out, WebAddress

Paid = Literal["free", "starter", "professional", "enterprise"]


class CheckoutIn(In):
    """A page of Stripe's to begin a plan on, and where it leads back to."""

    plan: Paid
    success_url: WebAddress
    cancel_url: WebAddress


class CheckoutOut(Out):
    """The page; `purpose` is `card` while there is a subscription, for which the card is then used."""

    id: str
    url: str
    purpose: Literal["card", "subscription"]


class PortalIn(In):
    """Where Stripe's portal leads back to."""

    return_url: WebAddress


class PortalOut(Out):
    """The portal."""

    id: str
    url: str


class PlanIn(In):
    """The plan that is wished for."""

    plan: Paid


class SubscriptionOut(Out):
    """The subscription; `next_plan` and `cancels` take effect at `period_end`. `dunning_since`: something is owed."""

    plan: str
    status: str
    reason: str
    as_of: Moment | None
    customer: str | None
    subscription: str | None
    subscription_status: str | None
    period_end: Moment | None
    trial_end: Moment | None
    cancels: bool
    next_plan: str | None
    dunning_since: Moment | None
    dunning_stage: str


class PreviewLine(Out):
    """One line of the invoice to come; credits are negative."""

    description: str
    amount: str


class PreviewOut(Out):
    """What a change of plan costs: `due_now` is taken at once, where it takes effect `now`."""

    plan: str
    effective: Literal["now", "period_end"]
    effective_at: Moment
    currency: str
    due_now: str
    lines: list[PreviewLine]


class InvoiceOut(Out):
    """An invoice; `url` is its page at Stripe."""

    id: str
    number: str | None
    status: str | None
    currency: str
    total: str
    amount_due: str
    amount_paid: str
    created_at: Moment
    url: str | None
    pdf: str | None


class InvoicePage(Out):
    """Invoices, newest first."""

    items: list[InvoiceOut]
    next_cursor: str | None


class InvoiceQuery(In):
    """Which page of invoices."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None


class UsageQuery(In):
    """Which month, as 2026-11; the present one (UTC) when left out."""

    month: Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")] | None = None


class MeterOut(Out):
    """A meter's month: `included` by the plan, null without limit; `pushed` is what Stripe has been told."""

    meter: str
    quantity: int
    included: int | None
    percent: float | None
    pushed: int
    alerts: list[int]


class UsageOut(Out):
    """What was used in a month."""

    month: str
    plan: str
    meters: list[MeterOut]


class HoursQuery(In):
    """From when (inclusive) to when (exclusive); 31 days at most."""

    meter: Literal["api_calls", "ingested_rows", "webhook_deliveries", "active_users", "storage_bytes"] = "api_calls"
    from_: Annotated[Moment | None, Field(alias="from")] = None
    to: Moment | None = None


class HourOut(Out):
    """One hour's usage."""

    hour: Moment
    quantity: int


class HoursOut(Out):
    """Usage hour by hour; hours without any are left out."""

    meter: str
    items: list[HourOut]
