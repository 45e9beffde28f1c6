"""Taken rows onto the queue, in parts small enough for one message."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

import msgspec

from shared.sensors.model import CountRow, ReadingRow, Refused, TransactionRow
from tenant_context.clock import rfc3339
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message

Thing = TypeVar("Thing")

_PART_BYTES = 200_000
"""A message's size: large enough to share a transaction's cost, small enough for a retry to be cheap."""
_PART_DOUBLED = 300
_PART_REFUSALS = 100
_PART_REFUSED_BYTES = 400_000
"""Of refused rows in one message, which takes a megabyte with the rows beside them."""
_KEPT_CONTENT = 65_536
"""Bytes kept of a refused row's content: a receipt of hundreds of lines is whole."""


class Sending(Protocol):
    """Takes messages."""

    def send(self, messages: Sequence[Message]) -> None:
        """All of them, or raise `AwsError`."""


class BatchQueue:
    """Sends a batch's rows to the processor of their kind."""

    part_bytes = _PART_BYTES
    part_refusals = _PART_REFUSALS
    part_refused_bytes = _PART_REFUSED_BYTES
    part_doubled = _PART_DOUBLED
    kept_content = _KEPT_CONTENT

    def __init__(self, queue: Sending, kind: str) -> None:
        self._queue = queue
        self._kind = kind

    def send(
        self,
        tenant: TenantContext,
        batch: UUID,
        received_at: datetime,
        rows: Sequence[bytes],
        refused: Sequence[Refused],
        duplicates: int,
        beats: Sequence[bytes] = (),
        doubled: Sequence[bytes] = (),
    ) -> None:
        """Queue encoded rows and refusals in parts; returns when the queue has all of them, or raises AwsError.

        `beats` tell which sensors were heard of, with the first part; `doubled` what was dropped as said before.
        """
        parts = _parts(rows, self.part_bytes)
        refusals = [_kept(one, self.kept_content) for one in refused]
        head = {
            "batch": str(batch),
            "received_at": rfc3339(received_at),
            "rows_in_batch": len(rows),
            "duplicates": duplicates,
            "rejected_in_batch": len(refusals),
        }
        sizes = (len(msgspec.json.encode(one)) for one in refusals)
        chunks = [
            [refusals[place] for place in part] for part in _places(sizes, self.part_refused_bytes, self.part_refusals)
        ]
        repetitions = _chunks([msgspec.Raw(one) for one in doubled], self.part_doubled)
        total = max(len(parts), len(chunks), len(repetitions), 1)
        messages = [
            Message(
                tenant=tenant.tenant,
                id=tenant.request_id,
                kind=self._kind,
                data={
                    **head,
                    "part": number,
                    "parts": total,
                    "rows": [msgspec.Raw(row) for row in parts[number]] if number < len(parts) else [],
                    "refused": chunks[number] if number < len(chunks) else [],
                    **({"beats": [msgspec.Raw(beat) for beat in beats]} if beats and number == 0 else {}),
                    **({"doubled": repetitions[number]} if number < len(repetitions) else {}),
                },
            )
            for number in range(total)
        ]
        self._queue.send(messages)


def count_row(row: CountRow, sensor: UUID, raw: CountRow | None = None) -> bytes:
    """The queue's form of a count; where a calibration made another of it, with what was counted (`raw`)."""
    told: list[object] = [sensor, row.line, row.start, row.end, row.entries, row.exits]
    if raw is not None and (raw.entries, raw.exits) != (row.entries, row.exits):
        told += [raw.entries, raw.exits]
    return msgspec.json.encode(told)


def reading_row(row: ReadingRow, sensor: UUID) -> bytes:
    """The queue's form of a counter's standing: a number where a count has its interval's end tells them apart."""
    told: list[object] = [sensor, row.line, row.at, row.entries, row.exits]
    return msgspec.json.encode(told if row.since is None else [*told, row.since])


def beat_row(sensor: UUID, newest: datetime | None, clock: datetime | None = None) -> bytes:
    """The queue's form of a sensor's sign of life: the newest it told of, and what its own clock says."""
    return msgspec.json.encode([sensor, newest, clock])


def doubled_row(sensor: UUID, moment: datetime, times: int) -> bytes:
    """The queue's form of counts that were dropped as said before: their sensor, a moment of their day, how many."""
    return msgspec.json.encode([sensor, moment, times])


def transaction_row(row: TransactionRow, site: UUID) -> bytes:
    """The queue's form of a receipt."""
    lines = [[line.sku, line.quantity, line.unit_price] for line in row.lines]
    return msgspec.json.encode([site, row.id, row.time, row.currency, row.total, row.cancels or row.returns, lines])


def _parts(rows: Sequence[bytes], most: int) -> list[list[bytes]]:
    return [[rows[place] for place in part] for part in _places(map(len, rows), most, 10**9)]


def _places(sizes: Iterable[int], most: int, number: int) -> list[list[int]]:
    """The places of things, in parts of so many bytes at most, unless one alone has more, and of so many things."""
    parts: list[list[int]] = []
    size = most
    for place, one in enumerate(sizes):
        if size + one > most or len(parts[-1]) == number:
            parts.append([])
            size = 0
        parts[-1].append(place)
        size += one + 1
    return parts


def _chunks(things: Sequence[Thing], most: int) -> list[list[Thing]]:
    return [list(things[start : start + most]) for start in range(0, len(things), most)]


def _kept(one: Refused, most: int = _KEPT_CONTENT) -> dict[str, Any]:
    content = one.content
    text = msgspec.json.encode(content)
    if len(text) > most:
        content = {"truncated": text[:most].decode("utf-8", "ignore")}
    return {**one.shown(), "content": content}
