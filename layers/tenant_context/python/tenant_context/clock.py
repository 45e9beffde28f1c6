"""Time and fresh ids, given to whoever needs them so that tests can say what they are."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

Clock = Callable[[], datetime]
"""Answers the present moment, with UTC as its zone."""

NewId = Callable[[], UUID]
"""Answers an id never seen before; later ids sort after earlier ones."""


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)


def uuid7() -> UUID:
    """A UUIDv7 (RFC 9562, section 5.7): 48 bits of milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    noise = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & (1 << 48) - 1) << 80
    value |= 0x7 << 76 | (noise >> 68 & 0xFFF) << 64
    value |= 0b10 << 62 | noise & (1 << 62) - 1
    return UUID(int=value)


def rfc3339(moment: datetime) -> str:
    """The wire's form of a moment: UTC with a Z, microseconds only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
