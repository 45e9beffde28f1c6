"""Runs by hand, what the worker makes of them, housekeeping, and the list of tenants at work."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.jobs.errors import JobNotFound, RunNotFound
from shared.jobs.model import Job
from shared.jobs.repository import JobRepository
from shared.jobs.service import Jobs, Worker
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext, from_message
from tenant_context.entry.queue import Message
from tenant_context.postgres import Database, Transaction
from tests.clocks import Moment
from tests.conftest import Clone
from tests.shared.jobs.conftest import NOON, Stores

Started = tuple[Job, list[UUID], str, UUID | None]


class Line:
    """From a run by hand to the worker, without the queue between them."""

    def __init__(self, database: Database) -> None:
        self.started: list[Started] = []
        self.rebuilt: list[UUID] = []
        self.repository = JobRepository(database)
        self.jobs = Jobs(self.repository, lambda *work: self.started.append(work), uuid7)
        self.worker = Worker(database, self.repository, {Job.REBUILD_DIRECTORY: self._rebuild})
        self._database = database

    def _rebuild(self, tx: Transaction) -> dict[str, Any]:
        self.rebuilt.append(tx.tenant.tenant)
        return {"sensors": 2}

    def run(self, tenant: TenantContext, name: str) -> UUID:
        with self._database.transaction(tenant) as tx:
            return self.jobs.run(tx, name)

    def work(self, tenant: TenantContext, job: Job, run: UUID | None = None) -> None:
        message = Message(tenant.tenant, "request-1", job, {"run": str(run)} if run else {})
        self.worker(from_message(tenant.tenant, "request-1"), message)

    def show(self, tenant: TenantContext, run: UUID) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.jobs.show(tenant, run))
        return found


@pytest.fixture
def line(database: Database) -> Line:
    return Line(database)


def told(database: Database, tenant: TenantContext) -> list[tuple[str, dict[str, Any]]]:
    rows = database.read(tenant, "SELECT type, data FROM outbox WHERE type LIKE 'job.%' ORDER BY type DESC")
    return [(row[0], row[1]) for row in rows]


def test_a_run_by_hand_is_queued_for_the_callers_tenant_alone(line: Line, acme: Stores, database: Database) -> None:
    run = line.run(acme.tenant, "refresh-performance")
    assert line.started == [(Job.REFRESH_PERFORMANCE, [acme.tenant.tenant], acme.tenant.request_id, run)]
    assert line.show(acme.tenant, run) == {
        "id": str(run),
        "job": "refresh-performance",
        "status": "queued",
        "detail": {},
        "created_at": "2026-03-03T12:00:00Z",
        "finished_at": None,
    }
    assert told(database, acme.tenant) == [("job.started", {"id": str(run), "job": "refresh-performance"})]


def test_a_job_nobody_knows_is_not_found(line: Line, acme: Stores) -> None:
    with pytest.raises(JobNotFound):
        line.run(acme.tenant, "make-coffee")
    assert line.started == []


def test_the_worker_notes_what_a_run_did(line: Line, acme: Stores, database: Database, moment: Moment) -> None:
    run = line.run(acme.tenant, "rebuild-directory")
    moment.now += timedelta(minutes=1)
    line.work(acme.tenant, Job.REBUILD_DIRECTORY, run)
    shown = line.show(acme.tenant, run)
    assert (shown["status"], shown["detail"]) == ("done", {"sensors": 2})
    assert (shown["created_at"], shown["finished_at"]) == ("2026-03-03T12:00:00Z", "2026-03-03T12:01:00Z")
    assert told(database, acme.tenant)[1:] == [
        ("job.finished", {"id": str(run), "job": "rebuild-directory", "sensors": 2})
    ]


def test_a_message_that_comes_twice_finishes_its_run_once(
    line: Line, acme: Stores, database: Database, moment: Moment
) -> None:
    run = line.run(acme.tenant, "rebuild-directory")
    line.work(acme.tenant, Job.REBUILD_DIRECTORY, run)
    moment.now += timedelta(minutes=1)
    line.work(acme.tenant, Job.REBUILD_DIRECTORY, run)
    assert line.show(acme.tenant, run)["finished_at"] == "2026-03-03T12:00:00Z"
    assert [kind for kind, _ in told(database, acme.tenant)] == ["job.started", "job.finished"]


def test_a_worker_that_is_faster_than_the_commit_is_not_forgotten(
    line: Line, clone: Clone, acme: Stores, moment: Moment
) -> None:
    """The message is sent before the transaction that queued the run commits."""
    run = uuid7()
    line.work(acme.tenant, Job.REBUILD_DIRECTORY, run)
    other = Database(clone.settings(), clock=moment)
    with other.transaction(acme.tenant) as tx:
        line.repository.add(tx, run, Job.REBUILD_DIRECTORY)
    other.close()
    shown = line.show(acme.tenant, run)
    assert (shown["job"], shown["status"], shown["detail"]) == ("rebuild-directory", "done", {"sensors": 2})


def test_timed_work_leaves_no_run_behind(line: Line, acme: Stores, database: Database) -> None:
    line.work(acme.tenant, Job.REBUILD_DIRECTORY)
    assert line.rebuilt == [acme.tenant.tenant]
    assert line.jobs.page(acme.tenant, after=None, limit=10) == []
    assert told(database, acme.tenant) == []


def test_runs_are_listed_newest_first_and_globex_sees_none(line: Line, acme: Stores, globex: Stores) -> None:
    made = sorted((line.run(acme.tenant, "housekeeping") for _ in range(3)), reverse=True)
    first = line.jobs.page(acme.tenant, after=None, limit=2)
    second = line.jobs.page(acme.tenant, after=first[-1][1], limit=2)
    assert [run for _, run in (*first, *second)] == made
    assert [json.loads(text)["id"] for text, _ in first] == [str(run) for run in made[:2]]
    assert line.jobs.page(globex.tenant, after=None, limit=10) == []
    with pytest.raises(RunNotFound):
        line.jobs.show(globex.tenant, made[0])


AGES = {
    "idempotency_keys": timedelta(hours=24),
    "outbox": timedelta(days=7),
    "job_runs": timedelta(days=30),
    "inbox": timedelta(days=90),
}


def leave(database: Database, tenant: TenantContext, at: datetime) -> None:
    """A row of each kind that housekeeping removes in its time, and an event that still waits for the bus."""
    row = uuid7()
    with database.transaction(tenant) as tx:
        tx.run(
            "INSERT INTO idempotency_keys VALUES (%s, 'user', %s, '', 200, '{}', '', %s)",
            (tenant.tenant, row.hex, at),
        )
        for event, published in ((row, at), (uuid7(), None)):
            tx.run(
                "INSERT INTO outbox (tenant_id, id, type, subject, data, created_at, published_at)"
                " VALUES (%s, %s, 'campaign.created', 'campaign/1', '{}', %s, %s)",
                (tenant.tenant, event, at, published),
            )
        tx.run(
            "INSERT INTO job_runs (tenant_id, id, job, status, created_at) VALUES (%s, %s, 'housekeeping', 'done', %s)",
            (tenant.tenant, row, at),
        )
        for entry, state, settled in ((row, "done", at), (uuid7(), "received", None), (uuid7(), "failed", at)):
            tx.run(
                "INSERT INTO inbox (tenant_id, id, source, external_id, kind, subject, occurred_at, received_at,"
                " waits_since, body, state, settled_at)"
                " VALUES (%s, %s, 'stripe', %s, 'invoice.paid', '', %s, %s, %s, '', %s, %s)",
                (tenant.tenant, entry, str(entry), at, at, at, state, settled),
            )


def kept(database: Database, tenant: TenantContext) -> dict[str, int]:
    (row,) = database.read(
        tenant,
        "SELECT (SELECT count(*) FROM idempotency_keys),"
        " (SELECT count(*) FROM outbox WHERE published_at IS NOT NULL), (SELECT count(*) FROM job_runs),"
        " (SELECT count(*) FROM inbox WHERE state = 'done'),"
        " (SELECT count(*) FROM outbox WHERE published_at IS NULL)",
    )
    return dict(zip((*AGES, "waiting"), row, strict=True))


@pytest.mark.parametrize("table", AGES)
def test_housekeeping_removes_what_has_served_its_time(
    line: Line, acme: Stores, database: Database, table: str
) -> None:
    leave(database, acme.tenant, NOON - AGES[table])
    leave(database, acme.tenant, NOON - AGES[table] - timedelta(microseconds=1))
    with database.transaction(acme.tenant) as tx:
        gone = line.repository.forget(tx)
    assert gone[table] == 1, "what is exactly of its age stays"
    assert gone.pop("exports") == 0, "none stood still"
    assert gone == {name: 1 if name == table else 2 * (age < AGES[table]) for name, age in AGES.items()}
    assert kept(database, acme.tenant) == {**{name: 2 - gone[name] for name in AGES}, "waiting": 2}


def test_housekeeping_for_acme_leaves_globex_alone(
    line: Line, acme: Stores, globex: Stores, database: Database
) -> None:
    for stores in (acme, globex):
        leave(database, stores.tenant, NOON - timedelta(days=365))
    line.work(acme.tenant, Job.HOUSEKEEPING)
    assert kept(database, acme.tenant) == {**dict.fromkeys(AGES, 0), "waiting": 1}
    assert kept(database, globex.tenant) == {**dict.fromkeys(AGES, 1), "waiting": 1}


@pytest.mark.parametrize(
    ("now", "months"),
    [
        ("2026-03-03T12:00Z", ["2026_03", "2026_04", "2026_05"]),
        ("2026-01-30T12:00Z", ["2026_01", "2026_02", "2026_03"]),
        ("2026-07-31T23:59Z", ["2026_07", "2026_08", "2026_09"]),
        ("2026-12-31T23:30-05:00", ["2027_01", "2027_02", "2027_03"]),
    ],
)
def test_this_month_and_the_next_two_have_their_partitions(
    line: Line, clone: Clone, now: str, months: list[str]
) -> None:
    line.repository.ensure_months(datetime.fromisoformat(now))
    line.repository.ensure_months(datetime.fromisoformat(now))
    with clone.connect() as admin:
        rows = admin.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent IN ('people_counts'::regclass, 'transactions'::regclass) ORDER BY 1"
        ).fetchall()
    assert [row[0] for row in rows] == [
        f"{table}_{month}" for table in ("people_counts", "transactions") for month in months
    ]


def test_tenants_at_work_come_page_by_page_without_those_that_are_closed(
    line: Line, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.jobs.repository._PAGE", 2)
    made = sorted(uuid7() for _ in range(6))
    with clone.connect() as admin:
        for number, tenant in enumerate(made):
            admin.execute(
                "INSERT INTO tenants (tenant_id, slug, name, status, created_at, updated_at)"
                " VALUES (%s, %s, 'T', %s, now(), now())",
                (tenant, f"tenant-{number}", "closed" if number == 1 else "active"),
            )
    open_ = [made[0], *made[2:]]
    assert list(line.repository.tenants()) == [open_[:2], open_[2:4], open_[4:]]
    assert list(line.repository.tenants(after=made[2])) == [open_[2:4], open_[4:]]
    assert list(line.repository.tenants(after=made[5])) == []
