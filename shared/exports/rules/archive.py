"""The archive's form: a tar file of gzips, each with some rows of one table as lines of JSON, and `manifest.json` last.

It is written from front to back and nothing is gone back for, and each file's bytes follow from its rows and from the
moment the export was asked for: whoever writes a file again writes the same.
"""

import hashlib
import tarfile
import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.exports.model import Chunk, File, Table, Work
from shared.exports.rules.contents import LEFT_OUT, PEOPLE, redacted
from tenant_context.clock import rfc3339

FORMAT = "rmap-export/2"
MANIFEST = "manifest.json"
END = bytes(2 * tarfile.BLOCKSIZE)
FILE_ROWS = 20_000
FILE_BYTES = 8 * 1024 * 1024
"""A file has as many rows, or as many bytes before compression, at most (and the row that crosses the line)."""


_BLOCK = 65_536


class Writer:
    """Puts rows into one file."""

    def __init__(self) -> None:
        self._zlib = zlib.compressobj(4, zlib.DEFLATED, 31)
        self._parts: list[bytes] = []
        self._waiting = bytearray()
        self._bytes = 0
        self.rows = 0

    @property
    def full(self) -> bool:
        """Whether the next row belongs into another file."""
        return self.rows >= FILE_ROWS or self._bytes >= FILE_BYTES

    def add(self, line: bytes) -> None:
        """Add a row: its JSON without a line's end."""
        self.rows += 1
        self._bytes += len(line) + 1
        self._waiting += line
        self._waiting += b"\n"
        if len(self._waiting) >= _BLOCK:
            self._parts.append(self._zlib.compress(self._waiting))
            self._waiting.clear()

    def chunk(self, after: Any) -> Chunk:
        """What was added; `after` is where the next file begins, None when there is none."""
        return Chunk(self.rows, b"".join((*self._parts, self._zlib.compress(self._waiting), self._zlib.flush())), after)


def file_of(source: str, number: int, chunk: Chunk) -> File:
    """How the manifest names a chunk."""
    digest = hashlib.sha256(chunk.content).hexdigest()
    return File(source, f"{source}/{number:06}.jsonl.gz", chunk.rows, len(chunk.content), digest)


def member(name: str, content: bytes, moment: datetime) -> bytes:
    """A file as it stands in the tar."""
    header = tarfile.TarInfo(name)
    header.size, header.mtime, header.mode = len(content), int(moment.timestamp()), 0o600
    return header.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % tarfile.BLOCKSIZE)


def padded(size: int) -> int:
    """How much room a file's content takes in the tar."""
    return size + -size % tarfile.BLOCKSIZE


def last_member(tail: bytes) -> bytes | None:
    """The manifest in the last bytes of an archive; None where they do not reach back to its beginning.

    It is what only zeros follow, so that nothing inside of another file is taken for it.
    """
    for start in range(len(tail) - tarfile.BLOCKSIZE, -1, -tarfile.BLOCKSIZE):
        if tail.startswith(MANIFEST.encode() + b"\0", start):
            try:
                header = tarfile.TarInfo.frombuf(tail[start : start + tarfile.BLOCKSIZE], "utf-8", "strict")
            except tarfile.HeaderError:
                continue
            begin = start + tarfile.BLOCKSIZE
            if not tail[begin + header.size :].strip(b"\0"):
                return tail[begin : begin + header.size]
    return None


def files_of(document: dict[str, Any]) -> dict[str, File]:
    """The files that a manifest names, by name."""
    return {
        file["name"]: File(f"{kind}/{source}", file["name"], file["rows"], file["bytes"], file["sha256"])
        for kind in ("tables", "items", "people")
        for source, content in document.get(kind, {}).items()
        for file in content["files"]
    }


def manifest(
    tenant: UUID, work: Work, tables: Sequence[Table], items: Sequence[str], files: Iterable[File]
) -> dict[str, Any]:
    """What the archive holds, file by file, and what it does not; its seal comes on top."""
    of: dict[str, list[File]] = {}
    for file in files:
        of.setdefault(file.source, []).append(file)
    return {
        "format": FORMAT,
        "tenant": str(tenant),
        "export": str(work.id),
        "begun_at": rfc3339(work.created_at),
        "consistency": "Each file is one consistent read; what changed meanwhile may be in either state.",
        "tables": {table.name: _counts(of.get(f"tables/{table.name}", ())) for table in tables},
        "items": {name: _counts(of.get(f"items/{name}", ())) for name in items},
        "people": {name: _counts(of.get(f"people/{name}", ())) for name in (PEOPLE.partition("/")[2],)},
        "redacted": {table.name: redacted(table) for table in tables if redacted(table)},
        "left_out": LEFT_OUT
        | {"users": "people belong to themselves; their names and mail addresses are in people/members"},
    }


def _counts(files: Sequence[File]) -> dict[str, Any]:
    return {
        "rows": sum(file.rows for file in files),
        "files": [{"name": file.name, "rows": file.rows, "bytes": file.bytes, "sha256": file.sha256} for file in files],
    }
