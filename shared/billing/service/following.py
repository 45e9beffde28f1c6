"""What billing says, written into the tenant: each word once, and an older one never over a newer."""

from collections import Counter
from dataclasses import asdict, replace
from datetime import datetime
from typing import Protocol

from shared.billing import rules
from shared.billing.model import (
    BillingEvent,
    BillingState,
    CustomerMade,
    Doubt,
    Ending,
    Moved,
    Outcome,
    Provisioned,
    Setback,
    Unpaid,
)
from shared.billing.repository import BillingRepository
from shared.life.service import Life
from tenant_context.events import Event
from tenant_context.postgres import Transaction


class Doors(Protocol):
    """Who has doors told what a tenant may use."""

    def tell(self, tx: Transaction) -> None:
        """Tell it, as its plan is another."""


class Billing:
    """Follows the billing of the transaction's tenant. Errors: `TenantMissing`."""

    def __init__(self, life: Life, doors: Doors, repository: BillingRepository | None = None) -> None:
        self._life = life
        self._doors = doors
        self._repository = repository or BillingRepository()

    def made(self, tx: Transaction, made: CustomerMade) -> Outcome:
        """There is a customer, and no subscription yet: it is the tenant's for good."""
        state = self._repository.lock(tx)
        if state.customer is not None:
            return Outcome.UNRELATED
        self._repository.save(tx, replace(state, customer=made.customer))
        return Outcome.APPLIED

    def provisioned(self, tx: Transaction, provisioned: Provisioned) -> Outcome:
        """Customer and subscription exist; emits tenant.billing_ready when the tenant was waiting for them."""
        return self.followed(tx, self.born(tx, provisioned))

    def born(self, tx: Transaction, provisioned: Provisioned) -> BillingEvent:
        """What was set up, as the event that it is."""
        return BillingEvent(
            id=f"provisioned/{provisioned.subscription}",
            type=rules.PROVISIONED,
            created=provisioned.as_of,
            tenant=tx.tenant.tenant,
            customer=provisioned.customer,
            subscription=provisioned.subscription,
            status=provisioned.status,
            plan=provisioned.plan,
        )

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
        event = BillingEvent(f"failed/{tx.tenant.request_id}", rules.FAILED, tx.now, tx.tenant.tenant, "", "")
        if self._repository.seen(tx, event.id):
            return Outcome.REPEATED
        self._repository.record(tx, event, Outcome.APPLIED)
        after = replace(state, reason=setback.reason)
        self._repository.save(tx, after)
        tell(tx, "tenant.billing_failed", after)
        return Outcome.APPLIED

    def followed(self, tx: Transaction, event: BillingEvent) -> Outcome:
        """An event of Stripe's; emits tenant.billing_ready or tenant.subscription_changed when it changes something.

        What it says of an invoice is told under Stripe's name for it.

        Where it is doubtful nothing has changed: whoever asked has Stripe asked, as `doubt` says.
        """
        state = self._repository.lock(tx)
        if self._repository.seen(tx, event.id):
            return Outcome.REPEATED
        _tell_of_invoice(tx, state, event)
        return self._follow(tx, event)

    def doubt(self, tx: Transaction, event: BillingEvent) -> Doubt:
        """What to ask Stripe after a doubtful event."""
        state = self._repository.lock(tx)
        name = event.id.split("/")[1] if event.type == rules.REREAD else event.id
        return Doubt(name, max(event.created, state.as_of or event.created), state.customer or event.customer)

    def ending(self, tx: Transaction, why: BillingEvent | CustomerMade | Moved) -> Ending | None:
        """What Stripe is to be asked, so that a tenant that was given up does not go on paying; None: nothing."""
        state = self._repository.lock(tx)
        ends = rules.ending(state, why)
        return Ending(state.customer, ends) if ends and state.customer else None

    def observed(self, tx: Transaction, event: BillingEvent, *, since: int) -> bool:
        """What Stripe has after a change of ours; the events that tell of it are still to come.

        It takes no place in their order: the last word stays with the newest event. `since` is the version that was
        kept before Stripe was read. False, where it is another one by now: what was read may be older than what is
        kept, and is let go.
        """
        before = self._repository.lock(tx)
        if before.version != since:
            return False
        after = replace(rules.follow(before, event), as_of=before.as_of)
        unpaid = self._repository.unpaid(tx, after)
        owed = before.dunning_since if event.status in rules.OWING or unpaid.since else None
        after = rules.owe(before, after, owed or unpaid.since, settled=unpaid.settled)
        if after == before:
            self._repository.save(tx, after)  # so that a reading from before this one is known to be older
        self._keep(tx, before, after)
        return True

    def replayed(self, tx: Transaction, since: datetime | None) -> dict[Outcome, int]:
        """Judge the inbox's events anew, in their order; ends where they alone would have led."""
        self._repository.lock(tx)
        outcomes = Counter(self._follow(tx, event) for event in self._repository.reopen(tx, since))
        return dict(outcomes)

    def _follow(self, tx: Transaction, event: BillingEvent) -> Outcome:
        before = self._repository.lock(tx)
        outcome, after = self._judge(tx, event, before)
        self._repository.record(tx, event, outcome)
        if outcome in {Outcome.APPLIED, Outcome.OUTDATED}:
            self._keep(tx, before, self._owed(tx, before, after))
        return outcome

    def _owed(self, tx: Transaction, before: BillingState, after: BillingState) -> BillingState:
        """The state with what the inbox tells of its debt: since when, and why the last payment failed."""
        unpaid = self._repository.unpaid(tx, after)
        status = after.subscription_status
        owing = status not in rules.PAID_UP and not (unpaid.settled and status in rules.ENDED)
        known = (self._repository.owing_since(tx) if owing else None, unpaid.since)
        since = min((one for one in known if one is not None), default=None)
        state = rules.owe(before, after, since, settled=unpaid.settled)
        return replace(state, reason=self._complaint(tx, state, unpaid))

    def _complaint(self, tx: Transaction, state: BillingState, unpaid: Unpaid) -> str:
        if state.subscription is None:
            return state.reason
        complains = state.subscription_status in rules.UNPAID
        reason = self._repository.complaint(tx, state.subscription) if complains else ""
        return reason or (f"Invoice {unpaid.invoice} is not paid." if unpaid.invoice else "")

    def _keep(self, tx: Transaction, before: BillingState, after: BillingState) -> None:
        if after == before:
            return
        self._repository.save(tx, after)
        if after.status is not before.status:
            self._life.move(tx, after.status, after.reason or f"subscription {after.subscription_status}")
        if after.plan != before.plan:
            # Before the commit: should that fail, Stripe's word comes again, and finds the plan still to be changed.
            self._doors.tell(tx)
        if kind := rules.news(before, after):
            tell(tx, kind, after)

    def _judge(self, tx: Transaction, event: BillingEvent, state: BillingState) -> tuple[Outcome, BillingState]:
        of_invoice = event.status is None
        if not rules.concerns(event, state) or (of_invoice and event.type not in rules.PAYMENTS):
            return Outcome.UNRELATED, state
        newest = self._repository.newest(tx, of_invoices=of_invoice)
        if of_invoice:
            if not all(rules.is_newer(event, created, kind) for created, kind in newest):
                return Outcome.OUTDATED, state
            return Outcome.APPLIED, state
        outcome = rules.judge(event, state, newest)
        return outcome, rules.follow(state, event) if outcome is Outcome.APPLIED else state


def _tell_of_invoice(tx: Transaction, state: BillingState, event: BillingEvent) -> None:
    """What happened to an invoice is told as it comes in, whether it still matters to the subscription or not."""
    if event.bill is None or event.type not in rules.TOLD or state.customer not in {None, event.customer}:
        return
    data = {"invoice": event.invoice, **asdict(event.bill), "reason": event.reason}
    tx.emit(Event(event.type, f"invoice/{event.invoice}", data))


def tell(tx: Transaction, kind: str, state: BillingState) -> None:
    """Emit an event with the state of the tenant's billing."""
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
