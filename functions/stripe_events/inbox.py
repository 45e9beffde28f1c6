"""From a delivery to the queue."""

import msgspec

from shared.billing.gateway import StripeInbox
from shared.billing.model import Kind
from tenant_context.entry.queue import Message
from tenant_context.queues import Queue


class Inbox:
    """Verifies a delivery and hands its event on."""

    def __init__(self, stripe: StripeInbox, outcomes: Queue) -> None:
        self._stripe = stripe
        self._outcomes = outcomes

    def take(self, payload: bytes, signature: str, request_id: str) -> bool:
        """Queue the event of a delivery; False when there is nothing in it for us. Errors: `SignatureRefused`."""
        event = self._stripe.read(payload, signature)
        if event is None:
            return False
        data = msgspec.to_builtins(event)
        self._outcomes.send([Message(tenant=event.tenant, id=request_id, kind=Kind.EVENT, data=data)])
        return True
