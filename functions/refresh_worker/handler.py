"""Wires the refresh_worker function."""

from dataclasses import dataclass

from shared.billing.repository import BillingRepository
from shared.billing.service.dunning import Dunning
from shared.identity.gateway.egress import Egress
from shared.identity.gateway.mail import MailQueue
from shared.jobs.model import Job
from shared.jobs.repository import JobRepository
from shared.jobs.service import Share, Worker
from shared.sites.gateway import Directory
from shared.sites.repository import SensorRepository, SiteRepository
from shared.sites.service import DirectoryKeeper
from shared.usage.repository import UsageRepository
from shared.usage.service.telling import UsageShare
from tenant_context.dynamo import Table
from tenant_context.entry.queue import QueueEntry
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings


@dataclass(frozen=True)
class WorkerSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    table_devices: str
    queue_mails: str
    function_billing_egress: str


kernel = Kernel("refresh_worker")
settings = WorkerSettings.load()
database = kernel.database(bus=settings.bus)
keeper = DirectoryKeeper(SiteRepository(database), SensorRepository(database), Directory(Table(settings.table_devices)))
others: dict[Job, Share] = {
    Job.REBUILD_DIRECTORY: keeper.rebuild,
    Job.DUNNING: Dunning(BillingRepository(), MailQueue(Queue(settings.queue_mails))),
    Job.USAGE: UsageShare(database, UsageRepository(), Egress(settings.function_billing_egress, seconds=30.0)),
}
handler = QueueEntry(Worker(database, JobRepository(database), others), observability=kernel.observability)
