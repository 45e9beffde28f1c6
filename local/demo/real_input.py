"""Real input, pushed as devices would: people counts of a building and the receipts of a shop.

Both files are the UCI Machine Learning Repository's: CalIt2 Building People Counts, and Online Retail. Every row of a
file is accounted for: accepted, a duplicate, or rejected with a reason; what is stored adds up to the file's totals.
"""

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

OUT, IN = "7", "9"
_HALF_HOUR = timedelta(minutes=30)
_IRVINE, _LONDON = ZoneInfo("America/Los_Angeles"), ZoneInfo("Europe/London")
_COLUMNS = ("id", "site", "time", "currency", "sku", "quantity", "unit_price")


@dataclass
class CalIt2:
    """The counts file: each interval is two of its rows, one a direction."""

    rows: int = 0
    entries: int = 0
    exits: int = 0
    counts: list[dict[str, Any]] = field(default_factory=list)


def read_calit2(path: Path, serial: str) -> CalIt2:
    """The file as counts of one sensor. A row's time is the end of its half hour, by the wall clock of Irvine."""
    found = CalIt2()
    intervals: dict[str, dict[str, int]] = {}
    with path.open(newline="") as file:
        for flow, day, time, count in csv.reader(file):
            intervals.setdefault(f"{day} {time}", {})[flow] = int(count)
            found.rows += 1
    for label, flows in intervals.items():
        wall = datetime.strptime(label, "%m/%d/%y %H:%M:%S").replace(tzinfo=_IRVINE)
        end = wall.astimezone(UTC)
        found.entries += flows[IN]
        found.exits += flows[OUT]
        found.counts.append(
            {
                "sensor": serial,
                "start": (end - _HALF_HOUR).isoformat(),
                "end": end.isoformat(),
                "entries": flows[IN],
                "exits": flows[OUT],
            }
        )
    return found


@dataclass
class Receipts:
    """What the receipts file holds, and what of it can be stored: counted here, apart from the platform."""

    lines: int = 0
    duplicates: int = 0
    total: Decimal = Decimal(0)
    duplicates_total: Decimal = Decimal(0)
    invoices: dict[str, list[tuple[str, str, str, str]]] = field(default_factory=dict)
    """Time, SKU, quantity and price of every line, by invoice."""


def read_online_retail(path: Path) -> Receipts:
    """The file's lines by invoice; times are London's wall clock."""
    found = Receipts()
    seen: set[tuple[str, str, str, str, str]] = set()
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            amount = Decimal(row["Quantity"]) * Decimal(row["UnitPrice"])
            line = (row["InvoiceDate"], row["StockCode"], row["Quantity"], row["UnitPrice"])
            key = (row["InvoiceNo"], *line)
            found.lines += 1
            found.total += amount
            if key in seen:
                found.duplicates += 1
                found.duplicates_total += amount
            seen.add(key)
            found.invoices.setdefault(row["InvoiceNo"], []).append(line)
    return found


def as_csv(receipts: Receipts, site: str, most: int) -> Iterator[tuple[bytes, int]]:
    """Pushes of about `most` lines each, with how many they hold; an invoice is never split."""
    lines: list[tuple[str, ...]] = []
    for invoice, found in receipts.invoices.items():
        if lines and len(lines) + len(found) > most:
            yield _encoded(lines), len(lines)
            lines = []
        lines += [(invoice, site, _moment(time), "GBP", sku, *numbers) for time, sku, *numbers in found]
    if lines:
        yield _encoded(lines), len(lines)


def _encoded(lines: list[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerows(lines)
    return text.getvalue().encode()


def _moment(wall: str) -> str:
    return datetime.fromisoformat(wall).replace(tzinfo=_LONDON).astimezone(UTC).isoformat()
