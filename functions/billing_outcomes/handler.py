"""Wires the billing_outcomes function."""

from dataclasses import dataclass

from functions.billing_outcomes.outcomes import Outcomes
from shared.billing.service import Billing
from shared.life.service import Life
from tenant_context.dynamo import Table
from tenant_context.entry.queue import QueueEntry
from tenant_context.kernel import Kernel
from tenant_context.settings import Settings
from tenant_context.state_news import Herald


@dataclass(frozen=True)
class OutcomesSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    table_revocations: str


kernel = Kernel("billing_outcomes")
settings = OutcomesSettings.load()
database = kernel.database(bus=settings.bus)
billing = Billing(life=Life(Herald(Table(settings.table_revocations), kernel.clock)))
handler = QueueEntry(Outcomes(database, billing, kernel.observability), observability=kernel.observability)
