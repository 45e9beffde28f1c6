"""Wires the billing_outcomes function."""

from dataclasses import dataclass

from functions.billing_outcomes.outcomes import Outcomes
from shared.billing.service.following import Billing
from tenant_context.entry.queue import QueueEntry
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings


@dataclass(frozen=True)
class OutcomesSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    queue_billing: str


kernel = Kernel("billing_outcomes")
settings = OutcomesSettings.load()
database = kernel.database(bus=settings.bus)
outcomes = Outcomes(database, Billing(), Queue(settings.queue_billing), kernel.observability)
handler = QueueEntry(outcomes, observability=kernel.observability)
