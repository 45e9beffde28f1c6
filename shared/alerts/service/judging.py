"""Rules judged by what places come to: alerts open once, and resolve by themselves.

Judging is a function of what is there and of what was told, under a lock of the rule: however often it is repeated, and
by however many at once, it tells no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from shared.alerts import rules
from shared.alerts.model import Condition, Kind, Reading, Rule
from shared.alerts.repository.alerts import AlertRepository
from shared.alerts.repository.rules import RuleRepository
from shared.alerts.service.telling import resolve, tell
from shared.figures.errors import PlaceNotFound
from shared.figures.model import Place
from shared.figures.repository import FigureRepository
from shared.hours.model import Hours
from shared.hours.rules import open_at, openings
from shared.occupancy.repository import LimitRepository
from tenant_context.clock import NewId
from tenant_context.postgres import Transaction

_QUARTER = timedelta(minutes=15)
PAIRS_A_RUN = 5_000
"""Rules with a place each that are judged in one go."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What is read to judge."""

    rules: RuleRepository
    alerts: AlertRepository
    figures: FigureRepository
    limits: LimitRepository


class Judging:
    """Judges a tenant's rules."""

    def __init__(self, sources: Sources, new_id: NewId) -> None:
        self._from = sources
        self._new_id = new_id

    def __call__(self, tx: Transaction, touched: Sequence[UUID] | None = None) -> int:
        """Judge every rule, or those of places that something came for; answers how many alerts opened or resolved."""
        pairs = self._from.rules.places(tx, touched, PAIRS_A_RUN)
        held = self._from.rules.held(tx, sorted({rule for rule, _ in pairs})) if pairs else {}
        return sum(self._judge(tx, held[rule], place) for rule, place in pairs if rule in held)

    def _judge(self, tx: Transaction, rule: Rule, site: UUID) -> bool:
        try:
            place = self._from.figures.place(tx, site)
        except PlaceNotFound:
            return False  # gone since
        zone = ZoneInfo(place.time_zone)
        reading = self._read(tx, rule.condition, place, zone)
        if reading.value is None:
            return False
        current = self._from.alerts.current(tx, rule.id, site)
        alarming = rules.is_alarming(rule.condition, reading.value, opened=bool(current))
        if current and not alarming:
            resolve(tx, self._from.alerts, current[0], "cleared")
            return True
        if current or not alarming or rules.is_quiet(rule.condition.quiet, zone, tx.now):
            return False
        words = rules.message(rule.condition, place.name, reading.value)
        alert = self._new_id()
        if not self._from.alerts.open(tx, alert, rule.id, site, reading, words):
            return False
        tell(tx, "opened", self._from.alerts.lock(tx, alert))
        return True

    def _read(self, tx: Transaction, condition: Condition, place: Place, zone: ZoneInfo) -> Reading:
        if condition.kind is Kind.CAPACITY:
            limit = self._from.limits.find(tx, place.id)
            return Reading(None if limit is None else Decimal(limit.reached), tx.now)
        newest = self._from.figures.newest(tx, place.id, tx.now + _QUARTER, source=_source(condition.metric))
        if newest is None:
            return Reading(None, tx.now)
        fresh = newest + _QUARTER
        if condition.kind is Kind.MISSING_DATA:
            return Reading(_silence(place, zone, fresh, tx.now), tx.now)
        return self._of_period(tx, condition, place, zone, fresh)

    def _of_period(
        self, tx: Transaction, condition: Condition, place: Place, zone: ZoneInfo, fresh: datetime
    ) -> Reading:
        """The newest period of which everything was told; of what only grows, also the one under way."""
        start, end = rules.period_of(condition.period, zone, fresh - timedelta(microseconds=1))
        under_way = end > fresh
        whole = (
            rules.period_of(condition.period, zone, start - timedelta(microseconds=1)) if under_way else (start, end)
        )
        if not rules.is_news(condition, fresh if under_way else end, tx.now):
            return Reading(None, end)
        if not rules.is_news(condition, whole[1], tx.now):
            return Reading(None, end)
        value = self._value(tx, condition, (place, zone), *whole)
        if condition.kind is Kind.CHANGE:
            before = self._value(tx, condition, (place, zone), *rules.compared(condition, zone, whole[0]))
            return Reading(rules.change(value, before), whole[1])
        if under_way and condition.direction == "above" and condition.metric in rules.ADDITIVE:
            growing = self._value(tx, condition, (place, zone), start, fresh)
            if growing is not None and (value is None or growing > value):
                return Reading(growing, fresh)
        return Reading(value, whole[1])

    def _value(
        self, tx: Transaction, condition: Condition, where: tuple[Place, ZoneInfo], start: datetime, end: datetime
    ) -> Decimal | None:
        place, zone = where
        return self._from.figures.sums(tx, place.id, zone, start, end).value(condition.metric)


def _source(metric: str) -> Literal["traffic", "sales"]:
    return "sales" if metric in {"transactions", "units", "revenue", "average_basket"} else "traffic"


def _silence(place: Place, zone: ZoneInfo, fresh: datetime, now: datetime) -> Decimal | None:
    """Minutes for which nothing came; of a store with opening hours, only those of the opening that it is in."""
    since = fresh
    if place.hours:
        hours = msgspec.convert(place.hours, Hours)
        if not open_at(hours, place.time_zone, now).open:
            return None  # nobody comes; it is told again when it opens
        today = now.astimezone(zone).date()
        spans = [one for ago in (1, 0) for one in openings(hours, zone, today - timedelta(days=ago))]
        since = max([fresh, *(one.start for one in spans if one.start <= now < one.end)])
    return Decimal(max(0, int((now - since) / timedelta(minutes=1))))
