"""What can be granted."""

from shared.plans.errors import NothingToGrant
from shared.plans.model import Grant, Kind
from tenant_context.plans import COUNTED, PLANS

FEATURES = tuple(sorted({feature for plan in PLANS.values() for feature in plan.features}))


def check(grant: Grant) -> None:
    """Raise `NothingToGrant` for what no plan knows."""
    known = FEATURES if grant.kind is Kind.FEATURE else COUNTED
    if grant.name not in known:
        raise NothingToGrant("/name", f"must be one of {', '.join(known)}")
    if grant.kind is Kind.EXTRA and grant.amount is None:
        raise NothingToGrant("/amount", "says how much more")
    if grant.kind is Kind.FEATURE and grant.amount is not None:
        raise NothingToGrant("/amount", "belongs to limits")
    if grant.until is not None and grant.until <= grant.created_at:
        raise NothingToGrant("/until", "must be in the future")
