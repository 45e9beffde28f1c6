"""Rules judged by what places come to: alerts open once, and resolve by themselves.

Judging is a function of what is there and of what was told, under a lock of the rule: however often it is repeated, and
by however many at once, it tells no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from shared.alerts import rules
from shared.alerts.model import Condition, Inside, Kind, Reading, Rule
from shared.alerts.repository.alerts import AlertRepository
from shared.alerts.repository.rules import Pair, RuleRepository
from shared.alerts.service.telling import resolve, tell
from shared.figures.errors import PlaceNotFound
from shared.figures.model import MONEY, Place
from shared.figures.repository import FigureRepository
from shared.figures.rules import sources
from shared.hours.model import Hours
from shared.hours.rules import open_at, openings
from shared.occupancy.repository import LimitRepository
from shared.occupancy.service import Occupancy
from tenant_context.clock import NewId
from tenant_context.postgres import Transaction

_QUARTER = timedelta(minutes=15)
_MOMENT = timedelta(microseconds=1)
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
        """Judge every rule, or those of places that something came for; answers how many alerts opened or resolved.

        Of more than are judged in one go, the next run judges those that follow, until all had their turn.
        """
        pairs = self._in_turn(tx) if touched is None else self._from.rules.places(tx, touched, PAIRS_A_RUN)
        held = self._from.rules.held(tx, sorted({rule for rule, _ in pairs})) if pairs else {}
        return sum(self._judge(tx, held[rule], place) for rule, place in pairs if rule in held)

    def _in_turn(self, tx: Transaction) -> list[Pair]:
        before = self._from.rules.turn(tx)
        pairs = self._from.rules.places(tx, None, PAIRS_A_RUN, before)
        if before is not None and len(pairs) < PAIRS_A_RUN:
            # What is left of the end, and the beginning once more, up to where this run began.
            start = self._from.rules.places(tx, None, PAIRS_A_RUN - len(pairs))
            pairs += [pair for pair in start if pair <= before]
            self._from.rules.keep_turn(tx, pairs[-1] if len(pairs) == PAIRS_A_RUN else None)
        elif len(pairs) == PAIRS_A_RUN:
            self._from.rules.keep_turn(tx, pairs[-1])
        return pairs

    def _judge(self, tx: Transaction, rule: Rule, site: UUID) -> bool:
        try:
            place = self._from.figures.place(tx, site)
        except PlaceNotFound:
            return False  # gone since
        condition = self._in_one_currency(tx, rule.condition, site)
        zone = ZoneInfo(place.time_zone)
        reading = self._read(tx, condition, place, zone) if condition else Reading(None, tx.now)
        if condition is None or reading.value is None:
            return False
        current = self._from.alerts.current(tx, rule.id, site)
        alarming = rules.is_alarming(condition, reading.value, opened=bool(current))
        if current and not alarming:
            resolve(tx, self._from.alerts, current[0], "cleared")
            return True
        if current or not alarming or rules.is_quiet(condition.quiet, zone, tx.now):
            return False
        words = self._in_words(tx, condition, place, reading)
        alert = self._new_id()
        if not self._from.alerts.open(tx, alert, rule.id, site, reading, words):
            return False
        tell(tx, "opened", self._from.alerts.lock(tx, alert))
        return True

    def _in_words(self, tx: Transaction, condition: Condition, place: Place, reading: Reading) -> str:
        zone, inside = ZoneInfo(place.time_zone), None
        if condition.kind is Kind.CAPACITY:
            now = Occupancy(self._from.figures, self._from.limits).now(tx, place.id)
            reading = replace(reading, measured_at=now.as_of or reading.measured_at)
            inside = None if now.capacity is None else Inside(now.occupancy, now.capacity)
        return rules.message(condition, place.name, reading, zone, inside)

    def _in_one_currency(self, tx: Transaction, condition: Condition, site: UUID) -> Condition | None:
        """A condition whose amounts are of a currency: of the one that there is, where it was made before any sale.

        None where there are several since: nothing can be told until it says which.
        """
        if condition.currency or condition.metric not in MONEY or not rules.is_reckoned(condition):
            return condition
        known = self._from.figures.currencies(tx, site)
        return msgspec.structs.replace(condition, currency=known[0]) if len(known) == 1 else None

    def _read(self, tx: Transaction, condition: Condition, place: Place, zone: ZoneInfo) -> Reading:
        if condition.kind is Kind.CAPACITY:
            limit = self._from.limits.find(tx, place.id)
            return Reading(None if limit is None else Decimal(limit.reached), tx.now)
        told = [
            self._from.figures.newest(tx, place.id, tx.now + _QUARTER, source=one) for one in sources(condition.metric)
        ]
        known = [one + _QUARTER for one in told if one is not None]
        if len(known) < len(told):
            return Reading(None, tx.now)
        fresh = min(known)
        if condition.kind is Kind.MISSING_DATA:
            return Reading(_silence(place, zone, fresh, tx.now), tx.now)
        return self._of_period(tx, condition, place, zone, fresh)

    def _of_period(
        self, tx: Transaction, condition: Condition, place: Place, zone: ZoneInfo, fresh: datetime
    ) -> Reading:
        """The newest period of which everybody told everything; of what only grows, also the one under way."""
        start, end = self._whole(tx, condition, place, zone, fresh)
        value = None
        if rules.is_news(condition, end, tx.now):
            value = self._value(tx, condition, place, start, end)
        if condition.kind is Kind.CHANGE:
            before = self._value(tx, condition, place, *rules.compared(condition, zone, start))
            return Reading(rules.change(value, before), end, start)
        if condition.direction == "above" and condition.metric in rules.ADDITIVE:
            since, _ = rules.period_of(condition.period, zone, fresh - _MOMENT)
            if since >= end and rules.is_news(condition, fresh, tx.now):
                growing = self._value(tx, condition, place, since, fresh)
                if growing is not None and growing > (condition.value if value is None else value):
                    return Reading(growing, fresh, since, under_way=True)
        return Reading(value, end, start)

    def _whole(
        self, tx: Transaction, condition: Condition, place: Place, zone: ZoneInfo, fresh: datetime
    ) -> tuple[datetime, datetime]:
        """The newest period that is whole by the slowest of those who count, or sell, in a place."""
        since = tx.now - rules.patience(condition)
        slowest = [
            self._from.figures.slowest(tx, place.id, since, tx.now + _QUARTER, one) for one in sources(condition.metric)
        ]
        told = min([fresh, *(one for one in slowest if one is not None)])
        start, end = rules.period_of(condition.period, zone, told - _MOMENT)
        return rules.period_of(condition.period, zone, start - _MOMENT) if end > told else (start, end)

    def _value(
        self, tx: Transaction, condition: Condition, place: Place, start: datetime, end: datetime
    ) -> Decimal | None:
        return self._from.figures.value(tx, place, condition.metric, start, end, condition.currency)


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
