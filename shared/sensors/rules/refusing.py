"""How what is refused is told."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from shared.sensors.model import CountRow, ReadAs, ReadingRow, Refused, Sorted
from shared.sites.model import Known


def refuse(index: int, field: str, code: str, message: str, row: msgspec.Struct) -> Refused:
    """A row that cannot be taken, kept as it is; a counter's standing as a count that ends where it begins."""
    if not isinstance(row, ReadingRow):
        return Refused(index, field, code, message, msgspec.to_builtins(row))
    told = CountRow(row.sensor, row.at, row.at, row.entries, row.exits, row.line)
    read_as = ReadAs(cumulative=True, daily=row.since is not None, settled=True)
    content = {**msgspec.to_builtins(told), "read_as": msgspec.to_builtins(read_as)}
    return Refused(index, field, code, message, content)


def settled(rows: Sorted[Any], known: Mapping[str, Known], first: int) -> None:
    """Tell with what was refused from a place on that its lines are as the setup has them already.

    Sent again, they would be turned round once more.
    """
    about = msgspec.to_builtins(ReadAs(settled=True))
    for place, one in enumerate(rows.refused[first:], first):
        sensor = known.get(one.content["sensor"])
        if sensor is not None and sensor.profile.setup.lines:
            rows.refused[place] = replace(one, content={"read_as": about, **one.content})


def refusals(rows: Sorted[Any]) -> tuple[Refused, ...]:
    """Every refused row of the push, in its order: a refused receipt stands for each of its lines.

    All of the receipt is kept with the first of them, and with the others which it is.
    """
    spread: list[Refused] = []
    for one in rows.refused:
        if one.row < 0:
            continue  # nobody sent it
        spread.append(one)
        content = one.content
        if isinstance(content, dict) and "lines" in content:
            content = {name: content.get(name) for name in ("id", "site")}
        others = (row for row in rows.members.get(one.row, ()) if row != one.row)
        spread += [replace(one, row=row, content=content) for row in others]
    return tuple(sorted(spread, key=lambda one: one.row))
