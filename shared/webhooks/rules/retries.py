"""When a failed attempt is made again, and what an answer means."""

from collections.abc import Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime

from shared.webhooks.model import Verdict

LONGEST_DELAY = 900
"""Seconds a queue message can wait; longer waits are several."""
LONGEST_RETRY_AFTER = 900
"""Seconds that a receiver may ask for beyond what is planned."""
SCHEDULE: tuple[int, ...] = (5, 300, 1800, 7200, 18_000, 36_000, 36_000)
"""Seconds between the attempts: eight in all, over 27.6 hours."""
JITTER = 0.2
"""Each wait is up to a fifth shorter or longer, so that what failed together is not tried together."""
THROTTLES = frozenset({429, 502, 503, 504})
"""Answers of a receiver, or of what stands before it, that is asked too much: all that goes there waits."""
THROTTLE_SECONDS = 10
"""How long, where the receiver does not say."""
MOST_WAITS = 12
LONGEST_WAIT = 36_000
LONGEST_SCHEDULE = 4 * 86_400
"""Seconds: with its jitter still before the shortest retention ends."""


def verdict(status: int | None) -> Verdict:
    """2xx is delivered, 410 stops the endpoint, everything else fails: a redirect, an error, no answer."""
    if status is None:
        return Verdict.FAILED
    if 200 <= status < 300:  # noqa: PLR2004  HTTP's own boundaries
        return Verdict.DELIVERED
    return Verdict.GONE if status == 410 else Verdict.FAILED  # noqa: PLR2004  Gone


def wrong_schedule(schedule: Sequence[int] | None) -> str | None:
    """What is wrong with an endpoint's own schedule; None for one that may be."""
    if schedule is None:
        return None
    if len(schedule) > MOST_WAITS or not all(1 <= seconds <= LONGEST_WAIT for seconds in schedule):
        return f"must be at most {MOST_WAITS} waits of 1 to {LONGEST_WAIT} seconds"
    if sum(schedule) > LONGEST_SCHEDULE:
        return f"must be over after {LONGEST_SCHEDULE} seconds"
    return None


def wait(attempt: int, schedule: Sequence[int] | None = None, *, luck: float, retry_after: int = 0) -> int | None:
    """Seconds until the attempt after a failed one, or None when that was the last.

    `luck` from -1 to 1 moves it within the jitter; `retry_after` lengthens it.
    """
    planned = SCHEDULE if schedule is None else schedule
    if attempt > len(planned):
        return None
    return max(round(planned[attempt - 1] * (1 + JITTER * luck)), retry_after)


def throttle(status: int | None, retry_after: int) -> int:
    """Seconds for which an endpoint is left alone after an answer; 0 where that does not ask for it."""
    return (retry_after or THROTTLE_SECONDS) if status in THROTTLES else 0


def retry_after_seconds(value: str, now: datetime) -> int:
    """The header Retry-After, seconds or a date, as seconds; 0 where it says nothing of use."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), LONGEST_RETRY_AFTER)
    try:
        seconds = (parsedate_to_datetime(text) - now).total_seconds()
    except (ValueError, TypeError):  # no date, or one without a zone
        return 0
    return int(max(0, min(seconds, LONGEST_RETRY_AFTER)))
