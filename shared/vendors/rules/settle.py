"""A push and what is known of its sensor, brought to rows like everybody's."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from shared.sensors.model import CountRow, ReadingRow, Refused, Sorted
from shared.sites.model import Line, Profile
from shared.vendors.errors import Fault
from shared.vendors.model import Push, Record
from shared.vendors.rules.values import LARGEST_COUNT, count
from shared.vendors.rules.zones import Times

_PLAIN = Line()
_EVENTS, _LOGICS = "xovis-5-live", "xovis-5-logics"
Settled = tuple[Sorted[CountRow], Sorted[ReadingRow]]


def settle(push: Push, reference: str, profile: Profile) -> Settled:
    """Intervals and counters' standings; rows that cannot be either are refused, ignored lines are counted as such."""
    setup = profile.setup
    intervals: Sorted[CountRow] = Sorted()
    readings: Sorted[ReadingRow] = Sorted()
    intervals.refused += push.refused
    if push.form == (_LOGICS if setup.counts_from == "events" else _EVENTS):
        push.ignored += len(push.records)
        return intervals, readings
    zone = ZoneInfo(profile.zone) if profile.zone else None
    times = Times(zone, setup.times, timedelta(minutes=profile.interval_minutes)).moments(push.records)
    merged = _Merged(intervals, readings)
    for record in push.records:
        line = next((setup.lines[one] for one in (record.line, *record.aliases) if one in setup.lines), _PLAIN)
        if line.direction == "ignored":
            push.ignored += 1
            continue
        cumulative = record.cumulative if setup.counting == "format" else setup.counting == "cumulative"
        try:
            entries, exits = _directed(record, line)
            start, end = times[record.row]()
            name = line.name or record.line
            if cumulative:
                since = setup.begun(profile.zone, end, is_daily=record.daily)
                merged.reading(record, ReadingRow(reference, end, entries, exits, name, since))
            else:
                for field, value in (("entries", entries), ("exits", exits)):
                    count(value, field, most=LARGEST_COUNT)
                merged.interval(record, CountRow(reference, start, end, entries, exits, name))
        except Fault as fault:
            content = told(record, reference)
            intervals.refused.append(Refused(record.row, fault.field, fault.code, fault.message, content))
    return intervals, readings


def told(record: Record, reference: str) -> dict[str, object]:
    """A record in the words of `ingest/counts`, for whoever mends it."""
    moments = {"start": record.start or record.end, "end": record.end}
    return {
        "sensor": reference,
        "line": record.line,
        **{field: moment.isoformat() if moment else None for field, moment in moments.items()},
        "entries": record.entries,
        "exits": record.exits,
    }


def _directed(record: Record, line: Line) -> tuple[int, int]:
    both = record.entries + record.exits
    if line.direction == "in":
        return both, 0
    if line.direction == "out":
        return 0, both
    if record.one_way:
        raise Fault("line", "no-direction", f"{record.line} tells no direction; say in the sensor's setup which it is")
    return (record.exits, record.entries) if line.direction == "reversed" else (record.entries, record.exits)


class _Merged:
    """Rows of several lines of the device that its setup gives one name are one row."""

    def __init__(self, intervals: Sorted[CountRow], readings: Sorted[ReadingRow]) -> None:
        self._intervals, self._readings = intervals, readings
        self._places: dict[object, tuple[int, set[str]]] = {}

    def interval(self, record: Record, row: CountRow) -> None:
        place = self._place(record, (row.line, row.start, row.end), len(self._intervals.taken))
        taken = self._intervals.taken
        if place == len(taken):
            taken.append((record.row, row))
            return
        first, before = taken[place]
        taken[place] = (
            first,
            CountRow(row.sensor, row.start, row.end, before.entries + row.entries, before.exits + row.exits, row.line),
        )
        self._intervals.members.setdefault(first, [first]).append(record.row)

    def reading(self, record: Record, row: ReadingRow) -> None:
        place = self._place(record, (row.line, row.at), len(self._readings.taken))
        taken = self._readings.taken
        if place == len(taken):
            taken.append((record.row, row))
            return
        first, before = taken[place]
        totals = (before.entries + row.entries, before.exits + row.exits)
        taken[place] = (first, ReadingRow(row.sensor, row.at, *totals, row.line, row.since))
        self._readings.members.setdefault(first, [first]).append(record.row)

    def _place(self, record: Record, key: object, following: int) -> int:
        """Where the row belongs: with the same interval of another line of the device, or at the end."""
        place, lines = self._places.get(key, (following, set()))
        if record.line in lines:
            return following
        self._places[key] = (place, {*lines, record.line})
        return place
