"""The wire's shapes of batches and of refused rows."""

from typing import Any
from uuid import UUID

from pydantic import Field, RootModel

from shared.measurements.model import ShownRow
from tenant_context.wire import In, Out, PageQuery


class BatchOut(Out):
    """What became of a push: of `rows` queued, how many were stored, unchanged, revised or quarantined."""

    id: UUID
    kind: str
    received_at: str
    rows: int
    rejected: int
    duplicates: int
    state: str
    stored: int
    unchanged: int
    revised: int
    quarantined: int


class ResubmitIn(In):
    """The row in the form of ingest/counts or ingest/transactions; left out, it is taken as it was kept.

    `read_as` of a row that was kept tells how it was to be read, by a vendor's format say: it stays where other
    members are mended, and goes where the row is written anew.
    """

    row: dict[str, Any] | None = None


class ResubmittedOut(Out):
    """What became of the row, and the batch that it is now."""

    id: UUID
    batch: UUID
    stored: int
    unchanged: int
    revised: int


class ResubmitBatchIn(In):
    """Which of a batch's refused rows: those from `first_row` of the push on; all, where nothing is said."""

    first_row: int = Field(0, ge=0, le=2**31 - 1)


class ResubmittedBatchOut(Out):
    """Of the rows looked at (a thousand at most), `taken` as the batch `batch` (null: none), and `still_refused`.

    Where `next_row` is not null there are more: go on with it as `first_row`. Rows that were taken are not taken again.
    """

    id: UUID
    batch: UUID | None
    taken: int
    stored: int
    unchanged: int
    revised: int
    still_refused: int
    next_row: int | None


class RejectedOut(RootModel[ShownRow]):
    """One refused row."""


class RejectedPage(Out):
    """A page of refused rows, newest first; large ones are fewer than was asked for: `next_cursor` tells of more."""

    items: list[ShownRow]
    next_cursor: str | None


class RejectedQuery(PageQuery):
    """Which refused rows."""

    batch: UUID | None = None
