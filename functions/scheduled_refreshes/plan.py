"""Which work a call of the schedule starts: of tenants for which there is some, and once a day what is done daily."""

from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from shared.jobs.gateway import Work
from shared.jobs.model import NEEDS, Job
from shared.jobs.repository import JobRepository
from shared.leases.gateway import Lease, Leases
from tenant_context.clock import Clock
from tenant_context.states import Need

_AT_ONCE = 10
"""Tenants a call to SQS; how far a run came is known to that many."""
_IF_DUE = {Job.REFRESH_PERFORMANCE, Job.QUALITY, Job.WATCH}
"""Work of which it is known which tenants have some."""
_IF_DUE_OR_HOURLY = {Job.USAGE, Job.LIFE}
"""The same, but it mends too what left no trace here, such as a grant that ended: once an hour it is for everybody."""


def _quarter(slot: str) -> str:
    """The quarter of an hour of a slot: usage is looked after once in each, however often the schedule calls."""
    moment = datetime.fromisoformat(slot)
    return moment.replace(minute=moment.minute // 15 * 15).strftime("%Y-%m-%dT%H:%MZ")


class Plan:
    """The job of the schedule. Each job of a slot is started once, and a run that follows a failed one goes on from it.

    A call that SQS took only in part is sent again, so a tenant may be worked on twice; workers are made to bear that.
    """

    def __init__(self, repository: JobRepository, work: Work, leases: Leases, clock: Clock) -> None:
        self._repository = repository
        self._work = work
        self._leases = leases
        self._clock = clock

    def __call__(self, run: str, schedule: Mapping[str, Any]) -> int:
        """Queue what is due; answers how many work items. The schedule's slot is the moment it was due itself."""
        now = self._clock()
        slot = str(schedule.get("slot") or now.strftime("%Y-%m-%dT%H:%MZ"))
        day = now.strftime("%Y-%m-%d")
        due = (
            (Job.REFRESH_PERFORMANCE, slot),
            (Job.USAGE, _quarter(slot)),
            (Job.LIFE, slot),
            (Job.QUALITY, slot),
            (Job.WATCH, slot),
            (Job.HOUSEKEEPING, day),
            (Job.REBUILD_DIRECTORY, day),
            (Job.DUNNING, day),
        )
        started = 0
        for job, when in due:
            with self._leases.held(job, when, now) as lease:
                if lease is None:
                    continue
                if job is Job.HOUSEKEEPING:
                    self._repository.ensure_months(now)
                if job in _IF_DUE_OR_HOURLY:
                    started += self._start_hourly(job, lease, run, now)
                else:
                    started += self._start(job, lease, run, now if job in _IF_DUE else None)
        return started

    def _start_hourly(self, job: Job, lease: Lease, run: str, now: datetime) -> int:
        with self._leases.held(job, now.strftime("%Y-%m-%dT%HZ"), now) as hour:
            return self._start(job, hour or lease, run, None if hour else now)

    def _start(self, job: Job, lease: Lease, run: str, due: datetime | None) -> int:
        """For everybody, or for those for whom it is due then."""
        after = UUID(lease.mark) if lease.mark else None
        found = self._repository
        pages = found.due(job, due, after) if due else found.tenants(after, need=NEEDS.get(job, Need.TIMED))
        started = 0
        for page in pages:
            waiting = iter(page)
            while tenants := list(islice(waiting, _AT_ONCE)):
                self._work.start(job, tenants, run)
                lease.mark = str(tenants[-1])
                started += len(tenants)
            self._leases.note(lease)
        return started
