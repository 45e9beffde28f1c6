"""The words of alerts."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta


class Kind(StrEnum):
    """What a rule looks at."""

    THRESHOLD = "threshold"
    CHANGE = "change"
    MISSING_DATA = "missing_data"
    CAPACITY = "capacity"


_Time = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["22:00"])]


class Quiet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From a time to another by the place's own clock, over midnight if it is earlier: no alert opens meanwhile."""

    from_: _Time = msgspec.field(name="from")
    to: _Time


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """When an alert is to be: which of these a rule needs follows from its kind.

    `threshold`: a metric of a period is above or below `value`. `change`: it has risen or fallen by more than so many
    percent `against` the period before, or that of a week or a year (364 days, or twelve months) earlier.
    `missing_data`: nothing came for so many minutes. `capacity`: the place's limit is reached. `clear_at` is where an
    alert that is open resolves: `value` unless it is said. `currency`: of which amounts are, as they are never added;
    None where nothing was sold yet.
    """

    kind: Kind
    metric: str = "footfall"
    direction: Literal["above", "below"] = "above"
    value: Decimal = Decimal(0)
    clear_at: Decimal | None = None
    period: Literal["hour", "day", "week", "month"] = "day"
    against: Literal["previous", "week", "year"] = "previous"
    quiet: Quiet | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class RuleDraft:
    """What a caller says of a rule; `each_store`: for each store in the place, and not for all of them together."""

    name: str
    site_id: UUID
    each_store: bool
    condition: Condition
    severity: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """What is to be told of a place, or of each store in it."""

    id: UUID
    name: str
    site_id: UUID
    each_store: bool
    condition: Condition
    severity: str
    enabled: bool
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Reading:
    """What a rule looks at, as it is: `value` None where it cannot be told, and then nothing changes.

    `since`: when the period begins that it is of; `under_way` where that is not over at `measured_at`.
    """

    value: Decimal | None
    measured_at: datetime
    since: datetime | None = None
    under_way: bool = False


@dataclass(frozen=True, slots=True)
class Inside:
    """How many are in a place, and may be."""

    people: int
    capacity: int


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that was to be told of a place."""

    id: UUID
    rule_id: UUID
    rule_name: str
    site_id: UUID
    kind: str
    severity: str
    status: str
    reason: str
    value: Decimal | None
    measured_at: datetime
    message: str
    note: str
    opened_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: UUID | None
    resolved_at: datetime | None
