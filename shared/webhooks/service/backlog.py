"""What waits for an endpoint, and when somebody looks at it.

A delivery that may not be sent now is held in its endpoint's backlog, and the endpoint is woken at a moment: a message
in the queue looks at the backlog then (`replays`), and the sweep does where that message was lost.
"""

from math import ceil

from shared.webhooks.model import EndpointId, Target
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.rules import retries
from shared.webhooks.service.queue import RELEASE, about
from tenant_context.clock import Clock
from tenant_context.context import TenantContext
from tenant_context.queues import Queue

A_TURN = 50
"""Deliveries that are let go in a second, where the endpoint asks for no less."""


class Backlog:
    """Wakes endpoints."""

    def __init__(self, targets: TargetRepository, queue: Queue, *, clock: Clock) -> None:
        self._targets = targets
        self._queue = queue
        self._clock = clock

    def wake(self, tenant: TenantContext, endpoint: EndpointId, at: float = 0) -> None:
        """Have a backlog looked at, at a moment (seconds since 1970) or at once."""
        now = self._clock().timestamp()
        at = max(at, now)
        if self._targets.wake(tenant, endpoint, at, now):
            delay = min(ceil(at - now), retries.LONGEST_DELAY)
            self._queue.send([about(tenant, RELEASE, endpoint)], delay_seconds=delay)

    def wake_again(self, tenant: TenantContext, endpoint: EndpointId, at: float) -> None:
        """Have it looked at later by whoever could not do so now, where nobody else will."""
        now = self._clock().timestamp()
        if self._targets.wake(tenant, endpoint, at, now, late=0):
            self._queue.send([about(tenant, RELEASE, endpoint)], delay_seconds=max(0, ceil(at - now)))


def resting_until(target: Target) -> float:
    """Until when an endpoint is left alone, in seconds since 1970; 0 where it is not."""
    rest = target.findings.circuit
    return max(target.findings.throttled_until, rest.until if rest else 0)
