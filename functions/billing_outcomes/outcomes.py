"""One message about a tenant's billing: read, then applied in a transaction of its own."""

import msgspec

from shared.billing.model import BillingEvent, Kind, Outcome, Provisioned, Replay, Setback
from shared.billing.service.following import Billing
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.observability import Observability
from tenant_context.postgres import Database, Transaction
from tenant_context.queues import Queue


class Outcomes:
    """Handles what the provisioner and Stripe say."""

    def __init__(self, database: Database, billing: Billing, errands: Queue, observability: Observability) -> None:
        self._database = database
        self._billing = billing
        self._errands = errands
        self._observability = observability

    def __call__(self, tenant: TenantContext, message: Message) -> None:
        """Apply a message; one that came before, or came too late, changes nothing."""
        with self._database.transaction(tenant) as tx:
            outcome = self._apply(tx, message)
        self._observability.info("billing followed", kind=message.kind, outcome=outcome)

    def _apply(self, tx: Transaction, message: Message) -> Outcome:
        match message.kind:
            case Kind.PROVISIONED:
                return self._billing.provisioned(tx, msgspec.convert(message.data, Provisioned))
            case Kind.DELAYED:
                return self._billing.delayed(tx, msgspec.convert(message.data, Setback))
            case Kind.FAILED:
                return self._billing.failed(tx, msgspec.convert(message.data, Setback))
            case Kind.EVENT:
                return self._followed(tx, message, msgspec.convert(message.data, BillingEvent))
            case Kind.REPLAY:
                return self._replayed(tx, msgspec.convert(message.data, Replay))
        raise ValueError(f"Nobody knows the billing message {message.kind}.")

    def _followed(self, tx: Transaction, message: Message, event: BillingEvent) -> Outcome:
        outcome = self._billing.followed(tx, event)
        if outcome is Outcome.DOUBTFUL:
            # Before the commit: should that fail, Stripe is merely asked twice.
            doubt = msgspec.to_builtins(self._billing.doubt(tx, event))
            self._errands.send([Message(tx.tenant.tenant, message.id, Kind.REREAD, doubt)])
        return outcome

    def _replayed(self, tx: Transaction, replay: Replay) -> Outcome:
        outcomes = self._billing.replayed(tx, replay.since)
        self._observability.info("inbox replayed", **outcomes)
        return Outcome.APPLIED
