"""What a tenant hears that calls too often."""

from datetime import UTC, datetime
from math import ceil

from tenant_context.errors import DailyLimitReached, TooManyRequests


class RateLimited(TooManyRequests):
    """A tenant calls faster than its plan allows; `wait` and `now` in seconds."""

    code, title = "rate-limited", "The organization calls too fast"

    def __init__(self, per_second: int, burst: int, wait: float, now: float) -> None:
        super().__init__(
            f"The organization's plan allows {per_second} requests a second and {burst} at once.",
            retry_after=max(1, ceil(wait)),
        )
        opens = datetime.fromtimestamp(ceil(now + wait), UTC)
        self.members = {
            "limit": "requests_per_second",
            "value": per_second,
            "usage": burst,
            "resets_at": f"{opens:%Y-%m-%dT%H:%M:%SZ}",
        }


class DailyQuotaExceeded(DailyLimitReached):
    """A tenant has made the calls that its plan allows for a day; `now` in seconds."""

    code, title = "daily-quota-exceeded", "The day's calls are made"

    def __init__(self, limit: int, used: int, resets_at: datetime, now: float) -> None:
        moment = datetime.fromtimestamp(now, UTC)
        super().__init__(
            "api_calls_per_day",
            limit,
            used,
            resets_at=resets_at,
            now=moment,
            detail=f"The organization's plan allows {limit} calls a day, and {used} are made; "
            f"the next ones are taken from {resets_at:%Y-%m-%dT%H:%M:%SZ} on.",
        )
