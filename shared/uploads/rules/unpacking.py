"""A file's bytes as they were before they were packed, within bounds."""

import zlib
from collections.abc import Iterable, Iterator

from shared.uploads.errors import Unreadable
from shared.uploads.model import MOST_UNPACKED

_BLOCK = 1024 * 1024
_MOST_PACKED = 200
"""What unpacks to more than so many times its size is made to harm, once it is more than a block."""
_MOST_EMPTY = 1_000
"""Members in a row that hold nothing."""
_GZIP, _ZIP = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06")


def is_packed(start: bytes) -> bool:
    """Whether a file that begins so is gzip. Errors: Unreadable, for other archives."""
    if start.startswith(_ZIP):
        raise Unreadable("The file is a zip archive: send it plain, or packed by gzip.")
    return start.startswith(_GZIP)


def unpacked(blocks: Iterable[bytes], skip: int) -> Iterator[bytes]:
    """What gzip's members hold together, from a byte on. Errors: Unreadable.

    `cat a.gz b.gz` is gzip too (RFC 1952, section 2.2); zeros at the end, as tapes have them, are no harm.
    """
    read = given = 0
    unpacker, empty = zlib.decompressobj(wbits=31), 0
    ended = False
    for block in blocks:
        read += len(block)
        rest = block
        while rest:
            if ended and not (rest := rest.lstrip(b"\0")):
                break
            if ended:
                unpacker, ended = zlib.decompressobj(wbits=31), False
            content = _next(unpacker, rest, given)
            rest = unpacker.unused_data or unpacker.unconsumed_tail
            empty = 0 if content else empty + bool(unpacker.eof)
            ended = unpacker.eof
            given += len(content)
            _check(given, read, empty)
            if given > skip and content:
                yield content[max(0, len(content) - (given - skip)) :]
    if not ended:
        raise Unreadable("The gzip file ends too early: it was cut off. What came before that was taken.")


def _next(unpacker: "zlib._Decompress", rest: bytes, given: int) -> bytes:
    try:
        return unpacker.decompress(rest, _BLOCK)
    except zlib.error as error:
        raise Unreadable(f"The gzip file is damaged after {given} bytes of what it holds: {error}.") from error


def _check(given: int, read: int, empty: int) -> None:
    if given > MOST_UNPACKED:
        raise Unreadable(f"The file has more than {MOST_UNPACKED} bytes unpacked; cut it in several.")
    if given > max(_BLOCK, _MOST_PACKED * read):
        raise Unreadable(f"The file unpacks to more than {_MOST_PACKED} times its size, which no counts do.")
    if empty > _MOST_EMPTY:
        raise Unreadable("The gzip file has thousands of members that hold nothing.")
