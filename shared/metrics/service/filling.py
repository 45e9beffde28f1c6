"""What is typical of the gaps of stores and zones, from their quarters; read of those days alone that have any."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from shared.metrics.errors import RangeTooLong
from shared.metrics.model import Head, Service
from shared.metrics.repository.facts import FactRepository, Scope
from shared.metrics.rules import imputing
from shared.metrics.rules.imputing import MARGIN, Fills
from shared.metrics.rules.ranges import midnight
from tenant_context.context import TenantContext

MOST_FILLED = 300_000
"""Days of stores that are looked at for gaps, and quarters that are read for them."""
_A_DAY = 96
_ROUND = timedelta(days=2)


class Filling:
    """Fills the gaps of the members of a scope, each by its own calendar."""

    def __init__(self, facts: FactRepository) -> None:
        self._facts = facts

    def __call__(
        self, tenant: TenantContext, head: Head, scope: Scope, spans: Sequence[tuple[date, date]]
    ) -> dict[UUID, tuple[str, Fills]]:
        """The time zone of each member that has gaps, and what fills them. Errors: RangeTooLong."""
        members = [member for _, member in scope.members]
        if len(members) * sum((last - first).days for first, last in spans) > MOST_FILLED:
            raise RangeTooLong(MOST_FILLED, "days of stores to impute; ask for fewer of them")
        own = Scope([(member, member) for member in members], by_zone=scope.by_zone)
        around = (_noon(spans[0][0]) - MARGIN - _ROUND, _noon(spans[-1][1]) + MARGIN + _ROUND)
        found = self._facts.days(tenant, members, own, spans, around, None)
        zones = {member: _zone(services) for member, services in found.services.items()}
        gaps: dict[UUID, list[date]] = {}
        for member, services in found.services.items():
            days = found.facts.get(member, {})
            for span in spans:
                gaps.setdefault(member, []).extend(imputing.gaps(days, services, span, zones[member], head.fresh))
        return self._filled(tenant, head, found.services, zones, {one: days for one, days in gaps.items() if days})

    def _filled(
        self,
        tenant: TenantContext,
        head: Head,
        services: Mapping[UUID, Sequence[Service]],
        zones: Mapping[UUID, str],
        gaps: Mapping[UUID, Sequence[date]],
    ) -> dict[UUID, tuple[str, Fills]]:
        if _A_DAY * sum(len(days) for days in gaps.values()) > MOST_FILLED:
            raise RangeTooLong(MOST_FILLED, "quarters of stores to impute; ask for fewer of them")
        quarters = self._quarters(
            tenant,
            [
                (member, midnight(day, zones[member]), midnight(day + timedelta(days=1), zones[member]))
                for member, days in gaps.items()
                for day in days
            ],
        )
        missing = {
            member: imputing.missing(days, quarters.get(member, {}), services[member], zones[member], head.fresh)
            for member, days in gaps.items()
        }
        wanted = {
            member: {like for likes in gaps_of.values() for like in likes} - quarters.get(member, {}).keys()
            for member, gaps_of in missing.items()
        }
        if sum(map(len, wanted.values())) > MOST_FILLED:
            raise RangeTooLong(MOST_FILLED, "quarters of stores to impute; ask for fewer of them")
        typical = self._quarters(
            tenant, [(member, *run) for member, moments in wanted.items() for run in imputing.runs(moments)]
        )
        return {
            member: (
                zones[member],
                imputing.fill(
                    gaps_of, {**quarters.get(member, {}), **typical.get(member, {})}, services[member], zones[member]
                ),
            )
            for member, gaps_of in missing.items()
        }

    def _quarters(
        self, tenant: TenantContext, runs: Sequence[tuple[UUID, datetime, datetime]]
    ) -> dict[UUID, dict[datetime, tuple[int, int, int]]]:
        return self._facts.quarters(tenant, runs) if runs else {}


def _zone(services: Sequence[Service]) -> str:
    return max(services, key=lambda service: service.until).time_zone


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)
