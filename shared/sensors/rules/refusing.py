"""How what is refused is told."""

from dataclasses import replace
from typing import Any

import msgspec

from shared.sensors.model import Refused, Sorted


def refuse(index: int, field: str, code: str, message: str, row: msgspec.Struct) -> Refused:
    """A row that cannot be taken, kept as it is."""
    return Refused(index, field, code, message, msgspec.to_builtins(row))


def refusals(rows: Sorted[Any]) -> tuple[Refused, ...]:
    """Every refused row of the push, in its order: a refused receipt stands for each of its lines."""
    spread = (replace(one, row=row) for one in rows.refused for row in rows.members.get(one.row, (one.row,)))
    return tuple(sorted(spread, key=lambda one: one.row))
