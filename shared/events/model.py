"""The words of the event catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class EventType:
    """One kind of event: `name` like `campaign.launched`, `subject` like `campaign/<id>`, `example` its data."""

    name: str
    description: str
    subject: str
    example: Mapping[str, Any]

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
