"""Unpacks a file of an archive line by line, within bounds: what unpacks to more than a file may hold is refused."""

import zlib
from collections.abc import Iterator
from typing import Final

from shared.exports.errors import Damaged
from shared.exports.model import File
from shared.exports.rules.archive import FILE_BYTES

MOST_FILES: Final = 100_000
LONGEST_LINE: Final = 16 * 1024 * 1024
"""Several times the longest row that a request can make."""
MOST_PACKED: Final = 2 * FILE_BYTES
MOST_UNPACKED: Final = FILE_BYTES + LONGEST_LINE
"""A file ends with the row that crosses its size; a page of items may add to that, and is small."""
_BLOCK = 65_536
_STEP = 1024 * 1024


def check_sizes(files: dict[str, File]) -> None:
    """Raise `Damaged` where a manifest names more, or larger files, than are made."""
    if len(files) > MOST_FILES:
        raise Damaged(f"The archive has more than {MOST_FILES} files.")
    for file in files.values():
        if not 0 < file.bytes <= MOST_PACKED:
            raise Damaged(f"{file.name} in the archive has more than {MOST_PACKED} bytes.")


def lines(file: File, content: bytes) -> Iterator[bytes]:
    """The lines of a gzip, unpacked as they are read, as many as the manifest says. Errors: Damaged."""
    rest, rows = b"", 0
    for piece in _unpacked(file, content):
        *whole, rest = (rest + piece).split(b"\n")
        if len(rest) > LONGEST_LINE:
            raise Damaged(f"A row in {file.name} has more than {LONGEST_LINE} bytes.")
        rows += len(whole)
        if rows > file.rows:
            break
        yield from whole
    if rest or rows != file.rows:
        raise Damaged(f"{file.name} in the archive has not the {file.rows} rows that its manifest says.")


def _unpacked(file: File, content: bytes) -> Iterator[bytes]:
    unpacker, total = zlib.decompressobj(31), 0
    for start in range(0, len(content), _BLOCK):
        waiting = content[start : start + _BLOCK]
        while waiting:
            try:
                piece = unpacker.decompress(waiting, _STEP)
            except zlib.error as error:
                raise Damaged(f"{file.name} in the archive is no gzip.") from error
            waiting = unpacker.unconsumed_tail
            total += len(piece)
            if total > MOST_UNPACKED:
                raise Damaged(f"{file.name} in the archive unpacks to more than {MOST_UNPACKED} bytes.")
            yield piece
    if not unpacker.eof or unpacker.unused_data:
        raise Damaged(f"{file.name} in the archive is no gzip, or not a whole one.")
