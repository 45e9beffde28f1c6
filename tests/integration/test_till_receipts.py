"""Receipts of tills behind the queue: corrected, repeated and pushed at once, on real PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import timedelta
from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID

import pytest

from shared.measurements.repository.raw import RawRepository
from shared.measurements.service import Processor
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.postgres import Database
from tests.conftest import Clone
from tests.integration.test_ingest_line import MONDAY, add_sensor, part

Tenants = tuple[TenantContext, TenantContext]
ARRIVED = MONDAY + timedelta(days=1)
_KEPT: LiteralString = """
    SELECT id, at, revision, currency, total, units, cancels, lines, received_at, batch_id
    FROM transaction_revisions ORDER BY revision"""
_NOW: LiteralString = "SELECT id, at, revision, currency, total, units, batch_id FROM transactions ORDER BY at"
_SOLD: LiteralString = """
    SELECT currency, sum(transactions)::integer, sum(cancellations)::integer, sum(units), sum(revenue)
    FROM sales_15m GROUP BY 1 HAVING sum(transactions + cancellations) > 0 ORDER BY 1"""
_SOLD_DAYS: LiteralString = """
    SELECT currency, sum(transactions)::integer, sum(cancellations)::integer, sum(units), sum(revenue)
    FROM sales_day WHERE place_id = %s GROUP BY 1 HAVING sum(transactions + cancellations) > 0 ORDER BY 1"""


@pytest.fixture
def acme(two_tenants: Tenants) -> TenantContext:
    return two_tenants[0]


@pytest.fixture
def store(database: Database, acme: TenantContext) -> UUID:
    return add_sensor(database, acme)[0]


def receipt(
    store: UUID, total: str, pieces: int = 1, currency: str = "EUR", number: int = 1, late: int = 0
) -> list[Any]:
    """One of some pieces of tea, so many minutes after nine."""
    at = MONDAY + timedelta(minutes=late)
    price = str(Decimal(total) / pieces)
    return [str(store), f"r{number}", at.isoformat(), currency, total, None, [["tea", str(pieces), price]]]


def process(database: Database, tenant: TenantContext, data: dict[str, Any]) -> UUID:
    """A message of the queue; answers its batch."""
    Processor(database, RawRepository(uuid7), "transactions", RawRepository.write_transactions)(
        tenant, Message(tenant.tenant, "test", "transactions", data)
    )
    return UUID(data["batch"])


def test_a_corrected_receipt_keeps_what_it_said_before_with_when_and_by_which_batch(
    database: Database, acme: TenantContext, store: UUID
) -> None:
    first = process(database, acme, part([receipt(store, "6.00", 2)], at=0))
    second = process(database, acme, part([receipt(store, "9.00", 3)], at=10))
    third = process(database, acme, part([receipt(store, "9.00", 3, "USD")], at=20))
    said = ("r1", MONDAY)
    assert database.read(acme, _KEPT) == [
        (*said, 1, "EUR", 6, 2, None, [["tea", "2", "3.00"]], ARRIVED, first),
        (*said, 2, "EUR", 9, 3, None, [["tea", "3", "3.00"]], ARRIVED + timedelta(seconds=10), second),
    ]
    assert database.read(acme, _NOW) == [(*said, 3, "USD", 9, 3, third)]
    for sold in (database.read(acme, _SOLD), database.read(acme, _SOLD_DAYS, (store,))):
        assert sold == [("USD", 1, 0, 3, 9)]


def test_a_receipt_that_says_nothing_new_or_comes_late_is_no_revision(
    database: Database, acme: TenantContext, store: UUID
) -> None:
    latest = process(database, acme, part([receipt(store, "9.00", 3)], at=10))
    process(database, acme, part([receipt(store, "6.00", 2)], at=0))
    process(database, acme, part([receipt(store, "9.00", 3)], at=20))
    assert database.read(acme, _KEPT) == []
    assert database.read(acme, _NOW) == [("r1", MONDAY, 1, "EUR", 9, 3, latest)]


def test_another_time_is_another_receipt_until_the_first_is_cancelled(
    database: Database, acme: TenantContext, store: UUID
) -> None:
    process(database, acme, part([receipt(store, "6.00", 2)], at=0))
    process(database, acme, part([receipt(store, "6.00", 2, late=7)], at=10))
    assert database.read(acme, _KEPT) == []
    assert database.read(acme, _SOLD) == [("EUR", 2, 0, 4, 12)]
    # As README and the guide say: what takes the wrong one back stands at its time.
    cancels = [str(store), "r1-void", MONDAY.isoformat(), "EUR", "-6.00", "r1", [["tea", "-2", "3"]]]
    process(database, acme, part([cancels], at=20))
    assert database.read(acme, _SOLD) == [("EUR", 2, 1, 2, 6)]


def test_the_same_receipts_pushed_many_times_at_once_are_sold_once(
    clone: Clone, database: Database, acme: TenantContext, store: UUID
) -> None:
    rows = [receipt(store, "6.00", 2), receipt(store, "1.50", number=2), receipt(store, "4.00", number=3, late=40)]
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(Database(clone.settings(), clock=utc_now))) for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:

            def push(who: int) -> None:
                for at in range(6):
                    turned = rows[who % 3 :] + rows[: who % 3]  # in another order, by a batch of its own
                    process(opened[who], acme, part(turned, at=at))

            for one in [pool.submit(push, who) for who in range(8)]:
                one.result()
    for sold in (database.read(acme, _SOLD), database.read(acme, _SOLD_DAYS, (store,))):
        assert sold == [("EUR", 3, 0, 4, Decimal("11.50"))]
    assert database.read(acme, "SELECT count(*) FROM transactions") == [(3,)]
    assert database.read(acme, "SELECT sum(stored), sum(revised), count(*) FROM ingest_parts") == [(3, 0, 48)]


def test_corrections_that_come_at_once_end_with_the_newest(
    clone: Clone, database: Database, acme: TenantContext, store: UUID
) -> None:
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(Database(clone.settings(), clock=utc_now))) for _ in range(6)]
        with ThreadPoolExecutor(6) as pool:
            told = [part([receipt(store, f"{at + 1}.00")], at=at) for at in range(6)]
            for one in [pool.submit(process, each, acme, data) for each, data in zip(opened, told[::-1], strict=True)]:
                one.result()
    assert database.read(acme, _SOLD) == [("EUR", 1, 0, 1, 6)]
    [(_, _, revision, *_)] = database.read(acme, _NOW)
    assert [row[2] for row in database.read(acme, _KEPT)] == list(range(1, revision))
