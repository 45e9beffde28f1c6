"""Work items on the queue."""

from collections.abc import Sequence
from uuid import UUID

from shared.jobs.model import Job
from tenant_context.entry.queue import Message
from tenant_context.queues import Queue


class Work:
    """Sends each tenant's share of a job as a message of its own: a slow tenant delays no other."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def start(self, job: Job, tenants: Sequence[UUID], request_id: str, run: UUID | None = None) -> None:
        """Queue the job for the tenants."""
        data = {"run": str(run)} if run else {}
        self._queue.send([Message(tenant, request_id, job, data) for tenant in tenants])
