"""What a dispatcher makes attempts with, and whom it asks."""

from dataclasses import dataclass

from shared.outbound.gateway.client import Strangers
from shared.webhooks.repository.attempts import AttemptRepository
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.service.backlog import Backlog
from shared.webhooks.service.gate import Gate
from shared.webhooks.service.health import Health
from shared.webhooks.service.order import Order
from shared.webhooks.service.replays import Replays
from tenant_context.clock import Clock
from tenant_context.observability import Observability
from tenant_context.queues import Queue


@dataclass(frozen=True, slots=True)
class Stores:
    """What attempts are made with."""

    targets: TargetRepository
    attempts: AttemptRepository
    receivers: Strangers
    queue: Queue
    slow: Queue
    """Of deliveries to receivers that are known as slow."""
    usage: Queue
    observability: Observability
    clock: Clock


@dataclass(frozen=True, slots=True)
class Desks:
    """Who is asked before an attempt and told after it."""

    gate: Gate
    order: Order
    health: Health
    backlog: Backlog
    replays: Replays
