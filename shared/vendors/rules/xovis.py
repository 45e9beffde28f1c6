"""Xovis PC series: v5 (logics, live, status) and v4 (JSON). Forward is in, unless the sensor's setup says otherwise."""

from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from shared.vendors.errors import Fault
from shared.vendors.model import Push, Record
from shared.vendors.rules.values import Reader, count, moment, name, references

_IN, _OUT = ("fw", "forward", "in"), ("bw", "backward", "out")
_CROSSINGS = {"LINE_CROSS_FORWARD": 0, "LINE_CROSS_BACKWARD": 1}
_INSTANT = timedelta(milliseconds=1)


def read_v5(document: dict[str, Any]) -> Push:
    """`logics_data`: several intervals of several lines; zones' balances are occupancy, and ignored."""
    push = Push("xovis", "xovis-5-logics")
    reader = Reader(push)
    data = reader.part(document, "", "logics_data", dict)
    push.references = _device(data, "sensor_info", "serial_number")
    for path, logic in reader.parts(data, "logics_data", "logics"):
        line, aliases = name(logic.get("name", logic.get("id"))), (name(logic.get("id")),)
        for place, record in reader.parts(logic, path, "records"):
            counts = [(one.get("name"), one.get("value")) for _, one in reader.parts(record, place, "counts")]
            _interval(reader, place, record, line, aliases, counts)
    return push


def read_v4(document: dict[str, Any]) -> Push:
    """`content/element` of measurements with labelled values, likewise."""
    push = Push("xovis", "xovis-4")
    reader = Reader(push)
    push.references = _device(document, "sensor-info", "serial-number")
    content = reader.part(document, "", "content", dict)
    for path, element in reader.parts(content, "content", "element"):
        line = name(element.get("element-name", element.get("element-id")))
        for place, record in reader.parts(element, path, "measurement"):
            values = [(one.get("label"), one.get("value")) for _, one in reader.parts(record, place, "value")]
            _interval(reader, place, record, line, (name(element.get("element-id")),), values)
    return push


def read_live(document: dict[str, Any]) -> Push:
    """`live_data`: crossings one by one, each an interval of a millisecond; tracks are ignored.

    The interval that a frame falls into is one in which the device counted, whoever came.
    They say what logics say as well, so they count only where the sensor's setup wants events instead of records.
    """
    push = Push("xovis", "xovis-5-live")
    reader = Reader(push)
    data = reader.part(document, "", "live_data", dict)
    push.references = _device(data, "sensor_info", "serial_number")
    for path, frame in reader.parts(data, "live_data", "frames"):
        with suppress(Fault):
            at = moment(frame.get("time"), "time")
            push.alive += [at] if at.tzinfo else []
        crossed: Counter[tuple[str, str, int]] = Counter()
        for _, event in reader.parts(frame, path, "events") if frame.get("events") else ():
            way = _CROSSINGS.get(str(event.get("type")))
            attributes = event.get("attributes")
            if way is None or not isinstance(attributes, dict):
                reader.ignore()
                continue
            crossed[name(attributes.get("geometry_name")), name(attributes.get("geometry_id")), way] += 1
        for line, alias in dict.fromkeys((line, alias) for line, alias, _ in crossed):
            ways = (crossed[line, alias, 0], crossed[line, alias, 1])
            reader.row(path, frame, partial(_crossing, frame, line, alias, ways))
    if not push.records and not push.refused:
        reader.ignore()
    return push


def read_status(document: dict[str, Any]) -> Push:
    """`status_data`: the device is well, or not; nothing to count."""
    push = Push("xovis", "xovis-5-status", ignored=1)
    data = Reader(push).part(document, "", "status_data", dict)
    push.references = _device(data, "sensor_info", "serial_number")
    return push


def _device(document: dict[str, Any], key: str, serial: str) -> tuple[str, ...]:
    about = document.get(key)
    return references(about.get(serial), about.get("name")) if isinstance(about, dict) else ()


def _interval(
    reader: Reader,
    path: str,
    record: dict[str, Any],
    line: str,
    aliases: tuple[str, ...],
    values: list[tuple[Any, Any]],
) -> None:
    values = [(label.casefold() if isinstance(label, str) else "", value) for label, value in values]
    if not any(label in _IN + _OUT for label, _ in values):
        reader.ignore()
        return

    def made(row: int) -> Record:
        entries = sum(count(value, label) for label, value in values if label in _IN)
        exits = sum(count(value, label) for label, value in values if label in _OUT)
        start, end = moment(record.get("from"), "from"), moment(record.get("to"), "to")
        return Record(row, line, start, end, entries, exits, aliases=aliases)

    reader.row(path, record, made)


def _crossing(frame: dict[str, Any], line: str, alias: str, ways: tuple[int, int], row: int) -> Record:
    at: datetime = moment(frame.get("time"), "time")
    return Record(row, line, at, at + _INSTANT, *ways, instant=True, aliases=(alias,))
