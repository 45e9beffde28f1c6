"""The life of a tenant: what each state permits, and which leads to which. These two tables are the only ones.

The entry points hold every caller to them: HTTP by the state that the access token claims or that is known of the
key's tenant; queues and timed work by the state in PostgreSQL, in the call that begins their transaction. A change is
in force within five seconds: it outdates the tenant's access tokens and is written where the verifiers of keys look.
"""

from collections.abc import Mapping
from enum import StrEnum

from tenant_context.errors import Forbidden


class State(StrEnum):
    """Where a tenant is in its life."""

    BILLING_PENDING = "billing_pending"
    """Works like an active one, while its billing is being set up."""
    ACTIVE = "active"
    PAST_DUE = "past_due"
    """A payment failed; nothing is withheld yet."""
    RESTRICTED = "restricted"
    """Read-only."""
    SUSPENDED = "suspended"
    CLOSING = "closing"
    """Its owner gave it up; it can be had back for thirty days."""
    CLOSED = "closed"
    SUSPENDED_UNPAID = "suspended_unpaid"
    """Suspended for nothing but its debt, as doors are told it, so that it can be paid. Everywhere else: suspended."""


class Need(StrEnum):
    """What somebody wants of a tenant."""

    READ = "read"
    WRITE = "write"
    INGEST = "ingest"
    LOG_IN = "log-in"
    """And what users do to themselves: sessions, factors, leaving, closing, having back."""
    BILLING = "billing"
    EXPORT = "export"
    PROCESS = "process"
    """What was taken in before and waits in a queue."""
    SETTLE = "settle"
    """What Stripe says and what it is told: money is settled in every state, after the end too."""
    TIMED = "timed"


_ALL = frozenset(Need)
PERMITS: Mapping[State, frozenset[Need]] = {
    State.BILLING_PENDING: _ALL,
    State.ACTIVE: _ALL,
    State.PAST_DUE: _ALL,
    State.RESTRICTED: _ALL - {Need.WRITE, Need.INGEST},
    State.SUSPENDED: frozenset({Need.PROCESS, Need.SETTLE}),
    State.CLOSING: _ALL - {Need.WRITE, Need.INGEST},
    State.CLOSED: frozenset({Need.SETTLE}),
    State.SUSPENDED_UNPAID: frozenset({Need.LOG_IN, Need.BILLING, Need.PROCESS, Need.SETTLE}),
}

_PAID = frozenset({State.BILLING_PENDING, State.ACTIVE, State.PAST_DUE, State.RESTRICTED})
LEADS_TO: Mapping[State, frozenset[State]] = {
    **{state: (_PAID - {state}) | {State.SUSPENDED, State.CLOSING} for state in _PAID},
    State.SUSPENDED: _PAID | {State.CLOSING},
    State.CLOSING: _PAID | {State.SUSPENDED, State.CLOSED},
    State.CLOSED: frozenset(),
}
"""Billing moves a tenant among its own four; operators suspend and restore; owners close and have back."""
HOLDS = frozenset({State.RESTRICTED, State.SUSPENDED, State.CLOSING})
"""What operators order stays until they lift it: neither a payment nor an owner makes it less."""

_AREAS = {"ingest": Need.INGEST, "billing": Need.BILLING, "exports": Need.EXPORT}
_READS = frozenset({"GET", "HEAD"})


class OrganizationRestricted(Forbidden):
    """Read-only, until it is paid for."""

    code, title = "organization-restricted", "The organization is read-only"


class OrganizationSuspended(Forbidden):
    """Nobody works in it; where it is for its debt, it can be paid."""

    code, title = "organization-suspended", "The organization is suspended"


class OrganizationClosing(Forbidden):
    """Read-only, until it is closed for good or had back."""

    code, title = "organization-closing", "The organization is being closed"


class OrganizationIsClosed(Forbidden):
    """Gone."""

    code, title = "organization-closed", "The organization is closed"


_REFUSALS: Mapping[State, tuple[type[Forbidden], str]] = {
    State.RESTRICTED: (
        OrganizationRestricted,
        (
            "The organization is read-only. GET …/organizations/{id} says why: `held` is what the platform ordered,"
            " which its support lifts; where that is null, a bill is to be settled under billing."
        ),
    ),
    State.SUSPENDED: (OrganizationSuspended, "The organization is suspended; ask the platform's support."),
    State.CLOSING: (
        OrganizationClosing,
        "The organization is being closed: an owner can have it back at POST …/organizations/{id}/reopen.",
    ),
    State.CLOSED: (OrganizationIsClosed, "The organization is closed; nothing of it can be had any more."),
    State.SUSPENDED_UNPAID: (
        OrganizationSuspended,
        "The organization is suspended until it has paid: who may see its billing logs in and pays under /billing.",
    ),
}


def at_doors(state: State, *, held: State | None, in_debt: bool) -> State:
    """A state as doors are told it (app.door_state is the same in SQL); `in_debt` where not paying led to it."""
    pays_out = state is State.SUSPENDED and in_debt and held is not State.SUSPENDED
    return State.SUSPENDED_UNPAID if pays_out else state


def shown(state: str) -> str:
    """A door's state as clients are told it."""
    return State.SUSPENDED if state == State.SUSPENDED_UNPAID else state


def held_to(held: State | None, state: State) -> State:
    """What billing makes of a tenant, under an operator's hold: the heavier of the two."""
    if held is None or (held is State.RESTRICTED and state is State.SUSPENDED):
        return state
    return held


def permits(state: str, need: Need) -> bool:
    """Whether a tenant in a state permits something."""
    return need in PERMITS[State(state)]


def permitting(need: Need) -> tuple[str, ...]:
    """The states in which something is permitted."""
    return tuple(state for state, needs in PERMITS.items() if need in needs)


def refusal(state: str) -> Forbidden:
    """The error that says the state and the way out."""
    kind, way_out = _REFUSALS.get(State(state), (Forbidden, "The organization's state does not allow it."))
    return kind(way_out)


def need_of(permission: str | None, method: str) -> Need:
    """What a route wants of its tenant, by its permission and method."""
    if permission is None or "." not in permission:
        return Need.LOG_IN
    if need := _AREAS.get(permission.partition(".")[0]):
        return need
    return Need.READ if method in _READS else Need.WRITE


def admit(state: str, permission: str | None, method: str, need: Need | None = None) -> None:
    """Raise what says the state and the way out, unless the tenant's state permits a route.

    `need` is what the route says itself, in place of what its permission and method tell.
    """
    permitted = PERMITS[State(state)]
    if permitted is not _ALL and (need or need_of(permission, method)) not in permitted:
        raise refusal(state)
