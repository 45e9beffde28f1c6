"""What billing refuses, and what Stripe does."""

from tenant_context.errors import BadRequest


class SignatureRefused(BadRequest):
    """The delivery is not signed by Stripe, or too long ago."""

    code, title = "stripe-signature", "The signature is not Stripe's"


class TenantMissing(Exception):
    """No tenant of this id: its sign-up has not committed yet, or it belongs to another deployment."""


class StripeError(Exception):
    """The root of what Stripe answers; the message is a sentence that the tenant's owner may read."""


class StripeUnavailable(StripeError):
    """Stripe does not answer, or not now: trying again helps."""


class StripeRefused(StripeError):
    """Stripe will not do this, however often it is asked."""
