"""How far the estimate of storage is from what PostgreSQL takes, with rows as tests and demo push them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

import pytest

from shared.measurements.repository.raw import RawRepository
from shared.plans.rules import ROW_BYTES
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction
from tests.conftest import Clone

MORNING = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
FACTOR = 1.5
"""How far off the estimate may be, either way."""
SENSORS, DAYS, RECEIPTS, LINES = 10, 21, 250, 4
TABLES = {
    "counts": ("people_counts", "people_count_revisions", "footfall_15m"),
    "transactions": ("transactions", "transaction_revisions", "sales_15m"),
}
_SIZE: LiteralString = """
    SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
    LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
    WHERE c.relkind = 'r' AND (c.relname = ANY (%s::text[]) OR i.inhparent::regclass::text = ANY (%s::text[]))"""


def site_with_sensors(tx: Transaction) -> tuple[UUID, list[UUID]]:
    site, tenant = uuid7(), tx.tenant.tenant
    tx.run(
        "INSERT INTO sites (tenant_id, id, name, code, time_zone, created_at, updated_at)"
        " VALUES (%s, %s, 'Main', 'main', 'UTC', %s, %s)",
        (tenant, site, tx.now, tx.now),
    )
    sensors = [uuid7() for _ in range(SENSORS)]
    for sensor in sensors:
        tx.run(
            "INSERT INTO sensors (tenant_id, id, site_id, name, serial, kind, interval_minutes, created_at, updated_at)"
            " VALUES (%s, %s, %s, 'Door', %s, 'line', 15, %s, %s)",
            (tenant, sensor, site, sensor.hex, tx.now, tx.now),
        )
    return site, sensors


def a_day_of_counts(sensors: list[UUID], day: datetime) -> list[list[Any]]:
    """Of sensors that say every quarter of an hour who came and went."""
    starts = [day + timedelta(minutes=15 * number) for number in range(96)]
    return [
        [str(sensor), "", start.isoformat(), (start + timedelta(minutes=15)).isoformat(), 12, 11]
        for start in starts
        for sensor in sensors
    ]


def a_day_of_receipts(site: UUID, day: datetime) -> list[list[Any]]:
    """Of a till that sells four things at a time."""
    lines = [[f"8541{number}A", "2", "3.75"] for number in range(LINES)]
    times = [day + timedelta(minutes=5 * number) for number in range(RECEIPTS)]
    return [[str(site), f"5{at:%m%d%H%M}", at.isoformat(), "GBP", "30.00", None, lines] for at in times]


def size(clone: Clone, kind: str) -> int:
    with clone.connect() as admin:
        names = list(TABLES[kind])
        row = admin.execute(_SIZE, (names, names)).fetchone()
    assert row is not None
    return int(str(row[0]))


@pytest.mark.parametrize("kind", ROW_BYTES)
def test_the_estimate_is_near_what_postgresql_takes(
    clone: Clone, database: Database, two_tenants: tuple[TenantContext, TenantContext], kind: str
) -> None:
    acme, _ = two_tenants
    raw = RawRepository(uuid7)
    with database.transaction(acme) as tx:
        site, sensors = site_with_sensors(tx)
    before, stored = size(clone, kind), 0
    for number in range(DAYS):
        day = MORNING + timedelta(days=number)
        rows = a_day_of_counts(sensors, day) if kind == "counts" else a_day_of_receipts(site, day)
        data = {"batch": str(uuid7()), "received_at": day.isoformat(), "part": 0, "parts": 1, "rows": rows}
        data = json.loads(json.dumps({**data, "rows_in_batch": len(rows), "rejected_in_batch": 0, "duplicates": 0}))
        with database.transaction(acme) as tx:
            raw.begin(tx, kind, data)
            write = raw.write_counts if kind == "counts" else raw.write_transactions
            outcome, _lost = write(tx, data)
            raw.end_each(tx, [(data, outcome)])
        stored += outcome.stored
    assert stored == DAYS * (SENSORS * 96 if kind == "counts" else RECEIPTS)
    each = (size(clone, kind) - before) / stored
    assert each / FACTOR <= ROW_BYTES[kind] <= each * FACTOR
