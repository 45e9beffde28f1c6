"""The words of plans and grants."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Kind(StrEnum):
    """What a grant does."""

    VALUE = "value"
    """Another value of a limit in place of the plan's; without an amount, no limit."""
    EXTRA = "extra"
    """So much more of it."""
    FEATURE = "feature"


@dataclass(frozen=True, slots=True)
class Grant:
    """What an operator gave a tenant beyond its plan."""

    id: UUID
    kind: Kind
    name: str
    amount: int | None
    reason: str
    created_at: datetime
    until: datetime | None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """How much of a thing a tenant may have, and has; `value` None is without limit."""

    limit: str
    value: int | None
    usage: float
    source: str
    """`plan` or `grant`."""
    until: datetime | None
    """When a grant in it ends."""
    resets_at: datetime | None = None
    """When usage begins anew, where it does."""


@dataclass(frozen=True, slots=True)
class Feature:
    """Whether a tenant has a feature, by its plan, its trial or a grant."""

    feature: str
    on: bool


@dataclass(frozen=True, slots=True)
class Allowances:
    """Everything a tenant may have."""

    plan: str
    limits: tuple[Limit, ...]
    features: tuple[Feature, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A tenant's plan and the grants in force, oldest first."""

    plan: str
    grants: tuple[Grant, ...]
