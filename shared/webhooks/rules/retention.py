"""How long what was sent, and what came of it, is kept: as long as the plan keeps logs."""

from datetime import datetime, timedelta

from tenant_context.plans import USUAL

DAYS = {"free": 7, "starter": 14, "professional": 30, "enterprise": 90}
"""By plan. Each is longer than the longest schedule of attempts."""


def keep_until(plan: str, now: datetime) -> int:
    """The end, in seconds since 1970."""
    return int((now + timedelta(days=DAYS.get(plan, DAYS[USUAL.name]))).timestamp())
