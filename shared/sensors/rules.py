"""From a push's bytes to rows that are taken or refused, each for itself."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from shared.sensors.errors import NoRows, TooManyRows, UnreadableCsv
from shared.sensors.model import (
    MAX_COUNTS,
    MAX_TRANSACTIONS,
    CountRow,
    LineRow,
    ReadingRow,
    Refused,
    Sorted,
    TransactionRow,
)
from shared.sites.model import Known
from tenant_context.errors import BadRequest, FieldError, Invalid

OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=5)
"""How far a device's clock may run ahead before its rows are refused."""
LONGEST = timedelta(hours=24)
LARGEST = 10**9
"""No amount on a receipt, in units of its currency, and no quantity is larger."""
MONEY_STEP, QUANTITY_STEP = Decimal("0.0001"), Decimal("0.001")
"""As fine as the tables keep them: what is finer would be rounded without a word."""

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
        if fault := _amount_fault(amounts):
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


def sift_counts(rows: Sorted[CountRow], sensors: Mapping[str, UUID], now: datetime) -> list[tuple[int, CountRow, UUID]]:
    """Refuse what cannot be and drop what was said twice; answers row numbers, rows and their sensors."""
    seen: dict[tuple[UUID, str, datetime], CountRow] = {}
    kept: list[tuple[int, CountRow, UUID]] = []
    for index, row in rows.taken:
        refused = _count_fault(index, row, sensors, now)
        if refused is not None:
            rows.refused.append(refused)
            continue
        sensor = sensors[row.sensor]
        key = (sensor, row.line, row.start)
        earlier = seen.setdefault(key, row)
        if earlier is row:
            kept.append((index, row, sensor))
        elif (earlier.entries, earlier.exits, earlier.end) == (row.entries, row.exits, row.end):
            rows.duplicates += rows.size(index)
            rows.repeated.append((row.sensor, row.start))
        else:
            message = "another row of this push says something else of the same interval"
            rows.refused.append(_refuse(index, "start", "conflict-in-push", message, row))
    return kept


def sift_readings(
    rows: Sorted[ReadingRow], sensors: Mapping[str, UUID], now: datetime
) -> list[tuple[int, ReadingRow, UUID]]:
    """The same for counters' standings."""
    seen: dict[tuple[UUID, str, datetime], ReadingRow] = {}
    kept: list[tuple[int, ReadingRow, UUID]] = []
    for index, row in rows.taken:
        refused = _reading_fault(index, row, sensors, now)
        if refused is not None:
            rows.refused.append(refused)
            continue
        earlier = seen.setdefault((sensors[row.sensor], row.line, row.at), row)
        if earlier is row:
            kept.append((index, row, sensors[row.sensor]))
        elif (earlier.entries, earlier.exits) == (row.entries, row.exits):
            rows.duplicates += rows.size(index)
            rows.repeated.append((row.sensor, row.at))
        else:
            message = "another row of this push says something else of the same moment"
            rows.refused.append(_refuse(index, "end", "conflict-in-push", message, row))
    return kept


def _reading_fault(index: int, row: ReadingRow, sensors: Mapping[str, UUID], now: datetime) -> Refused | None:
    told = CountRow(row.sensor, row.at, row.at, row.entries, row.exits, row.line)
    if row.sensor not in sensors:
        return _refuse(index, "sensor", "unknown-sensor", "no active sensor has this id or serial", told)
    return _moment_fault(index, "end", row.at, now, told)


def as_readings(rows: Sorted[CountRow], sensors: frozenset[str]) -> Sorted[ReadingRow]:
    """Take the rows of cumulative counters out: each tells where the counter stood at its end."""
    readings: Sorted[ReadingRow] = Sorted()
    for index, row in rows.taken:
        if row.sensor in sensors:
            readings.taken.append((index, ReadingRow(row.sensor, row.end, row.entries, row.exits, row.line)))
    rows.taken = [(index, row) for index, row in rows.taken if row.sensor not in sensors]
    return readings


def calibrated(row: CountRow, sensor: Known) -> CountRow:
    """The row with its counts as its sensor's calibration of the time has them."""
    setup = sensor.profile.setup
    if not setup.calibrations:
        return row
    entries, exits = (setup.calibrated(count, row.start) for count in (row.entries, row.exits))
    return CountRow(row.sensor, row.start, row.end, entries, exits, row.line)


def keep_to_devices(rows: Sorted[Any], known: Mapping[str, Known], bound: str) -> None:
    """Refuse what a device measured when it was not the sensor, and what a key of another sensor's device says.

    `bound` is the id of the only sensor that the key may push for; any, when empty.
    """
    if not bound and not any(one.since or one.until for one in known.values()):
        return
    kept = []
    for index, row in rows.taken:
        fault = _device_fault(known.get(row.sensor), row.start if isinstance(row, CountRow) else row.at, bound)
        if fault is None:
            kept.append((index, row))
        else:
            rows.refused.append(_refuse(index, *fault, row))
    rows.taken = kept


def _device_fault(sensor: Known | None, moment: datetime, bound: str) -> tuple[str, str, str] | None:
    if sensor is None:
        return None
    if bound and str(sensor.id) != bound:
        return "sensor", "not-this-device", "is not the sensor whose key this is"
    if sensor.until is not None and moment >= sensor.until:
        return "start", "device-replaced", "was measured after this device was replaced by another"
    if sensor.since is not None and moment < sensor.since:
        return "start", "before-device", "was measured before this device took another's place; name the sensor's id"
    return None


def heard(rows: Sorted[CountRow], readings: Sorted[ReadingRow], known: Mapping[str, Known]) -> dict[UUID, datetime]:
    """The newest moment that each sensor tells of, rows of the future among them: a clock may be wrong."""
    newest: dict[UUID, datetime] = {}
    told = [(row.sensor, row.end) for _, row in rows.taken] + [(row.sensor, row.at) for _, row in readings.taken]
    for reference, moment in told:
        sensor = known.get(reference)
        if sensor is not None and sensor.until is None and (newest.get(sensor.id) or moment) <= moment:
            newest[sensor.id] = moment
    return newest


def cumulative(known: Mapping[str, Known]) -> frozenset[str]:
    """The references of sensors that tell where their counters stand."""
    return frozenset(one for one, sensor in known.items() if sensor.profile.setup.counting == "cumulative")


def _count_fault(index: int, row: CountRow, sensors: Mapping[str, UUID], now: datetime) -> Refused | None:
    if row.sensor not in sensors:
        return _refuse(index, "sensor", "unknown-sensor", "no active sensor has this id or serial", row)
    fault = _moment_fault(index, "start", row.start, now, row)
    if fault is not None:
        return fault
    if row.end <= row.start:
        return _refuse(index, "end", "interval-order", "must be after start", row)
    if row.end - row.start > LONGEST:
        return _refuse(index, "end", "interval-too-long", "an interval has 24 hours at most", row)
    if row.end > now + AHEAD:
        return _refuse(index, "end", "future", "ends in the future; check the device's clock", row)
    return None


def sift_transactions(
    rows: Sorted[TransactionRow], sites: Mapping[str, UUID], now: datetime
) -> list[tuple[int, TransactionRow, UUID]]:
    """The same for receipts."""
    seen: dict[tuple[UUID, str, datetime], TransactionRow] = {}
    kept: list[tuple[int, TransactionRow, UUID]] = []
    for index, row in rows.taken:
        refused = _transaction_fault(index, row, sites, now)
        if refused is not None:
            rows.refused.append(refused)
            continue
        key = (sites[row.site], row.id, row.time)
        earlier = seen.setdefault(key, row)
        if earlier is row:
            kept.append((index, row, sites[row.site]))
        elif earlier == row:
            rows.duplicates += rows.size(index)
        else:
            message = "another row of this push says something else of the same transaction"
            rows.refused.append(_refuse(index, "id", "conflict-in-push", message, row))
    return kept


def _transaction_fault(index: int, row: TransactionRow, sites: Mapping[str, UUID], now: datetime) -> Refused | None:
    if row.site not in sites:
        return _refuse(index, "site", "unknown-site", "no site has this id or code", row)
    fault = _moment_fault(index, "time", row.time, now, row)
    if fault is not None:
        return fault
    amounts = [("total", row.total, MONEY_STEP)]
    for n, line in enumerate(row.lines):
        amounts += [(f"lines/{n}/quantity", line.quantity, QUANTITY_STEP)]
        amounts += [(f"lines/{n}/unit_price", line.unit_price, MONEY_STEP)]
    if wrong := _amount_fault(amounts):
        return _refuse(index, *wrong, row)
    if row.id in (row.cancels, row.returns) or (row.cancels and row.returns):
        what = "a receipt undoes one other, and not itself: by cancels or by returns"
        return _refuse(index, "cancels" if row.cancels else "returns", "link", what, row)
    for n, line in enumerate(row.lines):
        if line.unit_price < 0:
            return _refuse(index, f"lines/{n}/unit_price", "negative-price", "a price is not negative", row)
    return None


def _amount_fault(amounts: Iterable[tuple[str, Decimal, Decimal]]) -> tuple[str, str, str] | None:
    """Field, code and sentence of the first amount that cannot be kept as it is."""
    for field, amount, step in amounts:
        # Compared, not reckoned with: a decimal may have an exponent that overflows any arithmetic.
        if not amount.is_finite() or not -LARGEST <= amount <= LARGEST:
            return field, "amount", "must be a decimal number of sensible size"
        if amount != amount.quantize(step):
            return field, "too-fine", f"is finer than {step}, which is as fine as it is kept"
    return None


def _moment_fault(index: int, field: str, moment: datetime, now: datetime, row: msgspec.Struct) -> Refused | None:
    if moment < OLDEST:
        return _refuse(index, field, "too-old", "is before the year 2000; check the device's clock", row)
    if moment > now + AHEAD:
        return _refuse(index, field, "future", "is in the future; check the device's clock", row)
    return None


def _refuse(index: int, field: str, code: str, message: str, row: msgspec.Struct) -> Refused:
    return Refused(index, field, code, message, msgspec.to_builtins(row))


def refusals(rows: Sorted[Any]) -> tuple[Refused, ...]:
    """Every refused row of the push, in its order: a refused receipt stands for each of its lines."""
    spread = (replace(one, row=row) for one in rows.refused for row in rows.members.get(one.row, (one.row,)))
    return tuple(sorted(spread, key=lambda one: one.row))
