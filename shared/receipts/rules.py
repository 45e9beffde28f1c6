"""What undoes what. Links are found when they are asked for, so it does not matter which of two receipts came first."""

from typing import Any

from shared.receipts.model import Found, Link


def link(found: Found) -> Link | None:
    """What a receipt's link leads to; None where it undoes nothing."""
    if found.undoes is None:
        return None
    if found.original is None:
        return Link.MISSING
    return Link.LINKED if found.original_undoes is None else Link.CHAINED


def shown(found: Found) -> dict[str, Any]:
    """The wire's form."""
    linked = link(found)
    return {
        **found.shown,
        "undoes": None if linked is None else {"id": found.undoes, "state": linked, "original": found.original},
        "undone": found.undone,
        "undone_by": list(found.undone_by),
    }
