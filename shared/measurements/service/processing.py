"""The processor of the ingest line: writes the parts of batches."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, NoReturn
from uuid import UUID

from shared.measurements import rules as measured
from shared.measurements.model import Outcome
from shared.measurements.repository.raw import RawRepository
from shared.sites.repository.beats import BeatRepository
from shared.usage.service.ledger import Ledger
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.events import Event
from tenant_context.postgres import Database, Transaction

Write = Callable[[RawRepository, Transaction, dict[str, Any]], tuple[Outcome, list[int]]]


Heed = Callable[[Transaction, Sequence[tuple[dict[str, Any], Outcome | None]]], None]
"""Told of parts in the transaction that writes them; without an outcome, of what holds signs of life alone."""


Touch = Callable[[Transaction, UUID, datetime, datetime], None]
"""Told of a sensor and a time whose counts are others now."""


class _Written(NamedTuple):
    """A part, whose it is, what became of its rows, and the places of those that nobody is known for."""

    tenant: TenantContext
    data: dict[str, Any]
    outcome: Outcome
    unknown: Sequence[int]


_FEW = 150
"""Rows of a part that shares a transaction in which nobody else writes."""


class Processor:
    """Writes one part of a batch, once, however often it is delivered; `heeds` are other domains'."""

    def __init__(
        self, database: Database, raw: RawRepository, kind: str, write: Write, *, heeds: Sequence[Heed] = ()
    ) -> None:
        self._database = database
        self._raw = raw
        self._kind = kind
        self._write = write
        self._heeds = heeds
        self._ledger = Ledger()

    def __call__(self, tenant: TenantContext, message: Message) -> None:
        """Rows, revisions, rollups and the note that they are done, in one transaction."""
        with self._database.transaction(tenant) as tx:
            self._part(tx, message.data)

    def together(self, messages: Sequence[tuple[TenantContext, Message]]) -> None:
        """The same for several parts of one tenant: what can be is written by one statement, in one transaction.

        Of the others, small ones share one in which nobody else writes the tenant's rollups: one after the other they
        come in no order that others could keep to. Where something fails, what was written stays, and is known.
        """
        parts = [message.data for _, message in messages]
        first = self._apart(parts)
        if first:
            self._at_once([messages[place] for place in first])
        left = [messages[place] for place in range(len(messages)) if place not in set(first)]
        small = [one for one in left if len(one[1].data["rows"]) <= _FEW]
        if small:
            with self._database.transaction(small[0][0]) as tx:
                self._raw.hold(tx)
                for tenant, message in small:
                    tx.go_on_as(tenant)
                    self._part(tx, message.data)
        for tenant, message in left:
            if len(message.data["rows"]) > _FEW:
                self(tenant, message)

    def _at_once(self, messages: Sequence[tuple[TenantContext, Message]]) -> None:
        """Every table is written once, in one order of its rows: nobody waits for somebody who waits for him."""
        with self._database.transaction(messages[0][0]) as tx:
            begun = self._raw.begin_each(tx, self._kind, [message.data for _, message in messages])
            written = [messages[place] for place in begun]
            outcomes = self._raw.write_each(tx, [message.data for _, message in written]) if written else []
            self._note(
                tx,
                [
                    _Written(tenant, message.data, outcome, unknown)
                    for (tenant, message), (outcome, unknown) in zip(written, outcomes, strict=True)
                ],
            )

    def _apart(self, parts: Sequence[dict[str, Any]]) -> list[int]:
        return measured.apart(parts) if self._kind == "counts" else []

    def _part(self, tx: Transaction, data: dict[str, Any]) -> None:
        beats = data.get("beats", ())
        if beats and not data["rows"] and not data["refused"]:
            BeatRepository.hear(tx, data["received_at"], beats)
            self._heed(tx, [(data, None)])
        elif self._raw.begin(tx, self._kind, data):
            self._note(tx, [_Written(tx.tenant, data, *self._write(self._raw, tx, data))])

    def _note(self, tx: Transaction, written: Sequence[_Written]) -> None:
        """Note what became of parts whose rows are written; the ledger comes last, as everybody waits for its sums."""
        ended = []
        for tenant, data, outcome, unknown in written:
            refused = [
                *data["refused"],
                *(measured.vanished(self._kind, place, data["rows"][place]) for place in unknown),
            ]
            self._raw.reject(tx, UUID(data["batch"]), refused)
            ended.append((tenant, data, replace(outcome, quarantined=outcome.quarantined + data.get("poisoned", 0))))
        self._raw.end_each(tx, [(data, outcome) for _, data, outcome in ended])
        sites = self._raw.sites(tx, self._kind, [data for _, data, _ in ended])
        tx.emit_all(
            [
                (tenant, processed(self._kind, data, outcome, of))
                for (tenant, data, outcome), of in zip(ended, sites, strict=True)
            ]
        )
        heard = [(data["received_at"], data["beats"]) for _, data, _ in ended if data.get("beats")]
        BeatRepository.hear_each(tx, heard)
        self._heed(tx, [(data, outcome) for _, data, outcome in ended])
        self._ledger.ingested(
            tx, *((UUID(data["batch"]), data["part"], outcome.stored + outcome.revised) for _, data, outcome in ended)
        )

    def _heed(self, tx: Transaction, parts: Sequence[tuple[dict[str, Any], Outcome | None]]) -> None:
        for heed in self._heeds if parts else ():
            heed(tx, parts)

    def unwritable(self, tenant: TenantContext, rows: Sequence[Any]) -> list[int]:
        """The places of rows that PostgreSQL says it cannot write."""
        with self._database.transaction(tenant) as tx:
            return self._raw.unwritable(tx, self._kind, rows)

    def bears(self, tenant: TenantContext, data: dict[str, Any]) -> bool:
        """Whether rows can be written: it is tried, and undone."""
        try:
            with self._database.transaction(tenant) as tx:
                self._write(self._raw, tx, data)
                _undo()
        except _Undone:
            pass
        except Exception as error:
            if not is_of_rows(error):
                raise
            return False
        return True


_TRIES = 100
_SECONDS = 10.0
"""For which rows that cannot be written are looked for by trying: others wait for the same function."""


class Quarantine:
    """Has a part written without the rows that cannot be, where there are any: those are kept among the refused.

    PostgreSQL is asked which they are; only what it does not know of is looked for by trying, so often at most and so
    long. Rows that it was not told of by then are refused too, and whole: sent again, each is told off alone.
    """

    def __init__(self, processor: Processor) -> None:
        self._processor = processor

    def __call__(self, tenant: TenantContext, message: Message) -> None:
        """Write a part of a batch, and look for what is wrong with it only where that fails."""
        refused: dict[int, str] = {}
        for look in (self._known, self._tried):
            try:
                self._processor(tenant, _without(message, refused))
            except Exception as error:
                if not is_of_rows(error) or not message.data["rows"]:
                    raise
                refused |= look(tenant, message, refused)
                # Where no row at all can be written, the fault is rather ours.
                if len(refused) == len(message.data["rows"]) > 1:
                    raise
            else:
                return
        self._processor(tenant, _without(message, refused))

    def _known(self, tenant: TenantContext, message: Message, _: dict[int, str]) -> dict[int, str]:
        return dict.fromkeys(self._processor.unwritable(tenant, message.data["rows"]), CANNOT_BE)

    def _tried(self, tenant: TenantContext, message: Message, refused: dict[int, str]) -> dict[int, str]:
        data, rows = message.data, message.data["rows"]
        until = time.monotonic() + _SECONDS
        bad, left = measured.search(
            [place for place in range(len(rows)) if place not in refused],
            lambda some: self._processor.bears(tenant, {**data, "rows": [rows[place] for place in some]}),
            lambda tries: tries < _TRIES and time.monotonic() < until,
        )
        return dict.fromkeys(bad, CANNOT_BE) | dict.fromkeys(left, _NOT_TOLD_APART)


def _without(message: Message, refused: dict[int, str]) -> Message:
    """A part without some of its rows, which are told of as refused."""
    if not refused:
        return message
    data, rows = message.data, message.data["rows"]
    told = [measured.poisoned(message.kind, place, rows[place], why) for place, why in sorted(refused.items())]
    good = [row for place, row in enumerate(rows) if place not in refused]
    left = {**data, "rows": good, "refused": [*data["refused"], *told], "poisoned": len(told)}
    return Message(message.tenant, message.id, message.kind, left)


class _Undone(Exception):
    """What was tried is undone."""


def _undo() -> NoReturn:
    raise _Undone


_OF_ROWS = ("21", "22", "23")
"""Classes of PostgreSQL's errors that are of what was to be written: twice the same, no value, against a rule."""
CANNOT_BE = "cannot be written: it is none that the store takes"
_NOT_TOLD_APART = "came with many rows that the store does not take, and was not told apart from them; send it again"
_NO_VALUE = (ValueError, TypeError, ArithmeticError, IndexError)
"""What Python says of the same."""


def is_of_rows(error: Exception) -> bool:
    """Whether something is wrong with what was to be written, which trying again does not mend."""
    return str(getattr(error, "sqlstate", "")).startswith(_OF_ROWS) or isinstance(error, _NO_VALUE)


def processed(kind: str, data: dict[str, Any], outcome: Outcome, sites: Sequence[str]) -> Event:
    """The event of a part that is done."""
    batch = str(UUID(data["batch"]))
    return Event(
        "batch.processed",
        f"batch/{batch}",
        {
            "batch": batch,
            "kind": kind,
            "part": data["part"],
            "parts": data["parts"],
            "stored": outcome.stored,
            "unchanged": outcome.unchanged,
            "revised": outcome.revised,
            "quarantined": outcome.quarantined,
            "site_ids": list(sites),
        },
    )
