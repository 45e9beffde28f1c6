"""Every minute: what is due until the next run is queued, each for its moment.

An attempt is planned by the index and not by the time of a run: it is found up to AHEAD seconds early and the queue
holds it back for the rest. It is late only where a run is, and by how much is a metric. A run that dies leaves what it
did not queue; what it queued and did not take out of the index is queued twice, and attempted once.
"""

import time
from collections.abc import Callable, Mapping
from itertools import islice
from math import ceil
from typing import Any
from uuid import UUID

from shared.webhooks.model import EndpointId
from shared.webhooks.repository.deliveries import DeliveryRepository
from shared.webhooks.repository.due import DueIndex
from shared.webhooks.service.queue import RELEASE, about, to_message
from tenant_context.clock import Clock
from tenant_context.context import TenantContext, from_schedule
from tenant_context.dynamo import Item
from tenant_context.observability import Observability
from tenant_context.queues import Queue

AHEAD = 75
"""Seconds: the minute to the next run, and some for it to be late."""
BUDGET_SECONDS = 40.0
"""A run ends by itself well before its function's time is up; the next one goes on."""
_AT_ONCE = 100


class Sweep:
    """The job of the schedule."""

    def __init__(
        self,
        due: DueIndex,
        deliveries: DeliveryRepository,
        queue: Queue,
        *,
        observability: Observability,
        clock: Clock,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._due = due
        self._deliveries = deliveries
        self._queue = queue
        self._observability = observability
        self._clock = clock
        self._elapsed = elapsed

    def __call__(self, run: str, _input: Mapping[str, Any]) -> int:
        """Queue what is due; answers how much that was."""
        deadline, swept, latest = self._elapsed() + BUDGET_SECONDS, 0, 0.0
        due = self._due.until(self._clock().timestamp(), AHEAD)
        while items := list(islice(due, _AT_ONCE)):
            latest = max(latest, self._clock().timestamp() - min(_time(item) for item in items))
            swept += self._queue_all(run, items)
            if self._elapsed() >= deadline:
                self._observability.warning("the sweep goes on in its next run", swept=swept)
                break
        self._observability.count("SweptAttempts", swept)
        self._observability.seconds("SweepLateness", max(0.0, latest))
        return swept

    def _queue_all(self, run: str, items: list[Item]) -> int:
        swept = 0
        by_tenant: dict[UUID, list[Item]] = {}
        for item in items:
            by_tenant.setdefault(_tenant(item), []).append(item)
        for owner, theirs in by_tenant.items():
            tenant = from_schedule(owner, run)
            try:
                swept += self._queue_theirs(tenant, theirs)
            except Exception:  # noqa: BLE001  one tenant's items must not keep the others' from their time
                self._observability.exception("due attempts wait on", tenant=str(owner))
        return swept

    def _queue_theirs(self, tenant: TenantContext, items: list[Item]) -> int:
        now = self._clock().timestamp()
        attempts = {(one["message"], one["endpoint"]): _time(one) for one in items if one["sk"] != "target"}
        found = self._deliveries.with_messages(tenant, [item for item in items if item["sk"] != "target"])
        for delivery in found:
            at = attempts[str(delivery.message.id), str(delivery.endpoint)]
            self._queue.send([to_message(tenant, delivery, due=at)], delay_seconds=max(0, ceil(at - now)))
        swept = 0
        for item in items:
            if item["sk"] == "target":
                if _time(item) > now:
                    continue  # its own message wakes it; the sweep does where that is lost
                endpoint = EndpointId(UUID(item["pk"].rpartition("#")[2]))
                self._queue.send([about(tenant, RELEASE, endpoint)])
            self._due.clear(item)
            swept += 1
        return swept


def _time(item: Item) -> int:
    return int(str(item["gsi1sk"]).partition("#")[0])


def _tenant(item: Item) -> UUID:
    return UUID(str(item["pk"]).split("#")[1])
