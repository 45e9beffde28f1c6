"""What doors are told of tenants' allowances: by plan, by grants, and when room fills up; on both stores."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.plans import rules
from shared.plans.errors import NothingToGrant
from shared.plans.model import Grant, Kind
from shared.plans.repository import PlanRepository
from shared.plans.rules import ROW_BYTES
from shared.plans.service import Doors, Grants, Plans
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext, at_tenant, from_operator
from tenant_context.plans import COUNTED, LIMITED, PACED, PLANS
from tenant_context.postgres import Database
from tenant_context.revocations import Revocations
from tenant_context.rows import RowLimiter, SharedRows
from tenant_context.state_news import Allowances, Allowed, States
from tests.dynamo import Watched, watched

Tenants = tuple[TenantContext, TenantContext]
STARTER = PLANS["starter"].rate


@pytest.fixture
def table(table_name: str) -> Iterator[Watched]:
    with watched(table_name) as opened:
        yield opened


@pytest.fixture
def doors(table: Watched, database: Database) -> Doors:
    return Doors(Allowances(table, database.clock))


@pytest.fixture
def grants(database: Database, doors: Doors) -> Grants:
    return Grants(PlanRepository(database), uuid7, doors)


def operator_at(tenant: TenantContext) -> TenantContext:
    return at_tenant(from_operator("the tests"), tenant.tenant)


def give(database: Database, grants: Grants, tenant: TenantContext, kind: Kind, name: str, amount: int | None) -> Grant:
    with database.transaction(operator_at(tenant)) as tx:
        until = tx.now + timedelta(hours=1)
        return grants.give(tx, kind, name, amount=amount, until=until, reason="asked for it")


def push(database: Database, tenant: TenantContext, rows: int) -> None:
    """What the processors note of a batch."""
    batch = uuid7()
    with database.transaction(tenant) as tx:
        tx.run(
            "INSERT INTO ingest_batches VALUES (%s, %s, 'counts', %s, 1, %s, 0, 0)",
            (tenant.tenant, batch, tx.now, rows),
        )
        tx.run("INSERT INTO ingest_parts VALUES (%s, %s, 0, %s, 0, 0, 0, %s)", (tenant.tenant, batch, rows, tx.now))


def told(table: Watched, database: Database, tenant: TenantContext) -> Allowed | None:
    return States(table, database.clock).standing(tenant.tenant).allowed


def mend(database: Database, doors: Doors, tenant: TenantContext) -> None:
    with database.transaction(tenant) as tx:
        doors.mend(tx)


def test_grants_of_rates_and_rows_reach_the_doors_and_go_with_them(
    database: Database, doors: Doors, grants: Grants, table: Watched, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    assert told(table, database, acme) is None
    given = give(database, grants, acme, Kind.EXTRA, "events_per_day", 50_000)
    give(database, grants, acme, Kind.VALUE, "requests_per_second", 900)
    give(database, grants, acme, Kind.VALUE, "api_calls_per_day", None)
    wide = replace(STARTER, per_second=900, calls_per_day=None, rows_per_day=150_000)
    assert told(table, database, acme) == Allowed(wide)
    assert told(table, database, globex) is None
    with database.transaction(operator_at(acme)) as tx:
        grants.take_back(tx, given.id)
    assert told(table, database, acme) == Allowed(replace(wide, rows_per_day=100_000))
    with closing(Database(database._settings, clock=lambda: database.clock() + timedelta(hours=2))) as later:
        mend(later, doors, acme)
    assert told(table, database, acme) == Allowed(STARTER)


def test_nothing_is_told_of_a_tenant_that_has_its_plans_and_no_more(
    database: Database, doors: Doors, table: Watched, two_tenants: Tenants
) -> None:
    mend(database, doors, two_tenants[0])
    assert told(table, database, two_tenants[0]) is None


def test_a_room_that_is_full_is_told_until_there_is_room_again_and_tokens_are_outdated_by_both(
    database: Database, doors: Doors, grants: Grants, table: Watched, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    size = 11 * rules.GB
    push(database, acme, size // ROW_BYTES["counts"] + 1)
    mend(database, doors, acme)
    mend(database, doors, globex)
    found = told(table, database, acme)
    assert found is not None
    assert found.full is not None
    assert (found.full.gb, found.full.size >= size) == (10, True)
    assert told(table, database, globex) is None
    outdated = Revocations(table, database.clock)
    assert outdated.outdates(str(acme.tenant), database.clock().timestamp() - 1)
    assert not outdated.outdates(str(globex.tenant), 0.0)
    give(database, grants, acme, Kind.EXTRA, "storage_gb", 5)
    assert told(table, database, acme) == Allowed(STARTER)


def test_all_nine_limits_and_the_pace_are_shown(
    database: Database, grants: Grants, table: Watched, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    push(database, acme, 4 * 10**9 // ROW_BYTES["counts"])
    give(database, grants, acme, Kind.EXTRA, "events_per_day", 1)
    RowLimiter(database.clock, SharedRows(table)).take(acme.tenant, 1_000, 33)
    shown = Plans(PlanRepository(database), SharedRows(table), database.clock).allowances(acme, acme.tenant).limits
    assert [one.limit for one in shown] == [*LIMITED, *PACED]
    by_name: dict[str, tuple[Any, ...]] = {
        one.limit: (one.value, one.usage, one.source, one.resets_at is not None) for one in shown
    }
    assert by_name["panels"] == (1, 0, "plan", False)
    assert by_name["storage_gb"] == (10, 4.0, "plan", False)
    assert by_name["events_per_day"] == (100_001, 33, "grant", True)
    assert by_name["api_calls_per_day"] == (100_000, 0, "plan", True)
    assert (by_name["requests_per_second"][0], by_name["burst"][0]) == (100, 200)


@pytest.mark.parametrize("name", COUNTED)
def test_python_and_postgresql_judge_grants_alike(
    database: Database, grants: Grants, two_tenants: Tenants, name: str
) -> None:
    acme, _ = two_tenants
    for kind, amount in ((Kind.EXTRA, 2), (Kind.VALUE, 7), (Kind.EXTRA, 3), (Kind.VALUE, None), (Kind.VALUE, 5)):
        give(database, grants, acme, kind, name, amount)
        held, now = PlanRepository(database).held(acme), database.clock()
        mine = rules.amount(held.plan, held.grants, name, now)
        (theirs,) = database.read(acme, "SELECT * FROM app.allowance(%s, %s, %s)", (acme.tenant, name, now))
        assert tuple(mine) == tuple(theirs)


@pytest.mark.parametrize("amount", [None, 0])
def test_a_pace_is_some_pace(database: Database, grants: Grants, two_tenants: Tenants, amount: int | None) -> None:
    with pytest.raises(NothingToGrant):
        give(database, grants, two_tenants[0], Kind.VALUE, "burst", amount)
