"""Billing periods: steps of days, weeks, months or years from an anchor."""

import calendar
from datetime import UTC, datetime

from local.stripe.store import Obj

DAY = 86_400
_FIXED = {"day": DAY, "week": 7 * DAY}
_MONTHS = {"month": 1, "year": 12}


def step(anchor: int, recurring: Obj, count: int) -> int:
    """The anchor moved by `count` intervals; the 31st becomes a shorter month's last day, and recovers after."""
    interval, every = recurring["interval"], recurring["interval_count"] * count
    if interval in _FIXED:
        return anchor + int(_FIXED[interval]) * int(every)
    start = datetime.fromtimestamp(anchor, UTC)
    index = start.year * 12 + start.month - 1 + int(_MONTHS[interval]) * int(every)
    year, month = divmod(index, 12)
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return int(start.replace(year=year, month=month + 1, day=day).timestamp())


def next_end(anchor: int, recurring: Obj, start: int) -> int:
    """The first boundary after `start`."""
    count = 1
    while step(anchor, recurring, count) <= start:
        count += 1
    return step(anchor, recurring, count)
