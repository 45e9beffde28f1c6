"""Lines of devices as their sensors' setups have them: by another name, which way is in, together, or not at all."""

from collections.abc import Mapping
from datetime import datetime

from shared.sensors.model import CountRow, ReadingRow, Sorted
from shared.sites.model import Known


class Merged:
    """Rows of several lines of a device that its setup gives one name are one row."""

    def __init__(self, intervals: Sorted[CountRow], readings: Sorted[ReadingRow]) -> None:
        self._intervals, self._readings = intervals, readings
        self._places: dict[object, tuple[int, dict[str, tuple[int, int]]]] = {}

    def interval(self, number: int, line: str, row: CountRow, sensor: object = None) -> None:
        """Take the row of a line of the device, by the device's own name of it."""
        rows, counts = self._intervals, (row.entries, row.exits)
        place = self._place((sensor, row.line, row.start, row.end), line, counts, len(rows.taken))
        if place is None:
            self._repeat(rows, row.sensor, row.start)
        elif place == len(rows.taken):
            rows.taken.append((number, row))
        else:
            first, before = rows.taken[place]
            sums = (before.entries + row.entries, before.exits + row.exits)
            rows.taken[place] = (first, CountRow(row.sensor, row.start, row.end, *sums, row.line))
            rows.members.setdefault(first, [first]).append(number)

    def reading(self, number: int, line: str, row: ReadingRow, sensor: object = None) -> None:
        """The same of a counter's standing."""
        rows, counts = self._readings, (row.entries, row.exits)
        place = self._place((sensor, row.line, row.at), line, counts, len(rows.taken))
        if place is None:
            self._repeat(rows, row.sensor, row.at)
        elif place == len(rows.taken):
            rows.taken.append((number, row))
        else:
            first, before = rows.taken[place]
            sums = (before.entries + row.entries, before.exits + row.exits)
            rows.taken[place] = (first, ReadingRow(row.sensor, row.at, *sums, row.line, row.since))
            rows.members.setdefault(first, [first]).append(number)

    @staticmethod
    def _repeat(rows: Sorted[CountRow] | Sorted[ReadingRow], sensor: str, moment: datetime) -> None:
        rows.duplicates += 1
        rows.repeated.append((sensor, moment))

    def _place(self, key: object, line: str, counts: tuple[int, int], following: int) -> int | None:
        """Where the row belongs: with the same interval of another line of the device, or at the end.

        None where the line has said the same already.
        """
        place, lines = self._places.setdefault(key, (following, {}))
        if line in lines:
            return None if lines[line] == counts else following
        lines[line] = counts
        return place


def by_lines(rows: Sorted[CountRow], known: Mapping[str, Known]) -> int:
    """Have each row as its sensor's setup has its line; answers how many are of lines that are left out."""
    set_up = {one: sensor for one, sensor in known.items() if sensor.profile.setup.lines}
    if not set_up:
        return 0
    found: Sorted[CountRow] = Sorted()
    merged, ignored = Merged(found, Sorted()), 0
    for index, row in rows.taken:
        sensor = set_up.get(row.sensor)
        if sensor is None:
            found.taken.append((index, row))
            continue
        line = sensor.profile.setup.line(row.line)
        if line.direction == "ignored":
            ignored += 1
            continue
        ways = line.directed(row.entries, row.exits)
        read = CountRow(row.sensor, row.start, row.end, *ways, line.name or row.line)
        merged.interval(index, row.line, read, sensor.id)
    rows.taken = found.taken
    rows.duplicates += found.duplicates
    rows.repeated += found.repeated
    rows.members |= found.members
    return ignored
