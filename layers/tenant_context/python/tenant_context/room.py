"""Whether a tenant keeps as much as its plan has room for, as doors are told, and which routes then stop.

How much a tenant keeps is estimated by the job `usage`, which tells where its verdict changes: the verifiers of keys
look where they look for the tenant's state, tokens carry it as a claim and are outdated by a change.
"""

from dataclasses import dataclass

_STORED = frozenset({"campaigns", "sites", "sensors", "webhooks"})
_PUSHED = "ingest.write"
_CREATED = 201


@dataclass(frozen=True, slots=True)
class Full:
    """A tenant's room and what it keeps, at or over it."""

    gb: int
    """Of 10^9 bytes."""
    size: int
    """In bytes."""

    def claim(self) -> list[int]:
        """As tokens and the news of tenants carry it."""
        return [self.gb, self.size]


def read_full(claim: object) -> Full | None:
    """What a verified token, or the news of a tenant, says; None where there is room."""
    match claim:
        case [int() as gb, int() as size]:
            return Full(gb, size)
    return None


def stores(permission: str | None, status: int) -> bool:
    """Whether a route stores something new of the tenant's business: what is pushed, and what is created."""
    if permission == _PUSHED:
        return True
    return status == _CREATED and (permission or "").partition(".")[0] in _STORED
