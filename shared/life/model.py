"""The words of a tenant's life."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tenant_context.states import State, at_doors


@dataclass(frozen=True, slots=True)
class Hold:
    """What an operator ordered of a tenant's state; only operators lift it."""

    state: State
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Wish:
    """An owner's wish to close the tenant; it stands until an owner takes it back, whatever operators order."""

    closes_at: datetime
    by: UUID | None
    """Who wished it; None where it was wished before this was kept."""


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
    held: Hold | None = None
    wish: Wish | None = None
    in_debt: bool = False
    """Whether not paying has led to a suspension, whatever else has."""

    @property
    def door(self) -> State:
        """The state as doors are told it."""
        return at_doors(self.state, held=self.held.state if self.held else None, in_debt=self.in_debt)
