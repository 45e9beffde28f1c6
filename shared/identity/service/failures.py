"""Proofs that were not good, told to the audit log: whose, why, and from where somebody tried."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from shared.identity import rules
from shared.identity.gateway.mail import NOBODY
from shared.identity.model import Membership
from shared.identity.service.callers import Caller, in_place, security
from tenant_context.context import TenantContext
from tenant_context.postgres import Database

# A commit that waits for the disk would tell a known user, whose entry is kept, from an unknown one. Should the server
# crash, the entries of its last half second may be lost.
_UNWAITED: LiteralString = "SELECT set_config('synchronous_commit', 'off', true)"


class Failures:
    """Tells of guesses, and of none more than the throttle lets through.

    So there are, of one kind of proof, for one account and from all addresses together some fifty entries at once and
    two a minute after that; from one address over all accounts some fifty and twelve an hour. Whoever is kept waiting
    leaves none.

    The bus hears of it from the relay, not at once: to call the bus takes longer than to tell nobody.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def sign_in(
        self, user: UUID | None, places: Sequence[Membership], wanted: str | None, caller: Caller, reason: str
    ) -> None:
        """A log-in of a user failed: emits security.sign_in_failed in the organization it was for.

        That is the one named, if it is one of theirs, else the first, as it would be told of a log-in that is good.
        Of nobody nothing is kept, after the same statements: who asks does not learn by the time whether there is
        such a user. The entry's actor is nobody: who it was, nobody knows.
        """
        place = rules.place_of(places, wanted) or rules.place_of(places, None)
        event = security("sign_in_failed", user or NOBODY, caller, {"reason": reason})
        with self._database.transaction(in_place(place.tenant if place else NOBODY, NOBODY, caller)) as tx:
            tx.run(_UNWAITED)
            tx.run("SAVEPOINT told")
            tx.emit(event, at_once=False)
            tx.run("RELEASE told" if place else "ROLLBACK TO told")

    def step_up(self, tenant: TenantContext, user: UUID, caller: Caller, reason: str) -> None:
        """A signed-in user did not prove who they are: emits security.step_up_failed."""
        with self._database.transaction(tenant) as tx:
            tx.emit(security("step_up_failed", user, caller, {"reason": reason}), at_once=False)
