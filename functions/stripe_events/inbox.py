"""From a delivery to the queue."""

import msgspec

from shared.billing.gateway.inbox import StripeInbox
from shared.billing.model import CardAdded, Kind
from tenant_context.entry.queue import Message
from tenant_context.queues import Queue


class Inbox:
    """Verifies a delivery and hands its event on: a state to the outcomes, an errand to the provisioner."""

    def __init__(self, stripe: StripeInbox, outcomes: Queue, errands: Queue) -> None:
        self._stripe = stripe
        self._outcomes = outcomes
        self._errands = errands

    def take(self, payload: bytes, signature: str, request_id: str) -> bool:
        """Queue the event of a delivery; False when there is nothing in it for us. Errors: `SignatureRefused`."""
        read = self._stripe.read(payload, signature)
        if read is None:
            return False
        tenant, told = read
        queue, kind = (self._errands, Kind.CARD_ADDED) if isinstance(told, CardAdded) else (self._outcomes, Kind.EVENT)
        queue.send([Message(tenant=tenant, id=request_id, kind=kind, data=msgspec.to_builtins(told))])
        return True
