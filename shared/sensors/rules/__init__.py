"""From a push's bytes to rows that are taken or refused, each for itself."""

from shared.sensors.rules.devices import as_readings, calibrated, heard, keep_to_devices
from shared.sensors.rules.lines import by_lines
from shared.sensors.rules.reading import (
    read_counts_csv,
    read_counts_json,
    read_rows,
    read_transactions_csv,
    read_transactions_json,
)
from shared.sensors.rules.refusing import refusals, settled
from shared.sensors.rules.sifting import sift_counts, sift_readings, sift_transactions, small_enough

__all__ = [
    "as_readings",
    "by_lines",
    "calibrated",
    "heard",
    "keep_to_devices",
    "read_counts_csv",
    "read_counts_json",
    "read_rows",
    "read_transactions_csv",
    "read_transactions_json",
    "refusals",
    "settled",
    "sift_counts",
    "sift_readings",
    "sift_transactions",
    "small_enough",
]
