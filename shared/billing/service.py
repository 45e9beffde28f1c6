"""What billing says, written into the tenant: each word once, and an older one never over a newer."""

from dataclasses import replace

from shared.billing import rules
from shared.billing.model import BillingEvent, BillingState, Outcome, Provisioned, Setback
from shared.billing.repository import BillingRepository
from shared.life.service import Life
from tenant_context.events import Event
from tenant_context.postgres import Transaction
from tenant_context.states import State


class Billing:
    """Follows the billing of the transaction's tenant. Errors: `TenantMissing`."""

    def __init__(self, repository: BillingRepository | None = None, life: Life | None = None) -> None:
        self._repository = repository or BillingRepository()
        self._life = life

    def provisioned(self, tx: Transaction, provisioned: Provisioned) -> Outcome:
        """Customer and subscription exist; emits tenant.billing_ready when the tenant was waiting for them."""
        event = BillingEvent(
            id=f"provisioned/{provisioned.subscription}",
            type=rules.PROVISIONED,
            created=provisioned.as_of,
            tenant=tx.tenant.tenant,
            customer=provisioned.customer,
            subscription=provisioned.subscription,
            status=provisioned.status,
            plan=provisioned.plan,
        )
        return self.followed(tx, event)

    def delayed(self, tx: Transaction, setback: Setback) -> Outcome:
        """Setting up is being tried again; the owner can read why."""
        state = self._repository.lock(tx)
        if not rules.is_waiting(state) or state.reason == setback.reason:
            return Outcome.UNRELATED
        self._repository.save(tx, replace(state, reason=setback.reason))
        return Outcome.APPLIED

    def failed(self, tx: Transaction, setback: Setback) -> Outcome:
        """Setting up was given up; emits tenant.billing_failed, once for each request that asked for it."""
        state = self._repository.lock(tx)
        if not rules.is_waiting(state):
            return Outcome.UNRELATED
        event = f"failed/{tx.tenant.request_id}"
        if self._repository.seen(tx, event):
            return Outcome.REPEATED
        self._repository.record(tx, event, rules.FAILED, tx.now, applied=True)
        after = replace(state, reason=setback.reason)
        self._repository.save(tx, after)
        _tell(tx, "tenant.billing_failed", after)
        return Outcome.APPLIED

    def followed(self, tx: Transaction, event: BillingEvent) -> Outcome:
        """An event of Stripe's; emits tenant.billing_ready or tenant.subscription_changed when it changes something."""
        before = self._repository.lock(tx)
        if self._repository.seen(tx, event.id):
            return Outcome.REPEATED
        outcome, after = self._judge(tx, event, before)
        applied = outcome is Outcome.APPLIED
        self._repository.record(tx, event.id, event.type, event.created, applied=applied)
        if applied:
            self._repository.save(tx, after)
            if self._life is not None:
                self._life.moved(tx, State(before.status), State(after.status), after.reason)
            if kind := rules.news(before, after):
                _tell(tx, kind, after)
        return outcome

    def _judge(self, tx: Transaction, event: BillingEvent, state: BillingState) -> tuple[Outcome, BillingState]:
        of_invoice = event.status is None
        if not rules.concerns(event, state) or (of_invoice and event.type not in rules.PAYMENTS):
            return Outcome.UNRELATED, state
        newest = self._repository.newest(tx, of_invoices=of_invoice)
        if not all(rules.is_newer(event, created, kind) for created, kind in newest):
            return Outcome.OUTDATED, state
        if of_invoice:
            return Outcome.APPLIED, replace(state, reason=event.reason)
        return Outcome.APPLIED, rules.follow(state, event)


def _tell(tx: Transaction, kind: str, state: BillingState) -> None:
    tx.emit(
        Event(
            type=kind,
            subject=f"tenant/{tx.tenant.tenant}",
            data={
                "id": str(tx.tenant.tenant),
                "plan": state.plan,
                "status": state.status,
                "subscription_status": state.subscription_status,
                "reason": state.reason,
            },
        )
    )
