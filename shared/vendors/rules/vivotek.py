"""VIVOTEK: counting rules with their intervals. Lite mode leaves empty intervals out, which stay missing here."""

from functools import partial
from typing import Any

from shared.vendors.model import Push, Record
from shared.vendors.rules.values import Reader, count, moment, name, references

_COUNTING = "Counting"


def read(document: dict[str, Any]) -> Push:
    """`{"Source": {"MacAddress"}, "Data": [{"RuleType": "Counting", "CountingInfo": [{"RuleName", "In", "Out"}]}]}`."""
    push = Push("vivotek", "vivotek-json")
    reader = Reader(push)
    source = reader.part(document, "", "Source", dict)
    push.references = references(source.get("MacAddress"), source.get("DeviceID"))
    for path, rule in reader.parts(document, "", "Data"):
        if rule.get("RuleType") != _COUNTING:
            reader.ignore()
            continue
        for place, info in reader.parts(rule, path, "CountingInfo"):
            reader.row(place, info, partial(_counted, info))
    return push


def _counted(info: dict[str, Any], row: int) -> Record:
    return Record(
        row,
        name(info.get("RuleName")),
        moment(info.get("StartTime"), "StartTime"),
        moment(info.get("EndTime"), "EndTime"),
        count(info.get("In"), "In"),
        count(info.get("Out"), "Out"),
    )
