"""How usage is judged: what a plan includes, when there is an alert, and what Stripe is told when."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from shared.usage.model import Meter, Push

THRESHOLDS = (50, 80, 100)
"""Percent of what the plan includes at which the tenant is told, each once a month."""
GRACE = timedelta(minutes=5)
"""How long after an hour's end its usage is still waited for, before Stripe is told of it; later usage follows."""
DAYS_A_MONTH = 30
MAX_DAYS = 31


_FACTORS = {
    Meter.API_CALLS: ("api_calls_per_day", DAYS_A_MONTH),
    Meter.INGESTED_ROWS: ("events_per_day", DAYS_A_MONTH),
    Meter.ACTIVE_USERS: ("users", 1),
    Meter.STORAGE_BYTES: ("storage_gb", 10**9),
}
"""Of which limit a meter's month is made, and how many times; deliveries have none."""


def included(amounts: Mapping[str, int | None], meter: str) -> int | None:
    """What a tenant has of a meter in a month, by its plan and what was granted; None without limit."""
    if meter not in _FACTORS:
        return None
    limit, factor = _FACTORS[Meter(meter)]
    amount = amounts[limit]
    return None if amount is None else amount * factor


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
