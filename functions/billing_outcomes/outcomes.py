"""One message about a tenant's billing: read, then applied in a transaction of its own."""

import msgspec

from shared.billing.model import (
    BillingEvent,
    CustomerMade,
    Doubt,
    Ending,
    Kind,
    Moved,
    Outcome,
    Provisioned,
    Replay,
    Setback,
)
from shared.billing.service.following import Billing
from shared.billing.service.trial import TrialEnd
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message, read_bus_event, read_message
from tenant_context.observability import Observability
from tenant_context.postgres import Database, Transaction
from tenant_context.queues import Queue

STATE_CHANGED = "tenant.state_changed"
"""The event that tells of a move of a tenant's life."""


class Outcomes:
    """Handles what the provisioner and Stripe say, and what the tenant's own life means for what it pays."""

    def __init__(
        self,
        database: Database,
        billing: Billing,
        trial_end: TrialEnd,
        errands: Queue,
        observability: Observability,
    ) -> None:
        self._database = database
        self._billing = billing
        self._trial_end = trial_end
        self._errands = errands
        self._observability = observability

    def __call__(self, tenant: TenantContext, message: Message) -> None:
        """Apply a message; one that came before, or came too late, changes nothing."""
        with self._database.transaction(tenant) as tx:
            outcome = self._apply(tx, message)
        self._observability.info("billing followed", kind=message.kind, outcome=outcome)

    def _apply(self, tx: Transaction, message: Message) -> Outcome:
        match message.kind:
            case Kind.CUSTOMER_MADE:
                return self._made(tx, message, msgspec.convert(message.data, CustomerMade))
            case Kind.PROVISIONED:
                return self._followed(tx, message, self._billing.born(tx, msgspec.convert(message.data, Provisioned)))
            case Kind.DELAYED | Kind.FAILED:
                told = self._billing.failed if message.kind == Kind.FAILED else self._billing.delayed
                return told(tx, msgspec.convert(message.data, Setback))
            case Kind.EVENT:
                return self._followed(tx, message, msgspec.convert(message.data, BillingEvent))
            case Kind.MOVED:
                return self._moved(tx, message, msgspec.convert(message.data, Moved))
            case Kind.REPLAY:
                return self._replayed(tx, msgspec.convert(message.data, Replay))
        raise ValueError(f"Nobody knows the billing message {message.kind}.")

    def _made(self, tx: Transaction, message: Message, made: CustomerMade) -> Outcome:
        outcome = self._billing.made(tx, made)
        if ending := self._billing.ending(tx, made):
            self._ask(tx, message, Kind.ENDING, ending)
        return outcome

    def _followed(self, tx: Transaction, message: Message, event: BillingEvent) -> Outcome:
        outcome = self._billing.followed(tx, event)
        # Before the commit, both: should that fail, Stripe is merely asked twice.
        if outcome is Outcome.DOUBTFUL:
            self._ask(tx, message, Kind.REREAD, self._billing.doubt(tx, event))
        if outcome is Outcome.APPLIED and (ending := self._billing.ending(tx, event)):
            self._ask(tx, message, Kind.ENDING, ending)
        self._trial_end(tx, event, outcome)
        return outcome

    def _moved(self, tx: Transaction, message: Message, moved: Moved) -> Outcome:
        ending = self._billing.ending(tx, moved)
        if ending is None:
            return Outcome.UNRELATED
        self._ask(tx, message, Kind.ENDING, ending)
        return Outcome.APPLIED

    def _ask(self, tx: Transaction, message: Message, kind: Kind, what: Doubt | Ending) -> None:
        self._errands.send([Message(tx.tenant.tenant, message.id, kind, msgspec.to_builtins(what))])

    def _replayed(self, tx: Transaction, replay: Replay) -> Outcome:
        outcomes = self._billing.replayed(tx, replay.since)
        self._observability.info("inbox replayed", **outcomes)
        return Outcome.APPLIED


def read_word(body: str) -> Message:
    """A message of our own form, or the event tenant.state_changed as a rule of the bus passes it on."""
    if "detail" not in msgspec.json.decode(body):
        return read_message(body)
    event = read_bus_event(body)
    if event.kind != STATE_CHANGED:
        raise ValueError(f"Billing does not know the event {event.kind}.")
    told = event.data["data"]
    moved = {"before": told["from"], "after": told["to"]}
    return Message(tenant=event.tenant, id=event.id, kind=Kind.MOVED, data=moved)
