"""Texts of rows, cut out of a stream: lines, records of a CSV, elements of a JSON list.

Each comes with the place in the stream where the next begins. Nothing is held but the one that is being cut out, which
has a largest size.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import chain

from shared.uploads.errors import Unreadable

LONGEST = 512 * 1024
"""Bytes of one row: several times what the longest receipt has."""
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},"]', re.DOTALL)
"""A string, a sign of structure, or the quote of a string that does not end here."""
_OPENING = re.compile(rb'\s*(?:\[|\{\s*"(?:counts|transactions)"\s*:\s*\[)\s*')
_CLOSING = re.compile(rb"\s*\]\s*\}?\s*")
_BLANKS = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"

Text = tuple[bytes, int]


def lines(blocks: Iterable[bytes], offset: int) -> Iterator[Text]:
    """Lines with their ends, whichever those are: LF, CRLF or CR. Errors: Unreadable."""
    rest = b""
    for block in blocks:
        found = (rest + block).splitlines(keepends=True)
        # The last may go on; one that ends with CR may have an LF yet to come.
        rest = found.pop() if found and (not found[-1].endswith(b"\n")) else b""
        if len(rest) > LONGEST:
            raise _too_long(offset)
        for line in found:
            if len(line) > LONGEST:
                raise _too_long(offset)
            offset += len(line)
            yield line, offset
    if rest:
        yield rest, offset + len(rest)


def records(found: Iterator[Text], delimiter: str = ",") -> Iterator[Text]:
    """Lines of a CSV, those together that a quoted cell goes over; empty ones are none. Errors: Unreadable."""
    for line, offset in found:
        if b'"' not in line:
            if line.strip(b"\r\n"):
                yield line, offset
            continue
        yield _quoted((line, offset), found, delimiter)


def _quoted(first: Text, others: Iterator[Text], delimiter: str) -> Text:
    """A record that begins with this line, and takes as many more as its quoted cells go over."""
    taken, end = bytearray(), first[1]

    def fed() -> Iterator[str]:
        nonlocal end
        for line, place in chain((first,), others):
            taken.extend(line)
            end = place
            if len(taken) > LONGEST:
                raise _too_long(first[1])
            yield line.decode("utf-8", "replace")

    try:
        next(csv.reader(fed(), strict=True, delimiter=delimiter))
    except csv.Error as error:
        raise Unreadable(f"A row of the CSV that ends at byte {end} cannot be read: {error}.") from error
    return bytes(taken), end


def elements(blocks: Iterable[bytes], offset: int) -> Iterator[Text]:
    """The elements of the document's list, as texts; from its beginning on, or from one of them. Errors: Unreadable."""
    splitter = _Splitter(offset)
    for block in blocks:
        yield from splitter.feed(block)
    splitter.end()


class _Splitter:
    """Cuts a JSON list at the commas between its elements, without a look at what those are."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._held = b""
        self._begun = offset > 0
        self._closed = False

    def feed(self, block: bytes) -> Iterator[Text]:
        """What ends within this block."""
        self._held += block
        if not self._begun and not self._open():
            return
        if self._closed:
            self._trailing()
            return
        yield from self._cut()
        if len(self._held) > LONGEST + len(block):
            raise _too_long(self._offset)

    def end(self) -> None:
        """The file is at its end. Errors: Unreadable, where the list is not."""
        if not self._begun:
            raise Unreadable('The file is not JSON with a list of rows: [...] or {"counts": [...]}.')
        if not self._closed:
            raise Unreadable("The JSON ends too early: it was cut off. What came before that was taken.")
        if _CLOSING.fullmatch(self._held) is None:
            raise Unreadable("The JSON goes on after the list of rows, which has to be all that it holds.")

    def _open(self) -> bool:
        text = self._held.removeprefix(_BOM)
        found = _OPENING.match(text)
        if found is None:
            if len(text) > LONGEST or not (_may_open(text) or _BOM.startswith(text)):
                raise Unreadable('The file is not JSON with a list of rows: [...] or {"counts": [...]}.')
            return False
        start = len(self._held) - len(text) + found.end()
        self._held, self._offset, self._begun = self._held[start:], self._offset + start, True
        return True

    def _cut(self) -> Iterator[Text]:
        """Elements of what is held; what is left of it begins where the next one does."""
        depth, start, held = 0, 0, self._held
        for token in _TOKEN.finditer(held):
            sign = token[0]
            if sign == b'"':
                break
            if sign in (b"{", b"["):
                depth += 1
            elif sign in (b"}", b"]") and depth:
                depth -= 1
            elif sign == b"]":
                if last := held[start : token.start()].strip(_BLANKS):
                    yield last, self._offset + token.start()
                self._held, self._offset, self._closed = held[token.start() :], self._offset + token.start(), True
                self._trailing()
                return
            elif sign == b"}":
                raise Unreadable(f"The JSON is wrong at byte {self._offset + token.start()}: a }} without its {{.")
            elif sign == b"," and not depth:
                yield held[start : token.start()].strip(_BLANKS), self._offset + token.end()
                start = token.end()
        self._held, self._offset = held[start:], self._offset + start

    def _trailing(self) -> None:
        if len(self._held) > LONGEST:
            raise Unreadable("The JSON goes on after the list of rows, which has to be all that it holds.")


def _may_open(text: bytes) -> bool:
    """Whether what came so far may become the beginning of a list."""
    blank = re.sub(rb"\s", b"", text)
    return any(form.startswith(blank) for form in (b"[", b'{"counts":[', b'{"transactions":['))


def _too_long(offset: int) -> Unreadable:
    return Unreadable(f"A row that begins at about byte {offset} is longer than {LONGEST} bytes.")
