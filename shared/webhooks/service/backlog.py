"""What waits for an endpoint, and how it goes on: in order, some at a time.

A delivery that may not be sent now is held in its endpoint's backlog, and the endpoint is woken at a moment: a message
in the queue looks at the backlog then, and the sweep does where that message was lost. One that a run queued and did
not mark as released is queued again; what is queued twice is attempted once.
"""

from math import ceil

from shared.webhooks.model import EndpointId, Target
from shared.webhooks.repository.deliveries import DeliveryRepository
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.rules import circuit, retries
from shared.webhooks.service.queue import RELEASE, about, read_about, to_message
from tenant_context.clock import Clock
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message as QueueMessage
from tenant_context.queues import Queue

A_TURN = 50
"""Deliveries that are let go in a second, where the endpoint asks for no less."""
_TURN_SECONDS = 1.0
_LAST_LOOK = 30
"""Seconds until a backlog that was found empty is looked at once more: the index follows its table after a moment."""


class Backlog:
    """Wakes endpoints, and works on the message RELEASE."""

    def __init__(
        self, targets: TargetRepository, deliveries: DeliveryRepository, queue: Queue, *, clock: Clock
    ) -> None:
        self._targets = targets
        self._deliveries = deliveries
        self._queue = queue
        self._clock = clock

    def wake(self, tenant: TenantContext, endpoint: EndpointId, at: float = 0) -> None:
        """Have a backlog looked at, at a moment (seconds since 1970) or at once."""
        now = self._clock().timestamp()
        at = max(at, now)
        if self._targets.wake(tenant, endpoint, at, now):
            delay = min(ceil(at - now), retries.LONGEST_DELAY)
            self._queue.send([about(tenant, RELEASE, endpoint)], delay_seconds=delay)

    def release(self, tenant: TenantContext, message: QueueMessage) -> None:
        """Queue some of what waits, oldest first, and be back while there is more."""
        endpoint, time = read_about(message)
        target, now = self._targets.find(tenant, endpoint), self._clock().timestamp()
        if target is None:
            return
        self._targets.awake(tenant, endpoint)
        if target.enabled and (target.findings.is_disabled or not target.is_proved):
            return
        if (later := resting_until(target)) > now:
            self.wake(tenant, endpoint, later)
            return
        waiting = self._deliveries.held(tenant, endpoint, self._at_once(target))
        if waiting:
            self._queue.send([to_message(tenant, delivery) for delivery in waiting])
            for delivery in waiting:
                self._deliveries.release(tenant, delivery)
            probing = target.findings.circuit is not None
            self.wake(tenant, endpoint, now + (circuit.SHORTEST if probing else _TURN_SECONDS))
        elif time == 1:
            self._queue.send([about(tenant, RELEASE, endpoint, 2)], delay_seconds=_LAST_LOOK)

    @staticmethod
    def _at_once(target: Target) -> int:
        """How many are let go in a turn; a circuit that may be probed lets one through."""
        if target.findings.circuit is not None:
            return 1
        paces = (target.manner.replay_per_second, target.manner.rate_per_second, A_TURN)
        return min(pace for pace in paces if pace is not None)


def resting_until(target: Target) -> float:
    """Until when an endpoint is left alone, in seconds since 1970; 0 where it is not."""
    rest = target.findings.circuit
    return max(target.findings.throttled_until, rest.until if rest else 0)
