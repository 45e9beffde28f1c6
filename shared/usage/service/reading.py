"""Usage as owners read it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from shared.plans.repository import PlanRepository
from shared.plans.rules import amounts as amounts_of
from shared.usage.errors import RangeTooLong
from shared.usage.model import Meter, Month
from shared.usage.repository import UsageRepository
from shared.usage.rules import MAX_DAYS, included, month_of, percent
from tenant_context.clock import Clock, rfc3339
from tenant_context.context import TenantContext
from tenant_context.postgres import Database


class UsageReader:
    """Reads the ledger of the caller's tenant."""

    def __init__(self, database: Database, repository: UsageRepository, clock: Clock) -> None:
        self._plans = PlanRepository(database)
        self._database = database
        self._repository = repository
        self._clock = clock

    def month(self, tenant: TenantContext, month: str | None) -> dict[str, Any]:
        """Every meter of a month (as 2026-11; the present one without), beside what the plan includes."""
        first = date.fromisoformat(f"{month}-01") if month else month_of(self._clock())
        plan, used = self._repository.show(self._database, tenant, first)
        amounts = amounts_of(self._plans.held(tenant), self._clock())
        by_meter = {one.meter: one for one in used}
        shown = [_shown(amounts, by_meter.get(meter, Month(meter, 0, 0, []))) for meter in Meter]
        return {"month": f"{first:%Y-%m}", "plan": plan, "meters": shown}

    def hours(self, tenant: TenantContext, meter: str, start: datetime | None, end: datetime | None) -> dict[str, Any]:
        """A meter hour by hour. Errors: RangeTooLong."""
        until = end or self._clock()
        try:
            since = start or until - timedelta(days=1)
        except OverflowError as error:
            raise RangeTooLong(MAX_DAYS) from error
        if not timedelta() < until - since <= timedelta(days=MAX_DAYS):
            raise RangeTooLong(MAX_DAYS)
        found = self._repository.hours(self._database, tenant, meter, since, until)
        items = [{"hour": rfc3339(hour.astimezone(UTC)), "quantity": quantity} for hour, quantity in found]
        return {"meter": meter, "items": items}


def _shown(amounts: Mapping[str, int | None], month: Month) -> dict[str, Any]:
    allowed = included(amounts, month.meter)
    return {
        "meter": month.meter,
        "quantity": month.quantity,
        "included": allowed,
        "percent": percent(month.quantity, allowed),
        "pushed": month.pushed,
        "alerts": month.alerts,
    }
