"""The words of targets."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID


class Period(StrEnum):
    """How long a target is for; weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class By(StrEnum):
    """What shares of a target go by."""

    HISTORY = "history"
    EQUALLY = "equally"
    WEIGHT = "weight"


@dataclass(frozen=True, slots=True)
class TargetDraft:
    """What a caller says of a target; without a first day it is of the present period."""

    site_id: UUID
    metric: str
    period: Period
    first_day: date | None
    value: Decimal
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What a place is to come to in a period; amounts in a currency, or without one where nothing was sold yet."""

    id: UUID
    site_id: UUID
    metric: str
    period: str
    first_day: date
    value: Decimal
    cascaded_from: UUID | None
    version: int
    created_at: datetime
    updated_at: datetime
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Cascade:
    """How a target is shared out among the places that are in its own; weights by place."""

    by: By
    weights: Mapping[UUID, Decimal]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a place is. `expected`: what it would have by now, were it to come to the target as weeks usually go.

    `freshness`: up to when something was told of it; of what needs counts and receipts, the older of both.
    """

    target: Target
    starts_at: datetime
    ends_at: datetime
    actual: Decimal | None
    share: Decimal | None
    expected: Decimal
    expected_share: Decimal | None
    freshness: datetime | None
