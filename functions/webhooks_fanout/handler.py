"""Wires the fan-out of events to webhook endpoints."""

from dataclasses import dataclass

from shared.identity.gateway.mail import MailQueue
from shared.webhooks.repository.deliveries import DeliveryRepository
from shared.webhooks.repository.endpoints import EndpointRepository
from shared.webhooks.repository.lanes import LaneRepository
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.repository.told import ToldRepository
from shared.webhooks.service.alerts import Alerts
from shared.webhooks.service.backlog import Backlog
from shared.webhooks.service.fanout import Desks, Fanout, Stores
from shared.webhooks.service.opening import Opener
from shared.webhooks.service.precedence import Precedence
from shared.webhooks.service.shares import Shares
from shared.webhooks.service.turns import Turns, read_event
from tenant_context.dynamo import Table
from tenant_context.entry.queue import QueueEntry
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings
from tenant_context.states import Need


@dataclass(frozen=True)
class FanoutSettings(Settings):
    """What this function needs beside the common settings."""

    table_deliveries: str
    queue_deliveries: str
    queue_slow_deliveries: str
    queue_mails: str
    queue_webhook_events: str
    """Its own, to whose end goes what has to wait for its turn."""
    public_url: str
    """Of the API: where receivers fetch what is too long to be sent."""


kernel = Kernel("webhooks_fanout")
settings = FanoutSettings.load()
table, database, queue = Table(settings.table_deliveries), kernel.database(), Queue(settings.queue_deliveries)
targets, deliveries = TargetRepository(table), DeliveryRepository(table)
backlog = Backlog(targets, queue, clock=kernel.clock)
fanout = Fanout(
    Stores(database, EndpointRepository(), targets, deliveries, Queue(settings.queue_slow_deliveries)),
    Desks(
        Precedence(database),
        Opener(deliveries, LaneRepository(table), backlog, queue, clock=kernel.clock),
        backlog,
        Shares(),
        Alerts(database, ToldRepository(table), MailQueue(Queue(settings.queue_mails)), clock=kernel.clock),
    ),
    observability=kernel.observability,
    clock=kernel.clock,
    api_url=settings.public_url,
)
turns = Turns(Queue(settings.queue_webhook_events))
handler = QueueEntry(
    fanout.work,
    observability=kernel.observability,
    read=read_event,
    need=Need.PROCESS,
    put_off=turns.put_off,
    operation="webhooks.fan_out",
)
