"""Refused rows that are sent again: one, mended, or those of a batch, because what they named is there by now."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from shared.measurements.errors import AlreadyResubmitted
from shared.measurements.model import Outcome, Resubmitted, ResubmittedBatch
from shared.measurements.repository.raw import RawRepository
from shared.measurements.service.processing import CANNOT_BE, Heed, is_of_rows, processed
from shared.sensors import rules
from shared.sensors.gateway import count_row, reading_row, transaction_row
from shared.sensors.model import CountRow, ReadingRow, Refused, Sorted
from shared.sensors.service import Find, Look
from shared.sites.model import Known
from shared.usage.service.ledger import Ledger
from tenant_context.clock import NewId, rfc3339
from tenant_context.errors import FieldError, Invalid
from tenant_context.postgres import Transaction

MOST_ROWS, MOST_BYTES = 1_000, 4_000_000
"""Refused rows of a batch that are sent again at once."""


class _Read(NamedTuple):
    """Rows in the queue's form, each with its place among those that were read; and what is still wrong."""

    rows: list[tuple[int, bytes]]
    refused: list[Refused]


class Resubmission:
    """Takes refused rows again; what is sent again is the newest word on its interval or receipt."""

    def __init__(
        self, raw: RawRepository, look: Look, find: Find, new_id: NewId, *, heeds: Sequence[Heed] = ()
    ) -> None:
        self._raw = raw
        self._heeds = heeds
        self._look = look
        self._find = find
        self._new_id = new_id
        self._ledger = Ledger()

    def __call__(self, tx: Transaction, rejected: UUID, row: dict[str, Any] | None) -> Resubmitted:
        """Write the row as a batch of its own; without a row, the one that was kept.

        Errors: RejectedNotFound, AlreadyResubmitted, Invalid for a row that is still wrong.
        """
        kept = self._raw.take_rejected(tx, rejected)
        if kept.resubmitted_as is not None:
            raise AlreadyResubmitted(f"It was taken as batch {kept.resubmitted_as}.")
        read = self._read(tx, kept.kind, [kept.content if row is None else row])
        for one in read.refused:
            raise _still_wrong(one)
        batch, outcome, unknown = self._write(tx, kept.kind, read)
        if unknown:
            raise _still_wrong(Refused(0, _named(kept.kind), "vanished", "is not there any more"))
        self._raw.mark_resubmitted(tx, [rejected], batch)
        return Resubmitted(rejected, batch, outcome.stored, outcome.unchanged, outcome.revised)

    def of_batch(self, tx: Transaction, batch: UUID, first: int) -> ResubmittedBatch:
        """Write those of a batch's refused rows that are good by now, as a batch of their own; others stay refused.

        From the row `first` of the push on, a thousand and some megabytes at most. Rows that were taken are not taken
        again. Errors: BatchNotFound, Invalid where the store refuses one that it does not know of: sent alone, that is
        told off.
        """
        found = self._raw.take_refused(tx, batch, first, MOST_ROWS, MOST_BYTES)
        read = self._writable(tx, found.kind, self._read(tx, found.kind, [one.content for one in found.rows]))
        written, outcome, unknown = self._write(tx, found.kind, read) if read.rows else (None, Outcome(0, 0, 0, 0), [])
        gone = {read.rows[place][0] for place in unknown}
        wrong = gone | {one.row for one in read.refused}
        taken = [one.id for place, one in enumerate(found.rows) if place not in wrong]
        if written is not None:
            self._raw.mark_resubmitted(tx, taken, written)
        return ResubmittedBatch(
            id=batch,
            batch=written,
            taken=len(taken),
            stored=outcome.stored,
            unchanged=outcome.unchanged,
            revised=outcome.revised,
            still_refused=len(wrong),
            next_row=found.following,
        )

    def _writable(self, tx: Transaction, kind: str, read: _Read) -> _Read:
        """Without the rows that PostgreSQL says it does not take."""
        bad = set(self._raw.unwritable(tx, kind, [msgspec.json.decode(row) for _, row in read.rows]))
        told = [Refused(read.rows[place][0], "", "poison", CANNOT_BE) for place in sorted(bad)]
        good = [row for place, row in enumerate(read.rows) if place not in bad]
        return _Read(good, [*read.refused, *told])

    def _write(self, tx: Transaction, kind: str, read: _Read) -> tuple[UUID, Outcome, list[int]]:
        """Rows as a batch; its id, what became of them, and the places of those whose sensor or site is gone."""
        batch = self._new_id()
        data = _whole(batch, rfc3339(tx.now), [msgspec.json.decode(row) for _, row in read.rows])
        self._raw.begin(tx, kind, data)
        counts = kind == "counts"
        write = self._raw.write_counts if counts else self._raw.write_transactions
        try:
            outcome, unknown = write(tx, data)
        except Exception as error:
            if not is_of_rows(error):
                raise
            raise _still_wrong(Refused(0, "", "poison", CANNOT_BE)) from error
        self._raw.end_each(tx, [(data, outcome)])
        [sites] = self._raw.sites(tx, kind, [data])
        tx.emit(processed(kind, data, outcome, sites))
        for heed in self._heeds if counts else ():
            heed(tx, [(data, outcome)])
        self._ledger.ingested(tx, (batch, 0, outcome.stored + outcome.revised))
        return batch, outcome, unknown

    def _read(self, tx: Transaction, kind: str, contents: Sequence[Any]) -> _Read:
        if kind == "counts":
            return self._counts(tx, contents)
        rows = rules.read_transactions_json(
            b'{"transactions":[' + b",".join(map(msgspec.json.encode, contents)) + b"]}"
        )
        sites = self._find(tx.tenant, "sites", {row.site for _, row in rows.taken})
        kept = rules.sift_transactions(rows, sites, tx.now)
        return _Read([(place, transaction_row(row, site)) for place, row, site in kept], rows.refused)

    def _counts(self, tx: Transaction, contents: Sequence[Any]) -> _Read:
        from shared.vendors.rules.kept import read_kept  # noqa: PLC0415  formats and zones are for who sends again

        look = _Remembered(partial(self._look, tx.tenant))
        rows: Sorted[CountRow] = Sorted()
        readings: Sorted[ReadingRow] = Sorted()
        for place, content in enumerate(contents):
            some, standings, _ = read_kept(content, look)
            rows.taken.extend((place, row) for _, row in some.taken)
            readings.taken.extend((place, row) for _, row in standings.taken)
            rows.refused.extend(replace(one, row=place) for one in (*some.refused, *standings.refused))
        rules.keep_to_devices(rows, look.known, "")
        rules.keep_to_devices(readings, look.known, "")
        ids = {reference: sensor.id for reference, sensor in look.known.items()}
        made = [
            (place, count_row(rules.calibrated(row, look.known[row.sensor]), sensor, row))
            for place, row, sensor in rules.sift_counts(rows, ids, tx.now)
        ]
        made += [
            (place, reading_row(reading, sensor))
            for place, reading, sensor in rules.sift_readings(readings, ids, tx.now)
        ]
        return _Read(made, [*rows.refused, *readings.refused])


class _Remembered:
    """Sensors by how they are named, each looked up once."""

    def __init__(self, look: Callable[[set[str]], Mapping[str, Known]]) -> None:
        self.known: dict[str, Known] = {}
        self._look = look
        self._asked: set[str] = set()

    def __call__(self, references: set[str]) -> Mapping[str, Known]:
        if new := references - self._asked:
            self._asked |= new
            self.known.update(self._look(new))
        return {name: self.known[name] for name in references if name in self.known}


def _named(kind: str) -> str:
    return "sensor" if kind == "counts" else "site"


def _still_wrong(one: Refused) -> Invalid:
    return Invalid(errors=(FieldError(f"/row/{one.field}".rstrip("/"), one.code, one.message),))


def _whole(batch: UUID, received_at: str, rows: list[Any]) -> dict[str, Any]:
    """A batch of one part, in the queue's form."""
    numbers = {"rows_in_batch": len(rows), "duplicates": 0, "rejected_in_batch": 0, "part": 0, "parts": 1}
    return {"batch": str(batch), "received_at": received_at, **numbers, "rows": rows, "refused": []}
