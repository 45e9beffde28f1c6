"""Wires the sensors_processor function."""

from dataclasses import dataclass

from shared.alerts.repository.alerts import AlertRepository
from shared.alerts.repository.rules import RuleRepository
from shared.alerts.repository.watched import WatchedRepository
from shared.alerts.service.judging import Judging, Sources
from shared.alerts.service.watch import Watch
from shared.figures.repository import FigureRepository
from shared.measurements.repository.raw import RawRepository
from shared.measurements.service import Processor, Quarantine
from shared.occupancy.repository import LimitRepository
from shared.occupancy.service import Limits, Occupancy
from shared.quality.repository.tallies import TallyRepository
from shared.quality.service.tallies import Tallies
from tenant_context.clock import uuid7
from tenant_context.entry.queue import QueueEntry
from tenant_context.kernel import Kernel
from tenant_context.settings import Settings
from tenant_context.states import Need


@dataclass(frozen=True)
class ProcessorSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str


kernel = Kernel("sensors_processor")
database = kernel.database(bus=ProcessorSettings.load().bus)
figures, known_limits = FigureRepository(), LimitRepository()
judging = Judging(Sources(RuleRepository(), AlertRepository(), figures, known_limits), uuid7)
limits = Limits(figures, known_limits, Occupancy(figures, known_limits))
watch = Watch(database, WatchedRepository(), limits, judging)
heeds = (Tallies(TallyRepository()), watch)
processor = Processor(database, RawRepository(uuid7), "counts", RawRepository.write_counts, heeds=heeds)
handler = QueueEntry(
    Quarantine(processor), observability=kernel.observability, need=Need.PROCESS, together=processor.together
)
