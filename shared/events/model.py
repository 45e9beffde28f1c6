"""The words of the event catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class EventType:
    """One kind of event: `name` like `campaign.launched`, `subject` like `campaign/<id>`, `example` its data.

    Its schema follows from the example's names, whose types are known to `rules.schemas`; `nullable` and `optional`
    name fields that may be null or absent. One that is `open` tells more, by names that depend on what happened.
    """

    name: str
    description: str
    subject: str
    example: Mapping[str, Any]
    nullable: frozenset[str] = field(default=frozenset(), kw_only=True)
    optional: frozenset[str] = field(default=frozenset(), kw_only=True)
    open: bool = field(default=False, kw_only=True)
    version: int = field(default=1, kw_only=True)
    """One more where a change would break who reads it: a field goes, or is of another type."""

    @property
    def area(self) -> str:
        """What stands before the first dot: `campaign`."""
        return self.name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class WaitingEvent:
    """An outbox row that no bus has taken yet; `at` is when its transaction began."""

    id: UUID
    type: str
    subject: str
    data: dict[str, Any]
    at: datetime
