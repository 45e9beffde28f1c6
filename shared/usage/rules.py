"""How usage is judged: what a plan includes, when there is an alert, and what Stripe is told when."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from shared.usage.model import Meter, Push
from tenant_context.plans import PLANS

THRESHOLDS = (50, 80, 100)
"""Percent of what the plan includes at which the tenant is told, each once a month."""
GRACE = timedelta(minutes=5)
"""How long after an hour's end its usage is still waited for, before Stripe is told of it; later usage follows."""
DAYS_A_MONTH = 30
ROW_BYTES = {"counts": 250, "transactions": 600}
"""What a stored row takes with its indexes, rounded up (measured on PostgreSQL 18)."""
MAX_DAYS = 31


def included(plan: str, meter: str) -> int | None:
    """What a plan includes of a meter in a month; None without limit."""
    if plan not in PLANS:
        return None
    limits, rate = PLANS[plan].limits, PLANS[plan].rate
    match meter:
        case Meter.API_CALLS:
            return None if rate.calls_per_day is None else rate.calls_per_day * DAYS_A_MONTH
        case Meter.INGESTED_ROWS:
            events = limits["events_per_day"]
            return None if events is None else events * DAYS_A_MONTH
        case Meter.ACTIVE_USERS:
            return limits["users"]
        case Meter.STORAGE_BYTES:
            size = limits["storage_gb"]
            return None if size is None else size * 10**9
    return None


def percent(quantity: int, allowed: int | None) -> float | None:
    """How much of what is included was used; None where there is no limit."""
    if allowed is None:
        return None
    return round(100 * quantity / allowed, 1) if allowed else 100.0 * bool(quantity)


def crossed(quantity: int, allowed: int | None) -> list[int]:
    """The thresholds that were reached; by whole numbers, so that exactly 80 % is 80 %."""
    if not allowed:
        return []
    return [threshold for threshold in THRESHOLDS if quantity * 100 >= allowed * threshold]


def month_of(at: datetime) -> date:
    """The month something counts for, by UTC."""
    return at.astimezone(UTC).date().replace(day=1)


def identifier(tenant: UUID, push: Push) -> str:
    """What Stripe knows a push by: the same for the same part, for ever."""
    return f"{tenant}-{push.meter}-{push.hour.astimezone(UTC):%Y%m%d%H}-{push.part}"
