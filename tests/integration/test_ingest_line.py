"""From a queued part to raw rows, revisions and rollups, on real PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from shared.measurements.repository.batches import BatchRepository
from shared.measurements.repository.raw import RawRepository
from shared.measurements.service import Processor
from shared.sensors import rules
from shared.sensors.gateway import _kept
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.postgres import Database
from tests.asking import asked
from tests.conftest import Clone

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def sensor(database: Database, two_tenants: tuple[TenantContext, TenantContext]) -> UUID:
    return add_sensor(database, two_tenants[0])[1]


def add_sensor(database: Database, tenant: TenantContext, zone: str = "UTC") -> tuple[UUID, UUID]:
    site, sensor = uuid7(), uuid7()
    with database.transaction(tenant) as tx:
        tx.run(
            "INSERT INTO sites (tenant_id, id, name, code, time_zone, created_at, updated_at)"
            " VALUES (%s, %s, 'Main', %s, %s, now(), now())",
            (tenant.tenant, site, site.hex[:12], zone),
        )
        tx.run(
            "INSERT INTO sensors (tenant_id, id, site_id, name, serial, kind, interval_minutes, created_at, updated_at)"
            " VALUES (%s, %s, %s, 'Door', %s, 'line', 30, now(), now())",
            (tenant.tenant, sensor, site, sensor.hex),
        )
    return site, sensor


def part(
    rows: list[list[Any]], *, batch: UUID | None = None, number: int = 0, parts: int = 1, at: int = 0
) -> dict[str, Any]:
    return {
        "batch": str(batch or uuid7()),
        "received_at": (MONDAY + timedelta(days=1, seconds=at)).isoformat(),
        "rows_in_batch": len(rows),
        "duplicates": 0,
        "rejected_in_batch": 0,
        "part": number,
        "parts": parts,
        "rows": rows,
        "refused": [],
    }


def count(sensor: UUID, step: int, entries: int, exits: int) -> list[Any]:
    start = MONDAY + timedelta(minutes=30 * step)
    return [str(sensor), "", start.isoformat(), (start + timedelta(minutes=30)).isoformat(), entries, exits]


def process(database: Database, tenant: TenantContext, data: dict[str, Any]) -> None:
    Processor(database, RawRepository(uuid7), "counts", RawRepository.write_counts)(
        tenant, Message(tenant.tenant, "test", "counts", data)
    )


def footfall(database: Database, tenant: TenantContext) -> tuple[int, int, int]:
    row = database.read(tenant, "SELECT sum(entries), sum(exits), sum(minutes) FROM footfall_15m")[0]
    return row[0] or 0, row[1] or 0, row[2] or 0


def test_a_part_becomes_raw_rows_and_a_rollup(
    database: Database, two_tenants: tuple[TenantContext, TenantContext], sensor: UUID
) -> None:
    acme, _ = two_tenants
    process(database, acme, part([count(sensor, 0, 5, 2), count(sensor, 1, 7, 7)]))
    assert footfall(database, acme) == (12, 9, 60)


def test_a_part_delivered_twice_counts_once(
    database: Database, two_tenants: tuple[TenantContext, TenantContext], sensor: UUID
) -> None:
    acme, _ = two_tenants
    data = part([count(sensor, 0, 5, 2)])
    process(database, acme, data)
    process(database, acme, data)
    assert footfall(database, acme) == (5, 2, 30)


def test_a_correction_keeps_what_it_replaces_and_moves_the_rollup_by_the_difference(
    database: Database, two_tenants: tuple[TenantContext, TenantContext], sensor: UUID
) -> None:
    acme, _ = two_tenants
    first = part([count(sensor, 0, 5, 2)], at=0)
    process(database, acme, first)
    process(database, acme, part([count(sensor, 0, 9, 1)], at=10))
    assert footfall(database, acme) == (9, 1, 30)
    kept = database.read(acme, "SELECT revision, entries, exits, received_at, batch_id FROM people_count_revisions")
    assert kept == [(1, 5, 2, MONDAY + timedelta(days=1), UUID(first["batch"]))]


def test_an_older_message_that_arrives_late_changes_nothing(
    database: Database, two_tenants: tuple[TenantContext, TenantContext], sensor: UUID
) -> None:
    acme, _ = two_tenants
    process(database, acme, part([count(sensor, 0, 9, 1)], at=10))
    process(database, acme, part([count(sensor, 0, 5, 2)], at=0))
    assert footfall(database, acme) == (9, 1, 30)


def test_globex_cannot_write_into_acmes_sensor(
    database: Database, two_tenants: tuple[TenantContext, TenantContext], sensor: UUID
) -> None:
    acme, globex = two_tenants
    data = part([count(sensor, 0, 5, 2)])
    process(database, globex, data)
    assert footfall(database, acme) == (0, 0, 0)
    assert footfall(database, globex) == (0, 0, 0)
    shown = msgspec.json.decode(BatchRepository(database).show(globex, UUID(data["batch"])))
    assert (shown["stored"], shown["quarantined"], shown["state"]) == (0, 1, "done")


def test_a_day_of_23_hours_is_one_point(database: Database, two_tenants: tuple[TenantContext, TenantContext]) -> None:
    acme, _ = two_tenants
    site, sensor = add_sensor(database, acme, "Europe/Berlin")
    # 2026-03-29: Berlin's clocks go forward. 22:30Z on the 28th is 23:30 there; 21:30Z on the 29th is 23:30 there.
    rows = [
        [str(sensor), "", f"2026-03-{day}:30:00+00:00", f"2026-03-{day}:45:00+00:00", entries, 0]
        for day, entries in (("28T22", 1), ("28T23", 2), ("29T21", 4), ("29T22", 8))
    ]
    process(database, acme, {**part(rows), "received_at": "2026-03-30T00:00:00+00:00"})
    series = asked(database, acme, site, "2026-03-28", "2026-03-30", "day")
    assert [(point["start"], point["value"]) for point in series["points"]] == [
        ("2026-03-27T23:00:00Z", 1),
        ("2026-03-28T23:00:00Z", 6),
        ("2026-03-29T22:00:00Z", 8),
    ]


def test_what_is_missing_is_null_and_not_zero(
    database: Database, two_tenants: tuple[TenantContext, TenantContext]
) -> None:
    acme, _ = two_tenants
    site, sensor = add_sensor(database, acme)
    process(database, acme, part([count(sensor, 0, 0, 0)]))
    series = asked(database, acme, site, MONDAY, MONDAY + timedelta(hours=2), "hour")
    assert [(point["value"], point["coverage"]) for point in series["points"]] == [(0, 0.5), (None, 0)]


def test_parts_of_one_new_month_written_at_once_all_arrive(
    clone: Clone, database: Database, two_tenants: tuple[TenantContext, TenantContext]
) -> None:
    acme, _ = two_tenants
    _, sensor = add_sensor(database, acme)
    opened = [Database(clone.settings(), clock=utc_now) for _ in range(8)]
    start = datetime(2019, 5, 1, tzinfo=UTC)
    with ThreadPoolExecutor(8) as pool:
        rows = [
            [
                str(sensor),
                "",
                (start + timedelta(hours=n)).isoformat(),
                (start + timedelta(hours=n + 1)).isoformat(),
                1,
                0,
            ]
            for n in range(8)
        ]
        done = [pool.submit(process, each, acme, part([row])) for each, row in zip(opened, rows, strict=True)]
        for one in done:
            one.result()
    for each in opened:
        each.close()
    assert footfall(database, acme)[0] == 8


REFUSED = (
    b'{"sensor":"door\\u0000"}',
    b'{"\\u0000":1}',
    b'{"sensor":"door","\\u0000":1}',
    b'{"sensor":"\\\\u0000"}',
    b'{"sensor":' + b"[" * 900 + b"]" * 900 + b"}",
    b'{"entries":' + b"9" * 400 + b"}",
    b'{"entries":1e400}',
    b'{"entries":-1e-400}',
    b'"' + b"x" * 20_000 + b'"',
    b"null",
    '"\U0001f600\uffff"'.encode(),
)


def test_whatever_was_refused_is_kept_and_holds_nothing_up(
    database: Database, two_tenants: tuple[TenantContext, TenantContext], sensor: UUID
) -> None:
    acme, _ = two_tenants
    found = rules.read_counts_json(b'{"counts":[' + b",".join(REFUSED) + b"]}")
    refused = [_kept(one) for one in rules.refusals(found)]
    assert len(refused) == len(REFUSED)
    data = {**part([count(sensor, 0, 5, 3)]), "refused": refused, "rejected_in_batch": len(refused)}
    process(database, acme, msgspec.json.decode(msgspec.json.encode(data)))
    assert footfall(database, acme)[:2] == (5, 3)
    kept = BatchRepository(database).rejected(acme, batch=UUID(data["batch"]), after=None, limit=100)
    assert len(kept) == len(REFUSED)
    assert {msgspec.json.decode(text)["row"] for text, _ in kept} == set(range(len(REFUSED)))
