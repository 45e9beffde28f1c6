"""Cuts a file into pieces of rows, each as large as one message of the ingest line; the same whoever does it again."""

import csv
from collections.abc import Iterable, Iterator
from uuid import UUID

from shared.uploads.errors import Unreadable
from shared.uploads.model import Mark, Piece, UploadId, Wanted
from shared.uploads.rules.splitting import Text, elements, lines, records

MOST_ROWS = 1_000
MOST_BYTES = 150_000
"""Of a piece, before a last row, or a last receipt."""
_LARGEST = 450_000
"""Of a receipt's lines in a CSV, which have to stay together."""
_LONGEST_HEAD = 64 * 1024
_DELIMITERS = ",;\t|"
_NUMBERS = 24
"""Bits of a batch's id that number the pieces of a file."""


def batch_of(upload: UploadId, piece: int) -> UUID:
    """The batch that a piece is: its id follows from its place, so that a piece that is sent twice counts once."""
    return UUID(int=(upload.int >> _NUMBERS << _NUMBERS) | piece)


def batches_of(upload: UploadId) -> tuple[UUID, UUID]:
    """The first and the last batch that pieces of a file may be."""
    return batch_of(upload, 0), batch_of(upload, (1 << _NUMBERS) - 1)


def pieces(wanted: Wanted, mark: Mark, blocks: Iterable[bytes], delimiter: str = "") -> Iterator[Piece]:
    """The pieces from the mark on; `blocks` are the unpacked file's bytes from there. Errors: Unreadable.

    The first piece of a CSV puts its header into the mark. `delimiter` is the one that a mapping says.
    """
    if wanted.form == "csv":
        yield from _tables(wanted, mark, lines(blocks, mark.offset), delimiter)
        return
    found = elements(blocks, mark.offset) if wanted.form == "json" else _single(lines(blocks, mark.offset))
    texts: list[bytes] = []
    size = place = 0
    for text, place in found:
        texts.append(text)
        size += len(text)
        if len(texts) >= MOST_ROWS or size >= MOST_BYTES:
            yield Piece(b"", texts, len(texts), place)
            texts, size = [], 0
    if texts:
        yield Piece(b"", texts, len(texts), place)


def _single(found: Iterator[Text]) -> Iterator[Text]:
    """Lines that hold something, without their ends."""
    for line, offset in found:
        if text := line.removeprefix(b"\xef\xbb\xbf").strip():
            yield text, offset


def _tables(wanted: Wanted, mark: Mark, found: Iterator[Text], delimiter: str) -> Iterator[Piece]:
    is_first = not mark.head
    if is_first:
        head, mark.offset = next(records(found, delimiter or ","), (b"", 0))
        if len(head) > _LONGEST_HEAD:
            raise Unreadable(f"The first line of the CSV has more than {_LONGEST_HEAD} bytes; it has to be its header.")
        mark.head = _text(head)
    head = mark.head.encode()
    delimiter = delimiter or max(_DELIMITERS, key=mark.head.count)
    column = _column(mark.head, delimiter) if wanted.kind == "transactions" else None
    taken: list[bytes] = []
    size, last = 0, mark.offset
    for row, place in records(found, delimiter):
        full = len(taken) >= MOST_ROWS or size >= MOST_BYTES
        if full and (column is None or _cell(taken[-1], delimiter, column) != _cell(row, delimiter, column)):
            yield Piece(head + b"".join(taken), (), len(taken), last, is_first)
            taken, size, is_first = [], 0, False
        taken.append(row if row.endswith((b"\n", b"\r")) else row + b"\n")
        size, last = size + len(row), place
        if size > _LARGEST:
            raise Unreadable(f"A receipt's lines end at byte {place} and are more than {_LARGEST} bytes.")
    if taken:
        yield Piece(head + b"".join(taken), (), len(taken), last, is_first)


def _text(head: bytes) -> str:
    if not head:
        return "\n"
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("The CSV must be UTF-8.") from error
    if "\x00" in text:
        raise Unreadable("The first line of the CSV holds NUL; it has to be its header.")
    return text if text.endswith(("\n", "\r")) else text + "\n"


def _column(head: str, delimiter: str) -> int | None:
    names = [name.strip() for name in next(csv.reader([head.removeprefix("\ufeff")], delimiter=delimiter), [])]
    return names.index("id") if "id" in names else None


def _cell(row: bytes, delimiter: str, column: int) -> str:
    cells = next(csv.reader(row.decode("utf-8", "replace").splitlines(keepends=True), delimiter=delimiter), [])
    return cells[column].strip() if column < len(cells) else ""
