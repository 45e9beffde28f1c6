"""The addresses of billing.

Changes ask Stripe first and keep afterwards what is so there, so they open no transaction while it is waited for. A
repeated Idempotency-Key is repeated to Stripe until its change was made, and changes nothing from then on.
"""

from dataclasses import dataclass
from typing import Any

from functions.billing.schemas import (
    CheckoutIn,
    CheckoutOut,
    HoursOut,
    HoursQuery,
    InvoicePage,
    InvoiceQuery,
    PlanIn,
    PortalIn,
    PortalOut,
    PreviewOut,
    SubscriptionOut,
    UsageOut,
    UsageQuery,
)
from shared.billing.errors import BillingPending, PaymentRefused
from shared.billing.service.account import BillingAccount
from shared.usage.service.reading import UsageReader
from tenant_context.routing import Answer, Call, Routes

routes = Routes()
_REFUSED = (PaymentRefused.status, BillingPending.status)
"""What Stripe's side may answer: billing-pending, billing-refused, no-subscription and organization-closing are 409."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the addresses use."""

    account: BillingAccount
    usage: UsageReader


def _key(call: Call[Any]) -> str | None:
    return call.headers.get("idempotency-key")


@routes.read("/api/v1/billing", permission="billing.read", answer=SubscriptionOut)
def show(call: Call[None], desk: Desk) -> Answer:
    """Read the subscription: its plan, its status, and why billing is not ready where it is not."""
    return Answer(desk.account.show(call.tenant))


@routes.act(
    "POST",
    "/api/v1/billing/checkout",
    permission="billing.write",
    body=CheckoutIn,
    answer=CheckoutOut,
    recent=True,
    fails=_REFUSED,
)
def checkout(call: Call[CheckoutIn], desk: Desk) -> Answer:
    """Open a page of Stripe's to begin a plan, or, while there is a subscription, to give the card that pays it."""
    return Answer(desk.account.ask(call.tenant, "checkout", _key(call), **call.body.model_dump()))


@routes.act(
    "POST",
    "/api/v1/billing/portal",
    permission="billing.write",
    body=PortalIn,
    answer=PortalOut,
    recent=True,
    fails=_REFUSED,
)
def portal(call: Call[PortalIn], desk: Desk) -> Answer:
    """Open Stripe's portal, with the cards and the invoices."""
    return Answer(desk.account.ask(call.tenant, "portal", _key(call), **call.body.model_dump()))


@routes.act("POST", "/api/v1/billing/preview", permission="billing.read", body=PlanIn, answer=PreviewOut, fails=(409,))
def preview(call: Call[PlanIn], desk: Desk) -> Answer:
    """See what another plan would cost, now and at the period's end; nothing is changed.

    No plan is bought, nor gone on with, while the organization is being closed, held by the platform or suspended.
    """
    return Answer(desk.account.ask(call.tenant, "preview", plan=call.body.plan))


@routes.act(
    "POST",
    "/api/v1/billing/plan",
    permission="billing.write",
    body=PlanIn,
    answer=SubscriptionOut,
    recent=True,
    fails=_REFUSED,
)
def change(call: Call[PlanIn], desk: Desk) -> Answer:
    """Change the plan: a higher one now, the rest of the period charged; a lower one when the period ends."""
    return Answer(desk.account.change(call.tenant, "change", _key(call), plan=call.body.plan))


@routes.act(
    "POST",
    "/api/v1/billing/cancel",
    permission="billing.write",
    answer=SubscriptionOut,
    recent=True,
    fails=_REFUSED,
)
def cancel(call: Call[None], desk: Desk) -> Answer:
    """End the subscription with its period; until then everything stays."""
    return Answer(desk.account.change(call.tenant, "cancel", _key(call)))


@routes.act(
    "POST",
    "/api/v1/billing/resume",
    permission="billing.write",
    answer=SubscriptionOut,
    recent=True,
    fails=_REFUSED,
)
def resume(call: Call[None], desk: Desk) -> Answer:
    """Take a cancellation back, or begin to pay after a trial that ended without a card."""
    return Answer(desk.account.change(call.tenant, "resume", _key(call)))


@routes.read(
    "/api/v1/billing/invoices", permission="billing.read", query=InvoiceQuery, answer=InvoicePage, fails=(409,)
)
def invoices(call: Call[None], desk: Desk) -> Answer:
    """List invoices, newest first."""
    query: InvoiceQuery = call.query
    return Answer(desk.account.invoices(call.tenant, limit=query.limit, cursor=query.cursor))


@routes.read("/api/v1/billing/usage", permission="billing.read", query=UsageQuery, answer=UsageOut)
def usage(call: Call[None], desk: Desk) -> Answer:
    """Read what was used in a month, beside what the plan includes."""
    return Answer(desk.usage.month(call.tenant, call.query.month))


@routes.read("/api/v1/billing/usage/hours", permission="billing.read", query=HoursQuery, answer=HoursOut)
def hours(call: Call[None], desk: Desk) -> Answer:
    """Read a meter hour by hour; the last day when no time is named."""
    query: HoursQuery = call.query
    return Answer(desk.usage.hours(call.tenant, query.meter, query.from_, query.to))
