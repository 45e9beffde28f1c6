"""The words of exports."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NewType
from uuid import UUID

ExportId = NewType("ExportId", UUID)


@dataclass(frozen=True, slots=True)
class Column:
    """A column as PostgreSQL's catalog tells it; `required`: it takes no NULL and has no default."""

    name: str
    kind: str
    required: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table with rows of tenants."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    """The columns of its primary key without tenant_id: the order in which it is read."""
    references: frozenset[str] = frozenset()
    """The tables that its rows refer to."""
    by_month: str = ""
    """The column that decides a row's partition, where it has partitions."""

    def kind(self, column: str) -> str:
        """The type of a column."""
        return next(known.kind for known in self.columns if known.name == column)


@dataclass(frozen=True, slots=True)
class File:
    """A file of the archive: its rows, one a line, as a gzip of its own."""

    source: str
    name: str
    rows: int
    bytes: int
    sha256: str


@dataclass(slots=True)
class Mark:
    """Where the next file begins."""

    done: list[str] = field(default_factory=list)
    """The sources that are in the archive as a whole."""
    after: Any = None
    """What was last read of the source under way, in its own words."""
    number: int = 0
    """How many files of that source there are."""
    closed: bool = False
    """Whether the last part is in S3, the manifest in it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the upload that is in S3."""

    number: int
    etag: str
    bytes: int
    files: Sequence[File]


@dataclass(slots=True)
class Work:
    """An export as its worker took it up."""

    id: ExportId
    archive: str
    upload: str
    mark: Mark
    created_at: datetime
    sources: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a source, ready to be a file; `after` is where the next begins, None at the source's end."""

    rows: int
    content: bytes
    after: Any
