"""What metrics are of what was counted and sold. Of nothing comes nothing: null, and not zero."""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

from shared.metrics.model import PER_VISITOR, Facts, Metric

_PLACES = Decimal("0.0001")
_ABOUT = 0.1
_OF_SENSORS = PER_VISITOR | {Metric.FOOTFALL, Metric.EXITS}


def _ratio(above: Decimal, below: int) -> Decimal | None:
    return (above / below).quantize(_PLACES, ROUND_HALF_UP) if below else None


_OF: dict[Metric, Callable[[Facts], Decimal | None]] = {
    Metric.FOOTFALL: lambda f: Decimal(f.entries) if f.counted else None,
    Metric.EXITS: lambda f: Decimal(f.exits) if f.counted else None,
    Metric.TRANSACTIONS: lambda f: Decimal(f.transactions) if f.sold else None,
    Metric.UNITS: lambda f: f.units if f.sold else None,
    Metric.REVENUE: lambda f: f.revenue if f.sold else None,
    Metric.CONVERSION_RATE: lambda f: (
        _ratio(Decimal(f.transactions - f.lone_transactions), f.entries - f.lone_entries) if f.sold else None
    ),
    Metric.AVERAGE_BASKET: lambda f: _ratio(f.revenue, f.transactions) if f.sold else None,
    Metric.UNITS_PER_TRANSACTION: lambda f: _ratio(f.units, f.transactions) if f.sold else None,
    Metric.SALES_PER_VISITOR: lambda f: (
        _ratio(f.revenue - f.lone_revenue, f.entries - f.lone_entries) if f.sold else None
    ),
}


def value(metric: Metric, facts: Facts) -> Decimal | None:
    """A metric of some time."""
    return _OF[metric](facts)


def number(said: Decimal | None) -> int | float | None:
    """As JSON tells it: whole where it is."""
    if said is None:
        return None
    return int(said) if said == said.to_integral_value() else float(said)


def change(now: Decimal | None, then: Decimal | None) -> float | None:
    """By how much something grew, as a share of what it was."""
    if now is None or then is None or not then:
        return None
    return float(((now - then) / abs(then)).quantize(_PLACES, ROUND_HALF_UP))


def is_comparable(metric: Metric, now: Facts, then: Facts) -> bool:
    """Whether two times were counted about as much, to a tenth; of what tills tell alone, they always are."""
    return metric not in _OF_SENSORS or abs(now.coverage - then.coverage) <= _ABOUT
