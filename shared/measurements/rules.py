"""What rows become on their way into the tables."""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from shared.sensors.model import ReadAs
from shared.sites.model import Setup

_DEEPEST = 16
_OF_AN_INTERVAL = 6
"""Values of a count's row, of which the fourth is its end."""
WITH_RAW = 8
"""Values of a count's row where a calibration was used: without it there are two less."""
MOST_AT_ONCE = 20_000
"""Counts that are calibrated anew in one transaction."""
LONGEST = timedelta(hours=24)
"""Between standings further apart nobody can say when people came: there is no interval, and coverage tells so."""
LARGEST = 1_000_000
"""A counter that went further at once was set, and did not count."""

_OF_A_READING = 5
_QUEUED = {
    6: ("sensor", "line", "start", "end", "entries", "exits"),
    5: ("sensor", "line", "end", "entries", "exits"),
    7: ("site", "id", "time", "currency", "total", "cancels", "lines"),
}
"""What the values of a queued row are, by their number."""


def is_standing(values: Sequence[Any]) -> bool:
    """Whether a row of the queue tells where a counter stood; a count has the end of its interval there."""
    return len(values) < _OF_AN_INTERVAL or isinstance(values[3], int)


def interval(
    setup: Setup, sensor: UUID, line: str, start: datetime, end: datetime, *standings: int, known: bool, one: bool
) -> list[Any] | None:
    """What was counted between two standings, or None where that cannot be told: not of `one` device, say.

    Where something is `known` of the interval by now, it gives way to one without length, which counts nothing.
    """
    entries, exits = setup.risen((standings[0], standings[1]), (standings[2], standings[3]))
    counted = row(setup, sensor, line, start, end, entries, exits)
    if one and max(*counted[4:6], entries, exits) <= LARGEST:
        return counted
    return nothing(sensor, line, start) if known else None


def nothing(sensor: UUID, line: str, start: datetime) -> list[Any]:
    """The row of an interval that there is not, after all."""
    return [str(sensor), line, start.isoformat(), start.isoformat(), 0, 0]


def row(setup: Setup, sensor: UUID, line: str, start: datetime, end: datetime, entries: int, exits: int) -> list[Any]:
    """What was counted in an interval, calibrated; where that makes a difference, what it was without."""
    calibrated = [setup.calibrated(one, start) for one in (entries, exits)]
    raw = [] if calibrated == [entries, exits] else [entries, exits]
    return [str(sensor), line, start.isoformat(), end.isoformat(), *calibrated, *raw]


def as_set_up(setup: Setup | None, values: Sequence[Any]) -> Sequence[Any]:
    """A count's row of the queue, calibrated by a setup, not by what the door knew; None calibrates nothing."""
    sensor, line, start, end, *counts = values
    entries, exits = counts[-2:]
    moment = datetime.fromisoformat(start)
    calibrated = [setup.calibrated(one, moment) for one in (entries, exits)] if setup else [entries, exits]
    raw = [] if calibrated == [entries, exits] else [entries, exits]
    return [sensor, line, start, end, *calibrated, *raw]


def padded(values: Sequence[Any]) -> Sequence[Any]:
    """A count's row with room for what was counted without a calibration, where there was none."""
    return values if len(values) == WITH_RAW else (*values, None, None)


def _moment(text: str) -> str | datetime:
    """A moment to compare: the door writes those of UTC in one way, and of thousands each takes its time to read."""
    return text if text.endswith("Z") else datetime.fromisoformat(text)


def apart(parts: Sequence[dict[str, Any]]) -> list[int]:
    """The places of parts of intervals that one statement can write: it takes no interval, and no batch, twice."""
    found: list[int] = []
    seen: set[Any] = set()
    for place, data in enumerate(parts):
        rows = data["rows"]
        if not rows or data["refused"] or data.get("doubled") or any(is_standing(row) for row in rows):
            continue
        keys = {(row[0], row[1], _moment(row[2])) for row in rows} | {data["batch"]}
        if len(keys) == len(rows) + 1 and not keys & seen:
            found.append(place)
            seen |= keys
    return found


def storable(value: Any, depth: int = 0) -> Any:
    """What was refused, without the one character that PostgreSQL cannot keep; what is deep within it as text."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if depth == _DEEPEST and isinstance(value, (dict, list)):
        return msgspec.json.encode(value).decode()
    if isinstance(value, list):
        return [storable(one, depth + 1) for one in value]
    if isinstance(value, dict):
        return {storable(name): storable(one, depth + 1) for name, one in value.items()}
    return value


def search(
    places: Sequence[int], bears: Callable[[Sequence[int]], bool], goes_on: Callable[[int], bool]
) -> tuple[list[int], list[int]]:
    """Of places whose rows cannot be written together: those that cannot alone, and those that it was not told of.

    By halves, the largest first, for as long as it `goes_on` after so many tries. What bears is no more asked about.
    """
    bad: list[int] = []
    waiting, tries = deque(_halves(places)), 0
    while waiting and goes_on(tries):
        some, tries = waiting.popleft(), tries + 1
        if bears(some):
            continue
        if len(some) == 1:
            bad += some
        else:
            waiting.extend(_halves(some))
    return bad, [place for some in waiting for place in some]


def _halves(places: Sequence[int]) -> list[Sequence[int]]:
    half = len(places) // 2
    return [some for some in (places[:half], places[half:]) if some]


def units(lines: Sequence[Sequence[Any]]) -> Decimal:
    """How many pieces a receipt's lines are together."""
    return sum((Decimal(line[1]) for line in lines), Decimal(0))


def vanished(kind: str, place: int, row: list[Any]) -> dict[str, Any]:
    """The same of one whose sensor or store is gone."""
    message = "was there when the row came in, but no longer when it was written"
    if kind == "counts" and len(row) == WITH_RAW:
        row = [*row[:4], *row[6:]]  # as it was counted: it is calibrated when it is sent again
    read_as = ReadAs(settled=True)
    if kind == "counts" and is_standing(row):
        read_as, row = ReadAs(cumulative=True, daily=len(row) > _OF_A_READING, settled=True), row[:_OF_A_READING]
    content = dict(zip(_QUEUED[len(row)], row, strict=True))
    if kind == "counts":
        content["read_as"] = msgspec.to_builtins(read_as)
    if "end" in content:
        content.setdefault("start", content["end"])
    if kind == "transactions":
        lines = [dict(zip(("sku", "quantity", "unit_price"), line, strict=True)) for line in row[-1]]
        content = {**content, "lines": lines}
    field = "sensor" if kind == "counts" else "site"
    return {"row": place, "field": field, "code": "vanished", "message": message, "content": content}


def poisoned(kind: str, place: int, row: list[Any], why: str) -> dict[str, Any]:
    """A row that cannot be written, as it is kept among the refused."""
    try:
        content = vanished(kind, place, row)["content"]
    except (KeyError, ValueError, TypeError):
        content = {"values": row}
    return {"row": place, "field": "", "code": "poison", "message": why, "content": content}
