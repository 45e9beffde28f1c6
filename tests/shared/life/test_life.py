"""A tenant's life on PostgreSQL: which moves there are, what is told of them, and the thirty days of grace."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from shared.billing.model import BillingEvent, Plan, Provisioned
from shared.billing.repository import BillingRepository
from shared.billing.service.following import Billing
from shared.billing.service.standing import Standing as Judge
from shared.jobs.model import NEEDS, Job
from shared.jobs.repository import JobRepository
from shared.jobs.service import Worker
from shared.life.errors import OwnersClose, StateDoesNotLeadThere, TenantNotFound
from shared.life.model import Standing
from shared.life.service import GRACE, Life
from shared.plans.service import Doors
from shared.tenants.repository import TenantRepository
from tenant_context.clock import rfc3339, utc_now
from tenant_context.context import TenantContext, from_message
from tenant_context.dynamo import Table
from tenant_context.entry.queue import Message, QueueEntry
from tenant_context.errors import NotInState
from tenant_context.observability import Observability
from tenant_context.postgres import Database, Transaction
from tenant_context.state_news import Allowances, Herald, States
from tenant_context.states import Need, OrganizationSuspended, State, permitting
from tests.dynamo import watched

Tenants = tuple[TenantContext, TenantContext]


@pytest.fixture
def table(table_name: str) -> Iterator[Table]:
    with watched(table_name) as opened:
        yield opened


@pytest.fixture
def life(table: Table) -> Life:
    return Life(Herald(table, utc_now))


def move(database: Database, life: Life, tenant: TenantContext, *states: State) -> Standing:
    for state in states:
        with database.transaction(tenant) as tx:
            standing = life.move(tx, state, f"to {state}")
    return standing


def told(database: Database, tenant: TenantContext) -> list[tuple[str, str]]:
    rows = database.read(
        tenant,
        "SELECT o.data->>'from', o.data->>'to' FROM outbox o JOIN audit_log a USING (tenant_id, id)"
        " WHERE o.type = 'tenant.state_changed' AND a.action = o.type ORDER BY o.id",
    )
    return [(row[0], row[1]) for row in rows]


def state_of(database: Database, tenant: TenantContext) -> str:
    return str(database.read(tenant, "SELECT status FROM tenants")[0][0])


def test_every_move_is_told_with_an_audit_entry_and_to_the_doors(
    database: Database, life: Life, table: Table, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    move(database, life, acme, State.ACTIVE, State.SUSPENDED)
    assert told(database, acme) == [("billing_pending", "active"), ("active", "suspended")]
    assert (state_of(database, acme), States(table, utc_now).of(acme.tenant)) == ("suspended", "suspended")
    assert told(database, globex) == []
    assert (state_of(database, globex), States(table, utc_now).of(globex.tenant)) == ("billing_pending", "active")


def test_a_state_that_it_is_in_already_is_told_to_the_doors_once_more_and_to_nobody_else(
    database: Database, life: Life, table: Table, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    move(database, life, acme, State.SUSPENDED)
    table.delete(f"state#{acme.tenant}", "state")
    move(database, life, acme, State.SUSPENDED)
    assert States(table, utc_now).of(acme.tenant) == "suspended"
    assert len(told(database, acme)) == 1


def test_a_move_that_is_undone_is_told_to_nobody(
    database: Database, life: Life, table: Table, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants

    def undone(tx: Transaction) -> None:
        life.move(tx, State.SUSPENDED, "on purpose")
        life.close(tx, uuid4())

    with pytest.raises(TenantNotFound), database.transaction(acme) as tx:
        undone(tx)
    assert (told(database, acme), States(table, utc_now).of(acme.tenant)) == ([], "active")


@pytest.mark.parametrize(("before", "after"), [(State.ACTIVE, State.CLOSED), (State.SUSPENDED, State.CLOSED)])
def test_there_is_no_short_way_to_the_end(
    database: Database, life: Life, two_tenants: Tenants, before: State, after: State
) -> None:
    acme, _ = two_tenants
    move(database, life, acme, before)
    with pytest.raises(StateDoesNotLeadThere):
        move(database, life, acme, after)
    assert state_of(database, acme) == before


def test_an_owner_closes_and_has_it_back_as_it_was(database: Database, life: Life, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    move(database, life, acme, State.PAST_DUE)
    with database.transaction(acme) as tx:
        closing_ = life.close(tx, acme.tenant)
    assert closing_.closes_at == closing_.since + GRACE
    with database.transaction(acme) as tx:
        back = life.reopen(tx, acme.tenant)
    assert (back.state, back.closes_at) == (State.PAST_DUE, None)
    with pytest.raises(StateDoesNotLeadThere), database.transaction(acme) as tx:
        life.reopen(tx, acme.tenant)


def test_until_when_it_can_be_had_back_is_shown_while_it_is_being_closed(
    database: Database, life: Life, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants

    def shown() -> str | None:
        _, content = TenantRepository(database).show(acme)
        return json.loads(content)["closes_at"]  # type: ignore[no-any-return]

    assert shown() is None
    with database.transaction(acme) as tx:
        closes_at = life.close(tx, acme.tenant).closes_at
    assert shown() == rfc3339(closes_at or utc_now())
    with database.transaction(acme) as tx:
        life.reopen(tx, acme.tenant)
    assert shown() is None


def test_only_owners_close_and_only_their_own(database: Database, life: Life, two_tenants: Tenants) -> None:
    acme, globex = two_tenants
    with pytest.raises(TenantNotFound), database.transaction(acme) as tx:
        life.close(tx, globex.tenant)
    with database.transaction(acme) as tx:
        tx.run("UPDATE memberships SET role = 'admin' WHERE tenant_id = %s", (acme.tenant,))
    with pytest.raises(OwnersClose), database.transaction(acme) as tx:
        life.close(tx, acme.tenant)


def test_an_owner_does_not_close_what_was_suspended(database: Database, life: Life, two_tenants: Tenants) -> None:
    """A token is believed for some seconds more; having it back would undo the suspension."""
    acme, _ = two_tenants
    move(database, life, acme, State.SUSPENDED)
    with pytest.raises(OrganizationSuspended), database.transaction(acme) as tx:
        life.close(tx, acme.tenant)
    assert state_of(database, acme) == "suspended"


def tend(database: Database, life: Life, tenant: TenantContext, now: datetime) -> dict[str, int]:
    with closing(Database(database._settings, clock=lambda: now)) as later, later.transaction(tenant) as tx:
        return life.tend(tx)


def test_a_tenant_is_closed_when_its_grace_is_over_and_not_before(
    database: Database, life: Life, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    closes = move(database, life, acme, State.CLOSING).closes_at
    assert closes is not None
    assert tend(database, life, acme, closes - timedelta(seconds=1))["closed"] == 0
    assert state_of(database, acme) == "closing"
    assert tend(database, life, acme, closes) == {"closed": 1}
    assert tend(database, life, globex, closes)["closed"] == 0
    assert (state_of(database, acme), state_of(database, globex)) == ("closed", "billing_pending")
    with pytest.raises(StateDoesNotLeadThere):
        move(database, life, acme, State.ACTIVE)


def test_tending_mends_what_the_doors_did_not_hear(
    database: Database, life: Life, table: Table, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    move(database, life, acme, State.RESTRICTED)
    table.delete(f"state#{acme.tenant}", "state")
    assert tend(database, life, acme, utc_now()) == {"closed": 0, "mended": 1}
    assert States(table, utc_now).of(acme.tenant) == "restricted"


def test_doors_go_by_the_last_move_and_not_by_the_one_that_began_last(
    database: Database, life: Life, table: Table, two_tenants: Tenants
) -> None:
    """An operator's order that waits for an owner's request began before it, and is in force after it."""
    acme, _ = two_tenants
    began = utc_now()
    move(database, life, acme, State.CLOSING, State.ACTIVE)
    with database.transaction(acme) as tx:
        tx.now = began
        life.order(tx, State.SUSPENDED, "phishing")
    assert (state_of(database, acme), States(table, utc_now).of(acme.tenant)) == ("suspended", "suspended")


@pytest.mark.parametrize("state", [State.SUSPENDED, State.CLOSED])
def test_doors_that_did_not_hear_of_an_end_are_told_by_timed_work(
    database: Database, life: Life, table: Table, two_tenants: Tenants, state: State
) -> None:
    """As the queue's door lets it in, and as it is planned: keys would open what was suspended for ever."""
    acme, _ = two_tenants
    move(database, life, acme, State.CLOSING, state)
    table.delete(f"state#{acme.tenant}", "state")
    assert acme.tenant in [one for page in JobRepository(database).tenants(need=NEEDS[Job.LIFE]) for one in page]
    worker = Worker(database, JobRepository(database), {Job.LIFE: life.tend})
    entry = QueueEntry(worker, observability=Observability(f"tests-{state}"), need=Need.TIMED, needs=NEEDS)
    body = Message(acme.tenant, "the tests", Job.LIFE, {}).encode().decode()
    assert entry({"Records": [{"messageId": "m", "body": body}]}, None) == {"batchItemFailures": []}
    assert States(table, utc_now).of(acme.tenant) == state


def work(database: Database, tenant: UUID, need: Need) -> None:
    """One piece of a worker's work, as the queue's door would let it in."""
    with database.transaction(from_message(tenant, "the tests", permitting(need))) as tx:
        tx.one("SELECT 1")


@pytest.mark.parametrize(
    ("state", "need", "done"),
    [
        (State.ACTIVE, Need.TIMED, True),
        (State.RESTRICTED, Need.TIMED, True),
        (State.SUSPENDED, Need.TIMED, False),
        (State.SUSPENDED, Need.PROCESS, True),
        (State.CLOSED, Need.PROCESS, False),
    ],
)
def test_a_worker_is_let_in_as_the_state_permits(
    database: Database, two_tenants: Tenants, state: State, need: Need, *, done: bool
) -> None:
    acme, globex = two_tenants
    with database.transaction(acme) as tx:
        tx.run("UPDATE tenants SET status = %s WHERE tenant_id = %s", (state, acme.tenant))
    work(database, globex.tenant, need)
    if done:
        work(database, acme.tenant, need)
        return
    with pytest.raises(NotInState):
        work(database, acme.tenant, need)


@pytest.mark.parametrize("need", [Need.PROCESS, Need.TIMED])
def test_what_comes_late_for_a_tenant_that_was_erased_is_let_go(
    database: Database, two_tenants: Tenants, need: Need
) -> None:
    """Tables of usage refer to no tenant: without this, a late message would leave rows that nobody erases."""
    acme, globex = two_tenants
    with database.transaction(from_message(acme.tenant, "the tests")) as tx:
        tx.run("UPDATE tenants SET status = 'closed' WHERE tenant_id = %s", (acme.tenant,))
        tx.run("INSERT INTO erasures (tenant_id, started_at) VALUES (%s, now())", (acme.tenant,))
        # The state is to be no reason: it goes with the tenant's row, and what is kept of the erasure stays.
        tx.run("UPDATE tenants SET status = 'active' WHERE tenant_id = %s", (acme.tenant,))
    with pytest.raises(NotInState):
        work(database, acme.tenant, need)
    with pytest.raises(NotInState):
        database.read(from_message(acme.tenant, "the tests", permitting(need)), "SELECT 1")
    work(database, globex.tenant, need)
    assert database.read(from_message(globex.tenant, "the tests", permitting(need)), "SELECT 1") == [(1,)]


def test_who_reads_only_is_let_in_as_the_state_permits_too(database: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    with database.transaction(acme) as tx:
        tx.run("UPDATE tenants SET status = 'closed' WHERE tenant_id = %s", (acme.tenant,))
    with pytest.raises(NotInState):
        database.read(from_message(acme.tenant, "the tests", permitting(Need.PROCESS)), "SELECT 1")
    assert database.read(acme, "SELECT status FROM tenants") == [("closed",)]


def test_timed_work_is_planned_for_whoever_may_have_it(database: Database, life: Life, two_tenants: Tenants) -> None:
    acme, globex = two_tenants
    move(database, life, acme, State.SUSPENDED)
    assert list(JobRepository(database).tenants()) == [[globex.tenant]]


def follow(database: Database, billing: Billing, tenant: TenantContext, status: str, second: int) -> None:
    event = BillingEvent(
        id=f"evt_{second}",
        type="customer.subscription.updated",
        created=datetime.fromisoformat("2026-03-02T09:00:00Z") + timedelta(seconds=second),
        tenant=tenant.tenant,
        customer="cus_1",
        subscription="sub_1",
        status=status,
    )
    with database.transaction(tenant) as tx:
        billing.followed(tx, event)


def test_what_billing_says_moves_the_tenant_and_is_told_to_the_doors(
    database: Database, life: Life, table: Table, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    billing = Billing(life, Doors(Allowances(table, utc_now)))
    made = Provisioned("cus_1", "sub_1", "trialing", Plan.STARTER, datetime.fromisoformat("2026-03-02T09:00:00Z"))
    with database.transaction(acme) as tx:
        billing.provisioned(tx, made)
    follow(database, billing, acme, "unpaid", 2)
    follow(database, billing, acme, "active", 1)  # late: changes nothing
    assert told(database, acme) == [("billing_pending", "active"), ("active", "restricted")]
    assert States(table, utc_now).of(acme.tenant) == "restricted"
    move(database, life, acme, State.SUSPENDED)
    follow(database, billing, acme, "active", 3)
    assert state_of(database, acme) == "suspended"


@pytest.mark.parametrize(
    ("before", "subscription", "stage", "back"),
    [
        (State.PAST_DUE, "active", "", State.ACTIVE),
        (State.RESTRICTED, "trialing", "", State.ACTIVE),
        (State.ACTIVE, "past_due", "", State.PAST_DUE),
        (State.ACTIVE, "past_due", "restricted", State.RESTRICTED),
        (State.RESTRICTED, "past_due", "suspended", State.SUSPENDED),
        (State.ACTIVE, "canceled", "", State.RESTRICTED),
        (State.BILLING_PENDING, "trialing", "", State.ACTIVE),
        (State.BILLING_PENDING, None, "", State.BILLING_PENDING),
        (State.SUSPENDED, "active", "", State.RESTRICTED),
    ],
)
def test_what_is_had_back_is_judged_by_its_present_subscription(
    database: Database,
    table: Table,
    two_tenants: Tenants,
    before: State,
    subscription: str | None,
    stage: str,
    back: State,
) -> None:
    acme, _ = two_tenants
    life = Life(Herald(table, utc_now), standing=Judge(BillingRepository()))
    if before is not State.BILLING_PENDING:
        move(database, life, acme, before)
    move(database, life, acme, State.CLOSING)
    with database.transaction(acme) as tx:
        tx.run("UPDATE tenants SET subscription_status = %s, dunning_stage = %s", (subscription, stage))
    with database.transaction(acme) as tx:
        assert life.reopen(tx, acme.tenant).state is back
    assert state_of(database, acme) == back


def test_what_is_paid_while_it_is_being_closed_leaves_it_closing(
    database: Database, life: Life, table: Table, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    billing = Billing(life, Doors(Allowances(table, utc_now)))
    follow(database, billing, acme, "past_due", 1)
    move(database, life, acme, State.CLOSING)
    with database.transaction(acme) as tx:
        tx.run("UPDATE tenants SET dunning_stage = 'suspended'")
    follow(database, billing, acme, "active", 2)
    assert state_of(database, acme) == "closing"
