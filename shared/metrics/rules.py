"""What makes a range."""

from datetime import timedelta

from shared.metrics.errors import RangeOrder, RangeTooLong
from shared.metrics.model import Granularity, Range

MAX_POINTS = 5_000
_SHORTEST: dict[Granularity, timedelta] = {
    Granularity.QUARTER: timedelta(minutes=15),
    Granularity.HOUR: timedelta(hours=1),
    Granularity.DAY: timedelta(hours=23),
    Granularity.WEEK: timedelta(days=7, hours=-1),
    Granularity.MONTH: timedelta(days=28, hours=-1),
}


def check_range(span: Range) -> None:
    """Raise `RangeOrder` or `RangeTooLong` for a range no answer can hold."""
    if span.end <= span.start:
        raise RangeOrder
    if (span.end - span.start) / _SHORTEST[span.granularity] > MAX_POINTS:
        raise RangeTooLong(MAX_POINTS)
