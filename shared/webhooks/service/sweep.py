"""Every minute: what is due until the next run is queued, each for its moment.

An attempt is planned by the index and not by the time of a run: it is found up to AHEAD seconds early and the queue
holds it back for the rest. It is late only where a run is, or where more is due in a minute than a run gets through,
and by how much is a metric. A run that dies leaves what it did not queue; what it queued and did not take out of the
index is queued twice, and attempted once.

Reading is a small part of the work, so much is read ahead, and tenants take turns at the rest: who has one attempt due
does not wait behind another's hundred thousand.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from math import ceil
from typing import Any
from uuid import UUID

from shared.webhooks.model import EndpointId
from shared.webhooks.repository.deliveries import DeliveryRepository
from shared.webhooks.repository.due import SHARDS, DueIndex, hour_of
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
A_TURN = 100
"""Of one tenant's, before it is another one's turn."""
MOST_READ = 25_000
"""Looked at by one crew before it begins to queue."""
MOST_KEPT = 5_000
"""Of one tenant's that are kept in mind of those; the rest is looked at again afterwards."""
_NEEDED = ("pk", "sk", "gsi1sk", "message", "endpoint", "attempts", "first")


@dataclass(frozen=True, slots=True)
class Crew:
    """What one thread works with: a connection is for one at a time."""

    due: DueIndex
    deliveries: DeliveryRepository
    queue: Queue


@dataclass(frozen=True, slots=True)
class _Run:
    """What is told to every crew: the run's name, when it ends by itself, and what it is to look for."""

    name: str
    deadline: float
    end: float
    first: int


@dataclass(slots=True)
class _Turn:
    """What one crew came to: how much it queued, how late that was, the oldest hour it found, whether it saw all."""

    swept: int = 0
    late: float = 0.0
    oldest: int | None = None
    is_whole: bool = True
    seen: set[tuple[str, str, str]] = field(default_factory=set)
    """What it has been at, which the index may show again, for a moment or where it failed."""


class Sweep:
    """The job of the schedule: the crews share the shards of the index."""

    def __init__(
        self,
        crews: Sequence[Crew],
        *,
        observability: Observability,
        clock: Clock,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._crews = crews
        self._observability = observability
        self._clock = clock
        self._elapsed = elapsed

    def __call__(self, run: str, _input: Mapping[str, Any]) -> int:
        """Queue what is due; answers how much that was."""
        index, now = self._crews[0].due, self._clock().timestamp()
        first = index.first_hour(now)
        told = _Run(run, self._elapsed() + BUDGET_SECONDS, now + AHEAD, first)
        with ThreadPoolExecutor(len(self._crews), "sweep") as threads:
            turns = list(threads.map(lambda number: self._turn(told, number), range(len(self._crews))))
        swept = sum(turn.swept for turn in turns)
        if all(turn.is_whole for turn in turns):
            index.settle(now, first, min((turn.oldest for turn in turns if turn.oldest is not None), default=None))
        else:
            self._observability.warning("the sweep goes on in its next run", swept=swept)
        self._observability.count("SweptAttempts", swept)
        self._observability.seconds("SweepLateness", max(turn.late for turn in turns))
        return swept

    def _turn(self, run: _Run, number: int) -> _Turn:
        crew, turn, is_all = self._crews[number], _Turn(), False
        while not is_all:
            due = crew.due.until(run.end, run.first, range(number, SHARDS, len(self._crews)))
            waiting, is_all = _read(due, turn.seen)
            for owner, items in _by_turns(waiting):
                self._queue_some(run.name, crew, turn, owner, items)
                if self._elapsed() >= run.deadline:
                    turn.is_whole = False
                    return turn
        return turn

    def _queue_some(self, run: str, crew: Crew, turn: _Turn, owner: UUID, items: list[Item]) -> None:
        turn.seen.update(map(_key, items))
        first = min(map(_time, items))
        turn.oldest = min(hour_of(first), turn.oldest if turn.oldest is not None else hour_of(first))
        turn.late = max(turn.late, self._clock().timestamp() - first)
        try:
            turn.swept += self._queue_theirs(from_schedule(owner, run), crew, items)
        except Exception:  # noqa: BLE001  one tenant's items must not keep the others' from their time
            self._observability.exception("due attempts wait on", tenant=str(owner))

    def _queue_theirs(self, tenant: TenantContext, crew: Crew, items: list[Item]) -> int:
        now = self._clock().timestamp()
        deliveries = [item for item in items if item["sk"] != "target"]
        # A backlog is woken by a message of its own; the sweep does that where the message was lost.
        asleep = [item for item in items if item["sk"] == "target" and _time(item) <= now]
        moments = {(one["message"], one["endpoint"]): _time(one) for one in deliveries}
        asked = [(about(tenant, RELEASE, EndpointId(UUID(one["pk"].rpartition("#")[2]))), 0) for one in asleep]
        for delivery in crew.deliveries.with_messages(tenant, deliveries):
            at = moments[str(delivery.message.id), str(delivery.endpoint)]
            asked.append((to_message(tenant, delivery, due=at), max(0, ceil(at - now))))
        crew.queue.send_each(asked)
        crew.due.clear([*deliveries, *asleep])
        return len(deliveries) + len(asleep)


def _read(due: Iterator[Item], seen: set[tuple[str, str, str]]) -> tuple[dict[UUID, deque[Item]], bool]:
    """What is due, by tenant, each in the order of its time; and whether that is all of it."""
    waiting: dict[UUID, deque[Item]] = {}
    read, is_all = 0, True
    for item in islice((one for one in due if _key(one) not in seen), MOST_READ):
        read += 1
        theirs = waiting.setdefault(_tenant(item), deque())
        if len(theirs) == MOST_KEPT:
            is_all = False
        else:
            theirs.append({name: item[name] for name in _NEEDED if name in item})
    return waiting, is_all and read < MOST_READ


def _by_turns(waiting: Mapping[UUID, deque[Item]]) -> Iterator[tuple[UUID, list[Item]]]:
    """Some of each tenant's, then some more of each."""
    while any(waiting.values()):
        for owner, theirs in waiting.items():
            if theirs:
                yield owner, [theirs.popleft() for _ in range(min(A_TURN, len(theirs)))]


def _key(item: Item) -> tuple[str, str, str]:
    return item["pk"], item["sk"], item["gsi1sk"]


def _time(item: Item) -> int:
    return int(str(item["gsi1sk"]).partition("#")[0])


def _tenant(item: Item) -> UUID:
    return UUID(str(item["pk"]).split("#")[1])
