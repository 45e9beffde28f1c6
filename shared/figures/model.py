"""The words of figures."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

Source = Literal["traffic", "sales"]
"""Who tells: counters, or tills."""
MONEY = frozenset({"revenue", "average_basket", "sales_per_visitor"})
"""Metrics that are amounts of a currency."""
PER_VISITOR = frozenset({"conversion_rate", "sales_per_visitor"})
"""Metrics that need both: who came, and what was sold."""


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere in the tree of sites, and what its days are.

    The hours are a store's, empty where none are kept; a zone has its store's clock and hours.
    """

    id: UUID
    kind: str
    name: str
    time_zone: str
    hours: object


@dataclass(frozen=True, slots=True)
class Sums:
    """What happened at a place in a time; None where nothing was counted, or sold."""

    entries: int | None = None
    exits: int | None = None
    transactions: int | None = None
    units: Decimal | None = None
    revenue: Decimal | None = None

    def value(self, metric: str) -> Decimal | None:
        """A metric of it; None where it cannot be told."""
        plain = {
            "footfall": self.entries,
            "exits": self.exits,
            "transactions": self.transactions,
            "units": self.units,
            "revenue": self.revenue,
        }
        if metric in plain:
            found = plain[metric]
            return None if found is None else Decimal(found)
        upper, lower = {
            "conversion_rate": (self.transactions, self.entries),
            "units_per_transaction": (self.units, self.transactions),
            "average_basket": (self.revenue, self.transactions),
            "sales_per_visitor": (self.revenue, self.entries),
        }[metric]
        return None if upper is None or not lower else round(Decimal(upper) / Decimal(lower), 4)


@dataclass(frozen=True, slots=True)
class Flow:
    """Who came to a place and left it in a quarter of an hour."""

    start: datetime
    entries: int
    exits: int
