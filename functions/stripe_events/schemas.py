"""The wire's shapes of Stripe's webhooks."""

from tenant_context.wire import Out


class StripeReceiptOut(Out):
    """What Stripe is told: `queued` is false for an event that says nothing of a tenant's billing."""

    received: bool
    queued: bool
