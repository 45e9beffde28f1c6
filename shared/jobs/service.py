"""Timed work, as the functions use it."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from shared.jobs.errors import JobNotFound
from shared.jobs.model import Job
from shared.jobs.repository import JobRepository
from tenant_context.clock import NewId
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.events import Event
from tenant_context.postgres import Database, Transaction

Start = Callable[[Job, list[UUID], str, UUID | None], None]
"""Queues a job for tenants; takes the request's id and, when started by hand, the run's."""


Share = Callable[[Transaction], dict[str, Any]]
"""One tenant's share of a job; answers numbers about it."""


class Jobs:
    """Runs started by hand, for the caller's own tenant."""

    def __init__(self, repository: JobRepository, start: Start, new_id: NewId) -> None:
        self._repository = repository
        self._start = start
        self._new_id = new_id

    def run(self, tx: Transaction, name: str) -> UUID:
        """Start a job; answers the run's id. Errors: JobNotFound."""
        try:
            job = Job(name)
        except ValueError as error:
            raise JobNotFound from error
        run = self._new_id()
        self._repository.add(tx, run, job)
        tx.emit(Event("job.started", f"job-run/{run}", {"id": str(run), "job": job}))
        # Before the commit: should that fail, the job merely runs once more, and it may run at any time.
        self._start(job, [tx.tenant.tenant], tx.tenant.request_id, run)
        return run

    def show(self, tenant: TenantContext, run: UUID) -> bytes:
        """The JSON of a run. Errors: RunNotFound."""
        return self._repository.show(tenant, run)

    def page(self, tenant: TenantContext, *, after: UUID | None, limit: int) -> list[tuple[str, UUID]]:
        """JSON and id of runs, newest first."""
        return self._repository.page(tenant, after=after, limit=limit)


class Worker:
    """Does one tenant's share of a job; `others` are other domains'."""

    def __init__(self, database: Database, repository: JobRepository, others: Mapping[Job, Share]) -> None:
        self._database = database
        self._work: dict[Job, Share] = {
            **others,
            Job.REFRESH_PERFORMANCE: repository.refresh_performance,
            Job.HOUSEKEEPING: repository.forget,
        }
        self._repository = repository

    def __call__(self, tenant: TenantContext, message: Message) -> None:
        """Run the job in one transaction and note how it went; it may be run again at any time."""
        job = Job(message.kind)
        with self._database.transaction(tenant) as tx:
            detail = self._work[job](tx)
            if "run" in message.data:
                run = UUID(message.data["run"])
                # A message may be delivered twice; its run finishes once.
                if self._repository.finish(tx, run, job, "done", detail):
                    tx.emit(Event("job.finished", f"job-run/{run}", {"id": str(run), "job": job, **detail}))
