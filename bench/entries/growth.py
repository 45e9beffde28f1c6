"""What a row costs the processor as sensors and months grow: 10 to 10,000 sensors, 1 to 60 months of raw rows."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any, LiteralString

import psycopg

from bench.feed import PER_MESSAGE, Feed, chain
from bench.harness.cpu import metered
from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Figures, Row, compete
from bench.world import World, silence, wire_function, world

_COLUMNS = (
    Column("client_us", "client µs a row", 1),
    Column("database_us", "database µs a row", 1),
    Column("cpu_us", "together µs a row", 1),
)
_SENSORS = (10, 100, 1_000, 10_000)
_MONTHS = (1, 12, 60)
_USUAL = 1_000, 12
"""Sensors where months grow, months where sensors do."""
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
"""Where the raw rows that are there end, and the new ones begin."""
_MESSAGES = 10
_MOST = 1.5
_SERVED: LiteralString = "SELECT app.ensure_month('people_counts', %s)"
_BASE: LiteralString = """
    INSERT INTO people_counts (tenant_id, sensor_id, line, starts_at, ends_at, site_id, entries, exits, received_at,
                               revision, batch_id)
    SELECT tenant_id, id, '', t, t + interval '15 minutes', site_id, 5, 5, now(), 1, id
    FROM sensors, generate_series(%(first)s::timestamptz, %(last)s::timestamptz - interval '15 minutes',
                                  (%(last)s::timestamptz - %(first)s::timestamptz) / %(each)s) t
    WHERE tenant_id = %(tenant)s"""


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds, base = (3, 100_000) if quick else (7, 1_000_000)
    with ExitStack() as kept:
        contestants = []
        for sensors, months in _chains():
            tell(f"{sensors:,} sensors, {months} months")
            place = kept.enter_context(world(campaigns=1))
            with place.database() as admin:
                feed = _grown(admin, place, sensors, months, base)
            contestants.append(_contestant(place, feed, sensors, months))
        kept.enter_context(silence())
        rows = compete(contestants, rounds, {}, tell)
    return Result("growth", __doc__ or "", rounds, _COLUMNS, rows, _goals(rows), _NOTES)


def _chains() -> Iterator[tuple[int, int]]:
    sensors, months = _USUAL
    yield from ((one, months) for one in _SENSORS)
    yield from ((sensors, one) for one in _MONTHS if one != months)


def _name(sensors: int, months: int) -> str:
    return f"{sensors:,} sensors, {months} months"


def _grown(admin: psycopg.Connection[Any], place: World, sensors: int, months: int, base: int) -> Feed:
    """Raw rows spread over the months before, and a month to come; the number of rows is always the same."""
    feed = chain(admin, place.tenant, sensors, _NOW)
    spans = list(_spans(months))
    for first, last in (*spans, (_NOW, _NOW)):
        admin.execute(_SERVED, (first.date(),))
        each = base // sensors // months
        if last > first and each:
            admin.execute(_BASE, {"tenant": place.tenant, "first": first, "last": last, "each": each})
    admin.execute("VACUUM ANALYZE")
    return feed


def _spans(months: int) -> Iterator[tuple[datetime, datetime]]:
    last = _NOW
    for _ in range(months):
        first = (last - timedelta(days=1)).replace(day=1)
        yield first, last
        last = first


def _contestant(place: World, feed: Feed, sensors: int, months: int) -> Contestant:
    processor = wire_function("sensors_processor", place.environment())
    about = "each row of another sensor" if sensors > PER_MESSAGE else f"{PER_MESSAGE // sensors} rows of each sensor"
    return Contestant(_name(sensors, months), f"a message holds {about}", lambda: _worked(place, feed, processor))


def _worked(place: World, feed: Feed, processor: ModuleType) -> Figures:
    events = [feed.event([feed.rows(PER_MESSAGE) for _ in range(_MESSAGES)])]

    def work(_: int) -> None:
        for event in events:
            if processor.handler(event, None)["batchItemFailures"]:
                raise AssertionError("a message failed")

    return metered(work, _MESSAGES * PER_MESSAGE, backends=place.backends)()


def _goals(rows: list[Row]) -> list[Goal]:
    used = {row.name: row.median("cpu_us") for row in rows}
    sensors, months = _USUAL
    by_sensors = [used[_name(one, months)] for one in _SENSORS]
    by_months = [used[_name(sensors, one)] for one in _MONTHS]
    return [
        _flat(f"a row costs the same from {_SENSORS[0]} to {_SENSORS[-1]:,} sensors", by_sensors, _WHY),
        _flat(f"and from {_MONTHS[0]} to {_MONTHS[-1]} months", by_months, ""),
    ]


def _flat(what: str, used: list[float], why: str) -> Goal:
    ratio = max(used) / min(used)
    return Goal(f"{what} (ratio up to {_MOST})", f"{ratio:.2f}", ratio <= _MOST, why)


_WHY = (
    "Rows of one sensor share its quarters' and days' sums: with ten sensors a message writes 20 days of stores, with"
    " 10,000 it writes a quarter and a day of 750 stores"
)
_NOTES = (
    "New rows, ten messages of 1,500 an invocation, into the month after those that are there.",
    "As many raw rows are there in each case, spread over its sensors and months.",
)
