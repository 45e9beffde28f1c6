"""Answers from rollups: what is asked of a place becomes its parts, each with facts by step."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.metrics.errors import RangeTooLong, SeveralCurrencies, WrongQuestion
from shared.metrics.model import (
    MONEY,
    PER_VISITOR,
    Ask,
    Facts,
    Found,
    Granularity,
    Group,
    GroupBy,
    Head,
    Impute,
    Range,
    Service,
    Step,
)
from shared.metrics.repository.facts import FactRepository, Scope
from shared.metrics.repository.heads import MOST_GROUPS, HeadRepository
from shared.metrics.rules import folding, ranges
from shared.metrics.rules.answers import Part, Told
from shared.metrics.rules.imputing import Fills
from shared.metrics.service.filling import Filling
from tenant_context.context import TenantContext

MOST_READ = 300_000
"""Steps of stores that one answer reads: an hour of a thousand stores is a thousand."""
_STORES, _ZONES = "site", "zone"


@dataclass(frozen=True, slots=True)
class Filled:
    """What fills the gaps of the members of groups, where that was asked."""

    members: Sequence[tuple[UUID, UUID]] = ()
    fills: Mapping[UUID, tuple[str, Fills]] = field(default_factory=dict)
    is_paired: bool = False

    def of(self, found: Found, key: UUID, side: int) -> Iterator[tuple[str, Fills, bool]]:
        """Of a group: time zone, what fills, and whether nothing is to be told per visitor of it."""
        for group, member in self.members:
            if group == key and member in self.fills:
                zone, fills = self.fills[member]
                yield zone, fills, self.is_paired and (side, member) not in found.both


class Reading:
    """Reads what an answer is made of."""

    def __init__(self, heads: HeadRepository, facts: FactRepository) -> None:
        self._heads = heads
        self._facts = facts
        self._filling = Filling(facts)

    def __call__(self, tenant: TenantContext, ask: Ask, head: Head, now: datetime) -> Told:
        """Everything that is told, of what was to be counted up to a moment.

        Errors: RangeTooLong, SeveralCurrencies, WrongQuestion.
        """
        span = ask.span
        if ask.group_by is GroupBy.HOUR:
            span = Range(span.start, span.end, Granularity.HOUR)
            ranges.check_range(span)
        if ask.group_by is GroupBy.WEEKDAY:
            span = Range(span.start, span.end, Granularity.DAY)
        steps = ranges.steps(span, head.time_zone)
        before = ranges.before(steps, span, ask.compare, head.time_zone) if ask.compare else []
        groups = self._groups(tenant, ask, head)
        if len(groups) * len(steps) > ranges.MAX_POINTS:
            raise RangeTooLong(ranges.MAX_POINTS)
        scope = self._scope(tenant, head, groups)
        length = ranges.ABSOLUTE.get(span.granularity)
        if length is None:
            found = _up_to(self._days(tenant, ask, groups, scope, (steps, before)), now)
            filled = self._filled(tenant, ask, head, groups, scope, (steps, before))
            parts = [_of_days(found, filled, group, (steps, before)) for group in groups]
        else:
            found = _up_to(self._moments(tenant, ask, groups, scope, (steps, before), length), now)
            filled = self._filled(tenant, ask, head, groups, scope, (steps, before))
            parts = [_of_moments(found, filled, group, (steps, before), length) for group in groups]
        currency = ask.currency
        if currency is None and found.currencies:
            if len(found.currencies) > 1 and MONEY & set(ask.metrics):
                raise SeveralCurrencies(found.currencies)
            currency = found.currencies[0] if len(found.currencies) == 1 else None
        if ask.group_by in {GroupBy.WEEKDAY, GroupBy.HOUR}:
            parts = _regrouped(ask.group_by, parts[0], steps, before, head.time_zone)
        finest = {Granularity.QUARTER: 15, Granularity.HOUR: 60}.get(span.granularity, 24 * 60)
        is_over = ranges.is_over(steps, now)
        return Told(ask, head, steps, before, parts, currency, found.longest > finest, is_over)

    def expected(
        self, tenant: TenantContext, stores: Mapping[UUID, str], days: tuple[date, date], now: datetime
    ) -> dict[UUID, float]:
        """The minutes that were to be counted up to a moment, by the zone of each store, in some days of their own."""
        around = (_noon(days[0]) - timedelta(days=2), _noon(days[1]) + timedelta(days=2))
        own = Scope([(store, store) for store in stores])
        found = _up_to(self._facts.days(tenant, [], own, [days], around, None), now)
        return {
            store: sum(
                ranges.expected(
                    [(ranges.midnight(days[0], zone), ranges.midnight(days[1], zone))], found.services.get(store, ())
                )
            )
            for store, zone in stores.items()
        }

    def _groups(self, tenant: TenantContext, ask: Ask, head: Head) -> list[Group]:
        if ask.group_by is GroupBy.ZONE and head.kind != _STORES:
            raise WrongQuestion("?group_by", "zones are of one store: ask it, or group by child")
        if ask.group_by not in {GroupBy.ZONE, GroupBy.CHILD}:
            return [Group(head.id, head.name, head.kind)]
        found = self._heads.children(tenant, head.id)
        if len(found) > MOST_GROUPS:
            raise RangeTooLong(MOST_GROUPS, "groups: ask the ranking, or one of them")
        return found

    def _scope(self, tenant: TenantContext, head: Head, groups: Sequence[Group]) -> Scope:
        if head.kind == _ZONES or (groups and groups[0].kind == _ZONES):
            return Scope([(group.key, group.key) for group in groups], by_zone=True)
        if head.kind == _STORES:
            return Scope([(head.id, head.id)])
        if not groups:
            return Scope([])
        everybody = head.kind == "organization" and groups[0].key == head.id
        return Scope(self._heads.stores(tenant, groups, everybody=everybody))

    def _filled(
        self,
        tenant: TenantContext,
        ask: Ask,
        head: Head,
        groups: Sequence[Group],
        scope: Scope,
        steps: tuple[Sequence[Step], Sequence[Step]],
    ) -> Filled:
        if ask.impute is not Impute.TYPICAL or not scope.members:
            return Filled()
        spans = ranges.merged([ranges.days_of(some) for some in steps if some])
        return Filled(scope.members, self._filling(tenant, head, scope, spans), _is_paired(ask, groups))

    def _days(
        self,
        tenant: TenantContext,
        ask: Ask,
        groups: Sequence[Group],
        scope: Scope,
        steps: tuple[Sequence[Step], Sequence[Step]],
    ) -> Found:
        spans = ranges.merged([ranges.days_of(some) for some in steps if some])
        if len(groups) * sum((last - first).days for first, last in spans) > MOST_READ:
            raise RangeTooLong(MOST_READ, "days of places")
        around = (_noon(spans[0][0]) - timedelta(days=2), _noon(spans[-1][1]) + timedelta(days=2))
        paired = [ranges.days_of(some) for some in steps if some] if _is_paired(ask, groups) else []
        return self._facts.days(tenant, [group.key for group in groups], scope, spans, around, ask.currency, paired)

    def _moments(
        self,
        tenant: TenantContext,
        ask: Ask,
        groups: Sequence[Group],
        scope: Scope,
        steps: tuple[Sequence[Step], Sequence[Step]],
        length: timedelta,
    ) -> Found:
        spans = [(some[0].start, some[-1].end) for some in steps if some]
        if len(scope.members) * sum((end - start) / length for start, end in spans) > MOST_READ:
            raise RangeTooLong(MOST_READ, "steps of stores; ask for days, or for fewer of them")
        if len(spans) > 1 and spans[1][1] > spans[0][0]:
            spans = [(min(spans[0][0], spans[1][0]), max(spans[0][1], spans[1][1]))]
        paired = [(some[0].start, some[-1].end) for some in steps if some] if _is_paired(ask, groups) else []
        return self._facts.moments(tenant, scope, spans, length, ask.currency, paired)


def _noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def _up_to(found: Found, now: datetime) -> Found:
    return replace(found, services={key: ranges.up_to(services, now) for key, services in found.services.items()})


def _of_days(found: Found, filled: Filled, group: Group, steps: tuple[Sequence[Step], Sequence[Step]]) -> Part:
    folded: list[list[Facts]] = []
    for side, some in enumerate(steps):
        if not some:
            folded.append([])
            continue
        every = folding.days(*_of(found, group.key), *ranges.days_of(some))
        for zone, fills, lone in filled.of(found, group.key, side):
            folding.fill_days(every, zone, fills, lone=lone)
        folding.set_apart(every, found.unpaired.get((side, group.key), {}))
        folded.append(folding.by_days(every, some))
    return Part(group, folded[0], folded[1])


def _of_moments(
    found: Found, filled: Filled, group: Group, steps: tuple[Sequence[Step], Sequence[Step]], length: timedelta
) -> Part:
    folded: list[list[Facts]] = []
    for side, some in enumerate(steps):
        if not some:
            folded.append([])
            continue
        every = folding.moments(*_of(found, group.key), [(step.start, step.end) for step in some])
        for _, fills, lone in filled.of(found, group.key, side):
            folding.fill_moments(every, length, fills, lone=lone)
        folding.set_apart(every, found.unpaired.get((side, group.key), {}))
        folded.append(folding.by_moments(every, some))
    return Part(group, folded[0], folded[1])


def _is_paired(ask: Ask, groups: Sequence[Group]) -> bool:
    """Whether something is asked per visitor of more than a store: there are stores without counters, or tills."""
    return bool(PER_VISITOR & set(ask.metrics)) and any(group.kind not in {_STORES, _ZONES} for group in groups)


def _of(found: Found, key: UUID) -> tuple[dict[date | datetime, Facts], Sequence[Service]]:
    """A group's own: copies, as what is compared may hold the same days."""
    facts = {when: _copy(one) for when, one in found.facts.get(key, {}).items()}
    return facts, found.services.get(key, ())


def _copy(facts: Facts) -> Facts:
    one = Facts()
    one.add(facts)
    return one


def _regrouped(by: GroupBy, part: Part, steps: Sequence[Step], before: Sequence[Step], zone: str) -> list[Part]:
    here = ZoneInfo(zone)

    def key(step: Step) -> int:
        local = step.start.astimezone(here)
        return local.isoweekday() if by is GroupBy.WEEKDAY else local.hour

    parts = []
    for one in range(1, 8) if by is GroupBy.WEEKDAY else range(24):
        facts = [part.facts[place] for place, step in enumerate(steps) if key(step) == one]
        then = [part.before[place] for place, step in enumerate(before) if key(step) == one]
        dates = [step.start.astimezone(here).date() for step in steps if key(step) == one]
        parts.append(Part(None, facts, then, {by.value: one}, dates))
    return parts
