"""The words of uploads."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NewType
from uuid import UUID

UploadId = NewType("UploadId", UUID)

MOST_BYTES = 1_000_000_000
"""A file may have so many, packed or not."""
MOST_UNPACKED = 5_000_000_000
"""A packed one may have so many unpacked."""
PART_BYTES = 64 * 1024 * 1024
"""A larger file comes in parts of so many bytes each, but for the last."""
LINK_SECONDS = 900
"""How long an address takes a file or a part; whoever began in time may go on longer."""
OPEN_HOURS = 24
"""A file that has not come by then is not waited for."""
MOST_OPEN = 20
"""Uploads of a tenant at once."""
TYPES = {"csv": "text/csv", "json": "application/json", "ndjson": "application/x-ndjson"}
"""What each form says it is, when it is put."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that is announced. `sensor` names whose mapping its columns are read by."""

    kind: str
    form: str
    bytes: int
    name: str = ""
    sensor: str | None = None

    @property
    def lengths(self) -> list[int]:
        """The lengths of its parts: one, or several of a large file."""
        whole, rest = divmod(self.bytes, PART_BYTES)
        return [PART_BYTES] * whole + ([rest] if rest else [])


@dataclass(slots=True)
class Mark:
    """Where the next piece begins: its place in the unpacked file, its number, its first row, and the CSV's header."""

    offset: int = 0
    piece: int = 0
    row: int = 0
    head: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of a file: a table of their lines with the header, or JSON texts; and where the next begins."""

    table: bytes
    texts: Sequence[bytes]
    rows: int
    offset: int
    is_first: bool = False


@dataclass(slots=True)
class Tally:
    """What became of rows at the door."""

    rows: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    parts: int = 0

    def add(self, other: "Tally") -> None:
        """Count another's in."""
        for name in ("rows", "accepted", "duplicates", "rejected", "parts"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class Work:
    """An upload as a worker takes it up."""

    id: UploadId
    wanted: Wanted
    etag: str
    received_at: datetime
    run: int
    mark: Mark = field(default_factory=Mark)
    rows: int = 0
    """That were read in runs before."""


@dataclass(frozen=True, slots=True)
class Links:
    """Where to put a file: one address for each part, good until a moment, and the header fields that are signed."""

    parts: Sequence[dict[str, Any]]
    headers: dict[str, str]
    expires_at: datetime
