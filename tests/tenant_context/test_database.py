"""Transactions on a real PostgreSQL: one door, all or nothing, and a connection that may break at any time."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import errors

from tenant_context.clock import utc_now
from tenant_context.context import TenantContext, from_schedule
from tenant_context.errors import NotFound, Unavailable
from tenant_context.events import Event
from tenant_context.postgres import Database, Transaction
from tenant_context.states import Need, permitting
from tests.conftest import Clone

INSERT = """INSERT INTO job_runs (tenant_id, id, job, status, created_at) VALUES (%s, %s, %s, 'queued', %s)"""


def keep(tx: Transaction, job: str = "kept", run: UUID | None = None) -> None:
    tx.run(INSERT, (tx.tenant.tenant, run or uuid4(), job, tx.now))


def kept(database: Database, tenant: TenantContext) -> list[str]:
    return [job for (job,) in database.read(tenant, "SELECT job FROM job_runs ORDER BY job")]


@pytest.fixture
def acme(two_tenants: tuple[TenantContext, TenantContext]) -> TenantContext:
    return two_tenants[0]


@pytest.fixture
def globex(two_tenants: tuple[TenantContext, TenantContext]) -> TenantContext:
    return two_tenants[1]


def test_a_transaction_commits_at_its_end(database: Database, acme: TenantContext) -> None:
    with database.transaction(acme) as tx:
        keep(tx)
    assert kept(database, acme) == ["kept"]


def test_its_tenant_alone_sees_what_it_wrote(database: Database, acme: TenantContext, globex: TenantContext) -> None:
    with database.transaction(acme) as tx:
        keep(tx)
    assert kept(database, globex) == []


def test_without_a_tenant_there_are_no_rows(database: Database, acme: TenantContext) -> None:
    with database.transaction(acme) as tx:
        keep(tx)
    assert database.door("SELECT job FROM job_runs") == []
    assert kept(database, from_schedule(uuid4(), "nobody's")) == []


def test_a_row_for_another_tenant_is_refused(database: Database, acme: TenantContext, globex: TenantContext) -> None:
    with pytest.raises(errors.InsufficientPrivilege), database.transaction(acme) as tx:
        tx.run(INSERT, (globex.tenant, uuid4(), "planted", tx.now))
    assert kept(database, globex) == []


@pytest.mark.parametrize("error", [NotFound(), ValueError("any"), KeyboardInterrupt()], ids=repr)
def test_whatever_is_raised_undoes_everything(database: Database, acme: TenantContext, error: BaseException) -> None:
    with pytest.raises(type(error)), database.transaction(acme) as tx:
        keep(tx)
        assert tx.one("SELECT count(*) FROM job_runs") == (1,)
        raise error
    assert kept(database, acme) == []


def test_an_error_inside_nested_blocks_undoes_everything(database: Database, acme: TenantContext) -> None:
    def deeper(tx: Transaction) -> None:
        keep(tx, "inner")
        raise NotFound

    with pytest.raises(NotFound), database.transaction(acme) as tx:
        keep(tx, "outer")
        deeper(tx)
    assert kept(database, acme) == []


def test_an_error_of_a_queued_statement_surfaces_at_the_next_wait(database: Database, acme: TenantContext) -> None:
    run = uuid4()
    with pytest.raises(errors.UniqueViolation), database.transaction(acme) as tx:
        keep(tx, run=run)
        keep(tx, run=run)
        tx.one("SELECT 1")
    assert kept(database, acme) == []


def test_an_error_of_a_queued_statement_surfaces_at_the_commit(database: Database, acme: TenantContext) -> None:
    run = uuid4()
    with pytest.raises(errors.UniqueViolation), database.transaction(acme) as tx:
        keep(tx, run=run)
        keep(tx, run=run)
    assert kept(database, acme) == []


@pytest.mark.parametrize("wait", [True, False])
def test_an_error_that_was_swallowed_does_not_pass_for_a_commit(
    database: Database,
    acme: TenantContext,
    wait: bool,  # noqa: FBT001
) -> None:
    """COMMIT of a failed transaction is a quiet ROLLBACK in PostgreSQL: it must not answer as a success."""
    with pytest.raises((Unavailable, psycopg.Error)), database.transaction(acme) as tx:
        keep(tx)
        with pytest.raises(errors.DivisionByZero):
            tx.one("SELECT 1/0")
        if wait:
            with pytest.raises(psycopg.Error):
                tx.one("SELECT 1")
    assert kept(database, acme) == []


def test_a_commit_that_fails_is_an_error(clone: Clone, database: Database, acme: TenantContext) -> None:
    with clone.connect("admin") as admin:
        admin.execute(
            "ALTER TABLE job_runs ADD CONSTRAINT one_job UNIQUE (tenant_id, job) DEFERRABLE INITIALLY DEFERRED"
        )
    with pytest.raises(errors.UniqueViolation), database.transaction(acme) as tx:
        keep(tx)
        keep(tx)
        assert tx.one("SELECT count(*) FROM job_runs") == (2,)
    assert kept(database, acme) == []


def test_after_an_error_the_same_connection_goes_on(database: Database, acme: TenantContext) -> None:
    (before,) = database.read(acme, "SELECT pg_backend_pid()")
    for _ in range(3):
        with pytest.raises(errors.DivisionByZero):
            database.read(acme, "SELECT 1/0")
        with pytest.raises(errors.DivisionByZero), database.transaction(acme) as tx:
            tx.one("SELECT 1/0")
    assert database.read(acme, "SELECT pg_backend_pid()") == [before]


def end_backend(clone: Clone, database: Database, tenant: TenantContext) -> None:
    ((pid,),) = database.read(tenant, "SELECT pg_backend_pid()")
    with clone.connect("admin") as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def test_a_connection_that_was_ended_while_idle_is_opened_again_unnoticed(
    clone: Clone, database: Database, acme: TenantContext
) -> None:
    end_backend(clone, database, acme)
    with database.transaction(acme) as tx:
        keep(tx)
    end_backend(clone, database, acme)
    assert kept(database, acme) == ["kept"]
    end_backend(clone, database, acme)
    assert database.door("SELECT 1") == [(1,)]


def test_a_connection_that_is_ended_in_a_transaction_leaves_nothing_and_says_so(
    clone: Clone, database: Database, acme: TenantContext
) -> None:
    with pytest.raises(Unavailable, match="same Idempotency-Key"), database.transaction(acme) as tx:
        keep(tx)
        ((pid,),) = tx.all("SELECT pg_backend_pid()")
        with clone.connect("admin") as admin:
            admin.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        tx.one("SELECT 1")
    assert kept(database, acme) == []


def test_a_statement_that_runs_away_is_ended_and_is_503(database: Database, acme: TenantContext) -> None:
    with pytest.raises(Unavailable, match="57014"), database.transaction(acme) as tx:
        tx.run("SET LOCAL statement_timeout = '50ms'")
        tx.one("SELECT pg_sleep(5)")
    assert kept(database, acme) == []


def test_a_database_that_is_not_there_is_503(clone: Clone, acme: TenantContext) -> None:
    gone = clone.settings().__class__(**{**vars(clone.settings()), "port": 1})
    with pytest.raises(Unavailable):
        Database(gone, clock=utc_now).read(acme, "SELECT 1")


def test_a_read_cannot_write(database: Database, acme: TenantContext) -> None:
    with pytest.raises(errors.ReadOnlySqlTransaction):
        database.read(acme, "UPDATE tenants SET name = 'x' RETURNING 1")


def test_nothing_stays_on_the_session(database: Database, acme: TenantContext) -> None:
    """RDS Proxy pins a session that prepares or sets."""
    for _ in range(12):
        database.read(acme, "SELECT count(*) FROM job_runs WHERE job = %s", ("x",))
        with database.transaction(acme) as tx:
            tx.one("SELECT count(*) FROM job_runs WHERE job = %s", ("x",))
    assert database.door("SELECT name FROM pg_prepared_statements") == []
    assert database.door("SELECT coalesce(current_setting('app.tenant_id', true), '')") == [("",)]
    assert database.door("SELECT coalesce(current_setting('app.user_id', true), '')") == [("",)]


def test_a_read_and_a_blind_write_are_one_round_trip_each(database: Database, acme: TenantContext) -> None:
    before = database.round_trips
    database.read(acme, "SELECT 1")
    assert database.round_trips == before + 1
    with database.transaction(acme) as tx:
        keep(tx)
        tx.emit(Event("job.queued", "job/1", {}))
    assert database.round_trips == before + 2


def test_a_transaction_has_one_moment(database: Database, acme: TenantContext) -> None:
    with database.transaction(acme) as tx:
        moment = tx.now
        tx.one("SELECT pg_sleep(0.01)")
        assert tx.now is moment


class Taker:
    """Takes what it is told to take."""

    def __init__(self, *, takes: bool = True) -> None:
        self.takes = takes
        self.seen: list[UUID] = []

    def publish(self, tenant: TenantContext, events: Sequence[Event], now: datetime) -> list[UUID]:  # noqa: ARG002
        self.seen += [event.id for event in events]
        return [event.id for event in events] if self.takes else []


def publishing(clone: Clone, publisher: Taker) -> Database:
    return Database(clone.settings(), clock=utc_now, publisher=publisher)


OUTBOX = "SELECT id, published_at IS NOT NULL FROM outbox"


def test_an_event_is_published_after_the_commit_and_marked(clone: Clone, acme: TenantContext) -> None:
    database = publishing(clone, taker := Taker())
    event = Event("campaign.launched", "campaign/1", {"id": "1"})
    with database.transaction(acme) as tx:
        tx.emit(event)
        assert taker.seen == []
    assert taker.seen == [event.id]
    assert database.read(acme, OUTBOX) == [(event.id, True)]
    database.close()


def test_an_event_the_bus_did_not_take_waits_for_the_relay(clone: Clone, acme: TenantContext) -> None:
    database = publishing(clone, Taker(takes=False))
    event = Event("campaign.launched", "campaign/1", {})
    with database.transaction(acme) as tx:
        tx.emit(event)
    assert database.read(acme, OUTBOX) == [(event.id, False)]
    database.close()


def test_an_event_that_is_not_published_at_once_waits_for_the_relay(clone: Clone, acme: TenantContext) -> None:
    database = publishing(clone, taker := Taker())
    event = Event("campaign.launched", "campaign/1", {})
    with database.transaction(acme) as tx:
        tx.emit(event, at_once=False)
    assert taker.seen == []
    assert database.read(acme, OUTBOX) == [(event.id, False)]
    database.close()


def test_a_transaction_that_leads_out_of_the_states_of_its_work_is_published_and_done_with_to_the_end(
    clone: Clone, acme: TenantContext
) -> None:
    """Dunning suspends by timed work, which a suspended tenant has none of: its doors are told afterwards."""
    database = publishing(clone, taker := Taker())
    event, done = Event("tenant.state_changed", "tenant/1", {}), list[UUID]()
    with database.transaction(replace(acme, states=permitting(Need.TIMED))) as tx:
        tx.run("UPDATE tenants SET status = 'suspended' WHERE tenant_id = %s", (acme.tenant,))
        tx.emit(event)
        tx.after_commit(lambda: done.append(event.id))
    assert (taker.seen, done) == ([event.id], [event.id])
    assert database.read(acme, OUTBOX) == [(event.id, True)]
    database.close()


def test_an_event_of_what_was_undone_is_told_to_nobody(clone: Clone, acme: TenantContext) -> None:
    database = publishing(clone, taker := Taker())
    with pytest.raises(NotFound), database.transaction(acme) as tx:
        tx.emit(Event("campaign.launched", "campaign/1", {}))
        raise NotFound
    assert taker.seen == []
    assert database.read(acme, OUTBOX) == []
    assert database.read(acme, "SELECT 1 FROM audit_log") == []
    database.close()


def test_an_event_is_audited_with_who_and_why(database: Database, acme: TenantContext) -> None:
    with database.transaction(acme) as tx:
        tx.emit(Event("campaign.launched", "campaign/1", {"budget": "9.00"}))
    rows = database.read(acme, "SELECT actor, action, subject, request_id, details FROM audit_log")
    assert rows == [(f"user:{acme.user}", "campaign.launched", "campaign/1", "test-request", {"budget": "9.00"})]


def test_an_event_is_seen_as_a_cloud_event() -> None:
    tenant, moment = uuid4(), datetime.fromisoformat("2026-03-02T09:00:00+00:00")
    event = Event("campaign.launched", "campaign/1", {"a": 1})
    assert event.envelope(tenant, moment) == {
        "specversion": "1.0", "id": str(event.id), "type": "campaign.launched", "source": "rmap",
        "subject": "campaign/1", "time": "2026-03-02T09:00:00Z", "tenant": str(tenant), "data": {"a": 1},
    }  # fmt: skip
