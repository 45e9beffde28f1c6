"""The words of erasures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID


class Store(Protocol):
    """Where things of tenants are, apart from PostgreSQL."""

    def page(self, tenant: UUID, after: Any) -> tuple[list[Any], Any]:
        """Keys of some of the tenant's things, and where to go on (None: nowhere)."""

    def delete(self, keys: Sequence[Any]) -> None:
        """Take things away; those that are gone are no error."""


@dataclass(slots=True)
class Mark:
    """How far an erasure came."""

    people: list[str] = field(default_factory=list)
    """Who were members when it began."""
    done: list[str] = field(default_factory=list)
    """The stores that are empty."""
    after: Any = None
    """Where the next page of the store under way begins."""
    pending: list[Any] = field(default_factory=list)
    """What of that store is counted and may not be gone yet."""


@dataclass(slots=True)
class Erasure:
    """An erasure under way; `counts` is what the certificate will say, store by store."""

    mark: Mark
    counts: dict[str, int]
