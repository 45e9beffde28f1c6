"""Wires the billing_outcomes function."""

from dataclasses import dataclass

from functions.billing_outcomes.outcomes import Outcomes, read_word
from shared.billing.repository import BillingRepository
from shared.billing.service.following import Billing
from shared.billing.service.trial import TrialEnd
from shared.identity.gateway.mail import MailQueue
from shared.life.service import Life
from shared.plans.service import Doors
from tenant_context.dynamo import Table
from tenant_context.entry.queue import QueueEntry
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings
from tenant_context.state_news import Allowances, Herald
from tenant_context.states import Need


@dataclass(frozen=True)
class OutcomesSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    queue_billing: str
    queue_mails: str
    table_revocations: str


kernel = Kernel("billing_outcomes")
settings = OutcomesSettings.load()
database = kernel.database(bus=settings.bus)
life = Life(Herald(Table(settings.table_revocations), kernel.clock))
billing = Billing(life, Doors(Allowances(Table(settings.table_revocations), kernel.clock)))
trial_end = TrialEnd(BillingRepository(), MailQueue(Queue(settings.queue_mails)))
outcomes = Outcomes(database, billing, trial_end, Queue(settings.queue_billing), kernel.observability)
handler = QueueEntry(outcomes, observability=kernel.observability, read=read_word, need=Need.SETTLE)
