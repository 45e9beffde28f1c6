"""Wires the usage_recorder function."""

from functions.usage_recorder.recorder import Recorder
from shared.usage.service.ledger import Ledger
from tenant_context.entry.queue import QueueEntry
from tenant_context.kernel import Kernel
from tenant_context.states import Need

kernel = Kernel("usage_recorder")
database = kernel.database()
handler = QueueEntry(Recorder(database, Ledger()), observability=kernel.observability, need=Need.PROCESS)
