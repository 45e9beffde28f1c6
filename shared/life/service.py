"""Changes a tenant's state: every change goes through here."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared.life.errors import HeldByPlatform, OwnersClose, StateDoesNotLeadThere, TenantNotFound
from shared.life.model import Hold, Standing, Wish
from shared.life.repository import LifeRepository
from tenant_context.context import TenantContext
from tenant_context.events import Event
from tenant_context.postgres import Database, Transaction
from tenant_context.state_news import Herald
from tenant_context.states import HOLDS, LEADS_TO, PERMITS, Need, State, held_to, permits, refusal

GRACE = timedelta(days=30)
"""How long a tenant that is being closed can be had back."""
THINK_AGAIN = timedelta(days=3)
"""How long it can be had back at least, once a suspension ends that kept its owner from doing so."""
CLOSED_BY_OWNER = "closed by its owner"


class Life:
    """Moves the transaction's tenant from state to state; each move is an event and an audit entry."""

    def __init__(
        self,
        herald: Herald,
        repository: LifeRepository | None = None,
        *,
        standing: Callable[[Transaction, State], State] = lambda _, before: _reading_only(before),
        at_end: Callable[[Transaction], Any] = lambda _: None,
    ) -> None:
        """`standing` judges what a tenant comes back as, by what it was; without it, that itself.

        `at_end` does what is to be done before one whose grace is over is closed.
        """
        self._herald = herald
        self._repository = repository or LifeRepository()
        self._standing = standing
        self._at_end = at_end

    def move(self, tx: Transaction, state: State, reason: str) -> Standing:
        """Another state, in force within five seconds; emits tenant.state_changed.

        One that it is in already is only made known once more. Errors: TenantNotFound, StateDoesNotLeadThere.
        """
        before = self._repository.lock(tx)
        if before.state is state:
            self._tell_doors(tx, before)
            return before
        check(before.state, state)
        return self._change(tx, before, state, reason, before.held)

    def order(self, tx: Transaction, state: State, reason: str) -> Standing:
        """What an operator orders: a hold, which nobody else lifts, or its end.

        After that the owner's wish to close stands as before; without one, billing decides.
        Emits tenant.held or tenant.released, and tenant.state_changed where it is another state. What is so already is
        only made known once more. Errors: TenantNotFound, StateDoesNotLeadThere.
        """
        if state is State.CLOSED:
            return self.move(tx, state, reason)
        before = self._repository.lock(tx)
        held = _hold(before.held, state, reason, tx.now)
        self._repository.hold(tx, held)
        target = self._under(held, before, lambda: self._standing(tx, State.ACTIVE))
        if before.state is not target:
            check(before.state, target)
        elif held == before.held:
            self._tell_doors(tx, before)
            return before
        if held != before.held:
            kind = "tenant.held" if held else "tenant.released"
            data = {"id": str(tx.tenant.tenant), "state": target, "reason": reason}
            tx.emit(Event(kind, f"tenant/{tx.tenant.tenant}", data))
        return self._change(tx, before, target, reason, held)

    def show(self, database: Database, tenant: TenantContext) -> Standing:
        """Where a tenant stands. Errors: TenantNotFound."""
        return self._repository.read(database, tenant)

    @staticmethod
    def _under(held: Hold | None, before: Standing, standing: Callable[[], State]) -> State:
        """What a tenant is under a hold or none: an owner's wish is as light as a restriction, and no lighter."""
        if before.wish is None:
            return held_to(held.state if held else None, standing())
        return State.SUSPENDED if held is not None and held.state is State.SUSPENDED else State.CLOSING

    def _change(self, tx: Transaction, before: Standing, state: State, reason: str, held: Hold | None) -> Standing:
        # Who began later may have come first: doors go by the newest word, and the row's last one is this.
        since = max(tx.now, before.since + timedelta(microseconds=1))
        after = replace(before, state=state, reason=reason, since=since, held=held)
        if state is not before.state:
            closing = state is State.CLOSING
            closes_at = before.wish.closes_at if before.wish else tx.now + GRACE
            if before.state is State.SUSPENDED:
                closes_at = max(closes_at, tx.now + THINK_AGAIN)
            back = before.reopens_as or before.state
            after = replace(
                after,
                closes_at=closes_at if closing else None,
                reopens_as=back if closing or before.wish else None,
            )
            data = {"id": str(tx.tenant.tenant), "from": before.state, "to": state, "reason": reason}
            tx.emit(Event("tenant.state_changed", f"tenant/{tx.tenant.tenant}", data))
        self._repository.save(tx, after)
        if PERMITS[before.door] != PERMITS[after.door]:
            # Else nobody has to log in anew: a sign-up's tokens outlive the moment its billing is ready.
            self._tell_doors(tx, after)
        return after

    def _tell_doors(self, tx: Transaction, standing: Standing) -> None:
        tx.after_commit(lambda: self._herald.tell(tx.tenant.tenant, standing.door, max(tx.now, standing.since)))

    def close(self, tx: Transaction, organization: UUID) -> Standing:
        """Give the tenant up: read-only at once, closed in thirty days.

        An operator's hold stays over it. Errors: OwnersClose, StateDoesNotLeadThere, Forbidden.
        """
        self._check_owner(tx, organization)
        present = self._repository.lock(tx)
        if not permits(present.state, Need.LOG_IN):
            # A token is believed for some seconds after a suspension; the row knows better.
            raise refusal(present.door)
        if present.wish is None:
            wish = Wish(present.closes_at or tx.now + GRACE, tx.tenant.user)
            present = replace(present, wish=wish)
            self._repository.save(tx, present)
        if present.state is State.CLOSING:
            self._tell_doors(tx, present)
            return present
        check(present.state, State.CLOSING)
        return self._change(tx, present, State.CLOSING, CLOSED_BY_OWNER, present.held)

    def reopen(self, tx: Transaction, organization: UUID) -> Standing:
        """Have it back, as what it pays by now and what an operator ordered make it.

        Errors: OwnersClose, StateDoesNotLeadThere, HeldByPlatform.
        """
        self._check_owner(tx, organization)
        present = self._repository.lock(tx)
        if present.state is not State.CLOSING:  # a wish under a suspension is not taken back: nobody works in it
            raise StateDoesNotLeadThere("The organization is not being closed.")
        held = present.held
        if held is not None and held.state is State.CLOSING:
            raise HeldByPlatform(f"The platform is closing the organization: {held.reason}. Ask its support.")
        state = held_to(held.state if held else None, self._standing(tx, present.reopens_as or State.ACTIVE))
        check(present.state, state)
        reason = held.reason if held else "had back by its owner"
        return self._change(tx, replace(present, wish=None), state, reason, held)

    def tend(self, tx: Transaction) -> dict[str, int]:
        """A tenant's share of timed work: close it when its grace is over, and mend what was not heard."""
        present = self._repository.lock(tx)
        if present.state is State.CLOSING and present.closes_at is not None and present.closes_at <= tx.now:
            self._at_end(tx)
            self.move(tx, State.CLOSED, "its grace is over")
            return {"closed": 1}
        return {"closed": 0, "mended": int(self._herald.mend(tx.tenant.tenant, present.door, tx.now))}

    def _check_owner(self, tx: Transaction, organization: UUID) -> None:
        if organization != tx.tenant.tenant:
            raise TenantNotFound
        if not self._repository.is_owner(tx):
            raise OwnersClose


def _hold(present: Hold | None, state: State, reason: str, now: datetime) -> Hold | None:
    """The hold that an order makes; one that is so already stays from when it was."""
    if state not in HOLDS:
        return None
    if present is not None and (present.state, present.reason) == (state, reason):
        return present
    return Hold(state, reason, now)


def _reading_only(before: State) -> State:
    """What was suspended comes back read-only."""
    return State.RESTRICTED if before is State.SUSPENDED else before


def check(before: State, after: State) -> None:
    """Raise `StateDoesNotLeadThere` unless one state leads to the other."""
    if after not in LEADS_TO[before]:
        raise StateDoesNotLeadThere(f"An organization that is {before} does not become {after}.")
