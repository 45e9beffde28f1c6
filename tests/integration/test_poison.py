"""A row that cannot be written is kept among the refused, and the rest of its part is written."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from psycopg import sql

from shared.measurements.repository.batches import BatchRepository
from shared.measurements.repository.raw import RawRepository
from shared.measurements.service import Processor, Quarantine
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.errors import Unavailable
from tenant_context.postgres import Database
from tenant_context.wire import PageQuery, page
from tests.integration.test_ingest_line import MONDAY, add_sensor, count, footfall, part

Tenants = tuple[TenantContext, TenantContext]


def process(database: Database, tenant: TenantContext, data: dict[str, Any], kind: str = "counts") -> None:
    write = RawRepository.write_counts if kind == "counts" else RawRepository.write_transactions
    Quarantine(Processor(database, RawRepository(uuid7), kind, write))(
        tenant, Message(tenant.tenant, "test", kind, data)
    )


def refused(database: Database, tenant: TenantContext, data: dict[str, Any]) -> list[tuple[int, str]]:
    kept = BatchRepository(database).rejected(tenant, batch=UUID(data["batch"]), after=None, limit=5_000)
    told = [msgspec.json.decode(text) for text, _ in kept]
    return sorted((one["row"], one["code"]) for one in told)


def poison(sensor: UUID) -> dict[str, list[Any]]:
    start = (MONDAY + timedelta(days=1)).isoformat()
    end = (MONDAY + timedelta(days=1, minutes=15)).isoformat()
    return {
        "more people than a number holds": [str(sensor), "", start, end, 2**40, 0],
        "less than nobody": [str(sensor), "", start, end, -1, 0],
        "no sensor's id": ["door", "", start, end, 1, 0],
        "no moment": [str(sensor), "", "yesterday", end, 1, 0],
        "a month that no partition is of": [str(sensor), "", "1969-01-01T00:00:00Z", end, 1, 0],
        "a value too few": [str(sensor), "", start, end],
        "an end before its beginning, and a line with quotes": [str(sensor), '"}{\\', start, end, 1, 2**31],
    }


@pytest.mark.parametrize("what", list(poison(UUID(int=1))))
def test_the_rest_is_written(database: Database, two_tenants: Tenants, what: str) -> None:
    acme, _ = two_tenants
    _, sensor = add_sensor(database, acme)
    data = part([count(sensor, 0, 5, 2), poison(sensor)[what], *(count(sensor, step, 1, 1) for step in range(1, 9))])
    process(database, acme, data)
    assert footfall(database, acme) == (13, 10, 270)
    assert refused(database, acme, data) == [(1, "poison")]
    shown = msgspec.json.decode(BatchRepository(database).show(acme, UUID(data["batch"])))
    assert (shown["stored"], shown["quarantined"], shown["state"]) == (9, 1, "done")
    process(database, acme, data)  # delivered again
    assert footfall(database, acme) == (13, 10, 270)
    assert len(refused(database, acme, data)) == 1


def test_of_two_rows_that_say_the_same_time_the_later_counts(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    _, sensor = add_sensor(database, acme)
    data = part([count(sensor, 0, 5, 2), count(sensor, 1, 1, 1), count(sensor, 0, 7, 3)])
    process(database, acme, data)
    assert footfall(database, acme)[:2] == (8, 4)
    assert refused(database, acme, data) == [(0, "poison")]


def test_a_receipt_that_cannot_be_written_holds_no_other_up(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    site, _ = add_sensor(database, acme)
    good = [str(site), "1", MONDAY.isoformat(), "EUR", "10.00", None, [["sku", 1, "10.00"]]]
    data = part([good, [str(site), "2", MONDAY.isoformat(), "euros", "10.00", None, []]])
    process(database, acme, data, "transactions")
    assert refused(database, acme, data) == [(1, "poison")]
    assert database.read(acme, "SELECT id FROM transactions") == [("1",)]


def test_what_is_no_row_s_fault_is_tried_again(
    database: Database, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    _, sensor = add_sensor(database, acme)

    def away(*_: object) -> None:
        raise psycopg.errors.SerializationFailure("try again")

    monkeypatch.setattr(RawRepository, "end_each", away)
    data = part([count(sensor, 0, 5, 2)])
    with pytest.raises(Unavailable):
        process(database, acme, data)
    monkeypatch.undo()
    process(database, acme, data)
    assert footfall(database, acme) == (5, 2, 30)


@pytest.mark.parametrize("size", [30_000, 2_000_000])
def test_pages_of_refused_rows_end_where_an_answer_has_no_room(
    database: Database, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("shared.measurements.repository.batches.MOST_BYTES", 100_000)
    monkeypatch.setattr("tenant_context.pages.MOST_BYTES", 100_000)
    acme, _ = two_tenants
    large = {"row": 0, "field": "", "code": "invalid", "message": "is none", "content": {"é" * 10: "é" * (size // 2)}}
    process(database, acme, {**part([]), "refused": [{**large, "row": row} for row in range(7)]})
    seen, after, pages = list[int](), None, 0
    while True:
        rows = BatchRepository(database).rejected(acme, batch=None, after=after, limit=51)
        assert sum(len(text.encode()) for text, _ in rows) < 100_000 + 2 * (size + 1_000)
        shown = msgspec.json.decode(page(rows, 50))
        seen += [one["row"] for one in shown["items"]]
        pages += 1
        if shown["next_cursor"] is None:
            break
        after = PageQuery(cursor=shown["next_cursor"]).after()
    assert seen == list(reversed(range(7)))
    assert pages == (3 if size < 100_000 else 7)


def sales(site: UUID, bad: Sequence[object], number: int = 2_000) -> list[list[Any]]:
    """Receipts, every second of which only PostgreSQL refuses."""
    return [
        [str(site), str(n), MONDAY.isoformat(), "EUR", "1", None,
         [["sku", bad[n % len(bad)] if n % 2 else "1", "1"]]]
        for n in range(number)
    ]  # fmt: skip


def told(database: Database, tenant: TenantContext, data: dict[str, Any]) -> tuple[int, int, str]:
    shown = msgspec.json.decode(BatchRepository(database).show(tenant, UUID(data["batch"])))
    return shown["stored"], shown["quarantined"], shown["state"]


def test_thousands_of_bad_rows_cost_no_more_statements_than_one(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    site, sensor = add_sensor(database, acme)
    start, end = (MONDAY + timedelta(days=1, minutes=minute) for minute in (0, 15))
    counts = [count(sensor, n, 1, 0) for n in range(1_000)]
    wrong = [[str(sensor), f"{n}", start.isoformat(), end.isoformat(), 2**31 + n, 0] for n in range(1_000)]
    for kind, rows in (("transactions", sales(site, ["0E-99999", "1e13", "many"])), ("counts", [*counts, *wrong])):
        data, before = part(rows), database.statements
        process(database, acme, data, kind)
        assert database.statements - before < 30
        assert told(database, acme, data) == (1_000, 1_000, "done")
        assert {code for _, code in refused(database, acme, data)} == {"poison"}
        again = database.statements
        process(database, acme, data, kind)
        assert database.statements - again < 5
        assert told(database, acme, data) == (1_000, 1_000, "done")
    assert footfall(database, acme)[0] == 1_000
    assert tuple(database.read(acme, "SELECT sum(transactions), sum(units) FROM sales_15m")[0]) == (1_000, 1_000)


def test_what_nobody_knows_to_be_wrong_is_looked_for_so_often_at_most(
    database: Database, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    site, _ = add_sensor(database, acme)
    monkeypatch.setattr(RawRepository, "unwritable", lambda *_: [])
    good = sales(site, ["1"], 1_200)
    data = part([*good[:1_000], *sales(site, ["0E-99999"], 1_300)[1_200:], *good[1_000:]])
    data["rows"] = [[*row[:1], f"{n}", *row[2:]] for n, row in enumerate(data["rows"])]
    before = database.statements
    process(database, acme, data, "transactions")
    assert database.statements - before < 700
    stored, quarantined, state = told(database, acme, data)
    assert (stored + quarantined, state) == (1_300, "done")
    assert 1_000 < stored <= 1_250
    process(database, acme, data, "transactions")
    assert told(database, acme, data) == (stored, quarantined, state)


def test_the_search_ends_with_its_time(
    database: Database, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    site, _ = add_sensor(database, acme)
    monkeypatch.setattr(RawRepository, "unwritable", lambda *_: [])
    monkeypatch.setattr("shared.measurements.service.processing._SECONDS", 0)
    data = part(sales(site, ["0E-99999"], 100))
    before = database.statements
    with pytest.raises(psycopg.DataError):  # nothing was found that can be written: it comes again
        process(database, acme, data, "transactions")
    assert database.statements - before < 20
    assert database.read(acme, "SELECT count(*) FROM rejected_rows") == [(0,)]


def test_one_row_among_thousands_that_nobody_knows_to_be_wrong_is_found(
    database: Database, two_tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, _ = two_tenants
    site, _ = add_sensor(database, acme)
    monkeypatch.setattr(RawRepository, "unwritable", lambda *_: [])
    rows = sales(site, ["1"])
    rows[700][-1] = rows[1_500][-1] = [["sku", "0E-99999", "1"]]
    data = part(rows)
    process(database, acme, data, "transactions")
    assert told(database, acme, data) == (1_998, 2, "done")
    assert [row for row, _ in refused(database, acme, data)] == [700, 1_500]


def test_what_was_corrected_without_end_is_corrected_once_more(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    site, sensor = add_sensor(database, acme)
    sale: list[Any] = [str(site), "1", MONDAY.isoformat(), "EUR", "999999999", None, []]
    process(database, acme, part([count(sensor, 0, 5, 2), [str(sensor), "7", MONDAY.isoformat(), 3, 1]]))
    process(database, acme, part([sale]), "transactions")
    with database.transaction(acme) as tx:
        for table in ("people_counts", "counter_readings", "transactions"):
            tx.run(sql.SQL("UPDATE {} SET revision = 32767").format(sql.Identifier(table)))
        tx.run("UPDATE sales_15m SET revenue = 99999999999999, units = 999999999999999")
        tx.run("UPDATE sales_day SET revenue = 99999999999999, units = 999999999999999")
    counts = part([count(sensor, 0, 7, 2), [str(sensor), "7", MONDAY.isoformat(), 4, 1]], at=1)
    process(database, acme, counts)
    process(database, acme, part([[*sale[:4], "9", *sale[5:]]], at=1), "transactions")
    more = part([[*sale[:1], f"more{n}", *sale[2:6], [["a", "1000000000", "1"]]] for n in range(9)], at=2)
    process(database, acme, more, "transactions")
    assert (told(database, acme, counts)[1], told(database, acme, more)) == (0, (9, 0, "done"))
    for table in ("people_counts", "counter_readings", "transactions"):
        query = sql.SQL("SELECT max(revision) FROM {}").format(sql.Identifier(table)).as_string()
        with database.transaction(acme) as tx:
            assert tx.one(query) == (32768,)
