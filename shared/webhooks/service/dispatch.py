"""From a queued delivery to a signed call, its record, and the next attempt.

The calls of a batch run side by side; everything else runs in turn. Each step may be the last of a sandbox:

- an attempt is claimed before its call, so that a repeated message makes no second call while the first is on;
- the next attempt is queued before the delivery says that this one has ended, so that none is forgotten; a next
  attempt that is queued twice is made once, because only attempt n + 1 can be claimed after n;
- a wait that is longer than the queue can hold a message stands in the index of what is due, written together with
  the end of the attempt before, and the sweep queues it for its moment;
- what may not be sent now, for whatever reason, is held in its endpoint's backlog, and uses up no attempt.

A crash between call and record repeats the call: receivers drop a webhook-id they have seen.
"""

import random
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from shared.outbound.gateway.client import Strangers
from shared.outbound.model import Outcome
from shared.webhooks.errors import DeliveryBusy
from shared.webhooks.gateway.keys import SecretKeys, header_part
from shared.webhooks.model import Delivery, State, Target, Verdict, Wait
from shared.webhooks.repository.deliveries import DeliveryRepository, Ending
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.rules import retries, signature
from shared.webhooks.rules.endpoints import signing
from shared.webhooks.rules.log import shown_request
from shared.webhooks.service.backlog import Backlog
from shared.webhooks.service.gate import SLOW_FOR, SLOW_SECONDS, Gate, Pass
from shared.webhooks.service.health import Health
from shared.webhooks.service.order import Order
from shared.webhooks.service.queue import to_delivery, to_message
from tenant_context.clock import Clock, rfc3339, uuid7
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message as QueueMessage
from tenant_context.observability import Observability
from tenant_context.queues import Queue

_SIDE_BY_SIDE = 10
"""As many calls at once as a batch has messages."""

_Key = tuple[UUID, UUID, UUID, int]


@dataclass(frozen=True, slots=True)
class Stores:
    """What attempts are made with."""

    targets: TargetRepository
    deliveries: DeliveryRepository
    receivers: Strangers
    queue: Queue
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


@dataclass(frozen=True, slots=True)
class _Started:
    """A claimed attempt; without a call where the endpoint is not to be called, or not yet."""

    claim: str
    at: datetime
    pass_: Pass
    call: Future[Outcome] | None = None
    sent: Mapping[str, str] = field(default_factory=dict)
    """The headers of the call, as the log keeps them."""


class Dispatch:
    """Works on the messages of one batch: `ahead` for each of them, then `work` for each."""

    def __init__(self, stores: Stores, desks: Desks, keys: SecretKeys) -> None:
        self._deliveries = stores.deliveries
        self._targets = stores.targets
        self._receivers = stores.receivers
        self._queue = stores.queue
        self._usage = stores.usage
        self._observability = stores.observability
        self._clock = stores.clock
        self._gate = desks.gate
        self._order = desks.order
        self._health = desks.health
        self._backlog = desks.backlog
        self._keys = keys
        self._calls = ThreadPoolExecutor(_SIDE_BY_SIDE, "call")
        self._under_way: dict[str, tuple[TenantContext, Target]] = {}
        self._started: dict[_Key, _Started | Exception | None] = {}

    def ahead(self, tenant: TenantContext, message: QueueMessage) -> None:
        """Start the call of a message; what goes wrong is met when the message is worked on."""
        delivery = to_delivery(message)
        key = _key(tenant, delivery)
        if key in self._started:
            return
        try:
            self._started[key] = self._start(tenant, delivery)
        except Exception as error:  # noqa: BLE001  kept, and raised in the message's own turn
            self._started[key] = error

    def work(self, tenant: TenantContext, message: QueueMessage) -> None:
        """See an attempt to its end. Raises `DeliveryBusy` while another copy of the message is at it."""
        delivery = to_delivery(message)
        key = _key(tenant, delivery)
        started = self._started.pop(key) if key in self._started else self._start(tenant, delivery)
        if isinstance(started, Exception):
            raise started
        if started is None:
            self._observability.info("repeated message dropped", **_named(delivery))
        elif started.pass_.target is None:
            self._pass_on(tenant, delivery, started)
            self._end(tenant, delivery, started, Ending(State.STOPPED, attempted=False))
            self._observability.info("webhook stopped", **_named(delivery))
        elif started.call is None:
            self._hold(tenant, delivery, started)
        else:
            outcome = self._wait(started.call)
            self._gate.leave(tenant, started.pass_, started.claim)
            self._conclude(tenant, delivery, started, started.pass_.target, outcome)

    def _wait(self, call: Future[Outcome]) -> Outcome:
        """What a call comes to; endpoints that let one wait are known as slow while they do."""
        try:
            return call.result(timeout=SLOW_SECONDS)
        except TimeoutError:
            until = self._clock().timestamp() + SLOW_FOR
            for owner, target in list(self._under_way.values()):
                self._targets.mark_slow(owner, target, until)
        return call.result()

    def _start(self, tenant: TenantContext, delivery: Delivery) -> _Started | None:
        """Claim the attempt and begin its call; None where the attempt was made before, or it is not time."""
        claim, now = str(uuid7()), self._clock()
        if self._too_early(tenant, delivery, now):
            return None
        claimed = self._deliveries.claim(tenant, delivery, claim, now)
        if claimed is None:
            standing = self._deliveries.standing(tenant, delivery)
            if standing is None or standing.state is not State.WAITING or standing.attempts >= delivery.attempt:
                return None
            raise DeliveryBusy(f"attempt {delivery.attempt} at {delivery.endpoint} is being made")
        if delivery.due:
            late = max(0.0, now.timestamp() - delivery.due)
            self._observability.seconds("AttemptLateness", late)
        delivery = replace(delivery, first=int(claimed.get("first", 0)))
        pass_ = self._gate.judge(tenant, delivery, claim, str(claimed.get("lane", "")), now)
        if pass_.target is None or pass_.wait is not None:
            return _Started(claim, now, pass_)
        target, body = pass_.target, delivery.message.payload.encode()
        headers = headers_of(self._keys, tenant, target, str(delivery.message.id), now, body)
        seconds = float(target.manner.timeout_seconds)
        call = self._calls.submit(self._receivers.post, target.url, headers, body, seconds=seconds)
        self._under_way[claim] = tenant, target
        call.add_done_callback(lambda _: self._under_way.pop(claim, None))
        return _Started(claim, now, pass_, call, shown_request(headers, target.headers))

    def _too_early(self, tenant: TenantContext, delivery: Delivery, now: datetime) -> bool:
        """Whether a delivery came before its time, as far as the queue could hold it; it was sent back then."""
        left = delivery.due - now.timestamp()
        if left <= 1:
            return False
        self._queue.send([to_message(tenant, delivery)], delay_seconds=min(ceil(left), retries.LONGEST_DELAY))
        return True

    def _hold(self, tenant: TenantContext, delivery: Delivery, started: _Started) -> None:
        """Put a delivery into its endpoint's backlog, and see that somebody looks there."""
        wait, soon = started.pass_.wait, self._clock().timestamp() + 1  # the index follows its table after a moment
        self._end(tenant, delivery, started, Ending(State.HELD, held_for=wait, attempted=False))
        if wait in {Wait.ENDPOINT, Wait.VERIFICATION}:
            # Whatever changes that wakes the endpoint; it may have happened between the two looks.
            target = self._targets.find(tenant, delivery.endpoint)
            if target is None or (target.enabled and target.is_proved and not target.findings.is_disabled):
                self._backlog.wake(tenant, delivery.endpoint, soon)
        elif wait is Wait.ORDER:
            # Whoever is before it queues it afterwards; it may have done so between the two looks.
            if self._order.has_turn(tenant, started.pass_.lane, delivery, count=False):
                self._queue.send([to_message(tenant, delivery)], delay_seconds=1)
        else:
            self._backlog.wake(tenant, delivery.endpoint, max(soon, started.pass_.until))
        self._observability.info("webhook held", **_named(delivery), waits_for=wait)

    def _conclude(
        self, tenant: TenantContext, delivery: Delivery, started: _Started, target: Target, outcome: Outcome
    ) -> None:
        now = self._clock()
        self._deliveries.record_attempt(tenant, delivery, target.url, outcome, started.at, sent=started.sent)
        match retries.verdict(outcome.status):
            case Verdict.DELIVERED:
                self._count(tenant, delivery, started.at)
                self._health.delivered(tenant, target)
                end = Ending(State.DELIVERED)
            case Verdict.GONE:
                self._health.gone(tenant, target)
                end = Ending(State.HELD, held_for=Wait.ENDPOINT)
            case Verdict.FAILED:
                self._health.failed(tenant, target, outcome, started.pass_.probe)
                end = self._again(tenant, delivery, target, outcome, now)
        if end.state in {State.DELIVERED, State.DEAD}:
            self._pass_on(tenant, delivery, started)
        self._end(tenant, delivery, started, end)
        self._observability.count(f"Webhooks{end.state.title()}" if end.next_at is None else "WebhooksRetried")
        self._observability.info(
            "webhook attempted",
            **_named(delivery),
            state=end.state,
            status=outcome.status,
            error=outcome.error,
            milliseconds=outcome.timing.get("total"),
        )

    def _pass_on(self, tenant: TenantContext, delivery: Delivery, started: _Started) -> None:
        """Its turn in a lane is over, before it says that it has ended: a run that dies between the two is repeated."""
        if started.pass_.lane:
            self._order.pass_on(tenant, started.pass_.lane, delivery.message.id, delivery.endpoint)

    def _end(self, tenant: TenantContext, delivery: Delivery, started: _Started, end: Ending) -> None:
        self._deliveries.end_attempt(tenant, delivery, started.claim, end, now=self._clock())

    def _count(self, tenant: TenantContext, delivery: Delivery, at: datetime) -> None:
        """Tell the ledger, before the delivery says that it has ended: so none is forgotten, and each counts once."""
        message, endpoint = str(delivery.message.id), str(delivery.endpoint)
        data = {"message": message, "endpoint": endpoint, "at": rfc3339(at)}
        self._usage.send([QueueMessage(tenant.tenant, tenant.request_id, "ledger.delivery", data)])

    def _again(
        self, tenant: TenantContext, delivery: Delivery, target: Target, outcome: Outcome, now: datetime
    ) -> Ending:
        """Plan the next attempt, by the queue where that can hold it so long; dead when this was the last."""
        seconds = retries.wait(
            delivery.attempt - delivery.first,
            target.manner.retry_schedule,
            luck=random.uniform(-1, 1),  # noqa: S311  jitter, not a secret
            retry_after=retries.retry_after_seconds(outcome.retry_after, now),
        )
        if seconds is None:
            return Ending(State.DEAD)
        due = now + timedelta(seconds=seconds)
        if seconds > retries.LONGEST_DELAY:
            return Ending(State.WAITING, due, is_parked=True)
        following = replace(delivery, attempt=delivery.attempt + 1, due=0)
        self._queue.send([to_message(tenant, following)], delay_seconds=seconds)
        return Ending(State.WAITING, due)


def headers_of(
    keys: SecretKeys, tenant: TenantContext, target: Target, message: str, now: datetime, body: bytes
) -> Mapping[str, str]:
    """What a call carries: the endpoint's own headers, and ours, which none of those can replace."""
    own = {
        name: keys.open(tenant, target.id, sealed, header_part(name)).decode()
        for name, sealed in target.headers.items()
    }
    opened = [(key.algorithm, keys.open(tenant, target.id, key.ciphertext)) for key in signing(target.keys, now)]
    return {**own, **signature.headers(opened, message, int(now.timestamp()), body)}


def _key(tenant: TenantContext, delivery: Delivery) -> _Key:
    return tenant.tenant, delivery.message.id, delivery.endpoint, delivery.attempt


def _named(delivery: Delivery) -> dict[str, object]:
    return {
        "webhook_id": str(delivery.message.id),
        "endpoint": str(delivery.endpoint),
        "event_type": delivery.message.type,
        "attempt": delivery.attempt,
    }
