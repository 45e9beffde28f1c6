"""How often a tenant may ask: a token bucket in each sandbox.

It bounds what one tenant can take of one sandbox. Exact limits over all sandboxes build on it.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from uuid import UUID

from tenant_context.errors import TooManyRequests

_KEPT = 4096


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimiter:
    """`rate` requests a second, `burst` at once, for each tenant."""

    def __init__(self, rate: int, burst: int, clock: Callable[[], datetime]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[UUID, _Bucket] = OrderedDict()
        self.policy = f'"tenant";q={burst};w={max(1, ceil(burst / rate))}'

        self.untouched = self.header(burst)

    def take(self, tenant: UUID) -> int:
        """Take one request's token and answer how many are left; raise `TooManyRequests` when none is."""
        now = self._clock().timestamp()
        bucket = self._buckets.get(tenant)
        if bucket is None:
            bucket = self._buckets[tenant] = _Bucket(self._burst, now)
            if len(self._buckets) > _KEPT:
                self._buckets.popitem(last=False)
        bucket.tokens = min(self._burst, bucket.tokens + max(0.0, now - bucket.at) * self._rate)
        bucket.at = now
        if bucket.tokens < 1:
            raise TooManyRequests(
                f"The tenant may ask {self._rate} times a second here.",
                retry_after=max(1, ceil((1 - bucket.tokens) / self._rate)),
            )
        bucket.tokens -= 1
        return int(bucket.tokens)

    def header(self, left: int) -> str:
        """The value of the RateLimit header field."""
        return f'"tenant";r={left};t=1'
