"""Wires the refresh_worker function."""

from dataclasses import dataclass

from shared.alerts.repository.alerts import AlertRepository
from shared.alerts.repository.rules import RuleRepository
from shared.alerts.service.judging import Judging, Sources
from shared.alerts.service.watch import Patrol
from shared.billing.repository import BillingRepository
from shared.billing.service.dunning import Dunning
from shared.billing.service.waiting import Late, Nightly, Waiting
from shared.figures.repository import FigureRepository
from shared.identity.gateway.egress import Egress
from shared.identity.gateway.mail import MailQueue
from shared.jobs.model import NEEDS, Job
from shared.jobs.repository import JobRepository
from shared.jobs.service import Share, Worker
from shared.life.service import Life
from shared.occupancy.repository import LimitRepository
from shared.occupancy.service import Limits, Occupancy
from shared.plans.service import Doors
from shared.quality.repository.days import DayRepository
from shared.quality.repository.incidents import IncidentRepository
from shared.quality.service.scoring import Scoring
from shared.sites.gateway import Directory
from shared.sites.repository.sensors import SensorRepository
from shared.sites.repository.sites import SiteRepository
from shared.sites.service.directory import DirectoryKeeper
from shared.usage.repository import UsageRepository
from shared.usage.service.telling import UsageShare
from tenant_context.clock import uuid7
from tenant_context.dynamo import Table
from tenant_context.entry.queue import QueueEntry
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings
from tenant_context.state_news import Allowances, Herald
from tenant_context.states import Need


@dataclass(frozen=True)
class WorkerSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    table_devices: str
    table_revocations: str
    queue_billing: str
    queue_mails: str
    function_billing_egress: str


kernel = Kernel("refresh_worker")
settings = WorkerSettings.load()
database = kernel.database(bus=settings.bus)
keeper = DirectoryKeeper(SiteRepository(database), SensorRepository(database), Directory(Table(settings.table_devices)))
usage = UsageShare(
    database,
    UsageRepository(),
    Egress(settings.function_billing_egress, seconds=30.0),
    Doors(Allowances(Table(settings.table_revocations), kernel.clock)),
)
life = Life(Herald(Table(settings.table_revocations), kernel.clock), at_end=usage.settle)
figures = FigureRepository()
limits = Limits(figures, LimitRepository(), Occupancy(figures, LimitRepository()))
others: dict[Job, Share] = {
    Job.REBUILD_DIRECTORY: keeper.rebuild,
    Job.LIFE: life.tend,
    Job.DUNNING: Nightly(
        Dunning(BillingRepository(), life, MailQueue(Queue(settings.queue_mails))),
        Waiting(BillingRepository(), Queue(settings.queue_billing)),
        Late(BillingRepository(), life),
    ),
    Job.USAGE: usage,
    Job.WATCH: Patrol(limits, Judging(Sources(RuleRepository(), AlertRepository(), figures, LimitRepository()), uuid7)),
    Job.QUALITY: Scoring(DayRepository(), IncidentRepository(), uuid7),
}
worker = Worker(database, JobRepository(database), others)
handler = QueueEntry(worker, observability=kernel.observability, need=Need.TIMED, needs=NEEDS)
