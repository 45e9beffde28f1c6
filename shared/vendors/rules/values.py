"""Values as devices write them: counts, moments, names; and steps into a document that may be anything."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.sensors.model import Refused
from shared.vendors.errors import Fault, Misshapen
from shared.vendors.model import Push, Record

MOST_ROWS = 10_000
LARGEST_COUNT = 1_000_000
LARGEST_TOTAL = 10**12
"""A counter's standing, which may have grown for years."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS = range(1970, 2200)
_MILLISECONDS = 10**11
"""A number above it is of milliseconds: as seconds, it would be after the year 5000."""
_COMPACT = re.compile(r"\d{14}", re.ASCII)
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(?:[.,](\d{1,9}))?\s*(Z|z|[+-]\d\d:?\d\d)?", re.ASCII)
_WHOLE = re.compile(r"\d{1,15}([.,]0{1,9})?", re.ASCII)
_LONGEST_NAME = 64
_LONGEST_REFERENCE = 128


def count(value: Any, field: str, *, most: int = LARGEST_COUNT) -> int:
    """A whole number of people; `3.0` is 3, as devices are. Raises `Fault`."""
    found = _whole(value)
    if found is None:
        raise Fault(field, "count", "must be a whole number")
    if found < 0:
        raise Fault(field, "negative", "must not be negative")
    if found > most:
        raise Fault(field, "too-large", f"must be {most} at most")
    return found


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("-") and _WHOLE.fullmatch(text[1:]):
            return -1
        return int(re.split("[.,]", text)[0]) if _WHOLE.fullmatch(text) else None
    return None


def moment(value: Any, field: str) -> datetime:
    """A moment, with its zone where it says one; a number is of seconds or milliseconds since 1970. Raises `Fault`."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _since_1970(value, field)
    if not isinstance(value, str):
        raise Fault(field, "time", "must be a time")
    text = value.strip()
    try:
        return _sensible(_written(text), field)
    except ValueError as error:
        raise Fault(field, "time", "must be a time such as 2026-03-02T09:00:00Z or 2026-03-02 09:00:00") from error


def _written(text: str) -> datetime:
    if _COMPACT.fullmatch(text):
        return datetime.strptime(text, "%Y%m%d%H%M%S")  # noqa: DTZ007  without a zone on purpose: the sensor's decides
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(text)
    day, minute, second, part, zone = found.groups()
    return datetime.fromisoformat(
        f"{day}T{minute}{second or ':00'}{'.' + (part + '000000')[:6] if part else ''}{(zone or '').upper()}"
    )


def _since_1970(value: float, field: str) -> datetime:
    try:
        return _sensible(_EPOCH + timedelta(seconds=value / 1000 if abs(value) >= _MILLISECONDS else value), field)
    except (OverflowError, ValueError) as error:
        raise Fault(field, "time", "is not a time that can be") from error


def _sensible(value: datetime, field: str) -> datetime:
    """Years apart from which arithmetic with zones could overflow."""
    if value.year not in _YEARS:
        code = "too-old" if value.year < _YEARS.start else "future"
        raise Fault(field, code, "is in no year that a device could mean; check its clock")
    return value


def name(value: Any) -> str:
    """A line's name, as the tables can keep it."""
    text = "" if value is None else str(value) if isinstance(value, (str, int)) else ""
    return text.replace("\x00", "\ufffd").strip()[:_LONGEST_NAME]


def references(*values: Any) -> tuple[str, ...]:
    """Names by which the device may be registered: as it says them, and MAC addresses in each usual spelling."""
    found: list[str] = []
    for value in values:
        if not isinstance(value, str) or not 0 < len(value.strip()) <= _LONGEST_REFERENCE or "\x00" in value:
            continue
        text = value.strip()
        found += [text, *_spellings(text)]
    return tuple(dict.fromkeys(found))


def _spellings(text: str) -> Sequence[str]:
    plain = re.sub("[:-]", "", text)
    if not re.fullmatch("[0-9A-Fa-f]{12}", plain):
        return ()
    colons = ":".join(plain[place : place + 2] for place in range(0, 12, 2))
    dashes = colons.replace(":", "-")
    return [form for one in (plain, colons, dashes) for form in (one.lower(), one.upper())]


class Reader:
    """Reads one push: goes through a document, takes each row for itself, says where something is missing."""

    def __init__(self, push: Push) -> None:
        self.push = push
        self._next = 0

    def part(self, document: Any, path: str, key: str, kind: type[Any]) -> Any:
        """What stands under a key, of the kind that the format has there; raises `Misshapen`."""
        place = f"{path}/{key}".lstrip("/")
        if not isinstance(document, dict) or key not in document:
            raise Misshapen(self.push.form, place, "is missing")
        found = document[key]
        if not isinstance(found, kind):
            raise Misshapen(self.push.form, place, f"must be {'a list' if kind is list else 'an object'}")
        return found

    def parts(self, document: Any, path: str, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each object of a list and its place, likewise."""
        for number, one in enumerate(self.part(document, path, key, list)):
            place = f"{path}/{key}/{number}".lstrip("/")
            if not isinstance(one, dict):
                raise Misshapen(self.push.form, place, "must be an object")
            yield place, one

    def ignore(self, number: int = 1) -> None:
        """So many things that are no counts of people."""
        self.push.ignored += number

    def row(self, path: str, content: Any, make: Callable[[int], Record]) -> None:
        """One row, taken or refused."""
        row, self._next = self._next, self._next + 1
        if row >= MOST_ROWS:
            raise Misshapen(self.push.form, path, f"a push has {MOST_ROWS} rows at most")
        try:
            self.push.records.append(make(row))
        except Fault as fault:
            field = f"{path}/{fault.field}".strip("/")
            self.push.refused.append(Refused(row, field, fault.code, fault.message, content))
