"""Reads one file after the other: in ranges, unpacked and cut as it comes, each piece one message of the ingest line.

A few pieces are sent together and noted after that, so a worker that dies in between sends those again: as batches of
the same ids, which count once (decision 0035). What is held in memory is a range, a row and the pieces that wait.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

from shared.plans import rules as plans
from shared.plans.repository import HeldRepository
from shared.sensors.service import Find, Look, Rows
from shared.uploads.errors import Abandoned, OnHold, Unreadable
from shared.uploads.gateway import Files, key_of
from shared.uploads.model import Mark, Tally, UploadId, Work
from shared.uploads.repository import UploadRepository
from shared.uploads.rules.cutting import pieces
from shared.uploads.rules.unpacking import is_packed, unpacked
from shared.uploads.service.taking import RowsOf, Taking
from tenant_context.aws import AwsError
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.events import Event
from tenant_context.postgres import Database
from tenant_context.queues import Queue

BUDGET_SECONDS = 200.0
"""After that the rest is left to another run, well before Lambda ends this one."""
AT_ONCE = 8
"""Pieces that are sent, and noted, together."""
_AGAIN_SECONDS = 900
"""What the plan holds up is looked at again after so long, which is as long as a queue can wait."""


class Reader:
    """Reads one upload at a time; `queues` are those of the ingest line, by kind."""

    def __init__(
        self,
        database: Database,
        uploads: UploadRepository,
        files: Files,
        queue: Queue,
        queues: Mapping[str, Queue],
        *,
        find: Find,
        look: Look,
        rows: Rows,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._uploads = uploads
        self._files = files
        self._queue = queue
        self._queues = queues
        self._find = find
        self._look = look
        self._rows = rows
        self._elapsed = elapsed
        self._held = HeldRepository()

    def __call__(self, tenant: TenantContext, message: Message) -> None:
        """Read the file that a message names, or go on with it; nothing when it was cancelled. Errors: Busy."""
        upload = UploadId(UUID(message.data["upload"]))
        with suppress(Abandoned):
            with self._database.transaction(tenant) as tx:
                work = self._uploads.claim(tx, upload)
            try:
                self._go_on(tenant, work, message)
            except Unreadable as error:
                self._finish(tenant, work, str(error))
            except OnHold as hold:
                self._release(tenant, work, str(hold))
                self._queue.send([message], delay_seconds=_AGAIN_SECONDS)
            except Exception:
                self._release(tenant, work)
                raise

    def _go_on(self, tenant: TenantContext, work: Work, message: Message) -> None:
        until = self._elapsed() + BUDGET_SECONDS
        rows = RowsOf(self._rows, self._rows_per_day(tenant))
        taking = Taking(tenant, work, self._find, self._look, rows)
        stream = _Stream(self._files, key_of(tenant.tenant, work.id), work)
        mark, tally, waiting = replace(work.mark), Tally(), list[Message]()
        for piece in pieces(work.wanted, mark, stream.blocks(mark.offset), taking.delimiter()):
            try:
                counted, messages = taking.take(piece, mark)
            except (Unreadable, OnHold):
                self._pass_on(tenant, work, waiting, tally, mark, stream.read)
                raise
            mark = Mark(piece.offset, mark.piece + 1, mark.row + piece.rows, mark.head)
            tally.add(counted)
            waiting += messages
            if len(waiting) >= AT_ONCE:
                self._pass_on(tenant, work, waiting, tally, mark, stream.read)
                tally, waiting = Tally(), []
                if self._elapsed() > until:
                    self._release(tenant, work)
                    self._queue.send([message])
                    return
        self._pass_on(tenant, work, waiting, tally, mark, work.wanted.bytes)
        self._finish(tenant, work, "" if mark.row else "The file holds no rows.")

    def _rows_per_day(self, tenant: TenantContext) -> int | None:
        """The rows that the tenant's plan takes in a day. Errors: OnHold, where its room is full."""
        with self._database.transaction(tenant) as tx:
            amounts = plans.amounts(self._held.held(tx), tx.now)
            gb = amounts["storage_gb"]
            if gb is not None and self._held.size(tx) >= gb * plans.GB:
                raise OnHold(f"The plan has room for {gb} GB, which are kept; it goes on when there is room.")
        return amounts["events_per_day"]

    def _pass_on(
        self, tenant: TenantContext, work: Work, waiting: list[Message], tally: Tally, mark: Mark, read: int
    ) -> None:
        """Send pieces, then note them: whoever goes on after a death in between sends them again."""
        try:
            if waiting:
                self._queues[work.wanted.kind].send(waiting)
        except AwsError:
            self._rows.give_back(tenant.tenant, tally.accepted)
            raise
        with self._database.transaction(tenant) as tx:
            work.mark = mark
            self._uploads.note(tx, work, tally, read)

    def _release(self, tenant: TenantContext, work: Work, reason: str = "") -> None:
        with self._database.transaction(tenant) as tx:
            self._uploads.release(tx, work, reason)

    def _finish(self, tenant: TenantContext, work: Work, reason: str) -> None:
        with self._database.transaction(tenant) as tx:
            told = self._uploads.finish(tx, work, reason)
            data = {"id": str(work.id), **told}
            tx.emit(Event("upload.finished", f"upload/{work.id}", data))
        if not reason:  # a file that failed is kept for a week, as all that is in the bucket
            self._files.remove(tenant.tenant, key_of(tenant.tenant, work.id))


class _Stream:
    """The bytes of a file, unpacked where it is packed; `read` is how many of it were read as it lies there."""

    def __init__(self, files: Files, key: str, work: Work) -> None:
        self._files = files
        self._key = key
        self._size = work.wanted.bytes
        self._etag = work.etag
        self.read = 0

    def blocks(self, offset: int) -> Iterator[bytes]:
        """From a byte of the unpacked file on. Errors: Unreadable."""
        start = next(self._files.blocks(self._key, 0, min(self._size, 4), self._etag), b"")
        if is_packed(start):
            # Nobody can go into the middle of gzip: what was read before is unpacked once more, and let go.
            return unpacked(self._from(0), offset)
        return self._from(offset)

    def _from(self, offset: int) -> Iterator[bytes]:
        self.read = offset
        for block in self._files.blocks(self._key, offset, self._size, self._etag):
            self.read += len(block)
            yield block
