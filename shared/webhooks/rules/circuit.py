"""When an endpoint that fails is left alone, when its owner is warned, and when it is given up.

After FAILURES in a row it rests; then one attempt probes it, and either all goes on or it rests for twice as long.
What fails for days is told at stages, and given up after five days. Nobody is given up who was not warned half a day
before, so that two failures with a quiet week between them are no reason.
"""

from datetime import datetime, timedelta

FAILURES = 10
"""In a row, before an endpoint rests."""
SHORTEST = 30
LONGEST = 900
"""Seconds of rest."""
PROBE_SLACK = 15
"""Seconds that a probe has beyond its call before another one may try."""
STAGES: tuple[timedelta, ...] = (timedelta(hours=6), timedelta(days=1), timedelta(days=3), timedelta(days=4, hours=12))
"""How long an endpoint has failed when its owner is warned."""
GIVEN_UP = timedelta(days=5)
LAST_WARNING = GIVEN_UP - STAGES[-1]
"""How long before it is given up the owner knows."""


def rest(trips: int) -> int:
    """Seconds of the rest after so many."""
    return int(min(SHORTEST * 2 ** min(trips, 10), LONGEST))


def stage(failing_since: datetime, now: datetime) -> int:
    """How many warnings are due."""
    return sum(now - failing_since >= one for one in STAGES)


def stage_at(failing_since: datetime, stage: int) -> datetime:
    """When a warning is due."""
    return failing_since + STAGES[stage - 1]


def given_up_at(failing_since: datetime, warned_at: datetime) -> datetime:
    """When it is time to disable one that has had all its warnings."""
    return max(failing_since + GIVEN_UP, warned_at + LAST_WARNING)


def is_given_up(failing_since: datetime, warned: int, warned_at: datetime | None, now: datetime) -> bool:
    """Whether it is time to disable it: after five days, and half a day after the last warning."""
    if warned < len(STAGES) or warned_at is None:
        return False
    return now >= given_up_at(failing_since, warned_at)


def ends_at(failing_since: datetime, now: datetime) -> datetime:
    """When an endpoint that goes on failing is disabled, its last warning being given now."""
    return given_up_at(failing_since, now)
