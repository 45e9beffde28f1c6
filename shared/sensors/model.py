"""What devices say, and what becomes of it. msgspec, not pydantic: the door starts in a fifth of the time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta

Row = TypeVar("Row")

MAX_COUNTS = 10_000
MAX_TRANSACTIONS = 5_000
MAX_LINES = 2_000
"""Lines of a receipt."""

Reference = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00]*$")]
Aware = Annotated[datetime, Meta(tz=True)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]


class CountRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """People who came and went during one interval; `sensor` is its id or serial."""

    sensor: Reference
    start: Aware
    end: Aware
    entries: Count
    exits: Count
    line: Annotated[str, Meta(max_length=64, pattern=r"^[^\x00]*$")] = ""


class SilentRow(CountRow, frozen=True, forbid_unknown_fields=True, gc=False):
    """Nobody, where a device was there and told of nobody; no row of the push, and maybe of a time not over yet."""


class ReadingRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Where a counter stood that goes back by itself at most at its beginning; the processor makes intervals of it.

    `since`: when it last began anew by itself, as counters of a day do.
    """

    sensor: Reference
    at: Aware
    entries: Annotated[int, Meta(ge=0, le=10**12)]
    exits: Annotated[int, Meta(ge=0, le=10**12)]
    line: Annotated[str, Meta(max_length=64, pattern=r"^[^\x00]*$")] = ""
    since: datetime | None = None


class ReadAs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a refused row is to be read when it is sent again, where its own words do not tell.

    Of a vendor's `form` it is as the device said it, which may be known by other `references`; its line by `aliases`,
    and going `one_way`. A `cumulative` one tells a standing, of a counter that may be `daily`. In one that is
    `settled`, lines have their names and ways by the sensor's setup already. One of `cells` is as it stood in a CSV,
    and is read by the columns that the sensor's setup remembers.
    """

    form: str = ""
    references: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    one_way: bool = False
    cumulative: bool = False
    daily: bool = False
    settled: bool = False
    cells: bool = False


class HeartbeatRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """That a device is there; `time` is what its own clock says, where it tells."""

    sensor: Reference
    time: Aware | None = None


class LineRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One line of a till receipt; a return has a negative quantity."""

    sku: Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00]*$")]
    quantity: Decimal
    unit_price: Decimal


class TransactionRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A till receipt; `site` is its id or code, `total` a decimal string, `currency` one of ISO 4217.

    One that undoes another at its store names that one's id: `cancels` it, or `returns` some of it. It gives money
    back: its `total` is 0 or less, pieces that come back have quantities with a minus, prices have none. One that
    `returns` some may have new pieces as well, as long as it comes to 0 or less; else they are a receipt of their own.
    Site, id and `time` tell which receipt it is: with another time it is another one, and no correction.
    """

    id: Reference
    site: Reference
    time: Aware
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]
    total: Decimal
    lines: Annotated[list[LineRow], Meta(max_length=MAX_LINES)]
    cancels: Reference | None = None
    returns: Reference | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that is not taken: its place in the push (from 0), the field, a code and a sentence."""

    row: int
    field: str
    code: str
    message: str
    content: Any = None

    def shown(self) -> dict[str, object]:
        """The wire's form."""
        return {"row": self.row, "field": self.field, "code": self.code, "message": self.message}


@dataclass(slots=True)
class Sorted(Generic[Row]):
    """A push, sorted: rows taken with their place in it, rows refused, how many said the same as an earlier one."""

    taken: list[tuple[int, Row]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    duplicates: int = 0
    repeated: list[tuple[str, datetime]] = field(default_factory=list)
    """The sensor and the moment of each count that said the same as an earlier one."""
    members: dict[int, list[int]] = field(default_factory=dict)
    """The rows of the push that one taken row is made of, where it is not just itself (a receipt's lines)."""

    def size(self, row: int) -> int:
        """How many rows of the push a taken row stands for."""
        return len(self.members.get(row, (row,)))


@dataclass(frozen=True, slots=True)
class Beats:
    """How many heartbeats were of sensors in service, and the places of those that were not."""

    accepted: int
    unknown: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the door answers once the queue has the rows."""

    batch: UUID
    accepted: int
    duplicates: int
    refused: tuple[Refused, ...]
    limited: Mapping[str, str] = field(default_factory=dict)
    """What header fields say of the day's rows."""
    ignored: int = 0
    """Rows of lines that are left out by their sensors' setups."""
