"""The wire's shapes of Stripe's webhooks."""

from tenant_context.wire import Out


class StripeReceiptOut(Out):
    """What Stripe is told: `queued` is false for an event that says nothing of a tenant's billing.

    `reason` says why one was let go that says what cannot be; else it is empty.
    """

    received: bool
    queued: bool
    reason: str
