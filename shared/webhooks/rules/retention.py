"""How long what was sent, and what came of it, is kept: as long as the plan keeps logs."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tenant_context.plans import USUAL

DAYS = {"free": 7, "starter": 14, "professional": 30, "enterprise": 90}
"""By plan. Each is longer than the longest schedule of attempts."""


def keep_until(plan: str, now: datetime) -> int:
    """The end, in seconds since 1970."""
    return int((now + timedelta(days=DAYS.get(plan, DAYS[USUAL.name]))).timestamp())


def is_kept(item: Mapping[str, Any], now: datetime) -> bool:
    """Whether what was kept until a moment is still there for anybody: DynamoDB removes it up to days later."""
    return int(item["expires_at"]) > now.timestamp()
