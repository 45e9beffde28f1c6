"""Counts from a queue's message to committed raw rows, revisions and rollups, beside COPY and beside what people do."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from types import ModuleType
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from bench.harness.cpu import metered
from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Figures, Row, compete
from bench.world import World, silence, wire_function, world
from tenant_context.clock import rfc3339, uuid7

_PER_MESSAGE = 1_500
"""About what the door puts into a message of 200 kB."""
_AT_ONCE = 10
"""Messages of an invocation, where there are as many: Lambda gives up to a hundred, and six megabytes."""
_SENSORS, _PER_STORE = 20, 2
_PUSH = 100
_QUARTER = timedelta(minutes=15)
_FIRST = datetime(2021, 1, 1, tzinfo=UTC)
_GOAL_COPY, _GOAL_NAIVE = 0.45, 80
_COLUMNS = (
    Column("client_us", "client µs a row", 1),
    Column("database_us", "database µs a row", 1),
    Column("cpu_us", "together µs a row", 1),
    Column("wall_us", "wall µs a row", 1),
)
_NAMES: LiteralString = """
    tenant_id, sensor_id, line, starts_at, ends_at, site_id, entries, exits, received_at, revision, batch_id"""
_TREE: LiteralString = """
    INSERT INTO sites (tenant_id, id, kind, name, code, time_zone, created_at, updated_at)
    SELECT %(tenant)s, id, kind, kind, id::text, 'Europe/Berlin', now(), now()
    FROM unnest(%(ids)s::uuid[], %(kinds)s::text[]) t (id, kind)"""
_PLACED: LiteralString = """
    INSERT INTO site_tree (tenant_id, site_id, kind, parent_id, parent_kind, since)
    VALUES (%s, %s, %s, %s, %s, now())"""
_SENSOR: LiteralString = """
    INSERT INTO sensors (tenant_id, id, site_id, name, serial, kind, interval_minutes, created_at, updated_at)
    VALUES (%s, %s, %s, 'Door', %s, 'line', 15, now(), now())"""
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


@dataclass
class Feed:
    """Counts of a chain's sensors, each time of a time that was not there before."""

    tenant: UUID
    stores: Sequence[UUID]
    sensors: Sequence[UUID]
    step: int = 0
    told: list[list[list[Any]]] = field(default_factory=list)
    random: Random = field(default_factory=lambda: Random(5))

    def rows(self, number: int) -> list[list[Any]]:
        """So many new counts, in the queue's form."""
        found = []
        for _ in range(number // len(self.sensors)):
            start = _FIRST + self.step * _QUARTER
            self.step += 1
            times = (rfc3339(start), rfc3339(start + _QUARTER))
            found += [[str(one), "", *times, self.random.randrange(90), 7] for one in self.sensors]
        return found

    def event(self, parts: Sequence[Sequence[list[Any]]]) -> dict[str, Any]:
        """Messages of the queue with counts, as one invocation gets them."""
        return {"Records": [self.record(rows) for rows in parts]}

    def record(self, rows: Sequence[list[Any]]) -> dict[str, Any]:
        """A message of the queue with counts."""
        data = {
            "batch": str(uuid7()),
            "received_at": datetime.now(UTC).isoformat(),
            "rows_in_batch": len(rows),
            "duplicates": 0,
            "rejected_in_batch": 0,
            "part": 0,
            "parts": 1,
            "refused": [],
            "rows": rows,
        }
        body = {"tenant": str(self.tenant), "id": "bench", "kind": "counts", "data": data}
        return {
            "messageId": str(uuid7()),
            "body": json.dumps(body),
            "attributes": {"ApproximateReceiveCount": "1", "MessageGroupId": str(self.tenant)},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:rmap-local-counts",
        }

    def whole(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """A count as the table has it."""
        store = self.stores[self.sensors.index(UUID(row[0])) // _PER_STORE]
        now = datetime.now(UTC)
        return (self.tenant, row[0], row[1], row[2], row[3], store, row[4], row[5], now, 1, self.tenant)


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds, messages, base = (3, 10, 100_000) if quick else (9, 20, 1_000_000)
    with world(campaigns=1) as place, silence():
        tell("a chain of stores")
        feed = _chain(place, base)
        rows = _compete(place, feed, rounds, messages, tell)
    return Result("processor", __doc__ or "", rounds, _COLUMNS, rows, _goals(rows, base), _NOTES)


def _chain(place: World, base: int) -> Feed:
    stores = [uuid7() for _ in range(_SENSORS // _PER_STORE)]
    sensors = [uuid7() for _ in range(_SENSORS)]
    region, district = uuid7(), uuid7()
    with place.database() as admin:
        ids, kinds = [region, district, *stores], ["region", "district", *["site"] * len(stores)]
        admin.execute("UPDATE tenants SET plan = 'enterprise'")
        admin.execute(_TREE, {"tenant": place.tenant, "ids": ids, "kinds": kinds})
        admin.execute(_PLACED, (place.tenant, district, "district", region, "region"))
        for store in stores:
            admin.execute(_PLACED, (place.tenant, store, "site", district, "district"))
        for number, sensor in enumerate(sensors):
            admin.execute(_SENSOR, (place.tenant, sensor, stores[number // _PER_STORE], f"S{number}"))
        for year in (2001, 2002, 2003, 2021, 2022, 2023):
            for month in range(1, 13):
                admin.execute("SELECT app.ensure_month('people_counts', %s)", (datetime(year, month, 2, tzinfo=UTC),))
        admin.execute(_BASE, {"tenant": place.tenant, "sensors": sensors, "rows": base})
        admin.execute(_NAIVE)
        admin.execute("VACUUM ANALYZE")
    return Feed(place.tenant, stores, sensors)


def _compete(place: World, feed: Feed, rounds: int, messages: int, tell: Callable[[str], None]) -> list[Row]:
    processor = wire_function("sensors_processor", place.environment())
    number = messages * _PER_MESSAGE
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
    parts = ["".join("\t".join(map(str, feed.whole(row))) + "\n" for row in feed.rows(_PER_MESSAGE)).encode()
             for _ in range(messages)]  # fmt: skip

    def work(_: int) -> None:
        for part in parts:
            with admin.cursor() as cursor, cursor.copy(f"COPY people_counts ({_NAMES}) FROM STDIN") as copy:
                copy.write(part)

    return metered(work, messages * _PER_MESSAGE, backends=place.backends)()


def _ours(place: World, feed: Feed, processor: ModuleType, messages: int, at_once: int, *, dirty: bool) -> Figures:
    parts = [feed.rows(_PER_MESSAGE) for _ in range(messages)]
    if dirty:
        few = _PER_MESSAGE // 20
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

    return metered(work, messages * _PER_MESSAGE, backends=place.backends)()


def _late(row: Sequence[Any]) -> list[Any]:
    start = datetime.fromisoformat(row[2]) - timedelta(days=21)
    return [row[0], "late", rfc3339(start), rfc3339(start + _QUARTER), *row[4:]]


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
