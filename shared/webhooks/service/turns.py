"""Turns at the fan-out: a tenant with a crowd of events goes back to the end of the line with most of them.

The bus fills the queue in the order in which events come, so that one tenant's five thousand stand before another's
one. What is beyond a tenant's pace goes back to the queue before anything is asked of the database, each for the moment
at which it is its turn: one call for ten of them. That is done once to an event: the moment was kept for it, so that it
is fanned out when it comes again. Where SQS is fair to message groups it has nothing to do. Each sandbox counts for
itself.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from math import ceil
from uuid import UUID

import msgspec

from tenant_context.entry.queue import Message, read_bus_event
from tenant_context.queues import Queue

PER_SECOND = 100.0
BURST = 200.0
"""Events of a tenant that are fanned out as they come, after a while without any."""
LONGEST = 600
"""Seconds: less than an event is waited for by a later one of its entity (`opening.PATIENCE`)."""
PUT_OFF = "webhooks.put_off"
_KNOWN = 10_000
_GRAIN = 1e-6
"""Seconds: sums of fractions are not exact."""


class Turns:
    """Keeps a moment for each event."""

    def __init__(self, queue: Queue, *, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._queue = queue
        self._elapsed = elapsed
        self._taken: OrderedDict[UUID, float] = OrderedDict()
        """Up to when the moments of a tenant are taken."""

    def put_off(self, events: Sequence[Message]) -> Collection[int]:
        """Send back what is beyond its tenant's pace; answers which of the events that was."""
        waits = {number: self._wait(one) for number, one in enumerate(events)}
        late = {number: wait for number, wait in waits.items() if wait > 0}
        if late:
            self._queue.send_each([(_again(events[number]), min(LONGEST, ceil(wait))) for number, wait in late.items()])
        return late.keys()

    def _wait(self, event: Message) -> float:
        """Seconds until it is an event's turn."""
        if event.kind == PUT_OFF:
            return 0.0
        now = self._elapsed()
        taken = max(self._taken.get(event.tenant, now), now)
        self._taken[event.tenant] = taken + 1 / PER_SECOND
        self._taken.move_to_end(event.tenant)
        if len(self._taken) > _KNOWN:
            self._taken.popitem(last=False)
        return taken + 1 / PER_SECOND - now - BURST / PER_SECOND - _GRAIN


def read_event(body: str) -> Message:
    """An event of the bus, or one that was put off."""
    if "detail" in msgspec.json.decode(body, type=dict[str, msgspec.Raw]):
        return read_bus_event(body)
    return msgspec.json.decode(body, type=Message)


def _again(event: Message) -> Message:
    return Message(event.tenant, event.id, PUT_OFF, event.data)
