"""What billing refuses, and what Stripe does."""

from tenant_context.errors import BadRequest, Conflict, PaymentNeeded


class SignatureRefused(BadRequest):
    """The delivery is not signed by Stripe, or too long ago."""

    code, title = "stripe-signature", "The signature is not Stripe's"


class BillingPending(Conflict):
    """Stripe does not know the tenant yet; the detail says why."""

    code, title = "billing-pending", "Billing is not set up yet"


class NoSubscription(Conflict):
    """There is nothing to change: no subscription, or one that has ended."""

    code, title = "no-subscription", "There is no subscription to change"


class BillingRefused(Conflict):
    """Stripe will not do this."""

    code, title = "billing-refused", "The subscription does not allow it"


class PaymentRefused(PaymentNeeded):
    """The payment that this takes did not go through, so nothing was changed."""

    code, title = "payment-refused", "The payment did not go through"


class BillingClosing(Conflict):
    """Nothing is bought for an organization that is being closed."""

    code, title = "organization-closing", "The organization is being closed"


class BillingHeld(Conflict):
    """Nothing is bought for an organization that the platform holds."""

    code, title = "held-by-platform", "The platform holds the organization"


class InvoiceUnpaid(PaymentNeeded):
    """Nothing new begins beside an invoice that is owed; the detail says which, and where it is paid."""

    code, title = "invoice-unpaid", "An invoice has to be paid first"


class TenantMissing(Exception):
    """No tenant of this id: its sign-up has not committed yet, or it belongs to another deployment."""


class StripeError(Exception):
    """The root of what Stripe answers; the message is a sentence that the tenant's owner may read."""


class StripeUnavailable(StripeError):
    """Stripe does not answer, or not now: trying again helps."""


class StripeRefused(StripeError):
    """Stripe will not do this, however often it is asked."""


class CardRefused(StripeRefused):
    """There is no card, or its bank declines."""


class InvoiceOwed(StripeRefused):
    """The customer owes an invoice."""


class Nonsense(StripeRefused):
    """What cannot be so: a time without a date, a name that is none."""


class NothingToChange(StripeRefused):
    """The customer has no subscription that is alive."""
