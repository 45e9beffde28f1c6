"""When an alert is to be, and in what words."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from shared.alerts.errors import WrongRule
from shared.alerts.model import Condition, Inside, Kind, Quiet, Reading
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


def message(condition: Condition, place: str, reading: Reading, zone: ZoneInfo, inside: Inside | None = None) -> str:
    """An alert in words, with the period or moment that it is of by the place's own clock."""
    shown = _plain(reading.value)
    moment = f"{reading.measured_at.astimezone(zone):%Y-%m-%d %H:%M}"
    if condition.kind is Kind.CAPACITY:
        if inside is None:
            return f"{place}: as many are inside as may be, at {moment}."
        return f"{place}: {inside.people} are inside at {moment}, of {inside.capacity} who may be."
    if condition.kind is Kind.MISSING_DATA:
        what = "counts" if condition.metric == "footfall" else "receipts"
        return f"{place}: no {what} came for {shown} minutes, at {moment}."
    what = f"{condition.metric.replace('_', ' ')} of the {condition.period}{_when(condition, reading, zone)}"
    of = f" {condition.currency}" if condition.currency else ""
    if condition.kind is Kind.CHANGE:
        way = "rose" if (reading.value or 0) > 0 else "fell"
        then = {"previous": f"the {condition.period} before", "week": "a week before", "year": "a year before"}
        against = then[condition.against]
        return f"{place}: {what} {way} by {shown.removeprefix('-')} % against {against}."
    return f"{place}: {what} is {shown}{of}, {condition.direction} {_plain(condition.value)}{of}."


def _plain(value: Decimal | None) -> str:
    return f"{(value or Decimal(0)).normalize():f}"


def _when(condition: Condition, reading: Reading, zone: ZoneInfo) -> str:
    """Which period: 2026-11-19, from 2026-11-16 (a week), 2026-11, 2026-11-19 14:00; and up to when, if it goes on."""
    if reading.since is None:
        return ""
    first, until = reading.since.astimezone(zone), reading.measured_at.astimezone(zone)
    form = {"hour": " %Y-%m-%d %H:%M", "day": " %Y-%m-%d", "week": " from %Y-%m-%d", "month": " %Y-%m"}[
        condition.period
    ]
    if not reading.under_way:
        return first.strftime(form)
    last = "%H:%M" if first.date() == until.date() else "%Y-%m-%d %H:%M"
    return f"{first.strftime(form)}, up to {until.strftime(last)},"


def _midnight(zone: ZoneInfo, day: date) -> datetime:
    return first_shown(zone, datetime.combine(day, time()))
