"""A tenant's calls, in one item of DynamoDB that all sandboxes lease from: tokens of a bucket, and a count for the day.

The bucket is kept as one number (GCRA, ITU-T I.371): `taken_until`, the microsecond since 1970 until which tokens are
taken at the tenant's rate. Before now, the bucket is full; `burst` tokens ahead of now, it is empty. So a lease is one
update, which adds, and nobody who leases at the same time makes it fail unless tokens are really gone. Where it fails,
DynamoDB tells in the same answer how the item stands, and a second update takes what there is.

Calls are counted in an attribute of the UTC day. Items of tenants that do not call expire.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tenant_context.dynamo import Table, tenant_key
from tenant_context.plans import Rate

_MICRO = 1_000_000
_RACES = 4
"""Updates for one lease: a guess, what there was, and twice for those who were faster."""
_KEPT = timedelta(days=3)
_FULL = "(attribute_not_exists(taken_until) OR taken_until <= :now)"
_PARTLY = "taken_until > :now AND taken_until <= :latest"
_BELOW = " AND (attribute_not_exists(#day) OR #day <= :most)"
_COUNT = "#day = if_not_exists(#day, :none) + :counted, expires_at = :expires_at REMOVE #before"


@dataclass(frozen=True, slots=True)
class Level:
    """How a tenant's item stands: until when tokens are taken (µs since 1970), and calls counted today."""

    taken_until: int = 0
    calls: int = 0

    def room(self, rate: Rate, now: int) -> int:
        """Tokens in the bucket."""
        free = now + _depth(rate) - max(now, self.taken_until)
        return max(0, free * rate.per_second // _MICRO)

    def opens_at(self, rate: Rate, count: int) -> int:
        """When so many tokens are in the bucket, if nobody takes any: microseconds since 1970."""
        return self.taken_until + _cost(rate, count) - _depth(rate)

    def left(self, rate: Rate) -> int | None:
        """Calls left today; None is without limit."""
        return None if rate.calls_per_day is None else rate.calls_per_day - self.calls


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: so many tokens, or at least `least`; among them are those `unspent` of an earlier lease."""

    count: int
    least: int
    unspent: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """Tokens that were leased, none where they were refused, and how the item stands then."""

    count: int
    level: Level


class SharedBuckets:
    """The buckets of all tenants."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def lease(self, tenant: UUID, rate: Rate, wish: Wish, now: int, known: Level) -> Lease:
        """Lease for a tenant at a moment (µs since 1970); `known` is how the item stood last. Errors: AwsError.

        An update whose answer is lost may count twice: that takes tokens and never gives any.
        """
        count = wanted = min(max(wish.count, wish.unspent), rate.burst, _or(rate.calls_per_day, wish.count))
        if count < 1:
            return Lease(0, known)
        level = known
        for _ in range(_RACES):
            unspent = min(wish.unspent, count)
            done, level = self._take(tenant, rate, count, unspent, now, full=level.taken_until <= now)
            if done:
                return Lease(count, level)
            room, left = level.room(rate, now) + wish.unspent, _or(level.left(rate), wanted) + wish.unspent
            if room < wish.least or left < 1:
                break
            count = min(wanted, room, left)
        return Lease(0, level)

    def _take(self, tenant: UUID, rate: Rate, count: int, unspent: int, now: int, *, full: bool) -> tuple[bool, Level]:
        moment = datetime.fromtimestamp(now / _MICRO, UTC)
        day = _name(moment)
        values: dict[str, Any] = {
            ":now": now,
            ":none": 0,
            ":counted": count - unspent,
            ":expires_at": int((moment + _KEPT).timestamp()),
        }
        if full:
            taken, condition = "SET taken_until = :until, ", _FULL
            values[":until"] = now + _cost(rate, count)
        else:
            cost = _cost(rate, count - unspent)
            taken, condition = "SET taken_until = taken_until + :cost, ", _PARTLY
            values |= {":cost": cost, ":latest": now + _depth(rate) - cost}
        if rate.calls_per_day is not None:
            condition += _BELOW
            values[":most"] = rate.calls_per_day - (count - unspent)
        done, item = self._table.change_or_see(
            tenant_key(tenant, "rate"),
            "bucket",
            taken + _COUNT,
            values,
            condition=condition,
            names={"#day": day, "#before": _name(moment - timedelta(days=1))},
        )
        return done, Level(int(item.get("taken_until", 0)), int(item.get(day, 0)))


def _or(limit: int | None, otherwise: int) -> int:
    return otherwise if limit is None else limit


def _name(moment: datetime) -> str:
    return f"calls_{moment:%Y%m%d}"


def _cost(rate: Rate, count: int) -> int:
    """The microseconds that tokens stand for, rounded against the tenant."""
    return -(-count * _MICRO // rate.per_second)


def _depth(rate: Rate) -> int:
    return rate.burst * _MICRO // rate.per_second
