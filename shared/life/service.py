"""Changes a tenant's state: every change goes through here."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from shared.life.errors import OwnersClose, StateDoesNotLeadThere, TenantNotFound
from shared.life.model import Standing
from shared.life.repository import LifeRepository
from tenant_context.events import Event
from tenant_context.postgres import Transaction
from tenant_context.state_news import Herald
from tenant_context.states import LEADS_TO, PERMITS, Need, State, permits, refusal

GRACE = timedelta(days=30)
"""How long a tenant that is being closed can be had back."""
CLOSED_BY_OWNER = "closed by its owner"


class Life:
    """Moves the transaction's tenant from state to state; each move is an event and an audit entry."""

    def __init__(
        self,
        herald: Herald,
        repository: LifeRepository | None = None,
        *,
        standing: Callable[[Transaction, State], State] = lambda _, before: _reading_only(before),
    ) -> None:
        """`standing` judges what a tenant comes back as, by what it was; without it, that itself."""
        self._herald = herald
        self._repository = repository or LifeRepository()
        self._standing = standing

    def move(self, tx: Transaction, state: State, reason: str) -> Standing:
        """Another state, in force within five seconds; emits tenant.state_changed.

        One that it is in already is only made known once more. Errors: TenantNotFound, StateDoesNotLeadThere.
        """
        before = self._repository.lock(tx)
        if before.state is state:
            tx.after_commit(lambda: self._herald.tell(tx.tenant.tenant, state, tx.now))
            return before
        closing = state is State.CLOSING
        after = Standing(
            state,
            reason,
            tx.now,
            tx.now + GRACE if closing else None,
            before.state if closing else None,
        )
        check(before.state, state)
        self._repository.save(tx, after)
        self.moved(tx, before.state, state, reason)
        return after

    def moved(self, tx: Transaction, before: State, after: State, reason: str) -> None:
        """Tell of a move that somebody else has written (billing); emits tenant.state_changed.

        Errors: StateDoesNotLeadThere.
        """
        if before is after:
            return
        check(before, after)
        data = {"id": str(tx.tenant.tenant), "from": before, "to": after, "reason": reason}
        tx.emit(Event("tenant.state_changed", f"tenant/{tx.tenant.tenant}", data))
        if PERMITS[before] != PERMITS[after]:
            # Else nobody has to log in anew: a sign-up's tokens outlive the moment its billing is ready.
            tx.after_commit(lambda: self._herald.tell(tx.tenant.tenant, after, tx.now))

    def close(self, tx: Transaction, organization: UUID) -> Standing:
        """Give the tenant up: read-only at once, closed in thirty days.

        Errors: OwnersClose, StateDoesNotLeadThere, Forbidden.
        """
        self._check_owner(tx, organization)
        present = self._repository.lock(tx).state
        if not permits(present, Need.LOG_IN):
            # A token is believed for some seconds after a suspension; the row knows better.
            raise refusal(present)
        return self.move(tx, State.CLOSING, CLOSED_BY_OWNER)

    def reopen(self, tx: Transaction, organization: UUID) -> Standing:
        """Have it back, as what it pays by now makes it. Errors: OwnersClose, StateDoesNotLeadThere."""
        self._check_owner(tx, organization)
        present = self._repository.lock(tx)
        if present.state is not State.CLOSING:
            raise StateDoesNotLeadThere("The organization is not being closed.")
        return self.move(tx, self._standing(tx, present.reopens_as or State.ACTIVE), "had back by its owner")

    def tend(self, tx: Transaction) -> dict[str, int]:
        """A tenant's share of timed work: close it when its grace is over, and mend what was not heard."""
        present = self._repository.lock(tx)
        if present.state is State.CLOSING and present.closes_at is not None and present.closes_at <= tx.now:
            self.move(tx, State.CLOSED, "its grace is over")
            return {"closed": 1}
        return {"closed": 0, "mended": int(self._herald.mend(tx.tenant.tenant, present.state, tx.now))}

    def _check_owner(self, tx: Transaction, organization: UUID) -> None:
        if organization != tx.tenant.tenant:
            raise TenantNotFound
        if not self._repository.is_owner(tx):
            raise OwnersClose


def _reading_only(before: State) -> State:
    """What was suspended comes back read-only."""
    return State.RESTRICTED if before is State.SUSPENDED else before


def check(before: State, after: State) -> None:
    """Raise `StateDoesNotLeadThere` unless one state leads to the other."""
    if after not in LEADS_TO[before]:
        raise StateDoesNotLeadThere(f"An organization that is {before} does not become {after}.")
