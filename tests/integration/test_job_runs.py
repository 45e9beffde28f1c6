"""A run that is started by hand is told as done, however fast its work was: the work may overtake the start."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from local.demo.api import wait_for
from shared.jobs.model import Job
from shared.jobs.repository import JobRepository
from shared.jobs.service import Jobs, Worker
from tenant_context.clock import utc_now, uuid7
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.postgres import Database
from tests.conftest import Clone

Tenants = tuple[TenantContext, TenantContext]


class Line:
    """A queue whose worker is at work as soon as something is sent."""

    def __init__(self, database: Database, tenant: TenantContext) -> None:
        self.repository = JobRepository(database)
        self._worker = Worker(database, self.repository, {})
        self._tenant = tenant

    def work(self, job: Job, tenants: list[UUID], request_id: str, run: UUID | None = None) -> None:
        """The message's whole work."""
        self._worker(self._tenant, Message(tenants[0], request_id, job, {"run": str(run)}))

    def told(self, run: UUID) -> dict[str, Any]:
        """The run, as the API tells it."""
        shown: dict[str, Any] = json.loads(self.repository.show(self._tenant, run))
        return shown


@pytest.fixture
def elsewhere(clone: Clone) -> Iterator[Database]:
    """The worker's own way to the database."""
    opened = Database(clone.settings(), clock=utc_now)
    yield opened
    opened.close()


def test_a_run_whose_work_overtakes_its_start_is_done(
    database: Database, elsewhere: Database, two_tenants: Tenants
) -> None:
    acme, globex = two_tenants
    line, run = Line(elsewhere, acme), uuid7()
    line.work(Job.REFRESH_PERFORMANCE, [acme.tenant], "request", run)
    with database.transaction(acme) as tx:
        line.repository.add(tx, run, Job.REFRESH_PERFORMANCE)
    told = line.told(run)
    assert (told["job"], told["status"]) == ("refresh-performance", "done")
    assert told["detail"] == {"campaigns": 0, "days": 0}
    assert told["finished_at"] is not None
    assert line.repository.page(globex, after=None, limit=5) == []


def test_work_waits_for_a_start_that_is_being_committed(
    clone: Clone, database: Database, elsewhere: Database, two_tenants: Tenants
) -> None:
    acme, _ = two_tenants
    line, run = Line(elsewhere, acme), uuid7()
    with ThreadPoolExecutor(1) as pool, clone.connect() as admin:

        def at_the_row() -> bool:
            """Whether the work has come to the row, which nobody but its start can see yet."""
            waits = "SELECT FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
            return working.done() or admin.execute(waits, (clone.name,)).fetchone() is not None

        with database.transaction(acme) as tx:
            line.repository.add(tx, run, Job.REFRESH_PERFORMANCE)
            tx.one("SELECT 1")
            working = pool.submit(line.work, Job.REFRESH_PERFORMANCE, [acme.tenant], "request", run)
            wait_for("the work", at_the_row, seconds=20)
        working.result(timeout=30)
    assert line.told(run)["status"] == "done"


def test_work_that_is_done_twice_is_told_once(database: Database, elsewhere: Database, two_tenants: Tenants) -> None:
    acme, _ = two_tenants
    line = Line(elsewhere, acme)
    with database.transaction(acme) as tx:
        run = Jobs(line.repository, lambda *_: None, uuid7).run(tx, "housekeeping")
    assert line.told(run)["status"] == "queued"
    for _ in range(2):
        line.work(Job.HOUSEKEEPING, [acme.tenant], "request", run)
    assert line.told(run)["status"] == "done"
    assert len(line.repository.page(acme, after=None, limit=5)) == 1
