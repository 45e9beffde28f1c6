"""Changed states of tenants, and what they may use, told to whoever lets callers in; in force within five seconds.

Tokens claim their tenant's state, so a change outdates them; keys do not, so their verifiers look here. How fast a
tenant may call beyond its plan's rate, and whether its storage is full, stands in the same item, for the verifiers of
keys and for who issues tokens.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenant_context.aws import AwsError
from tenant_context.clock import Clock
from tenant_context.dynamo import Item, Table
from tenant_context.errors import Unavailable
from tenant_context.plans import Rate, read_rate
from tenant_context.revocations import outdate
from tenant_context.room import Full, read_full
from tenant_context.states import PERMITS, State


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a tenant may use: how fast it may call and push, and whether its room is full."""

    rate: Rate
    full: Full | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a tenant."""

    state: str
    allowed: Allowed | None
    """None where nothing was told that is not its plan's."""


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
        self._known: dict[UUID, tuple[float, Standing]] = {}

    def of(self, tenant: UUID) -> str:
        """The tenant's state; active, while nothing else was ever said. Errors: Unavailable."""
        return self.standing(tenant).state

    def standing(self, tenant: UUID) -> Standing:
        """The tenant's state, and what it may use. Errors: Unavailable."""
        now = self._clock().timestamp()
        known = self._known.get(tenant)
        if known is not None and now - known[0] < self._TRUSTED_SECONDS:
            return known[1]
        try:
            item = self._table.get(*place_of(tenant))
        except AwsError as error:
            if known is None or now - known[0] > self._BLIND_SECONDS:
                raise Unavailable("Whether the organization is open cannot be checked now; try again.") from error
            return known[1]
        standing = Standing(_state(item), _allowed(item))
        if len(self._known) >= self._KEPT:
            self._known.clear()
        self._known[tenant] = (now, standing)
        return standing


class Allowances:
    """What tenants may use, as doors are told."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def of(self, tenant: UUID) -> Allowed | None:
        """What was told of a tenant; None where that is its plan's and no more. Errors: AwsError."""
        return _allowed(self._table.get(*place_of(tenant)))

    def tell(self, tenant: UUID, allowed: Allowed) -> bool:
        """Tell what a tenant may use, unless that is known; answers whether it was not.

        Keys go by it within four seconds; so do tokens where room is full or there again, else with their next one.
        """
        before = self.of(tenant)
        if before == allowed:
            return False
        values = {":rate": allowed.rate.claim(), ":full": allowed.full.claim() if allowed.full else None}
        self._table.update(*place_of(tenant), "SET #rate = :rate, #full = :full", values, names=_NAMES)
        if (before is not None and before.full is not None) != (allowed.full is not None):
            outdate(self._table, tenant, self._clock())
        return True


class Herald:
    """Makes a tenant's state known to whoever lets callers in, within five seconds."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def tell(self, tenant: UUID, state: State, since: datetime) -> None:
        """To the verifiers of keys, unless they heard of something newer; to those of tokens, by outdating them."""
        pk, sk = place_of(tenant)
        moment = since.isoformat(timespec="microseconds")
        item = self._table.get(pk, sk)
        if item is None or str(item.get("since", "")) <= moment:
            values = {":state": state.value, ":since": moment}
            self._table.update(pk, sk, "SET #state = :state, since = :since", values, names={"#state": "state"})
        outdate(self._table, tenant, self._clock())

    def mend(self, tenant: UUID, state: State, now: datetime) -> bool:
        """Tell once more what was not heard, because somebody died in between; answers whether that was needed."""
        item = self._table.get(*place_of(tenant))
        if PERMITS[State(_state(item))] == PERMITS[state]:
            return False
        self.tell(tenant, state, now)
        return True


_NAMES = {"#rate": "rate", "#full": "full"}


def _state(item: Item | None) -> str:
    return str((item or {}).get("state", State.ACTIVE.value))


def _allowed(item: Item | None) -> Allowed | None:
    if item is None or "rate" not in item:
        return None
    return Allowed(read_rate(item["rate"]), read_full(item.get("full")))


def place_of(tenant: UUID) -> tuple[str, str]:
    """The key of the item that tells of a tenant; it begins otherwise than a tenant's own items."""
    return f"state#{tenant}", "state"
