"""Makes an archive: files from tables and items, gathered into parts of an upload, each part noted once it is there.

A worker that dies leaves parts in S3 and the mark of the last one; the next one goes on there, and as a file follows
from its rows alone the archive is the same. What is held in memory is one file and one part.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import msgspec

from shared.exports.errors import Abandoned, UploadLost
from shared.exports.gateway.archives import Archives
from shared.exports.gateway.items import TenantItems
from shared.exports.model import Chunk, ExportId, File, Mark, Part, Table, Work
from shared.exports.repository.exports import ExportRepository, etags
from shared.exports.repository.tables import TableRepository
from shared.exports.rules import archive
from shared.exports.rules.contents import ITEMS, LEFT_OUT, PEOPLE, without_secrets
from shared.exports.rules.seal import sealed
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.events import Event
from tenant_context.postgres import Database
from tenant_context.queues import Queue

PART_BYTES = 8 * 1024 * 1024
"""S3 takes parts of 5 MiB or more, but for the last, and 10,000 of them: archives of up to 80 GB."""
BUDGET_SECONDS = 200.0
"""After that the rest is left to another run, well before Lambda ends this one."""
KEPT = timedelta(days=7)
"""As the bucket's own rule."""


class Maker:
    """Makes one export at a time; `pepper` is what manifests are sealed with."""

    def __init__(
        self,
        database: Database,
        exports: ExportRepository,
        tables: TableRepository,
        items: Mapping[str, TenantItems],
        archives: Archives,
        queue: Queue,
        *,
        pepper: Callable[[], str],
        elapsed: Callable[[], float] = time.monotonic,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self._database = database
        self._exports = exports
        self._tables = tables
        self._items = items
        self._archives = archives
        self._queue = queue
        self._pepper = pepper
        self._elapsed = elapsed
        self._part_bytes = part_bytes

    def make(self, tenant: TenantContext, message: Message) -> None:
        """Make the export a message names, or go on with it; nothing when it was deleted. Errors: Busy."""
        export = ExportId(UUID(message.data["export"]))
        with suppress(Abandoned):
            with self._database.transaction(tenant) as tx:
                work = self._exports.claim(tx, export)
            try:
                ended = self._go_on(tenant, work)
            except UploadLost:
                self._begin(tenant, work)
                ended = False
            except Exception:
                self._release(tenant, work)
                raise
            if not ended:
                self._release(tenant, work)
                self._queue.send([message])

    def _go_on(self, tenant: TenantContext, work: Work) -> bool:
        """Whether the archive was ended within this run's time."""
        until = self._elapsed() + BUDGET_SECONDS
        tables = [table for table in self._tables.all() if table.name not in LEFT_OUT]
        if not work.upload:
            self._begin(tenant, work, len(tables) + len(ITEMS) + 1)
        known = self._exports.parts(tenant, work.id)
        while not work.mark.closed:
            if self._elapsed() > until:
                return False
            known.append(self._part(tenant, work, tables, known))
        if not self._still_wanted(tenant, work):
            raise Abandoned
        self._archives.complete(work.archive, work.upload, etags(known), sum(part.bytes for part in known))
        with self._database.transaction(tenant) as tx:
            told = self._exports.finish(tx, work.id, keeps=KEPT)
            if told is not None:
                tx.emit(Event("tenant.exported", f"export/{work.id}", {"id": str(work.id), **told}))
        if told is None:  # it was deleted while its parts were put together
            self._archives.remove(tenant.tenant, work.archive)
        return True

    def _still_wanted(self, tenant: TenantContext, work: Work) -> bool:
        with self._database.transaction(tenant) as tx:
            return self._exports.is_running(tx, work.id)

    def _begin(self, tenant: TenantContext, work: Work, sources: int | None = None) -> None:
        if not self._still_wanted(tenant, work):
            raise Abandoned
        upload = self._archives.begin(work.archive)
        count = len(self._tables.all()) - len(LEFT_OUT) + len(ITEMS) + 1 if sources is None else sources
        try:
            with self._database.transaction(tenant) as tx:
                self._exports.begin(tx, work, upload, count)
        except Exception:
            self._archives.give_up(work.archive, upload)
            raise
        work.upload, work.mark = upload, Mark()

    def _part(self, tenant: TenantContext, work: Work, tables: list[Table], known: list[Part]) -> Part:
        """Put the next part and note it."""
        mark, files = replace(work.mark, done=list(work.mark.done)), []
        content = bytearray()
        for file, chunk in self._files(tenant, tables, mark):
            files.append(file)
            content += archive.member(file.name, chunk.content, work.created_at)
            if len(content) >= self._part_bytes:
                break
        else:
            every = [*(file for part in known for file in part.files), *files]
            last = sealed(archive.manifest(tenant.tenant, work, tables, ITEMS, every), self._pepper())
            content += archive.member(archive.MANIFEST, last, work.created_at) + archive.END
            mark.closed = True
        number = len(known) + 1
        etag = self._archives.put_part(work.archive, work.upload, number, bytes(content))
        part = Part(number, etag, len(content), files)
        with self._database.transaction(tenant) as tx:
            self._exports.note(tx, work, part, mark)
        work.mark = mark
        return part

    def _files(self, tenant: TenantContext, tables: list[Table], mark: Mark) -> Iterator[tuple[File, Chunk]]:
        """The files from the mark on, which moves with them."""
        sources: dict[str, Callable[[object], Chunk]] = {
            **{f"tables/{table.name}": self._reader(tenant, table) for table in tables},
            **{f"items/{name}": self._item_reader(tenant, name) for name in ITEMS},
            PEOPLE: lambda after: self._tables.people(tenant, after),  # type: ignore[arg-type]
        }
        for name, read in sources.items():
            while name not in mark.done:
                chunk = read(mark.after)
                mark.after = chunk.after
                file = archive.file_of(name, mark.number + 1, chunk)
                if chunk.rows:
                    mark.number += 1
                if chunk.after is None:
                    mark.done.append(name)
                    mark.number = 0
                if chunk.rows:
                    yield file, chunk

    def _reader(self, tenant: TenantContext, table: Table) -> Callable[[object], Chunk]:
        return lambda after: self._tables.chunk(tenant, table, after)  # type: ignore[arg-type]

    def _item_reader(self, tenant: TenantContext, name: str) -> Callable[[object], Chunk]:
        def read(after: object) -> Chunk:
            writer = archive.Writer()
            while not writer.full:
                items, after = self._items[name].read(tenant.tenant, after)
                for item in items:
                    # A key is there twice: for the list, and for the door with its digest.
                    if name != "api_keys" or item["sk"] != "key":
                        writer.add(msgspec.json.encode(without_secrets(item)))
                if after is None:
                    break
            return writer.chunk(after)

        return read

    def _release(self, tenant: TenantContext, work: Work) -> None:
        with self._database.transaction(tenant) as tx:
            self._exports.release(tx, work.id)

    def remove(self, tenant: TenantContext, message: Message) -> None:
        """Take what is in S3 of an export that was deleted."""
        gone = self._exports.deleted(tenant, ExportId(UUID(message.data["export"])))
        if gone is not None:
            self._archives.remove(tenant.tenant, *gone)
