"""What was used is written down once, and its sums are the sums of what was written."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.usage.errors import RangeTooLong
from shared.usage.model import Calls, Delivered, Meter
from shared.usage.repository import UsageRepository
from shared.usage.service.ledger import Ledger
from shared.usage.service.reading import UsageReader
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction
from tests.clocks import Moment

Tenants = tuple[TenantContext, TenantContext]
AT = datetime(2026, 3, 2, 9, 10, tzinfo=UTC)
ledger = Ledger()


class Undone(Exception):
    """Ends a transaction that is not to be kept."""


@contextmanager
def undone(database: Database, tenant: TenantContext) -> Iterator[Transaction]:
    """A transaction that leaves nothing behind."""
    with suppress(Undone), database.transaction(tenant) as tx:
        yield tx
        raise Undone


def called(database: Database, tenant: TenantContext, *calls: Calls) -> None:
    for one in calls:
        with database.transaction(tenant) as tx:
            ledger.called(tx, one)


def month(database: Database, tenant: TenantContext, month: str = "2026-03") -> dict[str, Any]:
    shown = UsageReader(database, UsageRepository(), Moment(datetime.now(UTC))).month(tenant, month)
    return {meter["meter"]: meter["quantity"] for meter in shown["meters"]}


def test_a_flush_that_is_delivered_three_times_counts_once(database: Database, two_tenants: Tenants) -> None:
    acme, globex = two_tenants
    flush = Calls(str(uuid7()), AT, 42, ["ada", "bob"])
    called(database, acme, flush, flush, flush)
    assert month(database, acme)["api_calls"] == 42
    assert month(database, acme)["active_users"] == 2
    assert set(month(database, globex).values()) == {0}


def test_a_user_is_active_once_a_month_whatever_sandbox_saw_them(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    called(database, acme, Calls("1", AT, 1, ["ada"]), Calls("2", AT + timedelta(days=9), 1, ["ada", "bob"]))
    called(database, acme, Calls("3", AT + timedelta(days=31), 1, ["ada"]))
    assert month(database, acme)["active_users"] == 2
    assert month(database, acme, "2026-04")["active_users"] == 1


def test_a_delivery_counts_once_by_its_message_and_endpoint(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    for endpoint in ("one", "one", "two"):
        with database.transaction(acme) as tx:
            ledger.delivered(tx, Delivered("message", endpoint, AT))
    assert month(database, acme)["webhook_deliveries"] == 2


def test_a_part_of_a_batch_counts_with_its_transaction_or_not_at_all(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    batch = uuid7()

    with undone(database, acme) as tx:
        ledger.ingested(tx, (batch, 0, 500))
    for _ in range(2):
        with database.transaction(acme) as tx:
            ledger.ingested(tx, (batch, 0, 500))
    now = datetime.now(UTC)
    assert month(database, acme, f"{now:%Y-%m}")["ingested_rows"] == 500


def test_storage_is_the_greatest_day_of_the_month(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    for day, size in ((2, 1_000), (2, 9_999), (3, 4_000), (4, 3_000), (5, 4_500)):
        with database.transaction(acme) as tx:
            ledger.stored(tx, size, AT.replace(day=day))
    assert month(database, acme)["storage_bytes"] == 4_500


events = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 50), st.integers(0, 3000)), max_size=30)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=events)
def test_the_sums_are_those_of_the_events_however_they_come(
    database: Database, two_tenants: Tenants, events: list[tuple[int, int, int]]
) -> None:
    acme, _ = two_tenants
    first: dict[int, tuple[int, datetime]] = {}

    with undone(database, acme) as tx:
        for name, quantity, minutes in events:
            at = AT + timedelta(minutes=minutes)
            first.setdefault(name, (quantity, at))
            ledger.called(tx, Calls(str(name), at, quantity, []))
        expected: dict[datetime, int] = {}
        for quantity, at in first.values():
            hour = at.replace(minute=0)
            expected[hour] = expected.get(hour, 0) + quantity
        hours = tx.all("SELECT hour, quantity FROM usage_hourly WHERE meter = %s", (Meter.API_CALLS,))
        assert {row[0]: row[1] for row in hours} == expected
        assert tx.one("SELECT coalesce(sum(quantity), 0) FROM usage_monthly") == (sum(expected.values()),)


def test_before_the_first_year_there_is_no_range(database: Database, two_tenants: Tenants) -> None:
    reader = UsageReader(database, UsageRepository(), Moment(AT))
    with pytest.raises(RangeTooLong):
        reader.hours(two_tenants[0], "api_calls", None, datetime(1, 1, 1, tzinfo=UTC))


def test_hours_are_read_within_their_range(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    called(database, acme, Calls("1", AT, 1, []), Calls("2", AT + timedelta(hours=2), 5, []))
    reader = UsageReader(database, UsageRepository(), Moment(datetime.now(UTC)))
    found = reader.hours(acme, "api_calls", AT.replace(minute=0), AT + timedelta(hours=1))
    assert found["items"] == [{"hour": "2026-03-02T09:00:00Z", "quantity": 1}]
