"""Hikvision: event notifications in XML. `realTime` tells counters' standing, `timeRange` an interval's counts.

A document with a DOCTYPE is refused before anything of it is read: without one there are neither entities of its own
nor external ones, so that nothing can be blown up and nothing is fetched.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any
from xml.parsers import expat

from shared.vendors.errors import Fault, Misshapen, UnreadablePush
from shared.vendors.model import Push, Record
from shared.vendors.rules.values import LARGEST_TOTAL, Reader, count, moment, name, references

_DEEPEST, _MOST = 32, 200_000
_COUNTING = "peoplecounting"
_FORM = "hikvision-xml"

Element = tuple[str, list[Any], list[str]]


class _Tree:
    """Elements by their names without namespaces, as they come; bounded in depth and number."""

    def __init__(self) -> None:
        self.root: Element = ("", [], [])
        self._open = [self.root]
        self._number = 0

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        self._number += 1
        if len(self._open) > _DEEPEST or self._number > _MOST:
            raise UnreadablePush(f"The XML may be {_DEEPEST} elements deep and have {_MOST} of them.")
        element: Element = (tag.rpartition(":")[2], [], [])
        self._open[-1][1].append(element)
        self._open.append(element)

    def end(self, _tag: str) -> None:
        self._open.pop()

    def text(self, text: str) -> None:
        self._open[-1][2].append(text)

    @staticmethod
    def forbid(*_: object) -> int:
        raise UnreadablePush("The XML declares a DOCTYPE or entities, which no device's push needs.")


def parse(raw: bytes) -> Element:
    """The root element. Raises `UnreadablePush`."""
    tree, parser = _Tree(), expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = tree.start, tree.end
    parser.CharacterDataHandler = tree.text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = tree.forbid
    parser.ExternalEntityRefHandler = parser.UnparsedEntityDeclHandler = tree.forbid
    try:
        parser.Parse(raw, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise UnreadablePush(f"The push is not XML: {error}.") from error
    root: Element = tree.root[1][0]
    return root


def read(raw: bytes) -> Push:
    """`EventNotificationAlert` with `peopleCounting`; other events are ignored."""
    push = Push("hikvision", _FORM)
    root = parse(raw)
    if root[0] != "EventNotificationAlert":
        raise Misshapen(_FORM, "", f"the root is {root[0][:50]} and not EventNotificationAlert")
    push.references = references(_text(root, "macAddress"), _text(root, "deviceSerial"), _text(root, "deviceID"))
    event = (_text(root, "eventType") or "").lower()
    found = list(_all(root, "peopleCounting"))
    if not found:
        if event == _COUNTING:
            raise Misshapen(_FORM, "peopleCounting", "is missing")
        push.ignored = 1
        return push
    line, reader = name(_text(root, "channelID")), Reader(push)
    for counting in found:
        content = {one[0]: "".join(one[2]).strip() for one in counting[1]}
        reader.row("peopleCounting", content, partial(_counted, root, counting, line))
    return push


def _counted(root: Element, counting: Element, line: str, row: int) -> Record:
    manner = (_text(counting, "statisticalMethods") or "").lower()
    ranged = _first(counting, "TimeRange")
    if manner == "timerange" or (not manner and ranged is not None):
        if ranged is None:
            raise Fault("TimeRange", "missing", "is missing")
        start, end = moment(_text(ranged, "startTime"), "startTime"), moment(_text(ranged, "endTime"), "endTime")
        entries, exits = count(_text(counting, "enter"), "enter"), count(_text(counting, "exit"), "exit")
        return Record(row, line, start, end, entries, exits)
    if manner not in {"realtime", ""}:
        raise Fault("statisticalMethods", "unknown", "must be realTime or timeRange")
    at = _text(_first(counting, "RealTime") or counting, "time") or _text(root, "dateTime")
    entries, exits = (count(_text(counting, one), one, most=LARGEST_TOTAL) for one in ("enter", "exit"))
    return Record(row, line, None, moment(at, "dateTime"), entries, exits, cumulative=True)


def _first(element: Element, tag: str) -> Element | None:
    return next(_all(element, tag), None)


def _all(element: Element, tag: str) -> Iterator[Element]:
    return (one for one in element[1] if one[0] == tag)


def _text(element: Element, tag: str) -> str | None:
    found = _first(element, tag)
    return None if found is None else "".join(found[2]).strip()
