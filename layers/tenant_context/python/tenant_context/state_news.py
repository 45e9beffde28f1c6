"""Changed states of tenants, told to whoever lets callers in; in force within five seconds.

Tokens claim their tenant's state, so a change outdates them; keys do not, so their verifiers look here.
"""

from datetime import datetime
from uuid import UUID

from tenant_context.aws import AwsError
from tenant_context.clock import Clock
from tenant_context.dynamo import Table
from tenant_context.errors import Unavailable
from tenant_context.revocations import outdate
from tenant_context.states import PERMITS, State


class States:
    """In which state the tenants of keys are: looked up at most once in four seconds for each of them.

    When the table does not answer, what is known goes on being applied for a minute.
    """

    _TRUSTED_SECONDS = 4.0
    _BLIND_SECONDS = 60.0
    _KEPT = 4096

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._known: dict[UUID, tuple[float, str]] = {}

    def of(self, tenant: UUID) -> str:
        """The tenant's state; active, while nothing else was ever said. Errors: Unavailable."""
        now = self._clock().timestamp()
        known = self._known.get(tenant)
        if known is not None and now - known[0] < self._TRUSTED_SECONDS:
            return known[1]
        try:
            item = self._table.get(*_place(tenant))
        except AwsError as error:
            if known is None or now - known[0] > self._BLIND_SECONDS:
                raise Unavailable("Whether the organization is open cannot be checked now; try again.") from error
            return known[1]
        state = str(item["state"]) if item else State.ACTIVE.value
        if len(self._known) >= self._KEPT:
            self._known.clear()
        self._known[tenant] = (now, state)
        return state


class Herald:
    """Makes a tenant's state known to whoever lets callers in, within five seconds."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def tell(self, tenant: UUID, state: State, since: datetime) -> None:
        """To the verifiers of keys, unless they heard of something newer; to those of tokens, by outdating them."""
        pk, sk = _place(tenant)
        moment = since.isoformat(timespec="microseconds")
        item = self._table.get(pk, sk)
        if item is None or str(item["since"]) <= moment:
            self._table.put({"pk": pk, "sk": sk, "state": state.value, "since": moment})
        outdate(self._table, tenant, self._clock())

    def mend(self, tenant: UUID, state: State, now: datetime) -> bool:
        """Tell once more what was not heard, because somebody died in between; answers whether that was needed."""
        item = self._table.get(*_place(tenant))
        if PERMITS[State(item["state"]) if item else State.ACTIVE] == PERMITS[state]:
            return False
        self.tell(tenant, state, now)
        return True


def _place(tenant: UUID) -> tuple[str, str]:
    return f"state#{tenant}", "state"
