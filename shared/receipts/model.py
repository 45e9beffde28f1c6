"""The words of receipts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

LONGEST = timedelta(days=31)
"""A range that is asked for."""


class Link(StrEnum):
    """What a receipt that undoes another finds: that one, nothing (yet), or one that undoes a third itself."""

    LINKED = "linked"
    MISSING = "missing"
    CHAINED = "chained"


class Undone(StrEnum):
    """How much of a receipt others undo; `beyond`: more of something than was bought."""

    NO = "no"
    PARTLY = "partly"
    WHOLLY = "wholly"
    BEYOND = "beyond"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which receipts of a store: of a time, of one id if wanted, after the last one of a page."""

    start: datetime
    end: datetime
    id: str | None
    after: tuple[datetime, str] | None
    limit: int


@dataclass(frozen=True, slots=True)
class Found:
    """A receipt as it is kept, what it undoes and what undoes it, in columns of their own."""

    shown: dict[str, Any]
    at: datetime
    id: str
    undoes: str | None
    original: dict[str, Any] | None
    original_undoes: str | None
    undone_by: Sequence[str]
    undone: Undone


@dataclass(frozen=True, slots=True)
class Page:
    """Receipts, no more than an answer has room for, and of how many they are: of what was asked for, and one."""

    receipts: Sequence[Found]
    there: int
