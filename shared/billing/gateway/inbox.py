"""Whether what was posted to us is Stripe's, by Stripe's own library."""

import time

import stripe

from shared.billing.errors import SignatureRefused
from shared.billing.gateway.connection import read_secret
from tenant_context.secrets import forget_secrets

TOLERANCE_SECONDS = 300
_TRUSTED_SECONDS = 10


class StripeInbox:
    """Verifies what Stripe posts to us."""

    def __init__(self, secret_id: str) -> None:
        self._secret_id = secret_id
        self._read_at = time.monotonic()

    def verify(self, payload: bytes, signature: str) -> None:
        """Raise `SignatureRefused` for a delivery that is not Stripe's or is older than five minutes."""
        if not signature.isascii():
            raise SignatureRefused("The Stripe-Signature is not one.")
        try:
            try:
                self._compare(payload, signature)
            except stripe.SignatureVerificationError:
                if not self._may_read_anew():
                    raise
                self._compare(payload, signature)
        except (stripe.SignatureVerificationError, UnicodeDecodeError) as error:
            raise SignatureRefused("The Stripe-Signature is missing, wrong or too old.") from error

    def _compare(self, payload: bytes, signature: str) -> None:
        known = read_secret(self._secret_id).webhook_secret
        stripe.WebhookSignature.verify_header(payload, signature, known, TOLERANCE_SECONDS)

    def _may_read_anew(self) -> bool:
        """Whether the secret may have been rotated: asked for at most once in a while, whoever posts here."""
        now = time.monotonic()
        if now - self._read_at < _TRUSTED_SECONDS:
            return False
        self._read_at = now
        forget_secrets()
        return True
