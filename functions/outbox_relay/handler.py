"""Wires the relay of the outbox."""

from dataclasses import dataclass

from functions.outbox_relay.work import Sweep
from shared.events.service import Relay
from tenant_context.bus import Bus
from tenant_context.entry.schedule import ScheduleEntry
from tenant_context.kernel import Kernel
from tenant_context.settings import Settings


@dataclass(frozen=True)
class RelaySettings(Settings):
    """What this function needs beside the common settings."""

    bus: str


kernel = Kernel("outbox_relay")
database = kernel.database()
relay = Relay(database, Bus(RelaySettings.load().bus))
handler = ScheduleEntry(
    Sweep(database, relay, kernel.observability), name="outbox_relay.sweep", observability=kernel.observability
)
