"""The words of a tenant's life."""

from dataclasses import dataclass
from datetime import datetime

from tenant_context.states import State


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a tenant is in its life."""

    state: State
    reason: str
    since: datetime
    closes_at: datetime | None
    """When it is closed for good; None, while nobody closes it."""
    reopens_as: State | None
    """What it was when it was closed."""
