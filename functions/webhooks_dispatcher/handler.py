"""Wires the dispatcher of webhooks."""

from dataclasses import dataclass

from shared.outbound.gateway.client import Strangers
from shared.outbound.gateway.kept import KeptConnections
from shared.outbound.rules.addresses import allow_list
from shared.outbound.rules.own import own
from shared.webhooks.gateway.keys import SecretKeys
from shared.webhooks.repository.attempts import AttemptRepository
from shared.webhooks.repository.deliveries import DeliveryRepository
from shared.webhooks.repository.lanes import LaneRepository
from shared.webhooks.repository.paces import PaceRepository
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.service.backlog import Backlog
from shared.webhooks.service.desk import APART, Desk
from shared.webhooks.service.dispatch import Dispatch
from shared.webhooks.service.gate import Gate
from shared.webhooks.service.health import Health
from shared.webhooks.service.means import Desks, Stores
from shared.webhooks.service.opening import Opener
from shared.webhooks.service.order import Order
from shared.webhooks.service.proving import Proving
from shared.webhooks.service.queue import KIND
from shared.webhooks.service.recovery import Recovery
from shared.webhooks.service.replays import Replays
from tenant_context.bus import Bus
from tenant_context.dynamo import Table
from tenant_context.entry.queue import BatchEntry
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings
from tenant_context.state_news import States
from tenant_context.states import Need


@dataclass(frozen=True)
class DispatcherSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    field_key: str
    table_data_keys: str
    table_deliveries: str
    table_revocations: str
    queue_deliveries: str
    queue_slow_deliveries: str
    queue_usage: str
    outbound_allow: tuple[str, ...] = ()
    own_addresses: tuple[str, ...] = ()


kernel = Kernel("webhooks_dispatcher")
settings = DispatcherSettings.load()
table = Table(settings.table_deliveries)
targets, deliveries, attempts = TargetRepository(table), DeliveryRepository(table), AttemptRepository(table)
keys = SecretKeys(settings.field_key, Table(settings.table_data_keys))
receivers = Strangers(allow_list(settings.outbound_allow), own=own(settings.own_addresses), kept=KeptConnections())
queue, usage = Queue(settings.queue_deliveries), Queue(settings.queue_usage)
slow = Queue(settings.queue_slow_deliveries)
stores = Stores(targets, attempts, receivers, queue, slow, usage, kernel.observability, kernel.clock)
backlog = Backlog(targets, queue, clock=kernel.clock)
health = Health(targets, backlog, Bus(settings.bus), observability=kernel.observability, clock=kernel.clock)
lanes = LaneRepository(table)
order = Order(lanes, deliveries, queue, clock=kernel.clock)
paces = PaceRepository(table)
gate = Gate(targets, paces, order)
recovery = Recovery(targets, deliveries, lanes, backlog, queue, clock=kernel.clock)
replays = Replays(targets, deliveries, paces, recovery, backlog, queue, slow, clock=kernel.clock)
dispatch = Dispatch(stores, Desks(gate, order, health, backlog, replays), keys)
states = States(Table(settings.table_revocations), kernel.clock)
proving = Proving(
    targets, paces, backlog, keys, receivers, slow, observability=kernel.observability, clock=kernel.clock
)
opener = Opener(deliveries, lanes, backlog, queue, clock=kernel.clock)
desk = Desk(proving, recovery, opener)
handler = BatchEntry(
    dispatch.work,
    desk.work,
    jointly=KIND,
    apart=APART,
    ahead=desk.ahead,
    observability=kernel.observability,
    need=Need.PROCESS,
    state_of=states.of,
)
