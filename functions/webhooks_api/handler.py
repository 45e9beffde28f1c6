"""Wires the webhooks API."""

from dataclasses import dataclass

from functions.webhooks_api.routes import routes
from shared.outbound.rules.addresses import allow_list
from shared.outbound.rules.own import own
from shared.webhooks.gateway.keys import SecretKeys
from shared.webhooks.repository.deliveries import DeliveryRepository
from shared.webhooks.repository.endpoints import EndpointRepository
from shared.webhooks.repository.history import HistoryRepository
from shared.webhooks.repository.lanes import LaneRepository
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.service.backlog import Backlog
from shared.webhooks.service.endpoints import Endpoints, Stores
from shared.webhooks.service.order import Order
from shared.webhooks.service.recovery import Recovery
from tenant_context.clock import uuid7
from tenant_context.dynamo import Table
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.settings import Settings


@dataclass(frozen=True)
class WebhookSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    field_key: str
    queue_deliveries: str
    table_data_keys: str
    table_deliveries: str
    outbound_allow: tuple[str, ...] = ()
    own_addresses: tuple[str, ...] = ()


kernel = Kernel("webhooks_api")
settings = WebhookSettings.load()
database = kernel.database(bus=settings.bus)
table = Table(settings.table_deliveries)
deliveries = DeliveryRepository(table, clock=kernel.clock)
targets, queue = TargetRepository(table), Queue(settings.queue_deliveries)
lanes = LaneRepository(table)
order = Order(lanes, deliveries, queue, clock=kernel.clock)
backlog = Backlog(targets, queue, clock=kernel.clock)
recovery = Recovery(targets, deliveries, lanes, backlog, queue, clock=kernel.clock)
history = HistoryRepository(table, clock=kernel.clock)
stores = Stores(database, targets, deliveries, history, EndpointRepository(), order, recovery)
endpoints = Endpoints(
    stores,
    SecretKeys(settings.field_key, Table(settings.table_data_keys)),
    uuid7,
    allowed=allow_list(settings.outbound_allow),
    own=own(settings.own_addresses),
)
handler = kernel.http(routes, endpoints, database=database, token=kernel.tokens())
