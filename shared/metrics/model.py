"""The words of metrics."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

EVERYBODY = UUID(int=0)
"""The organization as a whole, as a place of its rollups."""


class Metric(StrEnum):
    """What is measured; amounts in one currency, rates per entry or per transaction."""

    FOOTFALL = "footfall"
    """Entries that sensors counted."""
    EXITS = "exits"
    """Exits that they counted."""
    TRANSACTIONS = "transactions"
    """Receipts of something sold."""
    UNITS = "units"
    """Pieces sold, without those brought back."""
    REVENUE = "revenue"
    """What was sold for, without what was given back."""
    CONVERSION_RATE = "conversion_rate"
    """Transactions over entries: 0.25 is one in four."""
    AVERAGE_BASKET = "average_basket"
    """Revenue over transactions."""
    UNITS_PER_TRANSACTION = "units_per_transaction"
    """Units over transactions."""
    SALES_PER_VISITOR = "sales_per_visitor"
    """Revenue over entries."""


MONEY = frozenset({Metric.REVENUE, Metric.AVERAGE_BASKET, Metric.SALES_PER_VISITOR})
"""Metrics that are amounts of a currency."""
PER_VISITOR = frozenset({Metric.CONVERSION_RATE, Metric.SALES_PER_VISITOR})
"""Metrics that need both: who came, and what was sold."""
ADDED = frozenset({Metric.FOOTFALL, Metric.EXITS, Metric.TRANSACTIONS, Metric.UNITS, Metric.REVENUE})
"""Metrics whose parts add up to the whole."""


class Granularity(StrEnum):
    """How long a point is; day and longer in the site's own time zone."""

    QUARTER = "15m"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Compare(StrEnum):
    """What a range is compared with."""

    PERIOD = "previous_period"
    """As long, right before."""
    YEAR = "previous_year"
    """52 weeks before, so that weekdays meet; of months twelve months."""


class GroupBy(StrEnum):
    """What numbers are told apart by."""

    ZONE = "zone"
    """Zones of a store."""
    CHILD = "child"
    """What is right within the place."""
    WEEKDAY = "weekday"
    """Monday is 1."""
    HOUR = "hour"
    """Of the place's own clock."""


class Impute(StrEnum):
    """What stands where nothing was counted: nothing, or what is typical of the weekday and quarter of an hour."""

    NONE = "none"
    TYPICAL = "typical"


@dataclass(frozen=True, slots=True)
class Range:
    """From a moment (included) to a moment (excluded), in steps."""

    start: datetime
    end: datetime
    granularity: Granularity


@dataclass(frozen=True, slots=True)
class Ask:
    """A question: of which place, which metrics, over what range, and how it is told."""

    place: UUID
    metrics: tuple[Metric, ...]
    span: Range
    compare: Compare | None = None
    group_by: GroupBy | None = None
    impute: Impute = Impute.NONE
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class RankAsk:
    """A question which stores have most, or least, of a metric."""

    within: UUID
    metric: Metric
    start: datetime
    end: datetime
    descending: bool = True
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """A place as it is now, and the state that its numbers are in.

    `fresh` and `sold`: where the newest quarter of an hour begins in which something was counted, or sold.
    """

    id: UUID
    kind: str
    name: str
    time_zone: str
    epoch: int
    version: int
    fresh: datetime | None
    sold: datetime | None


@dataclass(frozen=True, slots=True)
class Step:
    """A point's time; `first` and `last` are the days that it is of, `last` excluded, where it is of whole days."""

    start: datetime
    end: datetime
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Service:
    """How many lines of sensors of a time zone were to count from a moment to a moment."""

    time_zone: str
    since: datetime
    until: datetime
    lines: int


@dataclass(slots=True)
class Facts:
    """What was counted and sold in some time; None where there is nothing to tell of."""

    entries: int = 0
    exits: int = 0
    minutes: int = 0
    expected: float = 0
    counted: bool = False
    transactions: int = 0
    units: Decimal = Decimal(0)
    revenue: Decimal = Decimal(0)
    sold: bool = False
    imputed: bool = False
    lone_entries: int = 0
    lone_transactions: int = 0
    lone_revenue: Decimal = Decimal(0)
    """Of these, those of stores that did not both count and sell in the range: nothing is bought per visitor there."""

    def add(self, other: "Facts") -> None:
        """Add up."""
        self.entries += other.entries
        self.exits += other.exits
        self.minutes += other.minutes
        self.expected += other.expected
        self.counted |= other.counted
        self.transactions += other.transactions
        self.units += other.units
        self.revenue += other.revenue
        self.sold |= other.sold
        self.imputed |= other.imputed
        self.lone_entries += other.lone_entries
        self.lone_transactions += other.lone_transactions
        self.lone_revenue += other.lone_revenue

    @property
    def coverage(self) -> float:
        """The minutes that were counted over those that there were."""
        return round(min(1.0, self.minutes / self.expected), 3) if self.expected else 0.0


@dataclass(frozen=True, slots=True)
class Group:
    """One of the places that an answer is told apart by."""

    key: UUID
    name: str
    kind: str


@dataclass(slots=True)
class Found:
    """Rows of rollups: by group, and by the day or moment that they begin with."""

    facts: Mapping[UUID, Mapping[date | datetime, Facts]]
    services: Mapping[UUID, Sequence[Service]]
    currencies: Sequence[str]
    longest: int = 0
    """Minutes of the longest interval that sensors count in."""
    unpaired: Mapping[tuple[int, UUID], Mapping[date | datetime, Facts]] = field(default_factory=dict)
    """What is not of stores that both count and sell, by which range it is of, and group."""
    both: AbstractSet[tuple[int, UUID]] = frozenset()
    """Stores that both count and sell, by the range; empty where it was not asked."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A store, what it has and had, the minutes that were counted there, and its place; equals share one."""

    id: UUID
    name: str
    code: str
    time_zone: str
    value: Decimal | None
    before: Decimal | None
    minutes: int | None
    rank: int
