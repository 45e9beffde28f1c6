"""What a tenant hears that calls too often."""

from datetime import UTC, datetime
from math import ceil

from tenant_context.errors import DailyLimitReached, LimitReached, TooManyRequests, told_limit


class RateLimited(TooManyRequests):
    """A tenant calls faster than its plan allows; `wait` and `now` in seconds.

    What it ran into is its burst: `used` of it are spent, by the bucket as it was seen last. Fewer than all can be: a
    sandbox asks for more than one token at a time.
    """

    code, title = "rate-limited", "The organization calls too fast"

    def __init__(self, per_second: int, burst: int, used: int, wait: float, now: float) -> None:
        super().__init__(
            f"The organization's plan allows {per_second} requests a second and {burst} at once.",
            retry_after=max(1, ceil(wait)),
        )
        opens = datetime.fromtimestamp(ceil(now + wait), UTC)
        self.members = {
            "limit": "burst",
            "value": burst,
            "usage": used,
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


class RowsOfDayTaken(DailyLimitReached):
    """A tenant has pushed the rows that its plan takes in a day; `now` in seconds."""

    def __init__(self, limit: int, used: int, resets_at: datetime, now: float) -> None:
        moment = datetime.fromtimestamp(now, UTC)
        super().__init__("events_per_day", limit, used, resets_at=resets_at, now=moment)


class StorageFull(LimitReached):
    """A tenant keeps as much as its plan has room for; usage in bytes, told in GB of 10^9."""

    def __init__(self, limit: int, used: int) -> None:
        super().__init__("storage_gb", limit)
        gb = gigabytes(used)
        self.detail = (
            f"The limit storage_gb is {limit} GB, and about {gb} GB are kept: nothing is added until it is less, or "
            "the plan has more."
        )
        self.members = {**told_limit("storage_gb", limit, 0, None), "usage": gb}


def gigabytes(size: int) -> float:
    """Bytes in GB (10^9), rounded up to two digits, so that what is over a limit is not told as equal to it."""
    return -(-size // 10**7) / 100
