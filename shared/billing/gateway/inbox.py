"""What Stripe posts to us: verified, and understood as far as it matters here."""

import time
from uuid import UUID

import msgspec
import stripe

from shared.billing.errors import SignatureRefused
from shared.billing.gateway.connection import read_secret
from shared.billing.gateway.shapes import Thing, moment, named, told_of_subscription
from shared.billing.model import BillingEvent, CardAdded
from tenant_context.errors import BadRequest
from tenant_context.secrets import forget_secrets

TOLERANCE_SECONDS = 300
_FOLLOWED = ("customer.subscription.", "invoice.")
_CHECKED_OUT = "checkout.session.completed"
_TRUSTED_SECONDS = 10


class _Data(msgspec.Struct):
    object: Thing


class _Event(msgspec.Struct):
    id: str
    type: str
    created: int
    data: _Data


class _Named(msgspec.Struct):
    type: str = ""


class StripeInbox:
    """Reads what Stripe posts to us."""

    def __init__(self, secret_id: str) -> None:
        self._secret_id = secret_id
        self._read_at = time.monotonic()

    def read(self, payload: bytes, signature: str) -> tuple[UUID, BillingEvent | CardAdded] | None:
        """A tenant and what was told of it, or None for what says nothing of a tenant's billing.

        Errors: `SignatureRefused` for a delivery that is not Stripe's or is older than five minutes; `BadRequest` for
        one that is, and cannot be read; `Nonsense` for one that can, and says what cannot be.
        """
        self._verify(payload, signature)
        try:
            kind = msgspec.json.decode(payload, type=_Named).type
            if kind == _CHECKED_OUT:
                return _card(msgspec.json.decode(payload, type=_Event).data.object)
            if not kind.startswith(_FOLLOWED):
                return None
            event = _understood(msgspec.json.decode(payload, type=_Event))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadRequest("The event cannot be read.") from error
        return (event.tenant, event) if event else None

    def _verify(self, payload: bytes, signature: str) -> None:
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


def _understood(event: _Event) -> BillingEvent | None:
    """What an event says of a tenant. Errors: Nonsense."""
    thing, created = event.data.object, moment(event.created)
    tenant = thing.tenant
    if tenant is None or not thing.customer or created is None:
        return None
    if thing.object != "invoice":
        return told_of_subscription(thing, event.id, event.type, created, tenant) if thing.id else None
    details = thing.parent.subscription_details if thing.parent else None
    if details is None or not details.subscription:
        return None
    return BillingEvent(
        id=named(event.id),
        type=named(event.type),
        created=created,
        tenant=tenant,
        customer=named(thing.customer),
        subscription=named(details.subscription),
        invoice=named(thing.id),
        reason=f"The payment of invoice {thing.id} failed." if event.type == "invoice.payment_failed" else "",
    )


def _card(session: Thing) -> tuple[UUID, CardAdded] | None:
    """A page on which a card was given; one that sold a subscription tells of that by itself."""
    if session.mode != "setup" or session.tenant is None or not session.customer:
        return None
    return session.tenant, CardAdded(named(session.customer))
