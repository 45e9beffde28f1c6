"""Tables as files: CSV that no spreadsheet takes for a formula, and Parquet."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MICROSECONDS = 1_000_000


def as_csv(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """The table as CSV (RFC 4180, UTF-8); null is empty. A text that begins like a formula gets an apostrophe."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(names)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return file.getvalue().encode()


def as_parquet(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """The table as Parquet: `start` is a moment (UTC), `rank` an integer, metrics are doubles, the rest what it is."""
    # 30 MB of library for one kind of answer: it is loaded by who asks for it.
    from arro3.core import Array, DataType, Table  # noqa: PLC0415
    from arro3.io import write_parquet  # noqa: PLC0415

    def column(name: str, values: list[Any]) -> Any:
        if name == "start":
            moments = [round(datetime.fromisoformat(value).timestamp() * _MICROSECONDS) for value in values]
            return Array(moments, type=DataType.int64()).cast(DataType.timestamp("us", tz="UTC"))
        if name in {"place", "name", "code", "group", "currency"}:
            return Array(values, type=DataType.utf8())
        if name == "rank":
            return Array(values, type=DataType.int64())
        if name == "imputed":
            return Array(values, type=DataType.bool())
        return Array([None if value is None else float(value) for value in values], type=DataType.float64())

    table = Table.from_pydict({name: column(name, [row[at] for row in rows]) for at, name in enumerate(names)})
    file = io.BytesIO()
    write_parquet(table, file)
    return file.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value
