"""What undoes what. Links are found when they are asked for, so it does not matter which of two receipts came first."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from shared.receipts.model import Found, Lines, Link, Undone


def link(found: Found) -> Link | None:
    """What a receipt's link leads to; None where it undoes nothing."""
    if found.undoes is None:
        return None
    if found.original is None:
        return Link.MISSING
    return Link.LINKED if found.original_undoes is None else Link.CHAINED


def undone(bought: Lines, brought: Sequence[Lines]) -> Undone:
    """How much of what was bought others undo, piece by piece; one of them without lines undoes all of it."""
    if not brought:
        return Undone.NO
    had, back = _pieces(bought), dict[str, Decimal]()
    for lines in brought:
        for sku, quantity in (_pieces(_brought(lines)) or had).items():
            back[sku] = back.get(sku, Decimal(0)) + quantity
    if any(quantity > had.get(sku, 0) for sku, quantity in back.items()):
        return Undone.BEYOND
    return Undone.WHOLLY if all(back.get(sku, 0) >= quantity for sku, quantity in had.items()) else Undone.PARTLY


def _brought(lines: Lines) -> Lines:
    """What comes back, without what was taken for it: where some have a minus, those."""
    return [line for line in lines if line[1] < 0] or lines


def _pieces(lines: Lines) -> dict[str, Decimal]:
    """How many of each; tills write what comes back with a minus, or without."""
    found: dict[str, Decimal] = {}
    for sku, quantity in lines:
        found[sku] = found.get(sku, Decimal(0)) + abs(quantity)
    return found


def shown(found: Found) -> dict[str, Any]:
    """The wire's form."""
    linked = link(found)
    return {
        **found.shown,
        "undoes": None if linked is None else {"id": found.undoes, "state": linked, "original": found.original},
        "undone": undone(found.lines, found.brought),
        "undone_by": list(found.undone_by),
    }
