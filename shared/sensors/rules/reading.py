"""From a push's bytes to rows."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from shared.sensors.errors import NoRows, TooManyRows, UnreadableCsv
from shared.sensors.model import (
    MAX_COUNTS,
    MAX_TRANSACTIONS,
    CountRow,
    LineRow,
    Refused,
    Sorted,
    TransactionRow,
)
from shared.sensors.rules.bounds import MONEY_STEP, QUANTITY_STEP, amount_fault
from tenant_context.errors import BadRequest, FieldError, Invalid

MOST_COLUMNS = 1_000
_HEADER = 10_000
"""Characters in which a header's delimiter is looked for."""
_COUNT_COLUMNS = frozenset({"sensor", "start", "end", "entries", "exits"})
_LINE_COLUMNS = ("sku", "quantity", "unit_price")
_SALE_COLUMNS = frozenset({"id", "site", "time", "currency", *_LINE_COLUMNS})
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
        raise Invalid(errors=(FieldError(*_where(error)[:1], "type", _where(error)[1]),)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body is not JSON: {error}.") from error


def read_rows(texts: Sequence[msgspec.Raw | bytes], shape: type[Row], limit: int) -> Sorted[Row]:
    """The rows that these texts are; a bad one is refused alone. Errors: NoRows, TooManyRows."""
    _check_length(len(texts), limit)
    decode = msgspec.json.Decoder(shape).decode
    sorted_rows: Sorted[Row] = Sorted()
    for index, text in enumerate(texts):
        try:
            sorted_rows.taken.append((index, decode(text)))
        except _DECODE_ERRORS as error:
            field, message = _where(error)
            sorted_rows.refused.append(Refused(index, field, "invalid", message, _plain(bytes(text))))
    return sorted_rows


def _plain(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text[:10_000])
    except _DECODE_ERRORS:
        return text[:2_000].decode("utf-8", "replace").replace("\x00", "")


def _where(error: Exception) -> tuple[str, str]:
    """The field and the sentence of a msgspec error, whose text is `sentence - at `$.path``."""
    message, _, path = str(error).partition(" - at `")
    field = path.rstrip("`").removeprefix("$").lstrip(".").replace(".", "/")
    if "required field `" in message:
        missing = message.rpartition("`")[0].rpartition("`")[2]
        field = f"{field}/{missing}".lstrip("/")
    return field, message


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
            field, message = _where(error)
            sorted_rows.refused.append(Refused(index, field, "invalid", message, row))
    return sorted_rows


def read_transactions_csv(raw: bytes, *, is_first: bool = True) -> Sorted[TransactionRow]:
    """Receipts from a CSV of their lines: id, site, time, currency, sku, quantity, unit_price; cancels, returns.

    Lines of one id and site make one receipt; its total is theirs, its time the first line's. A line that repeats
    another of its receipt to the letter is a duplicate. Rows are counted by line.
    """
    sorted_rows: Sorted[TransactionRow] = Sorted()
    receipts: dict[tuple[str, str], tuple[int, dict[str, str], dict[tuple[LineRow, str], int]]] = {}
    for index, row in enumerate(_csv_rows(raw, _SALE_COLUMNS, 100_000, is_first=is_first)):
        try:
            line = msgspec.convert({name: row.get(name) for name in _LINE_COLUMNS}, LineRow, strict=False)
        except msgspec.ValidationError as error:
            field, message = _where(error)
            sorted_rows.refused.append(Refused(index, field, "invalid", message, row))
            continue
        amounts = (("quantity", line.quantity, QUANTITY_STEP), ("unit_price", line.unit_price, MONEY_STEP))
        if fault := amount_fault(amounts):
            sorted_rows.refused.append(Refused(index, *fault, row))
            continue
        lines = receipts.setdefault((row["id"], row["site"]), (index, row, {}))[2]
        if (line, row["time"]) in lines:
            sorted_rows.duplicates += 1
        else:
            lines[line, row["time"]] = index
    for index, row, found in receipts.values():
        sorted_rows.members[index] = list(found.values())
        _take_receipt(sorted_rows, index, row, [line for line, _ in found])
    return sorted_rows


def _take_receipt(
    sorted_rows: Sorted[TransactionRow], index: int, row: Mapping[str, str], lines: list[LineRow]
) -> None:
    head: dict[str, Any] = {name: row[name] for name in ("id", "site", "time", "currency")}
    head |= {name: row[name] for name in ("cancels", "returns") if row.get(name)}
    head["total"] = str(sum(line.quantity * line.unit_price for line in lines))
    try:
        receipt = msgspec.convert({**head, "lines": []}, TransactionRow, strict=False)
    except msgspec.ValidationError as error:
        field, message = _where(error)
        sorted_rows.refused.append(Refused(index, field, "invalid", message, dict(row)))
        return
    sorted_rows.taken.append((index, msgspec.structs.replace(receipt, lines=lines)))


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
            yield {name.strip(): value.strip() for name, value in row.items() if name is not None and value is not None}
    except csv.Error as error:
        raise UnreadableCsv(f"Line {reader.line_num} of the CSV cannot be read: {error}.") from error
    _check_length(count, limit)
