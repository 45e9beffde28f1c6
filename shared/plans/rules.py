"""What can be granted, and what grants make of a plan."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from shared.plans.errors import NothingToGrant
from shared.plans.model import Grant, Held, Kind, Limit
from tenant_context.plans import LIMITED, PACED, PLANS, Rate, amount_of

FEATURES = tuple(sorted({feature for plan in PLANS.values() for feature in plan.features}))

GRANTABLE = (*LIMITED, *PACED)
_NEVER_WITHOUT = PACED[:2]
"""A bucket has some size and fills at some pace."""
ROW_BYTES = {"counts": 300, "transactions": 450}
"""What a stored row takes with its indexes and rollups.

Measured on PostgreSQL 18 by `pg_total_relation_size`, rows written as the processors write them: 20,000 quarter-hour
counts take 296 bytes each; 5,000 receipts of four lines take 437. `tests/shared/usage/test_storage.py` holds
the estimate to a factor of 1.5 there; receipts of many lines take more.
"""
GB = 10**9


NEARLY = 0.8
"""Of a limit in use, from which on it is nearly reached."""


class Amount(NamedTuple):
    """How much of a thing a tenant may have; None without limit."""

    value: int | None
    granted: bool
    until: datetime | None


def amount(plan: str, grants: Iterable[Grant], limit: str, now: datetime) -> Amount:
    """What a plan and the grants of a tenant, oldest first, come to: as `app.allowance` judges what it counts."""
    mine = [one for one in grants if one.name == limit and is_in_force(one, now)]
    values = [one for one in mine if one.kind is Kind.VALUE]
    extras = [one for one in mine if one.kind is Kind.EXTRA]
    value = values[-1].amount if values else amount_of(plan, limit)
    if value is not None:
        value += sum(one.amount or 0 for one in extras)
    ends = [one.until for one in (*values[-1:], *extras) if one.until]
    return Amount(value, bool(values or extras), min(ends, default=None))


def amounts(held: Held, now: datetime) -> dict[str, int | None]:
    """How much of everything that is limited."""
    return {name: amount(held.plan, held.grants, name, now).value for name in GRANTABLE}


def size(rows: Mapping[str, int]) -> int:
    """About how many bytes stored rows of each kind take."""
    return sum(rows.get(kind, 0) * each for kind, each in ROW_BYTES.items())


def size_in_gb(size: int) -> float:
    """Bytes in GB of 10^9, to a thousandth."""
    return round(size / GB, 3)


def nearly_reached(limits: Iterable[Limit]) -> list[str]:
    """The limits of which four fifths or more are in use; not those of which nobody has anything."""
    return [one.limit for one in limits if one.value and one.usage >= NEARLY * one.value]


def midnight(now: datetime) -> datetime:
    """When the present day ends, by UTC."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def is_in_force(grant: Grant, now: datetime) -> bool:
    """Whether a grant counts at a moment."""
    return grant.revoked_at is None and (grant.until is None or grant.until > now)


def rate(amounts: dict[str, int | None]) -> Rate:
    """How fast a tenant may call and push."""
    per_second, burst, calls = (amounts[name] for name in PACED)
    return Rate(per_second or 1, burst or 1, calls, amounts["events_per_day"])


def check(grant: Grant) -> None:
    """Raise `NothingToGrant` for what no plan knows."""
    known = FEATURES if grant.kind is Kind.FEATURE else GRANTABLE
    if grant.name not in known:
        raise NothingToGrant("/name", f"must be one of {', '.join(known)}")
    if grant.kind is Kind.EXTRA and grant.amount is None:
        raise NothingToGrant("/amount", "says how much more")
    if grant.kind is Kind.VALUE and grant.name in _NEVER_WITHOUT and not grant.amount:
        raise NothingToGrant("/amount", "says how many, at least one")
    if grant.kind is Kind.FEATURE and grant.amount is not None:
        raise NothingToGrant("/amount", "belongs to limits")
    if grant.until is not None and grant.until <= grant.created_at:
        raise NothingToGrant("/until", "must be in the future")
