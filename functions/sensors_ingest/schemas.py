"""The wire's shapes of ingest. msgspec, so that this function starts fast; rows are checked one by one."""

from uuid import UUID

import msgspec

from shared.sensors.model import CountRow, Receipt, Reference, TransactionRow
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


class RefusedOut(msgspec.Struct):
    """A refused row: its place in the push (from 0), the field, a code and a sentence."""

    row: int
    field: str
    code: str
    message: str


class ReceiptOut(msgspec.Struct):
    """What became of the rows of a push at the door; the batch tells what became of them afterwards."""

    batch: UUID
    accepted: int
    duplicates: int
    rejected: list[RefusedOut]
    rejected_count: int


class PushIn(msgspec.Struct):
    """A document as the vendor's devices send it."""


class PushOut(ReceiptOut):
    """The same of a push in a vendor's format: which it was, and how much of it was no count of people.

    Without anything to count there is no batch.
    """

    batch: UUID | None  # type: ignore[assignment]
    vendor: str
    format: str
    ignored: int


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
    }


def taken(value: Taken) -> dict[str, object]:
    """The answer's form of a vendor's push."""
    about: dict[str, object] = {"vendor": value.vendor, "format": value.form, "ignored": value.ignored}
    if value.receipt is None:
        return {"batch": None, "accepted": 0, "duplicates": 0, "rejected": [], "rejected_count": 0, **about}
    return {**receipt(value.receipt), **about}
