"""From a delivery to the queue."""

from dataclasses import dataclass

import msgspec

from shared.billing.errors import Nonsense
from shared.billing.gateway.inbox import StripeInbox
from shared.billing.model import CardAdded, Kind
from tenant_context.entry.queue import Message
from tenant_context.observability import Observability
from tenant_context.queues import Queue


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a delivery; `reason` where it was let go although it is Stripe's."""

    queued: bool
    reason: str = ""
    received: bool = True


class Inbox:
    """Verifies a delivery and hands its event on: a state to the outcomes, an errand to the provisioner."""

    def __init__(self, stripe: StripeInbox, outcomes: Queue, errands: Queue, observability: Observability) -> None:
        self._stripe = stripe
        self._outcomes = outcomes
        self._errands = errands
        self._observability = observability

    def take(self, payload: bytes, signature: str, request_id: str) -> Receipt:
        """Queue the event of a delivery, unless there is nothing in it for us. Errors: `SignatureRefused`.

        One that says what cannot be is let go, and why is logged: sent again it would say the same.
        """
        try:
            read = self._stripe.read(payload, signature)
        except Nonsense as error:
            self._observability.warning("a signed event was let go", reason=str(error))
            return Receipt(queued=False, reason=str(error))
        if read is None:
            return Receipt(queued=False)
        tenant, told = read
        queue, kind = (self._errands, Kind.CARD_ADDED) if isinstance(told, CardAdded) else (self._outcomes, Kind.EVENT)
        queue.send([Message(tenant=tenant, id=request_id, kind=kind, data=msgspec.to_builtins(told))])
        return Receipt(queued=True)
