"""Access tokens that are good no more before they expire: known to every function within five seconds.

Their session or their signing key has ended; or something changed for a whole tenant (what a role may do, whether it
is open), and its tokens issued until then are refused, so that their bearers refresh them and get what holds now.

Whoever ends a session writes one item; its id stays in the table for as long as an access token of it could live. Each
sandbox reads what is new at most once in `_PAUSE_SECONDS`, in one query, and answers every request between from
memory: so a function of ten sandboxes reads three times a second, whatever its traffic.

When the table does not answer, what is known goes on being applied for a minute; after that nobody is let in.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from tenant_context.aws import AwsError
from tenant_context.clock import Clock
from tenant_context.dynamo import Table
from tenant_context.errors import Unavailable

PARTITION = "revoked"
_KEY = "key#"
"""In front of the name of a signing key, where else a session's id stands."""
_PAUSE_SECONDS = 3.0
_BLIND_SECONDS = 60.0
_OVERLAP = timedelta(seconds=30)
"""Each reading begins so long before the last one: the clocks of writers differ."""
_LIFETIME = timedelta(minutes=16)
"""An access token's 15 minutes, and the skew it is allowed."""


def _stamp(moment: datetime) -> str:
    return f"{moment.timestamp():017.6f}"


class Revocations:
    """What ended lately."""

    def __init__(self, table: Table, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._table = table
        self._clock = clock
        self._monotonic = monotonic
        self._until: dict[str, float] = {}
        self._before: dict[str, float] = {}
        self._tried_at: float | None = None
        self._read_at: float | None = None
        self._newest: datetime | None = None

    def has(self, session: str) -> bool:
        """Whether the session has ended. Errors: Unavailable, when that cannot be known any more."""
        self._look()
        return session in self._until

    def outdates(self, tenant: str, issued_at: float) -> bool:
        """Whether a tenant's tokens of that time (seconds since 1970) are good no more. Errors: Unavailable."""
        self._look()
        return issued_at <= self._before.get(tenant, -1.0)

    def _look(self) -> None:
        now = self._monotonic()
        if self._tried_at is None or now - self._tried_at >= _PAUSE_SECONDS:
            self._tried_at = now
            self._catch_up(now)

    def has_key(self, kid: str) -> bool:
        """Whether a signing key was ended before its time; asks nothing that `has` would not."""
        return self.has(_KEY + kid)

    def _catch_up(self, now: float) -> None:
        moment = self._clock()
        since = (self._newest or moment - _LIFETIME) - _OVERLAP
        try:
            found = self._table.query_from(PARTITION, _stamp(since))
        except AwsError as error:
            if self._read_at is None or now - self._read_at > _BLIND_SECONDS:
                self._tried_at = None
                raise Unavailable("Whether your session has ended cannot be checked now; try again.") from error
            return
        self._read_at, self._newest = now, moment
        for item in found:
            if "session" in item:
                self._until[item["session"]] = float(item["expires_at"])
            else:
                self._before[item["tenant"]] = max(float(item["before"]), self._before.get(item["tenant"], 0.0))
        self._until = {session: until for session, until in self._until.items() if until > moment.timestamp()}
        oldest = (moment - _LIFETIME).timestamp()
        self._before = {tenant: before for tenant, before in self._before.items() if before > oldest}


def revoke(table: Table, session: UUID, now: datetime) -> None:
    """Write that a session has ended."""
    _tell(table, str(session), now)


def revoke_key(table: Table, kid: str, now: datetime) -> None:
    """Write that a signing key has ended; until this is forgotten, everybody has read the ring anew."""
    _tell(table, _KEY + kid, now)


def _tell(table: Table, what: str, now: datetime) -> None:
    until = int((now + _LIFETIME).timestamp())
    table.put(
        {"pk": PARTITION, "sk": f"{_stamp(now)}#{what}", "session": what, "expires_at": until},
    )


def outdate(table: Table, tenant: UUID, now: datetime) -> None:
    """Write that a tenant's access tokens issued until now are good no more."""
    until = int((now + _LIFETIME).timestamp())
    table.put(
        {
            "pk": PARTITION,
            "sk": f"{_stamp(now)}#{tenant}",
            "tenant": str(tenant),
            "before": f"{now.timestamp():.3f}",
            "expires_at": until,
        },
    )
