"""Time and fresh ids, given to whoever needs them so that tests can say what they are."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock
from uuid import UUID

Clock = Callable[[], datetime]
"""Answers the present moment, with UTC as its zone."""

NewId = Callable[[], UUID]
"""Answers an id never seen before; later ids sort after earlier ones."""


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)


_turn, _last = Lock(), 0


def uuid7() -> UUID:
    """A UUIDv7 (RFC 9562, sections 5.7 and 6.2, method 3): milliseconds, 12 bits of their fraction, 62 random bits.

    A process's ids ascend, so that what a transaction writes in an order is read in that order.
    """
    global _last  # noqa: PLW0603  the one place that knows the id before
    with _turn:
        _last = max((time.time_ns() << 12) // 1_000_000, _last + 1)
        moment = _last
    noise = int.from_bytes(os.urandom(8), "big") & (1 << 62) - 1
    return UUID(int=(moment >> 12) << 80 | 0x7 << 76 | (moment & 0xFFF) << 64 | 0b10 << 62 | noise)


def rfc3339(moment: datetime) -> str:
    """The wire's form of a moment: UTC with a Z, microseconds only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
