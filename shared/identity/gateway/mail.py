"""Mails to users, by way of the queue that the mailer empties."""

from uuid import UUID

from tenant_context.entry.queue import Message
from tenant_context.queues import Queue

NOBODY = UUID(int=0)
"""The tenant of somebody who is in none, and a user who is not known."""


class MailQueue:
    """Queues mails; the kinds are the mailer's."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def send(self, kind: str, to: str, values: dict[str, str], *, request_id: str, tenant: UUID = NOBODY) -> None:
        """Queue one mail; raises AwsError."""
        self._queue.send([Message(tenant, request_id, kind, {"to": to, "values": values})])
