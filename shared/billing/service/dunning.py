"""What comes of not paying, a step at a time: mails to the owners, then read-only, then no access."""

from typing import Any, Protocol
from uuid import UUID

from shared.billing import rules
from shared.billing.model import BillingState, Reminder
from shared.billing.repository import BillingRepository
from shared.billing.service.following import tell
from shared.life.service import Life
from tenant_context.postgres import Transaction


class Mails(Protocol):
    """Who sends mails."""

    def send(self, kind: str, to: str, values: dict[str, str], *, request_id: str, tenant: UUID) -> None:
        """Queue one mail."""


class Dunning:
    """One tenant's share of the job `dunning`: each step once for each debt, however often it is run."""

    def __init__(self, repository: BillingRepository, life: Life, mails: Mails) -> None:
        self._repository = repository
        self._life = life
        self._mails = mails

    def __call__(self, tx: Transaction) -> dict[str, Any]:
        """Take the steps that are due. After days without a run, the last of several is the one that is mailed."""
        state = self._repository.lock(tx)
        if state.dunning_since is None:
            return {"steps": 0}
        since = state.dunning_since
        taken = [one for one in rules.reminders(since, tx.now) if self._repository.step(tx, one.name, since)]
        if taken:
            self._press(tx, state, taken)
            self._mail(tx, taken[-1], (tx.now - since).days)
        return {"steps": len(taken)}

    def _press(self, tx: Transaction, before: BillingState, taken: list[Reminder]) -> None:
        after = before
        for step in taken:
            after = rules.press(after, step.stage)
        if after == before:
            return
        self._repository.save(tx, after)
        if after.status is not before.status:
            self._life.move(tx, after.status, "payment failed")
            tell(tx, "tenant.subscription_changed", after)

    def _mail(self, tx: Transaction, step: Reminder, days: int) -> None:
        for name, email, organization in self._repository.owners(tx):
            values = {"name": name, "organization": organization, "days": str(days)}
            # Before the commit: should that fail, a mail comes twice, and none is forgotten.
            self._mails.send(step.mail, email, values, request_id=tx.tenant.request_id, tenant=tx.tenant.tenant)
