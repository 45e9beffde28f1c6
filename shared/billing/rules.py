"""What Stripe's words mean for a tenant, and which of two words is the newer one."""

from dataclasses import replace
from datetime import datetime

from shared.billing.model import BillingEvent, BillingState, Plan, PlanPrice, TenantStatus

TRIAL_DAYS = 14
ATTEMPTS = 5
"""How often the queue hands a message out before it goes to the dead-letter queue."""

PRICES: dict[Plan, PlanPrice] = {
    plan: PlanPrice(plan, f"RMAP {name}", f"rmap_{plan}", f"rmap_{plan}_monthly", unit_amount, "usd")
    for plan, name, unit_amount in (
        (Plan.STARTER, "Starter", 4_900),
        (Plan.PROFESSIONAL, "Professional", 19_900),
        (Plan.ENTERPRISE, "Enterprise", 99_900),
    )
}
"""What Stripe is told when it does not know a plan's price yet; afterwards Stripe's own amount counts."""

PLAN_OF: dict[str, Plan] = {price.lookup_key: plan for plan, price in PRICES.items()}

_STATUS_OF: dict[str, TenantStatus] = {
    "trialing": TenantStatus.ACTIVE,
    "active": TenantStatus.ACTIVE,
    "incomplete": TenantStatus.BILLING_PENDING,
    "past_due": TenantStatus.PAST_DUE,
    "unpaid": TenantStatus.RESTRICTED,
    "paused": TenantStatus.RESTRICTED,
    "canceled": TenantStatus.RESTRICTED,
    "incomplete_expired": TenantStatus.RESTRICTED,
}
"""What each status of a subscription makes of the tenant; an unknown one leaves the tenant as it is."""
_ENDED = frozenset({"canceled", "incomplete_expired"})
_BEYOND_STRIPE = frozenset({TenantStatus.SUSPENDED, TenantStatus.CLOSING, TenantStatus.CLOSED})
"""Statuses that only the platform itself ends."""

PROVISIONED = "billing.provisioned"
FAILED = "billing.failed"
PAYMENT_FAILED = "invoice.payment_failed"
PAYMENT_MADE = "invoice.paid"
PAYMENTS = frozenset({PAYMENT_FAILED, PAYMENT_MADE})
_RANKS = {
    PROVISIONED: 0,
    "customer.subscription.created": 1,
    "customer.subscription.deleted": 3,
    PAYMENT_FAILED: 1,
    PAYMENT_MADE: 2,
}
_USUAL_RANK = 2


def rank(kind: str) -> int:
    """The order of events of the same second: Stripe's times have no fractions, lives have an order."""
    return _RANKS.get(kind, _USUAL_RANK)


def is_newer(event: BillingEvent, created: datetime, kind: str) -> bool:
    """Whether an event is not before one of the type `kind` that Stripe made at `created`."""
    return (event.created, rank(event.type)) >= (created, rank(kind))


def concerns(event: BillingEvent, state: BillingState) -> bool:
    """Whether an event is about the tenant's own customer and present subscription, or the birth of its next one."""
    if state.customer is not None and event.customer != state.customer:
        return False
    if state.subscription in {None, event.subscription}:
        return True
    return event.status is not None and event.status not in _ENDED


def follow(state: BillingState, event: BillingEvent) -> BillingState:
    """The state after a subscription's event."""
    status = _STATUS_OF.get(event.status or "", state.status)
    return replace(
        state,
        plan=event.plan or state.plan,
        status=state.status if state.status in _BEYOND_STRIPE else status,
        reason="" if status is TenantStatus.ACTIVE else state.reason,
        as_of=event.created,
        customer=event.customer,
        subscription=event.subscription,
        subscription_status=event.status,
    )


def is_waiting(state: BillingState) -> bool:
    """Whether the tenant's billing has not been set up yet."""
    return state.status is TenantStatus.BILLING_PENDING and state.subscription is None


def news(before: BillingState, after: BillingState) -> str | None:
    """The type of the event that tells of a change, if there is anything to tell."""
    if before.status is TenantStatus.BILLING_PENDING and after.status is TenantStatus.ACTIVE:
        return "tenant.billing_ready"
    if replace(after, as_of=before.as_of, reason=before.reason) != before:
        return "tenant.subscription_changed"
    return None
