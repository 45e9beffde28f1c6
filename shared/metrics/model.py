"""The words of metrics."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Metric(StrEnum):
    """What is measured; amounts in the currency of the site's sales, rates per entry or per transaction."""

    FOOTFALL = "footfall"
    EXITS = "exits"
    TRANSACTIONS = "transactions"
    UNITS = "units"
    REVENUE = "revenue"
    CONVERSION_RATE = "conversion_rate"
    AVERAGE_BASKET = "average_basket"
    SALES_PER_VISITOR = "sales_per_visitor"


class Granularity(StrEnum):
    """How long a point is; day and longer in the site's own time zone."""

    QUARTER = "15m"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Range:
    """From a moment (included) to a moment (excluded), in steps."""

    start: datetime
    end: datetime
    granularity: Granularity
