"""Small messages of a tenant are written in one transaction; whichever is to blame fails alone."""

import json
from typing import Any
from uuid import UUID

import pytest

from shared.measurements.repository.raw import RawRepository
from shared.measurements.service import Processor
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


def test_a_large_message_has_a_transaction_of_its_own(
    entry: QueueEntry, database: Database, two_tenants: Tenants
) -> None:
    acme = two_tenants[0]
    sensor = add_sensor(database, acme)[1]
    large = part([count(sensor, step, 1, 0) for step in range(100, 500)])
    assert len(json.dumps(large)) > 20_000
    assert failures(entry, record(acme, one(sensor, 0)), record(acme, large), record(acme, one(sensor, 1))) == set()
    assert database.read(acme, "SELECT count(DISTINCT xmin::text), count(*) FROM ingest_parts") == [(2, 3)]
