"""Wires the tills_processor function."""

from dataclasses import dataclass

from shared.measurements.repository.raw import RawRepository
from shared.measurements.service import Processor, Quarantine
from tenant_context.clock import uuid7
from tenant_context.entry.queue import QueueEntry
from tenant_context.kernel import Kernel
from tenant_context.settings import Settings
from tenant_context.states import Need


@dataclass(frozen=True)
class ProcessorSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str


kernel = Kernel("tills_processor")
database = kernel.database(bus=ProcessorSettings.load().bus)
processor = Processor(database, RawRepository(uuid7), "transactions", RawRepository.write_transactions)
handler = QueueEntry(Quarantine(processor), observability=kernel.observability, need=Need.PROCESS)
