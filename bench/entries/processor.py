"""Counts from a queue's message to committed raw rows, revisions and rollups, beside COPY and beside what people do."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any, LiteralString

import psycopg

from bench.feed import PER_MESSAGE, QUARTER, Feed, chain
from bench.harness.cpu import metered
from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Figures, Row, compete
from bench.world import World, silence, wire_function, world
from tenant_context.clock import rfc3339

_AT_ONCE = 10
"""Messages of an invocation, where there are as many: Lambda gives up to a hundred, and six megabytes."""
_SENSORS = 20
_PUSH = 100
_GOAL_COPY, _GOAL_NAIVE = 0.45, 80
_COLUMNS = (
    Column("client_us", "client µs a row", 1),
    Column("database_us", "database µs a row", 1),
    Column("cpu_us", "together µs a row", 1),
    Column("wall_us", "wall µs a row", 1),
)
_NAMES: LiteralString = """
    tenant_id, sensor_id, line, starts_at, ends_at, site_id, entries, exits, received_at, revision, batch_id"""
_BASE: LiteralString = f"""
    INSERT INTO people_counts ({_NAMES})
    SELECT %(tenant)s, s, '', t, t + interval '15 minutes', s, 5, 5, now(), 1, s
    FROM unnest(%(sensors)s::uuid[]) s,
         generate_series('2001-01-01 00:00Z', timestamptz '2001-01-01 00:00Z'
                         + %(rows)s / cardinality(%(sensors)s::uuid[]) * interval '15 minutes', '15 minutes') t"""
_NAIVE: LiteralString = """
    CREATE TABLE naive_counts (LIKE people_counts INCLUDING ALL);
    INSERT INTO naive_counts SELECT * FROM people_counts;
    CREATE MATERIALIZED VIEW naive_days AS
        SELECT tenant_id, site_id, date_trunc('day', starts_at, 'Europe/Berlin') AS day, sum(entries) AS entries,
               sum(exits) AS exits FROM naive_counts GROUP BY 1, 2, 3"""
_ONE: LiteralString = f"INSERT INTO naive_counts ({_NAMES}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds, messages, base = (3, 10, 100_000) if quick else (9, 20, 1_000_000)
    with world(campaigns=1) as place, silence():
        tell("a chain of stores")
        feed = _chain(place, base)
        rows = _compete(place, feed, rounds, messages, tell)
    return Result("processor", __doc__ or "", rounds, _COLUMNS, rows, _goals(rows, base), _NOTES)


def _chain(place: World, base: int) -> Feed:
    with place.database() as admin:
        feed = chain(admin, place.tenant, _SENSORS, datetime(2021, 1, 1, tzinfo=UTC))
        for year in (2001, 2002, 2003, 2021, 2022, 2023):
            for month in range(1, 13):
                admin.execute("SELECT app.ensure_month('people_counts', %s)", (datetime(year, month, 2, tzinfo=UTC),))
        admin.execute(_BASE, {"tenant": place.tenant, "sensors": feed.sensors, "rows": base})
        admin.execute(_NAIVE)
        admin.execute("VACUUM ANALYZE")
    return feed


def _compete(place: World, feed: Feed, rounds: int, messages: int, tell: Callable[[str], None]) -> list[Row]:
    processor = wire_function("sensors_processor", place.environment())
    number = messages * PER_MESSAGE
    with place.database() as admin:
        contestants = [
            Contestant("copy", "COPY of the same rows into the same table, one COPY a message: the limit",
                       lambda: _copied(place, feed, admin, messages)),
            Contestant("ours", f"messages through the processor's handler, {_AT_ONCE} an invocation",
                       lambda: _ours(place, feed, processor, messages, _AT_ONCE, dirty=False)),
            Contestant("dirty", "the same with 5 % duplicates and 5 % late rows",
                       lambda: _ours(place, feed, processor, messages, _AT_ONCE, dirty=True)),
            Contestant("alone", "ours, one message an invocation: what a quiet hour brings",
                       lambda: _ours(place, feed, processor, messages, 1, dirty=False)),
            Contestant("naive", f"a row and a commit each, a materialized view refreshed after each push of {_PUSH}",
                       lambda: _naive(place, feed, admin)),
        ]  # fmt: skip
        return compete(contestants, rounds, {"ours": {"rows": number}}, tell)


def _copied(place: World, feed: Feed, admin: psycopg.Connection[Any], messages: int) -> Figures:
    parts = ["".join("\t".join(map(str, feed.whole(row))) + "\n" for row in feed.rows(PER_MESSAGE)).encode()
             for _ in range(messages)]  # fmt: skip

    def work(_: int) -> None:
        for part in parts:
            with admin.cursor() as cursor, cursor.copy(f"COPY people_counts ({_NAMES}) FROM STDIN") as copy:
                copy.write(part)

    return metered(work, messages * PER_MESSAGE, backends=place.backends)()


def _ours(place: World, feed: Feed, processor: ModuleType, messages: int, at_once: int, *, dirty: bool) -> Figures:
    parts = [feed.rows(PER_MESSAGE) for _ in range(messages)]
    if dirty:
        few = PER_MESSAGE // 20
        for part in parts:
            if feed.told:
                # Twenty-one days and more are late; what was told before is a duplicate.
                part[:few] = feed.random.sample(feed.told[-1], few)
                part[few : 2 * few] = [_late(row) for row in part[few : 2 * few]]
            feed.told = [part]
    events = [feed.event(parts[start : start + at_once]) for start in range(0, messages, at_once)]
    parts.clear()  # what a sandbox would not hold, its garbage collector would not look at

    def work(_: int) -> None:
        for event in events:
            if processor.handler(event, None)["batchItemFailures"]:
                raise AssertionError("a message failed")

    return metered(work, messages * PER_MESSAGE, backends=place.backends)()


def _late(row: Sequence[Any]) -> list[Any]:
    start = datetime.fromisoformat(row[2]) - timedelta(days=21)
    return [row[0], "late", rfc3339(start), rfc3339(start + QUARTER), *row[4:]]


def _naive(place: World, feed: Feed, admin: psycopg.Connection[Any]) -> Figures:
    rows = [feed.whole(row) for row in feed.rows(_PUSH)]

    def work(_: int) -> None:
        for row in rows:
            admin.execute(_ONE, row)
        admin.execute("REFRESH MATERIALIZED VIEW naive_days")

    return metered(work, len(rows), backends=place.backends)()


def _goals(rows: list[Row], base: int) -> list[Goal]:
    used = {row.name: row.median("cpu_us") for row in rows}
    goals = []
    for name, what in (("ours", "new rows"), ("dirty", "with duplicates and late rows")):
        share, times = used["copy"] / used[name], used["naive"] / used[name]
        each = f"({1e6 / used[name]:,.0f} rows a second and core)"
        goals.append(Goal(f"{what}: {_GOAL_COPY} of COPY per core", f"{share:.2f} {each}", share >= _GOAL_COPY, _WHY))
        wanted = f"{what}: {_GOAL_NAIVE} times as many as row by row with a refresh, at {base:,} rows"
        goals.append(Goal(wanted, f"{times:.0f} times", times >= _GOAL_NAIVE))
    return goals


_WHY = "The statement also keeps revisions, quarters, days of four to five levels and versions, and checks each sensor"
_NOTES = (
    "Ours is the whole handler: message, tenant, statement, rollups of quarters and days, events and usage, commit.",
    "A message holds 1,500 rows of 20 sensors; late rows are 21 days old, of lines that count already then.",
)
