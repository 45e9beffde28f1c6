"""What the door's message tells of sensors beside the rows that count."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from shared.quality.model import Told

_LEAPT, _TWICE, _AHEAD, _NO_TIME = "local-time-missing", "local-time-twice", "future", "too-old"


def told(data: Mapping[str, Any]) -> list[Told]:
    """Repetitions that were dropped at the door, and refused rows that name a sensor."""
    received = datetime.fromisoformat(data["received_at"])
    found = [
        Told(sensor, datetime.fromisoformat(moment), None, duplicates=times)
        for sensor, moment, times in data.get("doubled", ())
    ]
    return found + [one for refused in data["refused"] for one in _refused(refused, received)]


def _refused(refused: Mapping[str, Any], received: datetime) -> Iterator[Told]:
    content, code = refused.get("content"), refused.get("code")
    if not isinstance(content, dict) or not isinstance(content.get("sensor"), str):
        return
    moment, day = received, None
    # What is of no time that could be is of the day it came on.
    if code not in {_AHEAD, _NO_TIME}:
        said = _moment(content.get("start"))
        if said is not None and said.tzinfo is None:
            day = said.date()
        moment = said or received
    yield Told(
        content["sensor"].replace("\x00", ""),
        None if day else moment,
        day,
        rejected=1,
        leapt=int(code == _LEAPT),
        doubtful=int(code == _TWICE),
        ahead=int(code == _AHEAD),
    )


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if 2000 <= found.year < 2200 else None  # noqa: PLR2004  what the door takes, and then some
