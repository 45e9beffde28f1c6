"""Faults of rows in words: each that msgspec can find in a row has a sentence of ours."""

import json
from typing import Any

import pytest

from shared.sensors.rules import read_counts_json, read_transactions_json
from tenant_context.errors import Invalid

COUNT = {"sensor": "door", "start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:15:00Z", "entries": 1, "exits": 1}
LINE = {"sku": "A", "quantity": 1, "unit_price": "1.00"}
SALE = {"id": "1", "site": "s", "time": "2026-01-01T00:00:00Z", "currency": "EUR", "total": "1.00", "lines": [LINE]}
GONE = object()


def said(shape: str, row: dict[str, Any], change: dict[str, Any]) -> tuple[str, str]:
    whole = {name: value for name, value in (row | change).items() if value is not GONE}
    read = read_counts_json if shape == "counts" else read_transactions_json
    [refused] = read(json.dumps({shape: [whole]}).encode()).refused
    return refused.field, refused.message


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"end": GONE}, "end", "end is missing"),
        ({"note": 1}, "", "note is no field of it"),
        ({"entries": 1.5}, "entries", "must be a whole number, not a number"),
        ({"entries": 3.0, "exits": 1.5}, "exits", "must be a whole number, not a number"),
        ({"entries": 3.0, "exits": -1.0}, "exits", "must be at least 0"),
        ({"entries": 1e300}, "entries", "must be at most 1000000"),
        ({"entries": "8"}, "entries", "must be a whole number, not text"),
        ({"entries": None}, "entries", "must be a whole number, not nothing (null)"),
        ({"entries": -1}, "entries", "must be at least 0"),
        ({"entries": 2**63}, "entries", "must be at most 1000000"),
        ({"sensor": ""}, "sensor", "must have at least 1 characters"),
        ({"sensor": "x" * 129}, "sensor", "must have at most 128 characters"),
        ({"sensor": "a\x00"}, "sensor", "must not contain the NUL character"),
        (
            {"start": "2026-01-01T00:00:00"},
            "start",
            "must say its offset from UTC, such as 2026-05-04T10:15:00Z or 2026-05-04T12:15:00+02:00",
        ),
        (
            {"start": "yesterday"},
            "start",
            "must be a time as RFC 3339 writes it, such as 2026-05-04T10:15:00Z or 2026-05-04T12:15:00+02:00",
        ),
        ({"start": 5}, "start", "must be a time, not a whole number"),
    ],
)
def test_a_count_that_is_none_is_refused_in_words(change: dict[str, Any], field: str, message: str) -> None:
    assert said("counts", COUNT, change) == (field, message)


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"total": "12,50"}, "total", "must be a number with a point before its decimals, such as 12.50"),
        ({"currency": "eur"}, "currency", "must be three capital letters, such as EUR"),
        ({"lines": [LINE] * 2_001}, "lines", "must have at most 2000 items"),
        ({"lines": [5]}, "lines[0]", "must be an object, not a whole number"),
        ({"lines": {}}, "lines", "must be a list, not an object"),
    ],
)
def test_a_receipt_that_is_none_is_refused_in_words(change: dict[str, Any], field: str, message: str) -> None:
    assert said("transactions", SALE, change) == (field, message)


def test_a_body_of_another_shape_is_pointed_at() -> None:
    with pytest.raises(Invalid) as raised:
        read_counts_json(b"{}")
    [error] = raised.value.errors
    assert (error.pointer, error.message) == ("/counts", "counts is missing")
