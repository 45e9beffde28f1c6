"""The words of measurements."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one part of a batch."""

    stored: int
    unchanged: int
    revised: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A refused row, as it was kept: of counts or of transactions, and the batch it was sent again as, if it was."""

    kind: str
    content: Any
    resubmitted_as: UUID | None


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A refused row of a batch that was not sent again; `row` is its place in what was pushed."""

    id: UUID
    row: int
    content: Any


@dataclass(frozen=True, slots=True)
class RefusedRows:
    """Refused rows of a batch in their order, what they are of (counts or transactions), and which row comes next."""

    kind: str
    rows: list[RefusedRow]
    following: int | None


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row that was refused; `row` is its place in what was pushed, or in the file, from 0.

    `content` is taken by `resubmit` as it stands once it is corrected. In what a vendor's device, or a CSV of one's
    own columns, said, `read_as` tells how it is read and `sensor` whose it is: cells of a CSV
    are by the sensor's columns; where a device's row could not be read at all, `said` is that row, and the words of
    `ingest/counts` wait to be filled in, with times by the device's clock. Without `read_as` it is in those words.
    """

    id: UUID
    batch: UUID
    row: int
    field: str
    code: str
    message: str
    content: Any
    at: str
    resubmitted_as: UUID | None


@dataclass(frozen=True, slots=True)
class Resubmitted:
    """What became of a row that was sent again."""

    id: UUID
    batch: UUID
    stored: int
    unchanged: int
    revised: int


@dataclass(frozen=True, slots=True)
class ResubmittedBatch:
    """What became of a batch's refused rows that were sent again: `taken` as `batch`, or `still_refused`.

    `next_row` is where to go on; null, when all of them were looked at.
    """

    id: UUID
    batch: UUID | None
    taken: int
    stored: int
    unchanged: int
    revised: int
    still_refused: int
    next_row: int | None


@dataclass(frozen=True, slots=True)
class Recalibrated:
    """How many counts there were, and how many of them are others now."""

    rows: int
    revised: int
