"""When a failed attempt is made again, and what an answer means."""

from datetime import datetime
from email.utils import parsedate_to_datetime

from shared.webhooks.model import Verdict

LONGEST_DELAY = 900
"""Seconds a queue message can wait."""
SCHEDULE: tuple[int, ...] = (5, 300, 900, 900, 900, 900, 900)
"""Seconds between the attempts: eight in all, over 80 minutes."""
JITTER = 0.2
"""Each wait is up to a fifth shorter or longer, so that what failed together is not tried together."""


def verdict(status: int | None) -> Verdict:
    """2xx is delivered, 410 stops the endpoint, everything else fails: a redirect, an error, no answer."""
    if status is None:
        return Verdict.FAILED
    if 200 <= status < 300:  # noqa: PLR2004  HTTP's own boundaries
        return Verdict.DELIVERED
    return Verdict.GONE if status == 410 else Verdict.FAILED  # noqa: PLR2004  Gone


def wait(attempt: int, *, luck: float, retry_after: int = 0) -> int | None:
    """Seconds until the attempt after a failed one, or None when that was the last.

    `luck` from -1 to 1 moves it within the jitter; `retry_after` lengthens it, as far as a queue can wait.
    """
    if attempt > len(SCHEDULE):
        return None
    planned = round(SCHEDULE[attempt - 1] * (1 + JITTER * luck))
    return min(max(planned, retry_after), LONGEST_DELAY)


def retry_after_seconds(value: str, now: datetime) -> int:
    """The header Retry-After, seconds or a date, as seconds; 0 where it says nothing of use."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), LONGEST_DELAY)
    try:
        seconds = (parsedate_to_datetime(text) - now).total_seconds()
    except (ValueError, TypeError):  # no date, or one without a zone
        return 0
    return int(max(0, min(seconds, LONGEST_DELAY)))
