"""What an endpoint missed, sent to it in order: each call begins when the one before it has ended well.

A look at a backlog (the message RELEASE) queues what waits for its pace, side by side, and takes along what was missed:
one batch, of one sandbox, sees to some of that, one after the other, while nobody else does. Those are held until their
own ends are written, so that a run that dies leaves them where they were. What fails is waited for as long as it is due
soon; one that a receiver never takes goes on by its own schedule, and keeps the others for a minute a try at most.
"""

from collections.abc import Sequence
from time import monotonic

from shared.webhooks.model import EndpointId, Target, Wait
from shared.webhooks.repository.attempts import LEASE
from shared.webhooks.repository.deliveries import DeliveryRepository, Held
from shared.webhooks.repository.paces import PaceRepository
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.rules import circuit
from shared.webhooks.service.backlog import A_TURN, Backlog, resting_until
from shared.webhooks.service.queue import RELEASE, about, by_slow, came_by_slow, read_about, to_message
from shared.webhooks.service.recovery import Recovery
from shared.webhooks.service.steps import Replay
from tenant_context.clock import Clock, uuid7
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Record
from tenant_context.queues import Queue

MISSED = frozenset({Wait.VERIFICATION, Wait.ENDPOINT, Wait.CIRCUIT, Wait.THROTTLE, Wait.REPLAY})
"""What is held for these is replayed in order; what waits for its pace or its share was never promised one."""
TENANTS_A_SECOND = 250
"""Deliveries of one tenant that are let go in a second, whatever number of endpoints it has."""
TENANTS_AT_ONCE = 10
"""Endpoints of one tenant that are replayed at once: each holds a sandbox for as long as it is at it."""
_LET_GO, _REPLAYED = "released", "replays"
_AT_IT = 5.0
"""Seconds after which no further call of a replay begins: its sandbox is others', too."""
_TURN_SECONDS = 1.0
_BUSY_SECONDS = 5.0
"""Until a backlog is looked at again that somebody replays; whoever does so ends with a look of its own."""
_LAST_LOOK = 30
"""Seconds until a backlog that was found empty is looked at once more: the index follows its table after a moment."""


class Replays:
    """Looks at backlogs, and gives endpoints their turns."""

    def __init__(
        self,
        targets: TargetRepository,
        deliveries: DeliveryRepository,
        paces: PaceRepository,
        recovery: Recovery,
        backlog: Backlog,
        queue: Queue,
        slow: Queue,
        *,
        clock: Clock,
    ) -> None:
        self._targets = targets
        self._deliveries = deliveries
        self._paces = paces
        self._recovery = recovery
        self._backlog = backlog
        self._queue = queue
        self._slow = slow
        self._clock = clock

    def look(self, record: Record) -> Replay | None:
        """Have go on what waits for an endpoint, oldest first, and be back while there is more.

        None where nothing is to be called here, which the record is told then.
        """
        tenant, (endpoint, time) = record.tenant, read_about(record.message)
        target = self._targets.find(tenant, endpoint)
        if target and target.findings.slow_until > self._clock().timestamp() and not came_by_slow(record.message):
            self._slow.send([by_slow(record.message)])
            record.done("backlog of a slow endpoint", endpoint=str(endpoint))
            return None
        replay = self._replay(record, target, time) if target is not None else None
        if replay is None:
            record.done("backlog looked at", endpoint=str(endpoint))
        return replay

    def _replay(self, record: Record, target: Target, time: int) -> Replay | None:
        tenant, now = record.tenant, self._clock().timestamp()
        self._targets.awake(tenant, target.id)
        if not (target.is_deleted or target.may_be_sent):
            return None
        if (later := resting_until(target)) > now:
            self._backlog.wake(tenant, target.id, later)
            return None
        if target.findings.missed_since is not None and not target.is_deleted:
            self._recover(tenant, target.id, target.findings.missed_since, now)
            return None
        waiting = self._deliveries.held(tenant, target.id, _at_once(target))
        if not waiting and time == 1:
            self._queue.send([about(tenant, RELEASE, target.id, 2)], delay_seconds=_LAST_LOOK)
        missed = [] if target.is_deleted else [one for one in waiting if one.wait in MISSED]
        others = [one for one in waiting if one not in missed] if missed else waiting
        self._let_go(tenant, others)
        turn = now + (circuit.SHORTEST if target.findings.circuit is not None else _TURN_SECONDS)
        first_late = next((number for number, one in enumerate(missed) if one.due > now), len(missed))
        if first_late:
            name = str(uuid7())
            if self._take_turn(tenant, target, name):
                return Replay(record, target, name, missed[:first_late], turn, monotonic() + _AT_IT)
            self._backlog.wake_again(tenant, target.id, now + _BUSY_SECONDS)
        elif waiting:
            self._backlog.wake(tenant, target.id, turn if others else missed[0].due)
        return None

    def _take_turn(self, tenant: TenantContext, target: Target, name: str) -> bool:
        """Whether it is replayed here: nobody else does so, and not too many others of its tenant are."""
        now = self._clock()
        until = now.timestamp() + LEASE.total_seconds()
        if not self._paces.enter(tenant, _REPLAYED, name, TENANTS_AT_ONCE, now=now, until=until):
            return False
        if self._targets.take_turn(tenant, target.id, name, now.timestamp(), until):
            return True
        self._paces.leave(tenant, _REPLAYED, name)
        return False

    def _recover(self, tenant: TenantContext, endpoint: EndpointId, since: str, now: float) -> None:
        """What died before it was disabled goes back into its backlog, before anything there is replayed."""
        name = str(uuid7())
        if self._targets.take_turn(tenant, endpoint, name, now, now + LEASE.total_seconds()):
            self._recovery.begin_missed(tenant, endpoint, since, name)
        else:
            self._backlog.wake_again(tenant, endpoint, now + _BUSY_SECONDS)

    def _let_go(self, tenant: TenantContext, some: Sequence[Held]) -> None:
        """Queue deliveries, as many as their tenant's second has room for; the others are looked at again.

        One that a run queued and did not mark as released is queued again, and attempted once.
        """
        if some:
            some = some[: self._paces.grant(tenant, _LET_GO, len(some), TENANTS_A_SECOND, self._clock())]
        if some:
            self._queue.send([to_message(tenant, one.delivery) for one in some])
            self._deliveries.release(tenant, [one.delivery for one in some], self._clock())

    def finish(self, replay: Replay) -> None:
        """The endpoint's turn is over; its backlog is looked at again."""
        tenant, endpoint = replay.record.tenant, replay.target.id
        self._targets.end_turn(tenant, endpoint, replay.name)
        self._paces.leave(tenant, _REPLAYED, replay.name)
        self._backlog.wake(tenant, endpoint, replay.next_look)
        if replay.record.error is None:
            called = sum(bool(one.sent) for one in replay.taken)
            replay.record.done("backlog replayed", endpoint=str(endpoint), deliveries=called)


def _at_once(target: Target) -> int:
    """How many are let go in a turn; a circuit that may be probed lets one through."""
    if target.findings.circuit is not None:
        return 1
    paces = (target.manner.replay_per_second, target.manner.rate_per_second, A_TURN)
    return min(pace for pace in paces if pace is not None)
