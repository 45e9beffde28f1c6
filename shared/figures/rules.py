"""Which currency amounts are of, as those of several are never added; who tells of a metric."""

from collections.abc import Sequence

from shared.figures.errors import WrongCurrency
from shared.figures.model import MONEY, PER_VISITOR, Source


def currency_of(metric: str, said: str | None, known: Sequence[str], pointer: str) -> str | None:
    """The currency of what a caller wants: the one said, else the only one that a place sells in.

    None, of what is no amount, and where nothing was sold yet. Errors: WrongCurrency.
    """
    if metric not in MONEY:
        if said is not None:
            raise WrongCurrency(pointer, "no-amount", f"is for amounts of money, which {metric} is not: leave it out")
        return None
    if said is None and len(known) > 1:
        raise WrongCurrency(pointer, "several-currencies", f"must say which: {', '.join(known)}")
    return said or next(iter(known), None)


def sources(metric: str) -> tuple[Source, ...]:
    """Who has to have told before a metric is known."""
    if metric in PER_VISITOR:
        return ("traffic", "sales")
    return ("traffic",) if metric in {"footfall", "exits"} else ("sales",)
