"""Sign-ups whose billing was given up while Stripe was away: each night they are asked for anew."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Protocol

import msgspec

from shared.billing import rules
from shared.billing.model import Kind
from shared.billing.repository import BillingRepository
from tenant_context.entry.queue import Message
from tenant_context.postgres import Transaction

PATIENCE = timedelta(hours=1)
"""By then the queue has given up by itself: it tries for half an hour."""


class Errands(Protocol):
    """The queue of what waits for Stripe."""

    def send(self, messages: Sequence[Message]) -> None:
        """Send all of them."""


class Waiting:
    """One tenant's share: its set-up is queued once more where it should be there by now.

    The provisioner finds what it made before. Why it failed last stays with the tenant until there is another word.
    """

    def __init__(self, repository: BillingRepository, errands: Errands) -> None:
        self._repository = repository
        self._errands = errands

    def __call__(self, tx: Transaction) -> dict[str, Any]:
        """Queue it; answers whether it did."""
        if not rules.is_waiting(self._repository.lock(tx)):
            return {"asked_anew": 0}
        sign_up = self._repository.signed_up(tx, before=tx.now - PATIENCE)
        if sign_up is None:
            return {"asked_anew": 0}
        data = msgspec.to_builtins(sign_up)
        # Before the commit: should that fail, it is merely asked twice.
        self._errands.send([Message(tx.tenant.tenant, tx.tenant.request_id, Kind.PROVISION, data)])
        return {"asked_anew": 1}


class Nightly:
    """What billing does for a tenant each night, one share after the other."""

    def __init__(self, *shares: Callable[[Transaction], dict[str, Any]]) -> None:
        self._shares = shares

    def __call__(self, tx: Transaction) -> dict[str, Any]:
        """Do all of them; answers the numbers of all."""
        return {name: number for share in self._shares for name, number in share(tx).items()}
