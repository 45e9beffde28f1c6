"""Nobody, where a device tells of nobody by telling nothing.

Rows of it are no rows of the push: they have places below zero, and are not counted among what was accepted.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from shared.sensors.model import CountRow, SilentRow, Sorted
from shared.sites.model import Profile, Setup
from shared.vendors.rules.values import MOST_ROWS

_LONGEST = timedelta(hours=24)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
Span = tuple[datetime, datetime]


def frame(moment: datetime, interval: timedelta) -> Span:
    """The sensor's interval that a moment falls into."""
    start = moment - (moment - _EPOCH) % interval
    return start, start + interval


def add_silence(rows: Sorted[CountRow], reference: str, profile: Profile, alive: Iterable[datetime]) -> None:
    """Add a row for each line and interval in which the device was there and counted nobody.

    Of crossings told one by one (`alive`: when the device was there), the intervals they fall into; else, where the
    setup says that silence is zero, the intervals that other lines have, and those in between.
    """
    interval = timedelta(minutes=profile.interval_minutes)
    lines = {row.line for _, row in rows.taken} | set(_named(profile.setup))
    spans = {frame(moment, interval) for moment in alive}
    if not spans and profile.setup.silence == "zero":
        spans = set(islice(_between({(row.start, row.end) for _, row in rows.taken}, interval), MOST_ROWS + 1))
    told = {(row.line, row.start) for _, row in rows.taken}
    if len(lines) * len(spans) > MOST_ROWS:
        return
    for line in sorted(lines):
        for start, end in sorted(spans):
            if (line, start) not in told:
                place = -1 - len(rows.members)
                rows.members[place] = []
                rows.taken.append((place, SilentRow(reference, start, end, 0, 0, line)))


def _named(setup: Setup) -> Iterator[str]:
    return (line.name or key for key, line in setup.lines.items() if line.direction != "ignored")


def _between(spans: set[Span], interval: timedelta) -> Iterator[Span]:
    """The intervals, and those that fit between each two that follow one another within a day."""
    before: datetime | None = None
    for start, end in sorted(spans):
        if before is not None and before < start <= before + _LONGEST:
            steps = int((start - before) / interval)
            yield from ((before + n * interval, before + (n + 1) * interval) for n in range(steps))
        yield start, end
        before = max(end, before or end)
