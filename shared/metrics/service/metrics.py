"""Reads what happened in the caller's stores."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import msgspec

from shared.metrics.model import Ask, Granularity, GroupBy, Head, Impute, Range, RankAsk
from shared.metrics.repository.heads import HeadRepository
from shared.metrics.repository.ranking import RankingRepository
from shared.metrics.rules import ranges
from shared.metrics.rules.answers import Told, document
from shared.metrics.rules.imputing import MARGIN
from shared.metrics.rules.ranking import After, page
from shared.metrics.service.cache import Answers, Level
from shared.metrics.service.reading import Reading
from tenant_context.clock import Clock, rfc3339
from tenant_context.context import TenantContext

_WORTH = 400
"""Points from which on an answer is worth a look into what sandboxes share; below, PostgreSQL is as quick."""
_DEFINITIONS = 5
"""Raised whenever answers are made otherwise of the same numbers: what was kept of before is void."""
_QUARTER = timedelta(minutes=15)
_ROUND = timedelta(days=2)
"""What a day of any calendar may begin before, or end after, the same day of UTC; and a week's or month's edge."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer's JSON, and where it came from."""

    content: bytes
    level: Level


class Metrics:
    """Answers questions about places, from rollups or from what was answered before.

    Of the clock an answer takes the present quarter of an hour, up to which was to be counted; it is part of the
    version of those answers whose range reaches beyond it, and of no others.
    """

    def __init__(
        self,
        heads: HeadRepository,
        reading: Reading,
        ranking: RankingRepository,
        answers: Answers,
        clock: Clock,
    ) -> None:
        self._heads = heads
        self._reading = reading
        self._ranking = ranking
        self._answers = answers
        self._clock = clock

    def series(self, tenant: TenantContext, ask: Ask) -> Kept:
        """The JSON of metrics over a range.

        Errors: SiteNotFound, RangeOrder, RangeOutside, RangeTooLong, SeveralCurrencies, WrongQuestion.
        """
        head, spans = self._head(tenant, ask)
        days, now = (spans[0][1] - spans[0][0]).days, ranges.quarter_of(self._clock())
        heavy = (
            head.kind not in {"site", "zone"}
            or ask.group_by is not None
            or ask.impute is not Impute.NONE
            or days / _POINT[ask.span.granularity] > _WORTH
        )
        version = f"{_version(head, spans, now)}.{head.kind}.{head.name}"
        if ask.impute is not Impute.NONE:
            version += f".{head.fresh}"
        body, level = self._answers(
            tenant,
            _digest(ask),
            _short(version),
            lambda: msgspec.json.encode(document(self._reading(tenant, ask, head, now))),
            heavy=heavy,
        )
        return Kept(_with_freshness(body, head), level)

    def told(self, tenant: TenantContext, ask: Ask) -> Told:
        """The same for an export, which is made anew each time. Errors: as for `series`."""
        head, _ = self._head(tenant, ask)
        return self._reading(tenant, ask, head, ranges.quarter_of(self._clock()))

    def ranking(self, tenant: TenantContext, ask: RankAsk, after: After | None, limit: int) -> Kept:
        """The JSON of a page of stores, by a metric over whole days of each store's own.

        Errors: SiteNotFound, RangeOrder, RangeOutside, RangeTooLong, SeveralCurrencies.
        """
        spans = _days_ranked(ask)
        head, now = self._heads.head(tenant, ask.within, spans), ranges.quarter_of(self._clock())
        body, level = self._answers(
            tenant,
            _digest((ask, after, limit)),
            _short(_version(head, spans, now)),
            lambda: msgspec.json.encode(self._ranked(tenant, ask, head, after, limit, now)),
            heavy=True,
        )
        return Kept(_with_freshness(body, head), level)

    def ranked(
        self, tenant: TenantContext, ask: RankAsk, after: After | None, limit: int
    ) -> tuple[dict[str, Any], Head]:
        """The same for an export, which is made anew each time, and what it is of. Errors: as for `ranking`."""
        head = self._heads.head(tenant, ask.within, _days_ranked(ask))
        return self._ranked(tenant, ask, head, after, limit, ranges.quarter_of(self._clock())), head

    def _ranked(
        self, tenant: TenantContext, ask: RankAsk, head: Head, after: After | None, limit: int, now: datetime
    ) -> dict[str, Any]:
        days = ranges.whole_days(ask.start, ask.end, head.time_zone)
        found, currency = self._ranking.ranked(tenant, ask, days, after, limit + 1)
        expected = self._reading.expected(tenant, {one.id: one.time_zone for one in found[:limit]}, days, now)
        told = page(ask, found, limit, currency, expected)
        span = {"first_day": days[0], "last_day": days[1] - timedelta(days=1), "time_zone": head.time_zone}
        return {**span, **told}

    def _head(self, tenant: TenantContext, ask: Ask) -> tuple[Head, list[tuple[date, date]]]:
        ranges.check_range(ask.span)
        spans = _days_asked(ask)
        return self._heads.head(tenant, ask.place, spans), spans


_POINT = {"15m": 1 / 96, "hour": 1 / 24, "day": 1, "week": 7, "month": 30}


def _days_asked(ask: Ask) -> list[tuple[date, date]]:
    """The days that an answer may depend on, whatever the place's calendar: rather some too many."""
    margin = _ROUND + (MARGIN if ask.impute is Impute.TYPICAL else timedelta())
    span = ask.span
    if ask.group_by in {GroupBy.WEEKDAY, GroupBy.HOUR}:
        span = Range(span.start, span.end, Granularity.DAY)  # as they are read, whatever the granularity says
    steps = ranges.steps(span, "UTC")
    spans = [
        (
            steps[0].first - margin - _EDGE[span.granularity],
            steps[-1].last + margin + _NEXT.get(span.granularity, timedelta()),
        )
    ]
    if ask.compare is not None:
        before = ranges.before(steps, span, ask.compare, "UTC")
        spans.append((before[0].first - margin - 2 * _EDGE[span.granularity], before[-1].last + margin))
    return ranges.merged(spans)


def _days_ranked(ask: RankAsk) -> list[tuple[date, date]]:
    """The same of a ranking, whose stores each have a calendar. Errors: RangeOrder, RangeOutside, RangeTooLong."""
    ranges.check_range(Range(ask.start, ask.end, Granularity.DAY))
    first, last = ask.start.date() - _ROUND, ask.end.date() + _ROUND
    return [(first - (last - first), last)]


_EDGE = {"15m": _ROUND, "hour": _ROUND, "day": _ROUND, "week": timedelta(days=9), "month": timedelta(days=64)}
_NEXT = {Granularity.WEEK: timedelta(days=7), Granularity.MONTH: timedelta(days=31)}
"""A range may end in this week or month by the clock of UTC, and in the next one by the place's."""


def _version(head: Head, spans: list[tuple[date, date]], now: datetime) -> str:
    version = f"{_DEFINITIONS}.{head.epoch}.{head.version}.{head.time_zone}"
    # A day of any calendar is over within a day of the same day of UTC.
    is_over = datetime.combine(spans[-1][1], time(), UTC) + timedelta(days=1) <= now
    return version if is_over else f"{version}.{rfc3339(now)}"


def _digest(asked: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(asked)).hexdigest()[:40]


def _short(version: str) -> str:
    return hashlib.sha256(version.encode()).hexdigest()[:32]


def freshness(head: Head) -> dict[str, str | None]:
    """Up to when something is known of a place, by counters and by tills: where the newest quarter of an hour ends."""
    newest = {"freshness": head.fresh, "sales_freshness": head.sold}
    return {name: None if at is None else rfc3339(at + _QUARTER) for name, at in newest.items()}


def _with_freshness(body: bytes, head: Head) -> bytes:
    """How fresh it is changes without the range that was asked for: it is told anew each time."""
    return msgspec.json.encode(freshness(head))[:-1] + b"," + body[1:]
