"""Irisys Vector: logs of registers, each of which counts one way; its direction stands in a tag or in the setup."""

from functools import partial
from typing import Any

from shared.vendors.model import Push, Record
from shared.vendors.rules.values import LARGEST_TOTAL, Reader, count, moment, name, references

_IN, _OUT = "direction=in", "direction=out"
_PRESENT = ("occupancy", "zone", "queue")
"""Types of registers that tell who is there, and not who came or went, unless they say which way they count."""


def read(document: dict[str, Any]) -> Push:
    """`{"CountLogs": [{"Counts": [{"LogPeriodValue", "Value", "Name", "Tags"}], "StartTimestamp", "Timestamp"}]}`.

    `LogPeriodValue` is the interval's; where a device does not send it, `Value` is taken, which never goes back.
    """
    push = Push("irisys", "irisys-vector")
    reader = Reader(push)
    named = (document.get(key) for key in ("FriendlyDeviceSerial", "macAddress", "DeviceID"))
    push.references = references(*named)
    for path, log in reader.parts(document, "", "CountLogs"):
        for place, register in reader.parts(log, path, "Counts"):
            if str(register.get("RegisterType")).casefold() in _PRESENT and not _tags(register) & {_IN, _OUT}:
                reader.ignore()
                continue
            reader.row(place, register, partial(_register, log, register))
    histograms = document.get("HistogramLogs")
    reader.ignore(len(histograms) if isinstance(histograms, list) else 0)
    return push


def _register(log: dict[str, Any], register: dict[str, Any], row: int) -> Record:
    cumulative = "LogPeriodValue" not in register
    field, most = ("Value", LARGEST_TOTAL) if cumulative else ("LogPeriodValue", 1_000_000)
    value = count(register.get(field), field, most=most)
    tags = _tags(register)
    out = _OUT in tags
    start = log.get("StartTimestamp", log.get("StartTimestampLocaltime"))
    return Record(
        row,
        name(register.get("Name", register.get("RegisterId"))),
        moment(start, "StartTimestamp") if start is not None and not cumulative else None,
        moment(log.get("Timestamp", log.get("TimestampLocaltime")), "Timestamp"),
        0 if out else value,
        value if out else 0,
        cumulative=cumulative,
        one_way=not out and _IN not in tags,
        aliases=(name(register.get("UUID")), name(register.get("RegisterId"))),
    )


def _tags(register: dict[str, Any]) -> set[str]:
    found = register.get("Tags")
    return {tag.strip().lower() for tag in found if isinstance(tag, str)} if isinstance(found, list) else set()
