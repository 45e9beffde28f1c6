"""Fills an empty tenant from an archive: rows keep their ids, and become the new tenant's.

What the archive left out does not come back: secrets are empty until they are set anew, and what DynamoDB had is not
taken over (the directory of devices is built from rows every day; keys are made anew).
"""

import hashlib
import tarfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import msgspec

from shared.exports.errors import Damaged, NotEmpty
from shared.exports.gateway.archives import Archives, key_of
from shared.exports.model import ExportId, Table
from shared.exports.repository.exports import ExportRepository
from shared.exports.repository.tables import TableRepository
from shared.exports.rules import archive
from shared.exports.rules.contents import LEFT_OUT, OWN
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.postgres import Database

_ROWS = 1000
ITS_OWN = {OWN, "memberships", "audit_log", "invitations", "job_runs", *LEFT_OUT}
"""Tables in which a tenant that only signed up may have rows."""


class Loader:
    """Fills one tenant at a time."""

    def __init__(
        self, database: Database, exports: ExportRepository, tables: TableRepository, archives: Archives
    ) -> None:
        self._database = database
        self._exports = exports
        self._tables = tables
        self._archives = archives

    def load(self, tenant: TenantContext, message: Message) -> None:
        """Take over the archive that a message names; done again, it changes nothing. Errors: NotEmpty, Busy, Damaged.

        `data` says whose archive it is (`from`) and which (`export`).
        """
        export = ExportId(UUID(message.data["export"]))
        key = key_of(UUID(message.data["from"]), export)
        tables = {table.name: table for table in self._tables.all()}
        with self._database.transaction(tenant) as tx:
            begun = self._exports.has(tx, export)
        if not begun:
            filled = [name for name, table in tables.items() if name not in ITS_OWN and self._has(tenant, table)]
            if filled:
                raise NotEmpty(f"has rows in {', '.join(filled)}")
            with self._database.transaction(tenant) as tx:
                self._exports.add(tx, export, "import", key)
        with self._database.transaction(tenant) as tx:
            work = self._exports.claim(tx, export)
        try:
            self._fill(tenant, key, tables)
        except Exception:
            with self._database.transaction(tenant) as tx:
                self._exports.release(tx, work.id)
            raise
        with self._database.transaction(tenant) as tx:
            self._exports.finish(tx, export)

    def _has(self, tenant: TenantContext, table: Table) -> bool:
        return self._tables.has_rows(tenant, table)

    def _fill(self, tenant: TenantContext, key: str, tables: dict[str, Table]) -> None:
        told: dict[str, str] = {}
        known: dict[str, Any] = {}
        with tarfile.open(fileobj=self._archives.read(key), mode="r|") as tar:
            for entry in tar:
                stream = tar.extractfile(entry)
                if stream is None:
                    raise Damaged(f"{entry.name} is no file")
                if entry.name == archive.MANIFEST:
                    known = msgspec.json.decode(stream.read())
                    continue
                digest = hashlib.sha256()
                kind, name, _ = entry.name.split("/")
                lines = _lines(stream.read, digest.update)
                if kind == "tables" and name in tables and name not in {OWN, *LEFT_OUT}:
                    for batch in _batches(lines):
                        self._tables.add(tenant, tables[name], batch)
                for _ in lines:
                    pass
                told[entry.name] = digest.hexdigest()
        _judge(known, told)


def _lines(read: Callable[[int], bytes], note: Callable[[bytes], object]) -> Iterator[bytes]:
    """The lines of a gzip, as it is read."""
    unpacked = zlib.decompressobj(31)
    rest = b""
    while block := read(65_536):
        note(block)
        *whole, rest = (rest + unpacked.decompress(block)).split(b"\n")
        yield from whole


def _batches(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for line in lines:
        batch.append(line)
        if len(batch) == _ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _judge(manifest: dict[str, Any], told: dict[str, str]) -> None:
    """What was read is what the manifest says; it is known only at the archive's end."""
    said = {
        file["name"]: file["sha256"]
        for part in ("tables", "items")
        for content in manifest.get(part, {}).values()
        for file in content["files"]
    }
    if manifest.get("format") != archive.FORMAT or said != told:
        wrong = sorted(name for name in said.keys() | told.keys() if said.get(name) != told.get(name))
        raise Damaged(f"the archive is not what its manifest says: {wrong[:5]}")
