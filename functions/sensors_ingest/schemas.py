"""The wire's shapes of ingest. msgspec, so that this function starts fast; rows are checked one by one."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from shared.sensors.model import Beats, CountRow, HeartbeatRow, Receipt, Reference, TransactionRow
from shared.vendors.service import Taken


class PushQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sensor that a push is from, by id or serial, where the push itself does not say."""

    sensor: Reference | None = None


class CountsIn(msgspec.Struct):
    """Counts: one to 10,000."""

    counts: list[CountRow]


class TransactionsIn(msgspec.Struct):
    """Till receipts: one to 5,000."""

    transactions: list[TransactionRow]


class HeartbeatsIn(msgspec.Struct, forbid_unknown_fields=True):
    """Signs of life of devices: one to 1,000."""

    heartbeats: Annotated[list[HeartbeatRow], Meta(min_length=1, max_length=1000)]


class UnknownOut(msgspec.Struct):
    """A heartbeat of no sensor in service: its place in the push (from 0)."""

    row: int
    code: str
    message: str


class HeartbeatsOut(msgspec.Struct):
    """How many of the heartbeats were noted."""

    accepted: int
    rejected: list[UnknownOut]


class RefusedOut(msgspec.Struct):
    """A refused row: its place in the push (from 0), the field, a code and a sentence."""

    row: int
    field: str
    code: str
    message: str


class ReceiptOut(msgspec.Struct):
    """What became of the rows of a push at the door; the batch tells what became of them afterwards.

    `ignored` are those of lines that their sensors' setups leave out.
    """

    batch: UUID
    accepted: int
    duplicates: int
    rejected: list[RefusedOut]
    rejected_count: int
    ignored: int


class PushIn(msgspec.Struct):
    """A document as the vendor's devices send it."""


class PushOut(ReceiptOut):
    """The same of a push in a vendor's format: which it was, and how much of it was no count of people.

    Without anything to count there is no batch.
    """

    batch: UUID | None  # type: ignore[assignment]
    vendor: str
    format: str


MOST_SHOWN = 1_000
"""Refused rows in one answer; all of them are listed under ingest/rejected."""


def receipt(value: Receipt) -> dict[str, object]:
    """The answer's form of a receipt."""
    return {
        "batch": value.batch,
        "accepted": value.accepted,
        "duplicates": value.duplicates,
        "rejected": [one.shown() for one in value.refused[:MOST_SHOWN]],
        "rejected_count": len(value.refused),
        "ignored": value.ignored,
    }


def taken(value: Taken) -> dict[str, object]:
    """The answer's form of a vendor's push."""
    about: dict[str, object] = {"vendor": value.vendor, "format": value.form, "ignored": value.ignored}
    if value.receipt is None:
        return {"batch": None, "accepted": 0, "duplicates": 0, "rejected": [], "rejected_count": 0, **about}
    return {**receipt(value.receipt), **about}


def noted(value: Beats) -> HeartbeatsOut:
    """The answer's form of heartbeats."""
    message = "no active sensor has this id or serial, or the key is another's"
    return HeartbeatsOut(value.accepted, [UnknownOut(row, "unknown-sensor", message) for row in value.unknown])
