"""Small messages of a tenant are written in one transaction; whichever is to blame fails alone."""

import json
import random
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from psycopg.types.json import Jsonb

from shared.measurements.repository.raw import RawRepository
from shared.measurements.service import Processor
from shared.sites.model import Calibration, Setup
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.entry.queue import MOST_TOGETHER, Message, QueueEntry
from tenant_context.observability import Observability
from tenant_context.postgres import Database
from tenant_context.states import Need
from tests.integration.test_ingest_line import MONDAY, add_sensor, count, footfall, part

Tenants = tuple[TenantContext, TenantContext]


@pytest.fixture
def entry(database: Database) -> QueueEntry:
    processor = Processor(database, RawRepository(uuid7), "counts", RawRepository.write_counts)
    return QueueEntry(
        processor, observability=Observability("processor"), need=Need.PROCESS, together=processor.together
    )


def record(tenant: TenantContext, data: dict[str, Any], receives: int = 1) -> dict[str, Any]:
    body = Message(tenant.tenant, f"request-{data.get('batch')}", "counts", data).encode().decode()
    return {"messageId": str(uuid7()), "body": body, "attributes": {"ApproximateReceiveCount": str(receives)}}


def one(sensor: UUID, step: int, entries: int = 1) -> dict[str, Any]:
    return part([count(sensor, step, entries, 0)])


def failures(entry: QueueEntry, *records: dict[str, Any]) -> set[str]:
    return {failed["itemIdentifier"] for failed in entry({"Records": list(records)}, None)["batchItemFailures"]}


def test_small_messages_of_a_tenant_share_a_transaction(
    entry: QueueEntry, database: Database, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    ours, theirs = add_sensor(database, acme)[1], add_sensor(database, globex)[1]
    mixed = [record(*each) for step in range(12) for each in ((acme, one(ours, step)), (globex, one(theirs, step, 2)))]
    assert failures(entry, *mixed) == set()
    assert (footfall(database, acme)[0], footfall(database, globex)[0]) == (12, 24)
    for tenant in two_tenants:
        seen = database.read(tenant, "SELECT count(DISTINCT xmin::text), count(*), sum(stored) FROM ingest_parts")
        assert tuple(seen[0]) == (1, 12, 12)
    told = database.read(acme, "SELECT count(DISTINCT request_id) FROM audit_log WHERE action = 'batch.processed'")
    assert told == [(12,)]  # each is told as the request that it came from


def test_a_poison_message_fails_alone(entry: QueueEntry, database: Database, two_tenants: Tenants) -> None:
    acme = two_tenants[0]
    sensor = add_sensor(database, acme)[1]
    poison = [
        record(acme, {**one(sensor, 0), "rows": [["no uuid", "", "x", "y", 1, 1]]}),
        record(acme, {**one(sensor, 0), "received_at": "never"}),
        record(acme, {"batch": "none"}),
        {"messageId": "unreadable", "body": "{", "attributes": {}},
        record(acme, part([[str(sensor), "", MONDAY.isoformat(), MONDAY.isoformat(), 2**40, 0]])),
    ]
    good = [record(acme, one(sensor, step)) for step in range(10)]
    assert failures(entry, *good[:5], *poison, *good[5:]) == {one["messageId"] for one in poison}
    assert footfall(database, acme)[0] == 10
    assert database.read(acme, "SELECT count(*), sum(stored) FROM ingest_parts") == [(10, 10)]


def test_what_failed_before_takes_nobody_with_it(entry: QueueEntry, database: Database, two_tenants: Tenants) -> None:
    acme = two_tenants[0]
    sensor = add_sensor(database, acme)[1]
    poison = record(acme, {**one(sensor, 0), "received_at": "never"}, receives=2)
    assert failures(entry, *(record(acme, one(sensor, step)) for step in range(4)), poison) == {poison["messageId"]}
    assert database.read(acme, "SELECT count(DISTINCT xmin::text), count(*) FROM ingest_parts") == [(1, 4)]


def test_a_message_that_comes_twice_counts_once_together_or_alone(
    entry: QueueEntry, database: Database, two_tenants: Tenants
) -> None:
    acme = two_tenants[0]
    sensor = add_sensor(database, acme)[1]
    same, other = one(sensor, 0), one(sensor, 1)
    assert failures(entry, record(acme, same), record(acme, same), record(acme, other)) == set()
    assert failures(entry, record(acme, same, receives=2), record(acme, other)) == set()
    assert (footfall(database, acme)[0], database.read(acme, "SELECT count(*) FROM ingest_parts")) == (2, [(2,)])


def test_corrections_of_one_interval_within_a_batch_end_with_the_newest(
    entry: QueueEntry, database: Database, two_tenants: Tenants
) -> None:
    acme = two_tenants[0]
    sensor = add_sensor(database, acme)[1]
    said = [part([count(sensor, 0, entries, 0)], at=at) for at, entries in ((3, 30), (1, 10), (2, 20))]
    assert failures(entry, *(record(acme, data) for data in said)) == set()
    assert footfall(database, acme)[0] == 30


def test_a_backlog_is_written_by_groups(entry: QueueEntry, database: Database, two_tenants: Tenants) -> None:
    acme = two_tenants[0]
    sensor = add_sensor(database, acme)[1]
    assert failures(entry, *(record(acme, one(sensor, step)) for step in range(MOST_TOGETHER + 30))) == set()
    seen = database.read(acme, "SELECT count(DISTINCT xmin::text), count(*) FROM ingest_parts")
    assert seen == [(2, MOST_TOGETHER + 30)]


def test_messages_share_a_transaction_up_to_a_size(entry: QueueEntry, database: Database, two_tenants: Tenants) -> None:
    acme = two_tenants[0]
    sensor = add_sensor(database, acme)[1]
    large = [part([count(sensor, step, 1, 0) for step in range(first, first + 400)]) for first in range(0, 12_000, 400)]
    assert 1_000_000 < sum(len(json.dumps(each)) for each in large) < 2_000_000
    assert failures(entry, *(record(acme, each) for each in large)) == set()
    assert database.read(acme, "SELECT count(DISTINCT xmin::text), count(*) FROM ingest_parts") == [(2, 30)]
    assert footfall(database, acme)[0] == 12_000


def test_parts_that_one_statement_writes_are_told_apart(
    entry: QueueEntry, database: Database, two_tenants: Tenants
) -> None:
    acme = two_tenants[0]
    sensor, other = add_sensor(database, acme)[1], add_sensor(database, acme)[1]
    entry({"Records": [record(acme, part([count(sensor, 0, 1, 0), count(sensor, 1, 1, 0)]))]}, None)
    doubled = Calibration(MONDAY + timedelta(hours=1), Decimal(2))
    with database.transaction(acme) as tx:
        said = Jsonb(msgspec.to_builtins(Setup(calibrations=[doubled])))
        tx.run("UPDATE sensors SET setup = %s WHERE id = %s", (said, other))
    nobody = uuid7()
    parts = [
        part([count(sensor, 0, 1, 0), count(sensor, 1, 5, 0), count(sensor, 2, 1, 0)], at=1),  # as it was, revised, new
        part([count(nobody, 0, 9, 0), count(other, 0, 2, 0), count(nobody, 1, 9, 0)], at=2),
        part([count(other, 1, 3, 0)], at=3),
        part([[*count(other, 2, 8, 0), 4, 0]], at=4),  # calibrated
        part([[str(sensor), "", MONDAY.isoformat(), 0, 0]], at=5),  # a counter's standing
    ]
    records = [record(acme, data) for data in parts]
    assert failures(entry, *records) == set()
    query = "SELECT stored, unchanged, revised, quarantined FROM ingest_parts WHERE batch_id = %s"
    told = [database.read(acme, query, (UUID(data["batch"]),)) for data in parts]
    assert told == [[(1, 1, 1, 0)], [(1, 0, 0, 2)], [(1, 0, 0, 0)], [(1, 0, 0, 0)], [(1, 0, 0, 0)]]
    kept = database.read(
        acme,
        "SELECT batch_id, entries, raw_entries, received_at FROM people_counts WHERE sensor_id = %s ORDER BY starts_at",
        (other,),
    )
    assert [row[0] for row in kept] == [UUID(data["batch"]) for data in parts[1:4]]
    assert [(row[1], row[2]) for row in kept] == [(2, None), (3, None), (8, 4)]
    assert [row[3].isoformat() for row in kept] == [data["received_at"] for data in parts[1:4]]
    refused = database.read(
        acme, "SELECT row, code FROM rejected_rows WHERE batch_id = %s ORDER BY row", (UUID(parts[1]["batch"]),)
    )
    assert refused == [(0, "vanished"), (2, "vanished")]
    assert footfall(database, acme)[0] == 1 + 5 + 1 + 2 + 3 + 8


@pytest.mark.parametrize("seed", range(4))
def test_together_or_alone_the_same_is_counted(
    entry: QueueEntry, database: Database, two_tenants: Tenants, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311  a test's own dice
    sensors = {tenant.tenant: [add_sensor(database, tenant)[1] for _ in range(3)] for tenant in two_tenants}
    said = [
        [(chance.randrange(3), chance.randrange(8), chance.randrange(1, 50)) for _ in range(chance.randrange(1, 4))]
        for _ in range(60)
    ]
    for tenant, receives in zip(two_tenants, (1, 2), strict=True):
        messages = []
        for at, rows in enumerate(said):
            unique = {(which, step): people for which, step, people in rows}
            counts = [count(sensors[tenant.tenant][which], step, people, 0) for (which, step), people in unique.items()]
            messages.append(record(tenant, part(counts, at=at), receives))
        dice = random.Random(seed + 9)  # noqa: S311
        dice.shuffle(messages)
        messages += dice.sample(messages, 10)
        while messages:
            assert failures(entry, *messages[:20]) == set()
            messages = messages[20:]
    acme, globex = (footfall(database, tenant) for tenant in two_tenants)
    assert acme == globex
    newest = {(which, step): people for rows in said for which, step, people in rows}
    assert acme[0] == sum(newest.values())
