"""Axis: AXIS People Counter's standing of today (old), Axis Retail Data (3D People Counter and newer ones)."""

from functools import partial
from typing import Any

from shared.vendors.errors import Fault
from shared.vendors.model import Push, Record
from shared.vendors.rules.values import LARGEST_TOTAL, Reader, count, moment, name, references

_COUNTS = "people-counts"


def read_live(document: dict[str, Any]) -> Push:
    """`{"serial", "name", "timestamp": "20170503112756", "in", "out"}`: counters since the device's midnight."""
    push = Push("axis", "axis-live", references(document.get("serial"), document.get("name")))

    def record(row: int) -> Record:
        return Record(
            row,
            "",
            None,
            moment(document.get("timestamp"), "timestamp"),
            count(document.get("in"), "in", most=LARGEST_TOTAL),
            count(document.get("out"), "out", most=LARGEST_TOTAL),
            cumulative=True,
            daily=True,
        )

    Reader(push).row("", document, record)
    return push


def read_retail(document: dict[str, Any]) -> Push:
    """`{"apiName": "Axis Retail Data", "data": {"measurements": [{"kind": "people-counts", "items"}]}, "sensor"}`."""
    push = Push("axis", "axis-retail-data")
    reader = Reader(push)
    sensor = reader.part(document, "", "sensor", dict)
    push.references = references(sensor.get("serial"), sensor.get("name"))
    data = reader.part(document, "", "data", dict)
    for path, measurement in reader.parts(data, "data", "measurements"):
        if measurement.get("kind") != _COUNTS:
            reader.ignore()
            continue
        items = list(reader.parts(measurement, "", "items"))
        reader.row(path, measurement, partial(_measured, measurement, items))
    return push


def _measured(measurement: dict[str, Any], items: list[tuple[str, dict[str, Any]]], row: int) -> Record:
    moments = {
        side: moment(measurement.get(f"utc{side}", measurement.get(f"local{side}")), f"utc{side}")
        for side in ("From", "To")
    }
    sums = {"in": 0, "out": 0}
    for path, item in items:
        direction = item.get("direction")
        if direction not in ("in", "out"):
            raise Fault(f"{path}/direction", "direction", "must be in or out")
        sums[direction] += count(item.get("count"), f"{path}/count")
    line = name(measurement.get("name", measurement.get("id")))
    return Record(row, line, moments["From"], moments["To"], sums["in"], sums["out"])
