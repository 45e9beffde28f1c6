"""Wires the billing_outcomes function."""

from dataclasses import dataclass

from functions.billing_outcomes.outcomes import Outcomes
from shared.billing.service import Billing
from tenant_context.entry.queue import QueueEntry
from tenant_context.kernel import Kernel
from tenant_context.settings import Settings


@dataclass(frozen=True)
class OutcomesSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str


kernel = Kernel("billing_outcomes")
database = kernel.database(bus=OutcomesSettings.load().bus)
handler = QueueEntry(Outcomes(database, Billing(), kernel.observability), observability=kernel.observability)
