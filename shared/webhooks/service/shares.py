"""How much of the queue one tenant may fill at a time.

A tenant's events beyond its share go to the backlogs of its endpoints and from there at their pace, so that the queue
holds little of anybody's, and nobody waits behind another's hundred thousand. SQS is fair to message groups as well;
this holds where a queue is not. Each sandbox keeps its own count: there are few.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from uuid import UUID

PER_SECOND = 50.0
BURST = 100.0
_KNOWN = 10_000


class Shares:
    """One bucket a tenant."""

    def __init__(self, *, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._elapsed = elapsed
        self._left: OrderedDict[UUID, tuple[float, float]] = OrderedDict()

    def take(self, tenant: UUID, deliveries: int) -> bool:
        """Whether so many deliveries are within the tenant's share; they count then.

        More than a burst may come at once from a full bucket: an event for many endpoints is no crowd of events.
        """
        now = self._elapsed()
        left, since = self._left.get(tenant, (BURST, now))
        left = min(BURST, left + (now - since) * PER_SECOND)
        taken = left >= min(deliveries, BURST)
        self._left[tenant] = (left - deliveries if taken else left, now)
        self._left.move_to_end(tenant)
        if len(self._left) > _KNOWN:
            self._left.popitem(last=False)
        return taken
