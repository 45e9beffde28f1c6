"""Irisys Vector: logs of registers, each of which counts one way; its direction stands in a tag or in the setup."""

from functools import partial
from typing import Any

from shared.vendors.model import Push, Record
from shared.vendors.rules.values import LARGEST_TOTAL, Reader, count, moment, name, references

_IN, _OUT = "direction=in", "direction=out"


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
            reader.row(place, register, partial(_register, log, register))
    histograms = document.get("HistogramLogs")
    reader.ignore(len(histograms) if isinstance(histograms, list) else 0)
    return push


def _register(log: dict[str, Any], register: dict[str, Any], row: int) -> Record:
    cumulative = "LogPeriodValue" not in register
    field, most = ("Value", LARGEST_TOTAL) if cumulative else ("LogPeriodValue", 1_000_000)
    value = count(register.get(field), field, most=most)
    found = register.get("Tags")
    tags = {tag.strip().lower() for tag in found if isinstance(tag, str)} if isinstance(found, list) else set()
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
