"""CSV exports: columns by the sensor's remembered mapping, or by the names that devices give them."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from shared.sensors.errors import NoRows
from shared.sites.model import Columns
from shared.vendors.errors import Fault, Misshapen, UnreadablePush
from shared.vendors.model import Push, Record
from shared.vendors.rules.values import LARGEST_TOTAL, Reader, count, moment, name

_DELIMITERS = (",", ";", "\t", "|")
_MOST_COLUMNS = 1_000
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "start": ("start", "start time", "starttime", "start_time", "from", "utcfrom", "localfrom", "begin"),
    "end": ("end", "end time", "endtime", "end_time", "to", "utcto", "localto"),
    "entries": ("entries", "in", "enter", "entered", "count in", "fw", "forward"),
    "exits": ("exits", "out", "exit", "exited", "count out", "bw", "backward"),
    "line": ("line", "rulename", "rule name", "rule", "counter", "counter name"),
}
_NEEDED = ("start", "entries", "exits")
FIELDS: Final = ("date", *_NAMES)


def read(raw: bytes, columns: Columns | None, *, is_first: bool = True) -> Push:
    """Rows of a CSV, one by one; the device is named by the address. Raises `UnreadablePush`, `Misshapen`, `NoRows`.

    Only the first piece of a file can have a second header line.
    """
    push = Push("", "csv")
    reader = Reader(push)
    mapping = columns or Columns()
    head, rows = _table(raw, mapping.delimiter)
    places = _places(head, columns)
    for number, cells in enumerate(rows):
        if not cells:
            continue
        row = {field: cells[place].strip() if place < len(cells) else "" for field, place in places.items()}
        if is_first and number == 0 and _is_heading(row, mapping):
            raise Misshapen("CSV", "", "it has two header lines; keep the one that names the columns")
        reader.row("", row, lambda at, row=row: record(at, row, mapping))  # type: ignore[misc]
    if not push.records and not push.refused:
        raise NoRows
    return push


def _table(raw: bytes, delimiter: str) -> tuple[list[str], Iterator[list[str]]]:
    text = _text(raw)
    first = text[: text.find("\n")] if "\n" in text else text
    if not delimiter:
        delimiter = max(_DELIMITERS, key=first.partition("\r")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)

    def rows() -> Iterator[list[str]]:
        try:
            yield from reader
        except csv.Error as error:
            raise UnreadablePush(f"Line {reader.line_num} of the CSV cannot be read: {error}.") from error

    found = rows()
    head = [cell.strip() for cell in next(found, [])]
    if len(head) > _MOST_COLUMNS:
        raise UnreadablePush(f"The CSV has {len(head)} columns; {_MOST_COLUMNS} are the most.")
    return head, found


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadablePush("The CSV must be UTF-8, or UTF-16 with its byte order mark.") from error


def _places(head: list[str], columns: Columns | None) -> dict[str, int]:
    known = {cell.lower(): place for place, cell in reversed(list(enumerate(head)))}
    if columns is not None:
        wanted = {field: getattr(columns, field) for field in ("date", *_NAMES)}
        places = {field: known.get(column.strip().lower()) for field, column in wanted.items() if column}
        lacking = [wanted[field] for field, place in places.items() if place is None]
    else:
        places = {field: next((known[one] for one in names if one in known), None) for field, names in _NAMES.items()}
        lacking = [field for field in _NEEDED if places[field] is None]
    if lacking:
        shown = ", ".join(cell[:30] for cell in head[:20])
        raise Misshapen("CSV", "", f"its header ({shown}) lacks: {', '.join(lacking)}")
    return {field: place for field, place in places.items() if place is not None}


def _is_heading(row: Mapping[str, str], columns: Columns) -> bool:
    """Whether nothing of a row is what its column holds, though something stands there."""
    for field in _NEEDED:
        if not row.get(field):
            return False
        try:
            _moment(row, field, columns) if field == "start" else count(row[field], field, most=LARGEST_TOTAL)
        except Fault:
            continue
        return False
    return True


def record(at: int, row: Mapping[str, str], columns: Columns) -> Record:
    """What the cells of a row tell, by the names of fields. Raises `Fault`."""
    start = _moment(row, "start", columns)
    end = _moment(row, "end", columns) if row.get("end") else None
    entries, exits = (count(row[one], one, most=LARGEST_TOTAL) if one in row else 0 for one in ("entries", "exits"))
    return Record(at, name(row.get("line", "")), start, end, entries, exits)


def _moment(row: Mapping[str, str], field: str, columns: Columns) -> datetime:
    text = f"{row['date']} {row[field]}" if row.get("date") else row[field]
    if not columns.time_format:
        return moment(text, field)
    try:
        return moment(datetime.strptime(text, columns.time_format).isoformat(), field)  # noqa: DTZ007  see Times
    except (ValueError, re.error) as error:  # a format that says something twice is a pattern that is none
        raise Fault(field, "time", f"is not written as {columns.time_format}") from error
