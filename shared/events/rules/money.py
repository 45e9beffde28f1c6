"""Event types of what an organization pays and uses."""

from shared.events.model import EventType

TENANT = "0193a0c2-0000-7c11-8f5a-3d2e9b1c4a60"


def _billing(name: str, description: str, status: str, subscription: str, reason: str) -> EventType:
    data = {
        "id": TENANT,
        "plan": "starter",
        "status": status,
        "subscription_status": subscription or None,
        "reason": reason,
    }
    return EventType(f"tenant.{name}", description, "tenant/<id>", data, nullable=frozenset({"subscription_status"}))


def _invoice(name: str, description: str, status: str, *, paid: str = "0.00", reason: str = "") -> EventType:
    data = {
        "invoice": "in_1PqRsT2uVwXyZ",
        "number": "ACME-0007",
        "status": status,
        "currency": "EUR",
        "total": "99.00",
        "amount_due": "99.00",
        "amount_paid": paid,
        "reason": reason,
    }
    return EventType(f"invoice.{name}", description, "invoice/<id>", data, nullable=frozenset({"number"}))


MONEY: tuple[EventType, ...] = (
    _billing("billing_ready", "Billing is set up; the plan is in force.", "active", "active", ""),
    _billing("billing_failed", "Billing could not be set up.", "billing_pending", "", "card_declined"),
    _billing(
        "billing_late",
        "Billing could not be set up for a week: after another one the organization can only be read.",
        "billing_pending",
        "",
        "Stripe does not answer.",
    ),
    _billing("trial_ending", "The trial ends in three days.", "active", "trialing", ""),
    EventType(
        "tenant.billing_requested",
        "An owner asked for another plan, or to end the subscription or go on with it.",
        "tenant/<id>",
        {"id": TENANT, "action": "change", "plan": "professional"},
        nullable=frozenset({"plan"}),
    ),
    EventType(
        "usage.threshold_reached",
        "A month's usage reached 50, 80 or 100 % of what the plan includes; told once for each.",
        "tenant/<id>",
        {
            "id": TENANT,
            "meter": "api_calls",
            "month": "2026-03",
            "threshold": 80,
            "quantity": 2_400_000,
            "included": 3_000_000,
        },
    ),
    EventType(
        "usage.push_refused",
        "Stripe refused an hour's usage for good, such as one that came more than 35 days late.",
        "tenant/<id>",
        {
            "id": TENANT,
            "meter": "api_calls",
            "hour": "2026-03-02T09:00:00+00:00",
            "part": 2,
            "quantity": 17,
            "reason": "The timestamp must be within the past 35 calendar days.",
        },
    ),
    _billing("subscription_changed", "The subscription's state changed.", "past_due", "past_due", "payment_failed"),
    _invoice("finalized", "An invoice was made out; it is paid by card, or waits to be.", "open"),
    _invoice("paid", "An invoice was paid.", "paid", paid="99.00"),
    _invoice(
        "payment_failed",
        "A payment of an invoice failed; it is tried again.",
        "open",
        reason="The payment of invoice in_1PqRsT2uVwXyZ failed.",
    ),
    _invoice("voided", "An invoice is not to be paid any more.", "void"),
    _invoice("marked_uncollectible", "An invoice was written off; it is owed all the same.", "uncollectible"),
)
