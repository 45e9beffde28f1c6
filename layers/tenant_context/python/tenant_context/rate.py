"""How often a tenant may call: requests a second with a burst, and calls a day, over all sandboxes together.

A sandbox leases tokens for a tenant (`leases`) and spends them from memory; only who has none left asks DynamoDB. A
lease is a tenth of a second's worth at most, less where the bucket is not half full and this sandbox needs little, and
is good for a minute of the same UTC day. Who was refused answers from memory until tokens can be there again.

With N sandboxes that serve a tenant, B = a tenth of `per_second`, in any span of t seconds:
- at most `burst + per_second · t + N · B` requests are let through, and since a tenant's first call at most
  `burst + per_second · t`; of a day at most `calls_per_day`;
- one is refused only while less than `(N + 2) · B` tokens are unspent, and for the day only while less than
  `N · B` calls are left. A sandbox that ends takes B with it, which the bucket has again in a tenth of a second, the
  day never.
Clocks that differ by d seconds add `per_second · d`.

When DynamoDB does not answer, each sandbox keeps to the rate by itself: nobody is refused for a fault of ours.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from math import ceil
from uuid import UUID

from tenant_context.aws import AwsError
from tenant_context.errors import TooManyRequests
from tenant_context.leases import Level, SharedBuckets, Wish
from tenant_context.plans import Rate
from tenant_context.refusals import DailyQuotaExceeded, RateLimited

HOLD_SECONDS = 60.0
"""How long leased tokens are good."""
_KEPT = 16_384
"""Tenants that a sandbox remembers; of the one it forgets, what was leased is lost."""
_HORIZON_SECONDS = 0.5
"""What a lease is to last where tokens are scarce."""
_PAUSE_SECONDS = 0.1
"""How long who was refused does not ask, at least."""
_DAY_PAUSE_SECONDS = 60.0
"""The same, for the day's calls: a sandbox may give back what it did not spend."""
_BLIND_SECONDS = 5.0
"""How long DynamoDB is not asked after it did not answer."""
_DAY = 86_400
_MICRO = 1_000_000


def largest_lease(rate: Rate) -> int:
    """B: a tenth of a second's worth."""
    return max(1, rate.per_second // 10)


@cache
def policy(rate: Rate) -> str:
    """The value of the RateLimit-Policy header field."""
    bucket = f'"tenant";q={rate.burst};w={max(1, ceil(rate.burst / rate.per_second))}'
    return bucket if rate.calls_per_day is None else f'{bucket}, "day";q={rate.calls_per_day};w={_DAY}'


def untouched(rate: Rate) -> str:
    """The value of the RateLimit header field of an answer that nobody's tokens were taken for."""
    return f'"tenant";r={rate.burst};t=1'


@dataclass(slots=True)
class _Purse:
    """What a sandbox has of a tenant's tokens, and what it knows of the rest; times in seconds since 1970."""

    left: int = 0
    size: int = 0
    leased_at: float = 0.0
    level: Level = field(default_factory=Level)
    refused_rate: Rate | None = None
    refused_at: float = 0.0
    refused_until: float = 0.0

    def holds(self, now: float) -> bool:
        """Whether there are tokens, and they are good."""
        return self.left > 0 and 0 <= now - self.leased_at < HOLD_SECONDS and now // _DAY == self.leased_at // _DAY

    def wish(self, rate: Rate, now: float) -> Wish:
        """The next lease: the largest where there is plenty, else what lasts for the horizon at the present pace."""
        most = largest_lease(rate)
        unspent = self.left if now // _DAY == self.leased_at // _DAY else 0
        lasted = now - self.leased_at
        if not self.size or self.level.room(rate, int(now * _MICRO)) * 2 >= rate.burst or lasted <= 0:
            return Wish(most, (most + 1) // 2, unspent)
        wanted = min(most, max(1, round((self.size - self.left) * _HORIZON_SECONDS / lasted)))
        return Wish(wanted, (wanted + 1) // 2, unspent)


class RateLimiter:
    """Lets a tenant's requests through, or raises."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        shared: SharedBuckets | None = None,
        warn: Callable[..., None] = lambda _, **__: None,
    ) -> None:
        self._clock = clock
        self._shared = shared
        self._warn = warn
        self._purses: OrderedDict[UUID, _Purse] = OrderedDict()
        self._own = _OwnBuckets()
        self._blind_at: float | None = None

    def take(self, tenant: UUID, rate: Rate) -> str:
        """Take one request's token and answer the RateLimit header field's value.

        Errors: RateLimited, DailyQuotaExceeded; both carry the header fields.
        """
        now = self._clock().timestamp()
        if self._shared is None or (self._blind_at is not None and 0 <= now - self._blind_at < _BLIND_SECONDS):
            return self._own.take(tenant, rate, now)
        purse = self._purse(tenant)
        if not purse.holds(now):
            if purse.refused_rate == rate and purse.refused_at <= now < purse.refused_until:
                raise _refusal(purse, rate, now)
            try:
                self._lease(self._shared, tenant, purse, rate, now)
            except AwsError as error:
                purse.left, self._blind_at = 0, now
                self._warn("rate limits are each sandbox's own for now", code=error.code)
                return self._own.take(tenant, rate, now)
        purse.left -= 1
        return _header(purse, rate, now)

    def _purse(self, tenant: UUID) -> _Purse:
        purse = self._purses.get(tenant)
        if purse is None:
            purse = self._purses[tenant] = _Purse()
            if len(self._purses) > _KEPT:
                self._purses.popitem(last=False)
        else:
            self._purses.move_to_end(tenant)
        return purse

    def _lease(self, shared: SharedBuckets, tenant: UUID, purse: _Purse, rate: Rate, now: float) -> None:
        """Fill the purse. Errors: AwsError, RateLimited, DailyQuotaExceeded."""
        wish = purse.wish(rate, now)
        lease = shared.lease(tenant, rate, wish, int(now * _MICRO), purse.level)
        purse.level = lease.level
        if lease.count:
            purse.left = purse.size = lease.count
            purse.leased_at, purse.refused_rate = now, None
            return
        purse.refused_rate, purse.refused_at = rate, now
        if _is_day_over(purse, rate):
            purse.refused_until = min(now + _DAY_PAUSE_SECONDS, _midnight(now))
        else:
            opens_at = lease.level.opens_at(rate, wish.count) / _MICRO
            purse.refused_until = max(now + _PAUSE_SECONDS, opens_at)
        raise _refusal(purse, rate, now)


def _is_day_over(purse: _Purse, rate: Rate) -> bool:
    left = purse.level.left(rate)
    return left is not None and left < 1


def _midnight(now: float) -> float:
    return (now // _DAY + 1) * _DAY


def _refusal(purse: _Purse, rate: Rate, now: float) -> TooManyRequests:
    error: TooManyRequests
    if _is_day_over(purse, rate):
        resets_at = datetime.fromtimestamp(_midnight(now), UTC)
        error = DailyQuotaExceeded(rate.calls_per_day or 0, purse.level.calls, resets_at, now)
    else:
        used = rate.burst - purse.level.room(rate, int(now * _MICRO))
        error = RateLimited(rate.per_second, rate.burst, used, purse.refused_until - now, now)
    error.headers |= {"ratelimit": _header(purse, rate, now), "ratelimit-policy": policy(rate)}
    return error


def _header(purse: _Purse, rate: Rate, now: float) -> str:
    moment = int(now * _MICRO)
    refused = purse.refused_rate == rate and now < purse.refused_until
    left = 0 if refused else min(rate.burst, purse.left + purse.level.room(rate, moment))
    bucket = f'"tenant";r={left};t={max(1, ceil((purse.level.taken_until - moment) / _MICRO))}'
    today = purse.level.left(rate)
    if today is None:
        return bucket
    return f'{bucket}, "day";r={max(0, today + purse.left)};t={ceil(_midnight(now) - now)}'


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class _OwnBuckets:
    """Token buckets of this sandbox alone, where there are no shared ones, or they cannot be reached."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[UUID, _Bucket] = OrderedDict()

    def take(self, tenant: UUID, rate: Rate, now: float) -> str:
        """Take one request's token and answer the RateLimit header field's value. Errors: RateLimited."""
        bucket = self._buckets.get(tenant)
        if bucket is None:
            bucket = self._buckets[tenant] = _Bucket(rate.burst, now)
            if len(self._buckets) > _KEPT:
                self._buckets.popitem(last=False)
        bucket.tokens = min(rate.burst, bucket.tokens + max(0.0, now - bucket.at) * rate.per_second)
        bucket.at = now
        if bucket.tokens < 1:
            wait = (1 - bucket.tokens) / rate.per_second
            error = RateLimited(rate.per_second, rate.burst, rate.burst - int(bucket.tokens), wait, now)
            error.headers |= {"ratelimit": '"tenant";r=0;t=1', "ratelimit-policy": policy(rate)}
            raise error
        bucket.tokens -= 1
        return f'"tenant";r={int(bucket.tokens)};t=1'
