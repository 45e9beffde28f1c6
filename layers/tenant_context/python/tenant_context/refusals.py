"""What a tenant hears that calls too often."""

from datetime import datetime
from math import ceil

from tenant_context.errors import TooManyRequests


class RateLimited(TooManyRequests):
    """A tenant calls faster than its plan allows; `wait` in seconds."""

    code, title = "rate-limited", "The organization calls too fast"

    def __init__(self, per_second: int, burst: int, wait: float) -> None:
        super().__init__(
            f"The organization's plan allows {per_second} requests a second and {burst} at once.",
            retry_after=max(1, ceil(wait)),
        )


class DailyQuotaExceeded(TooManyRequests):
    """A tenant has made the calls that its plan allows for a day."""

    code, title = "daily-quota-exceeded", "The day's calls are made"

    def __init__(self, limit: int, used: int, resets_at: datetime, now: float) -> None:
        super().__init__(
            f"The organization's plan allows {limit} calls a day, and {used} are made; "
            f"the next ones are taken from {resets_at:%Y-%m-%dT%H:%M:%SZ} on.",
            retry_after=max(1, ceil(resets_at.timestamp() - now)),
        )
