"""Plans as data: what each allows. None is without limit.

What PostgreSQL itself holds creations to is the same data in `app.plans()` (migration 0018); a test holds the two
together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast a tenant may call: requests a second on average, at once, calls a day; and rows a day it may push."""

    per_second: int
    burst: int
    calls_per_day: int | None
    rows_per_day: int | None = None

    def claim(self) -> list[int | None]:
        """As tokens and keys carry it."""
        return [self.per_second, self.burst, self.calls_per_day, self.rows_per_day]


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan: how much of each thing, how fast, and which features."""

    name: str
    limits: Mapping[str, int | None]
    rate: Rate
    features: frozenset[str]


LIMITED = (
    "users",
    "campaigns",
    "sites",
    "sensors",
    "webhook_endpoints",
    "panels",
    "custom_domains",
    "storage_gb",
    "events_per_day",
)
"""What is counted, in the order of `_plan`."""
PACED = ("requests_per_second", "burst", "api_calls_per_day")
"""What a plan's rate says, as limits are named."""


COUNTED = (*LIMITED[:5], "custom_domains")
"""What PostgreSQL counts and holds creations to."""


def _plan(name: str, amounts: tuple[int | None, ...], rate: Rate, *features: str) -> Plan:
    limits = dict(zip(LIMITED, amounts, strict=True))
    return Plan(name, limits, replace(rate, rows_per_day=limits["events_per_day"]), frozenset(features))


PLANS: Mapping[str, Plan] = {
    plan.name: plan
    for plan in (
        _plan("free", (3, 5, 1, 5, 1, 0, 0, 1, 10_000), Rate(50, 100, 10_000), "webhooks"),
        _plan("starter", (10, 50, 10, 50, 5, 1, 0, 10, 100_000), Rate(100, 200, 100_000), "webhooks"),
        _plan(
            "professional",
            (50, 500, 100, 1_000, 25, 10, 1, 100, 1_000_000),
            Rate(200, 500, 1_000_000),
            "webhooks",
            "custom_roles",
        ),
        _plan(
            "enterprise",
            (None, None, None, None, 100, None, 10, None, None),
            Rate(500, 1_000, None),
            "webhooks",
            "custom_roles",
            "sso",
        ),
    )
}

USUAL: Final = PLANS["starter"]
"""Stands in where a plan is not known: for keys that were made before they said how fast, for names of no plan."""


def plan_of(name: str) -> Plan:
    """The plan of a name."""
    return PLANS.get(name, USUAL)


def amount_of(plan: str, limit: str) -> int | None:
    """How much of a limit's thing a plan has, those of its rate included; None without limit."""
    found, rate = plan_of(plan), plan_of(plan).rate
    if limit in PACED:
        return (rate.per_second, rate.burst, rate.calls_per_day)[PACED.index(limit)]
    return found.limits[limit]


def read_rate(claim: object) -> Rate:
    """The rate that a verified token or key carries; the usual one, where it carries none."""
    match claim:
        case [int() as per_second, int() as burst, (int() | None) as calls, *more] if per_second > 0 and burst > 0:
            match more:
                case []:
                    return Rate(per_second, burst, calls)
                case [(int() | None) as rows]:
                    return Rate(per_second, burst, calls, rows)
    return USUAL.rate
