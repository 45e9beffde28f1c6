"""Wires the billing_outcomes function."""

from dataclasses import dataclass

from functions.billing_outcomes.outcomes import Outcomes
from shared.billing.service.following import Billing
from shared.identity.repository.keys import ApiKeyRepository
from shared.life.service import Life
from tenant_context.dynamo import Table
from tenant_context.entry.queue import QueueEntry
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings
from tenant_context.state_news import Herald
from tenant_context.states import Need


@dataclass(frozen=True)
class OutcomesSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    queue_billing: str
    table_api_keys: str
    table_revocations: str


kernel = Kernel("billing_outcomes")
settings = OutcomesSettings.load()
database = kernel.database(bus=settings.bus)
life = Life(Herald(Table(settings.table_revocations), kernel.clock))
billing = Billing(life, ApiKeyRepository(Table(settings.table_api_keys)))
outcomes = Outcomes(database, billing, Queue(settings.queue_billing), kernel.observability)
handler = QueueEntry(outcomes, observability=kernel.observability, need=Need.PROCESS)
