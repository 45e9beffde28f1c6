"""Times without a zone, brought to moments (decision 0026).

A time that the clocks leap over does not exist, and its row is refused; only an interval may end at the leap's edge.
A time that exists twice is the first or the second where that can be told: by the interval's length, or because the
push goes through the hour twice. Else its row is refused; nothing is guessed.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from shared.vendors.errors import Fault
from shared.vendors.model import Record

_TICK = timedelta(microseconds=1)


class Times:
    """The moments of one push's records."""

    def __init__(self, zone: ZoneInfo | None, rule: str, interval: timedelta) -> None:
        self._zone = {"local": zone, "utc": UTC, "offset": None}[rule]
        self._rule = rule
        self._interval = interval

    def moments(self, records: Sequence[Record]) -> Mapping[int, Callable[[], tuple[datetime, datetime]]]:
        """By row, what answers start and end or raises `Fault`."""
        passes = self._passes(records)
        return {
            record.row: lambda record=record: self._of(record, passes.get(record.row))  # type: ignore[misc]
            for record in records
        }

    def _of(self, record: Record, fold: int | None) -> tuple[datetime, datetime]:
        if record.end is None and record.start is None:
            raise Fault("start", "time", "is missing")
        if record.start is None:
            end = self._one(record.end, "end", fold)
            return end - self._interval, end
        if record.end is None:
            start = self._one(record.start, "start", fold)
            return start, start + self._interval
        ends = self._candidates(record.end, "end", ending=True)
        starts = self._candidates(record.start, "start")
        start = starts[0] if len(starts) == 1 else self._start_of(starts, ends, fold)
        return start, next((end for end in ends if end > start), ends[-1])

    def _start_of(self, starts: Sequence[datetime], ends: Sequence[datetime], fold: int | None) -> datetime:
        if fold is not None:
            return starts[fold]
        fitting = {start for start in starts for end in ends if end - start == self._interval}
        if len(fitting) == 1:
            return fitting.pop()
        raise _twice("start")

    def _one(self, moment: datetime | None, field: str, fold: int | None) -> datetime:
        if moment is None:
            raise Fault(field, "time", "is missing")
        found = self._candidates(moment, field)
        if len(found) == 1:
            return found[0]
        if fold is None:
            raise _twice(field)
        return found[fold]

    def _candidates(self, moment: datetime, field: str, *, ending: bool = False) -> list[datetime]:
        """The moments that a time may be, the earlier first. Raises `Fault` where there are none."""
        if moment.tzinfo is not None:
            return [moment.astimezone(UTC)]
        if self._zone is None:
            what = "the sensor's setup wants an offset" if self._rule == "offset" else "the sensor's zone is not known"
            raise Fault(field, "no-zone", f"has no zone, and {what}")
        local = moment.replace(tzinfo=self._zone)
        found = sorted({local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)})
        real = [one for one in found if one.astimezone(self._zone).replace(tzinfo=None) == moment]
        if real:
            return real
        # The edge of the leap is a moment: 01:45 to 02:00 ends as the clocks go to 03:00.
        edge = (moment - _TICK).replace(tzinfo=self._zone).astimezone(UTC)
        if ending and edge.astimezone(self._zone).replace(tzinfo=None) == moment - _TICK:
            return [edge + _TICK]
        raise Fault(field, "local-time-missing", "does not exist there: the clocks went forward over it")

    def _passes(self, records: Sequence[Record]) -> dict[int, int]:
        """Which pass through an hour that exists twice a row belongs to, where its push shows both."""
        by_line: dict[str, list[tuple[datetime, int]]] = {}
        for record in records:
            key = record.start or record.end
            if key is not None and key.tzinfo is None:
                by_line.setdefault(record.line, []).append((key, record.row))
        passes: dict[int, int] = {}
        for keys in by_line.values():
            ordered = keys if keys[0][0] <= keys[-1][0] else keys[::-1]
            twice = [(key, row) for key, row in ordered if self._exists_twice(key)]
            days = {key.date() for key, _ in twice}
            for day in days:
                passes |= _told([(key, row) for key, row in twice if key.date() == day])
        return passes

    def _exists_twice(self, moment: datetime) -> bool:
        try:
            return len(self._candidates(moment, "")) > 1
        except Fault:
            return False


def _told(keys: Sequence[tuple[datetime, int]]) -> dict[int, int]:
    """Rows before the one step back are the first pass, rows after it the second; else nothing is told."""
    back = [place for place in range(1, len(keys)) if keys[place][0] <= keys[place - 1][0]]
    if len(back) != 1:
        return {}
    return {row: int(place >= back[0]) for place, (_, row) in enumerate(keys)}


def _twice(field: str) -> Fault:
    return Fault(field, "local-time-twice", "exists twice there, and the push does not tell which it is: send offsets")
