"""Wires the analytics function."""

from dataclasses import dataclass

from functions.analytics.routes import Analytics, routes
from shared.alerts.repository.alerts import AlertRepository
from shared.alerts.repository.rules import RuleRepository
from shared.alerts.service.rules import Alerts, Rules
from shared.figures.repository import FigureRepository
from shared.metrics.gateway import SharedAnswers
from shared.metrics.repository.facts import FactRepository
from shared.metrics.repository.heads import HeadRepository
from shared.metrics.repository.ranking import RankingRepository
from shared.metrics.service.cache import Answers
from shared.metrics.service.metrics import Metrics
from shared.metrics.service.reading import Reading
from shared.occupancy.repository import LimitRepository
from shared.occupancy.service import Limits, Occupancy
from shared.quality.repository.days import DayRepository
from shared.quality.repository.incidents import IncidentRepository
from shared.quality.service.reading import Quality
from shared.receipts.repository import ReceiptRepository
from shared.targets.repository import TargetRepository
from shared.targets.service import Targets
from tenant_context.clock import uuid7
from tenant_context.dynamo import Table
from tenant_context.kernel import Kernel
from tenant_context.settings import Settings


@dataclass(frozen=True)
class AnalyticsSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    table_answers: str


kernel = Kernel("analytics")
settings = AnalyticsSettings.load()
database = kernel.database(bus=settings.bus)
replica = kernel.replica(database)
heads = HeadRepository(replica)
figures = FigureRepository()
occupancy = Occupancy(figures, LimitRepository())
analytics = Analytics(
    metrics=Metrics(
        heads,
        Reading(heads, FactRepository(replica)),
        RankingRepository(replica),
        Answers(SharedAnswers(Table(settings.table_answers), kernel.clock)),
        kernel.clock,
    ),
    receipts=ReceiptRepository(database),
    quality=Quality(database, DayRepository(), IncidentRepository()),
    occupancy=occupancy,
    limits=Limits(figures, LimitRepository(), occupancy),
    rules=Rules(database, RuleRepository(), AlertRepository(), figures, uuid7),
    alerts=Alerts(database, AlertRepository()),
    targets=Targets(database, TargetRepository(), figures, uuid7),
    database=database,
)
handler = kernel.http(routes, analytics, database=database, token=kernel.tokens())
