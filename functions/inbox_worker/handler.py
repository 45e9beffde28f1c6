"""Wires the inbox_worker function: its queue works on one entry at a time, its schedule sweeps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.inbox_worker.desks import MailDesk, StripeDesk, desks
from shared.identity.gateway.egress import Egress
from shared.inbox.gateway.elsewhere import REFUSALS, Elsewhere
from shared.inbox.repository import InboxRepository
from shared.inbox.service.working import Sweep, Working
from shared.mail.repository import Suppressions
from tenant_context.dynamo import Table
from tenant_context.entry.queue import QueueEntry
from tenant_context.entry.schedule import ScheduleEntry
from tenant_context.fields import DataKeys, FieldCipher
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.secrets import secret
from tenant_context.settings import Settings
from tenant_context.states import Need


@dataclass(frozen=True)
class WorkerSettings(Settings):
    """What this function needs beside the common settings."""

    pepper_secret: str
    queue_inbox: str
    queue_billing_outcomes: str
    queue_billing: str
    field_key: str
    table_data_keys: str
    table_suppressions: str
    function_inbound_egress: str


kernel = Kernel("inbox_worker")
settings = WorkerSettings.load()
database = kernel.database()
repository, observability = InboxRepository(), kernel.observability
elsewhere = Elsewhere(Egress(settings.function_inbound_egress, seconds=9.0, refusals=REFUSALS))
registry = desks(
    StripeDesk(Queue(settings.queue_billing_outcomes), Queue(settings.queue_billing)),
    MailDesk(
        repository,
        Suppressions(Table(settings.table_suppressions), lambda: secret(settings.pepper_secret)),
        elsewhere,
        observability,
    ),
)
cipher = FieldCipher(DataKeys(Table(settings.table_data_keys), settings.field_key))
working = Working(database, repository, registry, cipher, observability)
sweep = Sweep(database, repository, Queue(settings.queue_inbox).send, observability)
_queued = QueueEntry(working, observability=observability, need=Need.SETTLE)
_timed = ScheduleEntry(sweep, name="inbox", observability=observability)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """A batch of the queue, or the schedule's call."""
    return _queued(event, context) if "Records" in event else _timed(event, context)
