"""When an alert is to be, and in what words."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from shared.alerts.errors import WrongRule
from shared.alerts.model import Condition, Kind, Quiet
from shared.hours.rules import first_shown

METRICS = frozenset(
    {
        "footfall", "exits", "transactions", "units", "revenue", "conversion_rate", "average_basket",
        "units_per_transaction", "sales_per_visitor",
    }
)  # fmt: skip
ADDITIVE = frozenset({"footfall", "exits", "transactions", "units", "revenue"})
"""What only grows while a period goes on: above a value once, it stays so until the period's end."""
SOURCES = frozenset({"footfall", "transactions"})
_LARGEST = Decimal(10) ** 12
_LONGEST_SILENCE = 60 * 24 * 30
_NEWS = {"hour": timedelta(hours=6), "day": timedelta(days=3), "week": timedelta(days=14), "month": timedelta(days=62)}
"""How long ago a period may have ended to be told of: what comes months late raises nothing."""

_PATIENCE, _PATIENCE_OF_HOURS = timedelta(hours=36), timedelta(hours=3)


def check(condition: Condition) -> None:
    """Raise `WrongRule` for a condition by which nothing could be told."""
    known = SOURCES if condition.kind is Kind.MISSING_DATA else METRICS
    if condition.metric not in known:
        raise WrongRule("/condition/metric", "metric", f"must be one of {', '.join(sorted(known))}")
    for name, value in (("value", condition.value), ("clear_at", condition.clear_at)):
        # Compared, not reckoned with: a decimal may have an exponent that overflows any arithmetic.
        if value is not None and not (value.is_finite() and -_LARGEST <= value <= _LARGEST):
            raise WrongRule(f"/condition/{name}", "number", "must be a number of sensible size")
    if condition.kind is Kind.MISSING_DATA and not 15 <= condition.value <= _LONGEST_SILENCE:  # noqa: PLR2004
        raise WrongRule("/condition/value", "minutes", f"must be minutes, 15 to {_LONGEST_SILENCE}")
    if condition.kind is Kind.CHANGE and condition.value <= 0:
        raise WrongRule("/condition/value", "percent", "must be a percentage above 0")
    if condition.kind is Kind.CHANGE and condition.period in {"week", "month"} and condition.against == "week":
        raise WrongRule("/condition/against", "against", "must be shorter than what it is compared with")
    if condition.clear_at is not None and condition.kind in {Kind.THRESHOLD, Kind.CHANGE}:
        kept = condition.clear_at - condition.value
        falls = condition.kind is Kind.THRESHOLD and condition.direction == "below"
        if (kept < 0) if falls else (kept > 0):
            where = "value or above" if falls else "value or below"
            raise WrongRule("/condition/clear_at", "order", f"must be {where}: an alert resolves on the way back")
    if condition.quiet is not None and condition.quiet.from_ == condition.quiet.to:
        raise WrongRule("/condition/quiet", "empty", "ends when it begins; disable the rule to hear nothing of it")


def is_reckoned(condition: Condition) -> bool:
    """Whether a metric of periods is looked at, which may be an amount."""
    return condition.kind in {Kind.THRESHOLD, Kind.CHANGE}


def is_alarming(condition: Condition, value: Decimal, *, opened: bool) -> bool:
    """Whether an alert is to be; one that is `opened` goes on until the way back is gone."""
    if condition.kind is Kind.CAPACITY:
        return value > 0
    limit = condition.value if not opened or condition.clear_at is None else condition.clear_at
    if condition.kind is Kind.CHANGE and condition.direction == "below":
        return value < -limit
    return value < limit if condition.direction == "below" and condition.kind is Kind.THRESHOLD else value > limit


def is_quiet(quiet: Quiet | None, zone: ZoneInfo, moment: datetime) -> bool:
    """Whether nobody is to be told at a moment."""
    if quiet is None:
        return False
    now = moment.astimezone(zone).strftime("%H:%M")
    if quiet.from_ < quiet.to:
        return quiet.from_ <= now < quiet.to
    return now >= quiet.from_ or now < quiet.to


def period_of(period: str, zone: ZoneInfo, moment: datetime) -> tuple[datetime, datetime]:
    """The period that a moment is in, by the place's own clock."""
    if period == "hour":
        start = moment.replace(minute=0, second=0, microsecond=0)
        return start, start + timedelta(hours=1)
    day = moment.astimezone(zone).date()
    first = {"day": day, "week": day - timedelta(days=day.weekday()), "month": day.replace(day=1)}[period]
    lengths = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=32)}
    following = first + lengths[period]
    return _midnight(zone, first), _midnight(zone, following.replace(day=1) if period == "month" else following)


def compared(condition: Condition, zone: ZoneInfo, start: datetime) -> tuple[datetime, datetime]:
    """What the period that begins at a moment is compared with."""
    if condition.against == "previous":
        return period_of(condition.period, zone, start - timedelta(minutes=1))
    if condition.against == "year" and condition.period == "month":
        day = start.astimezone(zone).date()
        return period_of("month", zone, _midnight(zone, day.replace(year=day.year - 1)))
    days = 7 if condition.against == "week" else 364
    wall = start.astimezone(zone).replace(tzinfo=None) - timedelta(days=days)
    return period_of(condition.period, zone, first_shown(zone, wall))


def is_news(condition: Condition, end: datetime, now: datetime) -> bool:
    """Whether a period ended lately enough to be told of."""
    return now - end <= _NEWS[condition.period]


def patience(condition: Condition) -> timedelta:
    """How old somebody's newest may be before a period is judged without them: a dead sensor holds up nothing for long.

    Files of a day come in the night after it; who tells of hours tells within them.
    """
    return _PATIENCE_OF_HOURS if condition.period == "hour" else _PATIENCE


def change(value: Decimal | None, before: Decimal | None) -> Decimal | None:
    """By how many percent something has changed; None where that cannot be told."""
    if value is None or not before:
        return None
    return round((value - before) / before * 100, 2)


def message(condition: Condition, place: str, value: Decimal) -> str:
    """An alert in words."""
    shown = f"{value.normalize():f}"
    if condition.kind is Kind.CAPACITY:
        return f"{place}: as many are inside as may be."
    if condition.kind is Kind.MISSING_DATA:
        return f"{place}: no {'counts' if condition.metric == 'footfall' else 'receipts'} came for {shown} minutes."
    what = condition.metric.replace("_", " ")
    of = f" {condition.currency}" if condition.currency else ""
    limit = f"{condition.value.normalize():f}{of}"
    if condition.kind is Kind.CHANGE:
        way = "rose" if value > 0 else "fell"
        then = {"previous": f"the {condition.period} before", "week": "a week before", "year": "a year before"}
        against = then[condition.against]
        return f"{place}: {what} of the {condition.period} {way} by {abs(value).normalize():f} % against {against}."
    return f"{place}: {what} of the {condition.period} is {shown}{of}, {condition.direction} {limit}."


def _midnight(zone: ZoneInfo, day: date) -> datetime:
    return first_shown(zone, datetime.combine(day, time()))
