"""How what is refused is told."""

from dataclasses import replace
from typing import Any

import msgspec

from shared.sensors.model import Refused, Sorted


def refuse(index: int, field: str, code: str, message: str, row: msgspec.Struct) -> Refused:
    """A row that cannot be taken, kept as it is."""
    return Refused(index, field, code, message, msgspec.to_builtins(row))


def refusals(rows: Sorted[Any]) -> tuple[Refused, ...]:
    """Every refused row of the push, in its order: a refused receipt stands for each of its lines.

    All of the receipt is kept with the first of them, and with the others which it is.
    """
    spread: list[Refused] = []
    for one in rows.refused:
        spread.append(one)
        content = one.content
        if isinstance(content, dict) and "lines" in content:
            content = {name: content.get(name) for name in ("id", "site")}
        others = (row for row in rows.members.get(one.row, ()) if row != one.row)
        spread += [replace(one, row=row, content=content) for row in others]
    return tuple(sorted(spread, key=lambda one: one.row))
