"""From a push's bytes to rows."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import msgspec

from shared.sensors.errors import NoRows, TooManyRows, UnreadableCsv
from shared.sensors.model import (
    MAX_COUNTS,
    MAX_LINES,
    MAX_TRANSACTIONS,
    CountRow,
    LineRow,
    Refused,
    Sorted,
    TransactionRow,
)
from shared.sensors.rules.bounds import MONEY_STEP, QUANTITY_STEP, amount_fault
from shared.sensors.rules.words import in_words
from tenant_context.errors import BadRequest, FieldError, Invalid

MOST_COLUMNS = 1_000
_KEPT = 65_536
"""Bytes of a row that is none, of which it is kept what it was meant to be."""
_HEADER = 10_000
"""Characters in which a header's delimiter is looked for."""
_COUNT_COLUMNS = frozenset({"sensor", "start", "end", "entries", "exits"})
_LINE_COLUMNS = ("sku", "quantity", "unit_price")
_DECIMALS = frozenset({"quantity", "unit_price"})
_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_LINKS = ("cancels", "returns")
_HEAD = ("id", "site", "time", "currency", *_LINKS)
_SALE_COLUMNS = frozenset({"id", "site", "time", "currency", *_LINE_COLUMNS})
_FLOAT = "Expected `int`, got `float`"
_DECODE_ERRORS = (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError)

Row = TypeVar("Row", bound=msgspec.Struct)


class _Counts(msgspec.Struct):
    counts: list[msgspec.Raw]


class _Transactions(msgspec.Struct):
    transactions: list[msgspec.Raw]


def read_counts_json(raw: bytes) -> Sorted[CountRow]:
    """The rows of `{"counts": […]}`; a bad row is refused alone. Errors: BadRequest, Invalid, NoRows, TooManyRows."""
    return read_rows(_outer(raw, _Counts).counts, CountRow, MAX_COUNTS)


def read_transactions_json(raw: bytes) -> Sorted[TransactionRow]:
    """The rows of `{"transactions": […]}`, likewise."""
    return read_rows(_outer(raw, _Transactions).transactions, TransactionRow, MAX_TRANSACTIONS)


def _outer(raw: bytes, shape: type[Row]) -> Row:
    try:
        return msgspec.json.decode(raw, type=shape)
    except msgspec.ValidationError as error:
        place, message = _where(error)
        raise Invalid(errors=(FieldError(f"/{place}" if place else "", "type", message),)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body is not JSON: {error}.") from error


def read_rows(texts: Sequence[msgspec.Raw | bytes], shape: type[Row], limit: int) -> Sorted[Row]:
    """The rows that these texts are; a bad one is refused alone. Errors: NoRows, TooManyRows."""
    _check_length(len(texts), limit)
    decode = msgspec.json.Decoder(shape).decode
    sorted_rows: Sorted[Row] = Sorted()
    for index, text in enumerate(texts):
        try:
            try:
                row = decode(text)
            except msgspec.ValidationError as error:
                if not str(error).startswith(_FLOAT):
                    raise
                row = msgspec.convert(_in_whole_numbers(text), shape)
            sorted_rows.taken.append((index, row))
        except _DECODE_ERRORS as error:
            place, message = _where(error)
            sorted_rows.refused.append(Refused(index, place, "invalid", message, _plain(bytes(text))))
    return sorted_rows


def _in_whole_numbers(text: msgspec.Raw | bytes) -> dict[str, Any]:
    """The row with 3 where it says 3.0, as devices do that have numbers of one kind; 3.5 stays as it is."""
    said: dict[str, Any] = msgspec.json.decode(text)
    return {name: int(one) if isinstance(one, float) and one.is_integer() else one for name, one in said.items()}


def _plain(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text[:_KEPT])
    except _DECODE_ERRORS:
        return text[:2_000].decode("utf-8", "replace").replace("\x00", "")


def _where(error: Exception) -> tuple[str, str]:
    """The field and what is wrong with it, from a msgspec error whose text is `sentence - at `$.path``."""
    message, _, path = str(error).partition(" - at `")
    place = path.rstrip("`").removeprefix("$").lstrip(".").replace(".", "/")
    if "required field `" in message:
        missing = message.rpartition("`")[0].rpartition("`")[2]
        place = f"{place}/{missing}".lstrip("/")
    return place, in_words(message)


def _check_length(rows: int, limit: int) -> None:
    if rows == 0:
        raise NoRows
    if rows > limit:
        raise TooManyRows(limit)


def read_counts_csv(raw: bytes, *, is_first: bool = True) -> Sorted[CountRow]:
    """Rows of a CSV: sensor, start, end, entries, exits and, if wanted, line."""
    sorted_rows: Sorted[CountRow] = Sorted()
    for index, row in enumerate(_csv_rows(raw, _COUNT_COLUMNS, MAX_COUNTS, is_first=is_first)):
        try:
            sorted_rows.taken.append((index, msgspec.convert(row, CountRow, strict=False)))
        except msgspec.ValidationError as error:
            place, message = _where(error)
            sorted_rows.refused.append(Refused(index, place, "invalid", message, row))
    return sorted_rows


@dataclass(slots=True)
class _Receipt:
    """The lines of one receipt, as they are found: the first row's particulars, what is wrong with which line."""

    head: Mapping[str, str]
    lines: dict[tuple[LineRow, str], int] = field(default_factory=dict)
    told: list[object] = field(default_factory=list)
    faults: list[Refused] = field(default_factory=list)

    def content(self) -> dict[str, object]:
        """All of it in the words of `ingest/transactions`, for whoever mends it: a total there is once it is mended."""
        names = [name for name in _HEAD if name in self.head and (self.head[name] or name not in _LINKS)]
        return {**{name: self.head[name] for name in names}, "lines": msgspec.to_builtins(self.told)}


def read_transactions_csv(raw: bytes, *, is_first: bool = True) -> Sorted[TransactionRow]:
    """Receipts from a CSV of their lines: id, site, time, currency, sku, quantity, unit_price; cancels, returns.

    Lines of one id and site make one receipt; its total is theirs, its time the first line's. A line that repeats
    another of its receipt to the letter is a duplicate. A line that cannot be read refuses its whole receipt, which
    would have another total without it. Rows are counted by line. Where semicolons part the columns, decimals may have
    a comma.
    """
    sorted_rows: Sorted[TransactionRow] = Sorted()
    receipts: dict[tuple[str, str], _Receipt] = {}
    for index, row in enumerate(_csv_rows(raw, _SALE_COLUMNS, 100_000, is_first=is_first)):
        key = (row.get("id", ""), row.get("site", ""))
        receipt = receipts.get(key) or receipts.setdefault(key, _Receipt(row))
        line = _line(index, row)
        if isinstance(line, Refused):
            receipt.faults.append(line)
            receipt.told.append(line.content)
        elif (line, row.get("time", "")) in receipt.lines:
            sorted_rows.duplicates += 1
        else:
            receipt.lines[line, row.get("time", "")] = index
            receipt.told.append(line)
    for receipt in receipts.values():
        if receipt.faults:
            sorted_rows.refused += _refused_whole(receipt)
        else:
            _take_receipt(sorted_rows, receipt)
    return sorted_rows


def _line(index: int, row: Mapping[str, str]) -> LineRow | Refused:
    content = {name: row.get(name) for name in _LINE_COLUMNS}
    for name in sorted(_DECIMALS):
        if "_" in (said := content[name] or "") or not said.isascii():  # which are numbers to Python
            return Refused(index, name, "invalid", "must be a decimal number", content)
    try:
        line = msgspec.convert(content, LineRow, strict=False)
    except msgspec.ValidationError as error:
        place, message = _where(error)
        return Refused(index, place, "invalid", message, content)
    amounts = (("quantity", line.quantity, QUANTITY_STEP), ("unit_price", line.unit_price, MONEY_STEP))
    fault = amount_fault(amounts)
    return Refused(index, *fault, content) if fault else line


def _refused_whole(receipt: _Receipt) -> list[Refused]:
    """Each line of a receipt that has a bad one; all of it is kept with the first bad one."""
    message = "another line of this receipt cannot be taken, and the receipt would have another total without it"
    about = {name: receipt.head.get(name, "") for name in ("id", "site")}
    first, *others = receipt.faults
    return [
        replace(first, content=receipt.content()),
        *(replace(one, content=about) for one in others),
        *(Refused(index, "id", "receipt-refused", message, about) for index in receipt.lines.values()),
    ]


def _take_receipt(sorted_rows: Sorted[TransactionRow], receipt: _Receipt) -> None:
    index, *_ = receipt.lines.values()
    sorted_rows.members[index] = list(receipt.lines.values())
    if len(receipt.lines) > MAX_LINES:
        message = f"are {len(receipt.lines)}, and a receipt has {MAX_LINES} at most"
        sorted_rows.refused.append(Refused(index, "lines", "invalid", message, receipt.content()))
        return
    lines = [line for line, _ in receipt.lines]
    head = {**receipt.content(), "total": str(sum(line.quantity * line.unit_price for line in lines)), "lines": []}
    try:
        taken = msgspec.convert(head, TransactionRow, strict=False)
    except msgspec.ValidationError as error:
        place, message = _where(error)
        sorted_rows.refused.append(Refused(index, place, "invalid", message, receipt.content()))
        return
    sorted_rows.taken.append((index, msgspec.structs.replace(taken, lines=lines)))


def _csv_rows(raw: bytes, needed: frozenset[str], limit: int, *, is_first: bool) -> Iterator[dict[str, str]]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableCsv("The CSV must be UTF-8.") from error
    delimiter = ";" if text[:_HEADER].partition("\n")[0].count(";") >= len(needed) - 1 else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    try:
        header = [(name or "").strip() for name in reader.fieldnames or ()]
        if len(header) > MOST_COLUMNS:
            raise UnreadableCsv(f"The CSV has {len(header)} columns; {MOST_COLUMNS} are the most.")
        missing = needed - set(header)
        if missing:
            raise UnreadableCsv(f"The header lacks: {', '.join(sorted(missing))}.")
        count = 0
        for count, row in enumerate(reader, start=1):
            _check_length(count, limit)
            if is_first and count == 1 and needed <= {str(value).strip() for value in row.values()}:
                raise UnreadableCsv("The CSV has two header lines; keep one.")
            read = {
                name.strip(): value.strip() for name, value in row.items() if name is not None and value is not None
            }
            yield _with_points(read) if delimiter == ";" else read
    except csv.Error as error:
        raise UnreadableCsv(f"Line {reader.line_num} of the CSV cannot be read: {error}.") from error
    _check_length(count, limit)


def _with_points(row: dict[str, str]) -> dict[str, str]:
    return {
        name: value.replace(",", ".") if name in _DECIMALS and _COMMA.fullmatch(value) else value
        for name, value in row.items()
    }
