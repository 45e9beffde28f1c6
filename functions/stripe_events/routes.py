"""The address that Stripe calls."""

from functions.stripe_events.inbox import Inbox
from functions.stripe_events.schemas import StripeReceiptOut
from tenant_context.routing import Answer, Call, Proof, Routes

routes = Routes()


@routes.act("POST", "/api/v1/stripe/events", proof=Proof.PUBLIC, answer=StripeReceiptOut)
def receive(call: Call[None], inbox: Inbox) -> Answer:
    """Take a Stripe event.

    Proved by its Stripe-Signature, made at most 300 seconds ago. Events of subscriptions and invoices, and cards
    that were given, are queued; all others are acknowledged and dropped, with a reason where they say what cannot be.
    """
    return Answer(inbox.take(call.raw, call.headers.get("stripe-signature", ""), call.request_id))
