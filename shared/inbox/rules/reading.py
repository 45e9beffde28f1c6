"""What all sources have in common: JSON objects, names, moments."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from shared.inbox.errors import Stale
from tenant_context.errors import BadRequest

EARLY = timedelta(minutes=5)
"""How far a sender's clock may be ahead of ours."""
_LONGEST = 255
_LAST_SECOND = 4_102_444_800
"""The year 2100."""
_MILLISECONDS = 10**11
"""A number of seconds is smaller until the year 5138, and one of milliseconds is larger since 1973."""


def json_object(body: bytes | str, what: str = "The body") -> dict[str, Any]:
    """A JSON object. Errors: BadRequest."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadRequest(f"{what} is not JSON.") from error
    if not isinstance(found, dict):
        raise BadRequest(f"{what} is no JSON object.")
    return found


def inner(found: dict[str, Any], name: str) -> dict[str, Any]:
    """An object in an object. Errors: BadRequest."""
    value = found.get(name)
    if not isinstance(value, dict):
        raise BadRequest(f"{name} is no JSON object.")
    return value


def text(found: dict[str, Any], name: str) -> str:
    """A text that a row can keep and a person can read. Errors: BadRequest."""
    value = found.get(name)
    if not isinstance(value, str) or not value or len(value) > _LONGEST or not value.isprintable():
        raise BadRequest(f"{name} is missing, or no name.")
    return value


def moment(found: dict[str, Any], name: str) -> datetime:
    """A moment as ISO 8601 writes it, or in seconds or milliseconds since 1970. Errors: BadRequest."""
    value = found.get(name)
    try:
        if isinstance(value, str):
            parsed = datetime.fromisoformat(value)
            return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        if isinstance(value, int) and not isinstance(value, bool):
            seconds = value / 1000 if value >= _MILLISECONDS else value
            if 0 <= seconds < _LAST_SECOND:
                return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"{name} is no moment.") from error
    raise BadRequest(f"{name} is missing, or no moment.")


def fresh(at: datetime, now: datetime, longest: timedelta) -> None:
    """Raise `Stale` for what was sent too long ago to be a delivery of now, or is still to come."""
    if now - at > longest:
        raise Stale(f"It was sent more than {_told(longest)} ago; what is older is not taken.")
    if at - now > EARLY:
        raise Stale("It says that it was sent in the future.")


def digest(*parts: bytes) -> str:
    """A name for what has none of its own: the same content has the same."""
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(len(part).to_bytes(8, "big") + part)
    return f"sha256:{hashed.hexdigest()}"


def canonical(value: Any) -> bytes:
    """JSON in one form, whatever the order of its members was."""
    return msgspec.json.encode(value, order="sorted")


def _told(span: timedelta) -> str:
    hours = int(span.total_seconds() // 3600)
    return f"{hours} hours" if hours else f"{int(span.total_seconds() // 60)} minutes"
