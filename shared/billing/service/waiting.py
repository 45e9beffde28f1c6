"""Sign-ups whose billing was given up while Stripe was away: asked for anew each night, and not for ever."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Protocol

import msgspec

from shared.billing import rules
from shared.billing.model import BillingState, Kind
from shared.billing.repository import BillingRepository
from shared.billing.service.following import tell
from shared.life.service import Life
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


class Late:
    """One tenant's share: without billing it is warned after a week, and can only be read after two.

    Nothing that comes in between (a suspension, nights without a run) shortens the warning. Billing, set up, ends it.
    """

    def __init__(self, repository: BillingRepository, life: Life) -> None:
        self._repository = repository
        self._life = life

    def __call__(self, tx: Transaction) -> dict[str, Any]:
        """Take the step that is due; emits tenant.billing_late, then tenant.state_changed."""
        state = self._repository.lock(tx)
        if not rules.is_waiting(state):
            return {"late": 0}
        born = self._repository.born(tx)
        warned = self._repository.stepped(tx, rules.UNBILLED_WARNED, born)
        if warned is None:
            if tx.now - born < rules.WARNED_AFTER or not self._repository.step(tx, rules.UNBILLED_WARNED, born):
                return {"late": 0}
            tell(tx, "tenant.billing_late", state)
        elif tx.now - warned < rules.RESTRICTED_AFTER - rules.WARNED_AFTER or not self._repository.step(
            tx, rules.UNBILLED_RESTRICTED, born
        ):
            return {"late": 0}
        else:
            self._restrict(tx, state)
        return {"late": 1}

    def _restrict(self, tx: Transaction, before: BillingState) -> None:
        after = rules.press(before, "restricted")
        self._repository.save(tx, after)
        if after.status is not before.status:
            days = rules.RESTRICTED_AFTER.days
            why = f"billing could not be set up for {days} days: {before.reason or 'there was no answer from Stripe'}"
            self._life.move(tx, after.status, why)
            tell(tx, "tenant.subscription_changed", after)


class Nightly:
    """What billing does for a tenant each night, one share after the other."""

    def __init__(self, *shares: Callable[[Transaction], dict[str, Any]]) -> None:
        self._shares = shares

    def __call__(self, tx: Transaction) -> dict[str, Any]:
        """Do all of them; answers the numbers of all."""
        return {name: number for share in self._shares for name, number in share(tx).items()}
