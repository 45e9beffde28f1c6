"""Clocks that a test sets."""

from datetime import UTC, datetime, timedelta


class Moment:
    """A clock that stands until it is set or moved on."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """The present moment."""
        return self.now

    def forward(self, seconds: float) -> None:
        """Move it on."""
        self.now += timedelta(seconds=seconds)


class Time:
    """The clock on the wall and the one that only counts on, moved by hand together; `passed` in seconds."""

    def __init__(self) -> None:
        self.passed = 1000.0

    def clock(self) -> datetime:
        """The present moment."""
        return datetime(2026, 3, 2, 9, 0, tzinfo=UTC) + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        """Seconds since some beginning."""
        return self.passed
