"""The wire's shapes of uploads."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from shared.measurements.model import ShownRow
from shared.uploads.model import MOST_BYTES
from tenant_context.wire import In, Out, no_nul, plain_text

_Name = Annotated[str, BeforeValidator(plain_text), StringConstraints(max_length=255)]
_Sensor = Annotated[str, BeforeValidator(no_nul), StringConstraints(min_length=1, max_length=128)]


class UploadIn(In):
    """A file to be uploaded, plain or packed by gzip.

    `bytes` is its length as it lies there. `sensor`, with a CSV of counts, names the sensor whose remembered columns it
    is read by; without it the columns are those of ingest/counts or ingest/transactions.
    """

    kind: Literal["counts", "transactions"]
    format: Literal["csv", "json", "ndjson"]
    bytes: Annotated[int, Field(ge=1, le=MOST_BYTES)]
    name: _Name = ""
    sensor: _Sensor | None = None

    @model_validator(mode="after")
    def _a_sensor_is_for_a_csv_of_counts(self) -> "UploadIn":
        if self.sensor is not None and (self.kind, self.format) != ("counts", "csv"):
            raise ValueError("sensor is for a CSV of counts alone: elsewhere each row names its own")
        return self


class ReadOut(Out):
    """How much of a file was read: of its bytes, of its rows, in how many parts."""

    bytes: int
    rows: int
    parts: int


class ProcessedOut(Out):
    """What became of the parts that were written by now."""

    parts: int
    stored: int
    unchanged: int
    revised: int
    quarantined: int


class UploadOut(Out):
    """An upload: waiting (for its file), queued, reading, done, failed, cancelled or expired, and why."""

    id: UUID
    kind: str
    format: str
    name: str
    sensor: str | None
    bytes: int
    status: str
    reason: str
    requested_by: str
    progress: ReadOut
    accepted: int
    duplicates: int
    rejected: int
    created_at: str
    updated_at: str
    finished_at: str | None
    expires_at: str


class UploadShown(UploadOut):
    """The same, and what became of it behind the queue."""

    processed: ProcessedOut


class LinkOut(Out):
    """Where to put one part, of exactly so many bytes."""

    number: int
    bytes: int
    url: str


class LinksOut(Out):
    """Where to put a file, with which header fields; good for fifteen minutes, and for whoever has it."""

    method: str
    headers: dict[str, str]
    parts: list[LinkOut]
    expires_at: str


class UploadStarted(UploadShown):
    """An upload that waits for its file; a repeated request shows no links, which are at …/links."""

    links: LinksOut | None


class UploadPage(Out):
    """A page of uploads, newest first."""

    items: list[UploadOut]
    next_cursor: str | None


class RefusedRowPage(Out):
    """A page of refused rows, newest first; large ones are fewer than was asked for: `next_cursor` tells of more."""

    items: list[ShownRow]
    next_cursor: str | None
