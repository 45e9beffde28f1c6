"""Periods, shares that sum exactly, and what is expected by now."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from shared.figures.rules import sources
from shared.hours.rules import first_shown
from shared.targets.errors import WrongTarget
from shared.targets.model import Period

STEPS: dict[str, Decimal] = {
    "footfall": Decimal(1),
    "exits": Decimal(1),
    "transactions": Decimal(1),
    "units": Decimal("0.001"),
    "revenue": Decimal("0.01"),
}
"""Metrics that are sums of what is below, and as fine as they are shared out."""
RATES = frozenset({"conversion_rate", "average_basket", "units_per_transaction", "sales_per_visitor"})
_RATE_STEP = Decimal("0.0001")
LARGEST = Decimal(10) ** 12
EARLIEST, LATEST = date(2000, 1, 1), date(2199, 12, 31)
_ONE_DAY = timedelta(days=1)
_MONTHS = {Period.MONTH: 1, Period.QUARTER: 3, Period.YEAR: 12}


def check(metric: str, period: Period, first_day: date, value: Decimal) -> None:
    """Raise `WrongTarget` for what cannot be."""
    if metric not in STEPS and metric not in RATES:
        raise WrongTarget("/metric", "metric", f"must be one of {', '.join(sorted({*STEPS, *RATES}))}")
    if not EARLIEST <= first_day <= LATEST:
        raise WrongTarget("/first_day", "date", f"must be between {EARLIEST.year} and {LATEST.year}")
    if first_day != begins(period, first_day):
        when = {Period.WEEK: "a Monday", Period.MONTH: "the first of a month", Period.YEAR: "the first of January"}
        wanted = when.get(period, "the first day of a quarter")
        raise WrongTarget("/first_day", "first-day", f"must be {wanted}, with which a {period} begins")
    step = STEPS.get(metric, _RATE_STEP)
    # Compared, not reckoned with: a decimal may have an exponent that overflows any arithmetic.
    if not value.is_finite() or not 0 <= value <= LARGEST:
        raise WrongTarget("/value", "number", "must be 0 or more, and of sensible size")
    if metric == "conversion_rate" and value > 1:
        raise WrongTarget("/value", "rate", "must be 1 or less: 0.25 is one visitor in four")
    if value != value.quantize(step):
        raise WrongTarget("/value", "too-fine", f"is finer than {step}, which is as fine as it is kept")


def is_of_stores(metric: str) -> bool:
    """Whether tills have to tell of a metric, which zones have none of."""
    return "sales" in sources(metric)


def begins(period: Period, day: date) -> date:
    """The first day of the period that a day is in."""
    if period is Period.WEEK:
        return day - timedelta(days=day.weekday())
    if period is Period.DAY:
        return day
    months = _MONTHS[period]
    return day.replace(month=(day.month - 1) // months * months + 1, day=1)


def following(period: Period, first: date) -> date:
    """The first day of the next one."""
    if period in {Period.DAY, Period.WEEK}:
        return first + (_ONE_DAY if period is Period.DAY else 7 * _ONE_DAY)
    month = first.month - 1 + _MONTHS[period]
    return date(first.year + month // 12, month % 12 + 1, 1)


def year_before(period: Period, first: date) -> date:
    """The first day of the same period a year before; of days and weeks, of the same weekday."""
    if period in {Period.DAY, Period.WEEK}:
        return first - timedelta(days=364)
    return first.replace(year=first.year - 1)


def midnight(zone: ZoneInfo, day: date) -> datetime:
    """When a day begins by a clock."""
    return first_shown(zone, datetime.combine(day, time()))


def shares(value: Decimal, weights: Sequence[Decimal], step: Decimal) -> list[Decimal]:
    """A value in steps by weights, not all 0, to the last step: those who lose most by rounding get one more."""
    steps = int(Fraction(value) / Fraction(step))
    whole = sum(map(Fraction, weights), Fraction(0))
    quotas = [steps * Fraction(weight) / whole for weight in weights]
    floors = [quota.numerator // quota.denominator for quota in quotas]
    order = sorted(range(len(weights)), key=lambda place: (floors[place] - quotas[place], place))
    for place in order[: steps - sum(floors)]:
        floors[place] += 1
    return [floor * step for floor in floors]


def expected(
    value: Decimal, days: Sequence[date], usual: Mapping[int, Decimal], elapsed: Mapping[date, Fraction]
) -> Decimal:
    """What of a target would be there by now, were each weekday to bring what it `usual`ly does.

    `elapsed`: how much of each day is over; what is not named is to come. Without a usual week, days are alike.
    """
    weights = {day: Fraction(usual.get(day.weekday(), Decimal(0))) for day in days}
    if not any(weights.values()):
        weights = dict.fromkeys(days, Fraction(1))
    there = sum((weights[day] * elapsed.get(day, Fraction(0)) for day in days), Fraction(0))
    part = Fraction(value) * there / sum(weights.values(), Fraction(0))
    return round(Decimal(part.numerator) / Decimal(part.denominator), 4)


def weekdays(history: Mapping[date, Decimal]) -> dict[int, Decimal]:
    """What each weekday brings on average."""
    found: dict[int, list[Decimal]] = {}
    for day, value in history.items():
        found.setdefault(day.weekday(), []).append(value)
    return {weekday: sum(values, Decimal(0)) / len(values) for weekday, values in found.items()}


def gone_by(days: Sequence[date], zone: ZoneInfo, now: datetime) -> dict[date, Fraction]:
    """How much of each day is over."""
    found: dict[date, Fraction] = {}
    for day in days:
        start, end = midnight(zone, day), midnight(zone, day + _ONE_DAY)
        if start >= now:
            break
        length = (end - start) // _SECOND  # none of a day that the zone left out
        found[day] = min(Fraction(1), Fraction((now - start) // _SECOND, length)) if length else Fraction(1)
    return found


_SECOND = timedelta(seconds=1)
