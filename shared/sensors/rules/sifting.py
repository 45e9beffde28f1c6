"""What cannot be is refused, what is said twice is dropped, each row for itself."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from shared.sensors.model import CountRow, ReadingRow, Refused, SilentRow, Sorted, TransactionRow
from shared.sensors.rules.bounds import (
    AHEAD,
    LARGEST_ROW,
    LONGEST,
    MONEY_STEP,
    MOST_PEOPLE,
    OLDEST,
    QUANTITY_STEP,
    amount_fault,
    units_fault,
)
from shared.sensors.rules.refusing import refuse
from tenant_context.currencies import EVER


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
            rows.refused.append(refuse(index, "start", "conflict-in-push", message, row))
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
            rows.refused.append(refuse(index, "end", "conflict-in-push", message, row))
    return kept


def _reading_fault(index: int, row: ReadingRow, sensors: Mapping[str, UUID], now: datetime) -> Refused | None:
    if row.sensor not in sensors:
        return refuse(index, "sensor", "unknown-sensor", "no active sensor has this id or serial", row)
    return _moment_fault(index, "end", row.at, now, row)


def _count_fault(index: int, row: CountRow, sensors: Mapping[str, UUID], now: datetime) -> Refused | None:
    if row.sensor not in sensors:
        return refuse(index, "sensor", "unknown-sensor", "no active sensor has this id or serial", row)
    return _moment_fault(index, "start", row.start, now, row) or _interval_fault(index, row, now)


def _interval_fault(index: int, row: CountRow, now: datetime) -> Refused | None:
    if row.end <= row.start:
        return refuse(index, "end", "interval-order", "must be after start", row)
    if row.end - row.start > LONGEST:
        return refuse(index, "end", "interval-too-long", "an interval has 24 hours at most", row)
    if row.end > now + AHEAD and not isinstance(row, SilentRow):
        return refuse(index, "end", "future", "ends in the future; check the device's clock", row)
    if max(row.entries, row.exits) > MOST_PEOPLE:
        message = f"is of several lines together, which counted more than {MOST_PEOPLE} people"
        return refuse(index, "entries" if row.entries > MOST_PEOPLE else "exits", "too-many", message, row)
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
            rows.refused.append(refuse(index, "id", "conflict-in-push", message, row))
    return kept


def _transaction_fault(index: int, row: TransactionRow, sites: Mapping[str, UUID], now: datetime) -> Refused | None:
    if row.site not in sites:
        return refuse(index, "site", "unknown-site", "no site has this id or code", row)
    fault = _moment_fault(index, "time", row.time, now, row)
    if fault is not None:
        return fault
    wrong = _amount_fault(row) or _link_fault(row) or _undoing_fault(row)
    if wrong is None and row.currency not in EVER:
        wrong = "currency", "unknown-currency", "is no currency by ISO 4217, such as EUR"
    return refuse(index, *wrong, row) if wrong else None


def _amount_fault(row: TransactionRow) -> tuple[str, str, str] | None:
    amounts = [("total", row.total, MONEY_STEP)]
    for n, line in enumerate(row.lines):
        amounts += [(f"lines/{n}/quantity", line.quantity, QUANTITY_STEP)]
        amounts += [(f"lines/{n}/unit_price", line.unit_price, MONEY_STEP)]
    if wrong := amount_fault(amounts) or units_fault(line.quantity for line in row.lines):
        return wrong
    for n, line in enumerate(row.lines):
        if line.unit_price < 0:
            return f"lines/{n}/unit_price", "negative-price", "a price is not negative"
    return None


def _link_fault(row: TransactionRow) -> tuple[str, str, str] | None:
    if row.id in (row.cancels, row.returns) or (row.cancels and row.returns):
        what = "a receipt undoes one other, and not itself: by cancels or by returns"
        return "cancels" if row.cancels else "returns", "link", what
    return None


def _undoing_fault(row: TransactionRow) -> tuple[str, str, str] | None:
    """Field, code and sentence of what a receipt that undoes another says, and that gives nothing back."""
    link = "cancels" if row.cancels else "returns" if row.returns else None
    if link is None:
        return None
    sold = [n for n, line in enumerate(row.lines) if line.quantity > 0]
    # What is exchanged is brought back and sold in one receipt; what is cancelled is not sold.
    if sold and (row.cancels or len(sold) == len(row.lines)):
        what = f"is above 0 in a receipt that {link} another: pieces that come back have a minus"
        return f"lines/{sold[0]}/quantity", "gives-nothing-back", what
    if row.total > 0:
        what = (
            f"is above 0 in a receipt that {link} another: it gives money back; what else was sold is another receipt"
        )
        return "total", "gives-nothing-back", what
    return None


def _moment_fault(index: int, field: str, moment: datetime, now: datetime, row: msgspec.Struct) -> Refused | None:
    if moment < OLDEST:
        return refuse(index, field, "too-old", "is before the year 2000; check the device's clock", row)
    if moment > now + AHEAD:
        return refuse(index, field, "future", "is in the future; check the device's clock", row)
    return None


def small_enough(
    rows: Sorted[TransactionRow], encoded: Iterable[tuple[int, TransactionRow, bytes]]
) -> list[tuple[int, bytes]]:
    """Refuse receipts that no message of the queue can hold, whatever else is in the push."""
    kept = []
    for index, row, text in encoded:
        if len(text) <= LARGEST_ROW:
            kept.append((index, text))
        else:
            message = f"are {len(text)} bytes with the receipt, which may have {LARGEST_ROW} at most"
            rows.refused.append(refuse(index, "lines", "too-large", message, row))
    return kept
