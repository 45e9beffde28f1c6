"""Refused rows of counts that are sent again: each is read as it was to be read when it came."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from shared.sensors.model import CountRow, ReadAs, ReadingRow, Reference, Refused, Sorted
from shared.sensors.rules import as_readings, by_lines, read_rows
from shared.sites.model import Columns, Known, Setup
from shared.vendors.errors import Fault
from shared.vendors.model import Push, Record
from shared.vendors.rules import tables
from shared.vendors.rules.settle import settle
from shared.vendors.rules.tables import FIELDS
from shared.vendors.rules.values import LARGEST_TOTAL, moment

Look = Callable[[set[str]], Mapping[str, Known]]
_Total = Annotated[int, Meta(ge=0, le=LARGEST_TOTAL)]


class _Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record as it is kept."""

    sensor: Reference
    line: Annotated[str, Meta(max_length=64, pattern=r"^[^\x00]*$")]
    start: str | None
    end: str | None
    entries: _Total
    exits: _Total


def read_kept(content: Any, look: Look) -> tuple[Sorted[CountRow], Sorted[ReadingRow], Mapping[str, Known]]:
    """The row of the content, as an interval or a standing or among the refused; and its sensor."""
    words = dict(content) if isinstance(content, dict) else content
    read_as = ReadAs()
    if isinstance(words, dict) and "read_as" in words:
        try:
            read_as = msgspec.convert(words.pop("read_as"), ReadAs)
        except msgspec.ValidationError:
            return _refused("read_as", "invalid", "must be as it was kept, or left out"), Sorted(), {}
        words.pop("said", None)  # what a device said, of which nothing could be read
    if read_as.cells or read_as.form:
        return (_of_cells if read_as.cells else _of_a_vendor)(words, read_as, look)
    return _own(words, read_as, look)


def _own(words: Any, read_as: ReadAs, look: Look) -> tuple[Sorted[CountRow], Sorted[ReadingRow], Mapping[str, Known]]:
    rows = read_rows([msgspec.json.encode(words)], CountRow, 1)
    known = look({row.sensor for _, row in rows.taken})
    if not read_as.settled:
        if any(row.sensor in known and _is_shared(known[row.sensor].profile.setup, row.line) for _, row in rows.taken):
            return _shared(), Sorted(), known
        if by_lines(rows, known):
            return _ignored(), Sorted(), known
    if not read_as.cumulative:
        return rows, Sorted() if read_as.settled else as_readings(rows, known), known
    return *_standings(rows, known, read_as), known


def _standings(
    rows: Sorted[CountRow], known: Mapping[str, Known], read_as: ReadAs
) -> tuple[Sorted[CountRow], Sorted[ReadingRow]]:
    readings: Sorted[ReadingRow] = Sorted()
    for place, row in rows.taken:
        profile = known[row.sensor].profile if row.sensor in known else None
        since = profile.setup.begun(profile.zone, row.end, is_daily=read_as.daily) if profile else None
        readings.taken.append((place, ReadingRow(row.sensor, row.end, row.entries, row.exits, row.line, since)))
    return Sorted(refused=rows.refused), readings


def _of_a_vendor(
    words: Any, read_as: ReadAs, look: Look
) -> tuple[Sorted[CountRow], Sorted[ReadingRow], Mapping[str, Known]]:
    said = read_rows([msgspec.json.encode(words)], _Said, 1)
    if said.refused:
        return Sorted(refused=said.refused), Sorted(), {}
    ((_, one),) = said.taken
    return _settled(one.sensor, read_as, look, lambda _: _record(one, read_as))


def _of_cells(
    words: Mapping[str, Any], read_as: ReadAs, look: Look
) -> tuple[Sorted[CountRow], Sorted[ReadingRow], Mapping[str, Known]]:
    sensor = words.get("sensor")
    if not isinstance(sensor, str):
        return _refused("sensor", "invalid", "must be text"), Sorted(), {}
    cells = {name: str(words[name]).strip() for name in FIELDS if words.get(name) is not None}

    def record(setup: Setup) -> Record:
        for field in ("start", "entries"):
            if field not in cells:
                raise Fault(field, "missing", "is missing")
        return tables.record(0, cells, setup.csv or Columns())

    return _settled(sensor, read_as, look, record)


def _settled(
    sensor: str, read_as: ReadAs, look: Look, record_of: Callable[[Setup], Record]
) -> tuple[Sorted[CountRow], Sorted[ReadingRow], Mapping[str, Known]]:
    found = look({sensor, *read_as.references})
    reference = next((name for name in (sensor, *read_as.references) if name in found), None)
    if reference is None:
        return _refused("sensor", "unknown-sensor", "no active sensor has this id or serial"), Sorted(), {}
    try:
        record = record_of(found[reference].profile.setup)
    except Fault as fault:
        return _refused(fault.field, fault.code, fault.message), Sorted(), {}
    if _is_shared(found[reference].profile.setup, record.line, *record.aliases):
        return _shared(), Sorted(), found
    push = Push("", read_as.form, (reference,), [record])
    intervals, readings = settle(push, reference, found[reference].profile)
    if not intervals.taken and not intervals.refused and not readings.taken:
        return _ignored(), Sorted(), found
    return intervals, readings, found


def _record(said: _Said, read_as: ReadAs) -> Record:
    # What was told by its end alone stands with its end twice.
    start = moment(said.start, "start") if said.start is not None and said.start != said.end else None
    end = moment(said.end, "end") if said.end is not None else None
    ways = {"one_way": read_as.one_way, "cumulative": read_as.cumulative, "daily": read_as.daily}
    return Record(0, said.line, start, end, said.entries, said.exits, **ways, aliases=read_as.aliases)


def _is_shared(setup: Setup, *names: str) -> bool:
    """Whether other lines of the device are counted together with this one, which alone would stand for all."""
    if not any(name in setup.lines for name in names):
        return False  # by the name that it is counted by
    wanted = setup.line(*names).name or names[0]
    return any((one.name or key) == wanted for key, one in setup.lines.items() if key not in names)


def _shared() -> Sorted[CountRow]:
    message = "is counted together with other lines of its device: push all of them again, in one push"
    return _refused("line", "shared-line", message)


def _refused(field: str, code: str, message: str) -> Sorted[CountRow]:
    return Sorted(refused=[Refused(0, field, code, message)])


def _ignored() -> Sorted[CountRow]:
    return _refused("line", "ignored-line", "is left out by the sensor's setup")
