"""From a queued delivery to a signed call, its record, and the next attempt.

The calls of a batch run side by side; everything else runs in turn. Each step may be the last of a sandbox:

- an attempt is claimed before its call, so that a repeated message makes no second call while the first is on;
- the next attempt is queued before the delivery says that this one has ended, so that none is forgotten; a next
  attempt that is queued twice is made once, because only attempt n + 1 can be claimed after n;
- a wait that is longer than the queue can hold a message is several: the message comes early, and goes back;
- what comes for an endpoint whose URL is not verified is held, without using up an attempt, until it is.

A crash between call and record repeats the call: receivers drop a webhook-id they have seen.
"""

import random
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from shared.outbound.gateway.client import Strangers
from shared.outbound.model import Outcome
from shared.webhooks.errors import DeliveryBusy
from shared.webhooks.gateway.keys import SecretKeys, header_part
from shared.webhooks.model import Delivery, State, Target, Verdict
from shared.webhooks.repository.deliveries import DeliveryRepository
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.rules import retries, signature
from shared.webhooks.rules.endpoints import signing
from shared.webhooks.service.queue import RELEASE, about, to_delivery, to_message
from tenant_context.clock import Clock, rfc3339, uuid7
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message as QueueMessage
from tenant_context.observability import Observability
from tenant_context.queues import Queue

_SIDE_BY_SIDE = 10
"""As many calls at once as a batch has messages."""

_Key = tuple[UUID, UUID, UUID, int]


@dataclass(frozen=True, slots=True)
class _Started:
    """A claimed attempt; without a call where the endpoint is not to be called, or not yet."""

    claim: str
    at: datetime
    call: tuple[Target, Future[Outcome]] | None
    held: bool = False


class Dispatch:
    """Works on the messages of one batch: `ahead` for each of them, then `work` for each."""

    def __init__(
        self,
        targets: TargetRepository,
        deliveries: DeliveryRepository,
        keys: SecretKeys,
        receivers: Strangers,
        queue: Queue,
        *,
        usage: Queue,
        observability: Observability,
        clock: Clock,
    ) -> None:
        self._targets = targets
        self._deliveries = deliveries
        self._keys = keys
        self._receivers = receivers
        self._queue = queue
        self._usage = usage
        self._observability = observability
        self._clock = clock
        self._calls = ThreadPoolExecutor(_SIDE_BY_SIDE, "call")
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
        elif started.held:
            self._hold(tenant, delivery, started)
        elif started.call is None:
            self._deliveries.end_attempt(
                tenant, delivery, started.claim, State.STOPPED, now=self._clock(), attempted=False
            )
            self._observability.info("webhook stopped", **_named(delivery))
        else:
            target, call = started.call
            self._conclude(tenant, delivery, started, target, call.result())

    def _start(self, tenant: TenantContext, delivery: Delivery) -> _Started | None:
        """Claim the attempt and begin its call; None where the attempt was made before, or it is not time."""
        claim, now = str(uuid7()), self._clock()
        if self._too_early(tenant, delivery, now):
            return None
        if not self._deliveries.claim(tenant, delivery, claim, now):
            standing = self._deliveries.standing(tenant, delivery)
            if standing is None or standing.state is not State.WAITING or standing.attempts >= delivery.attempt:
                return None
            raise DeliveryBusy(f"attempt {delivery.attempt} at {delivery.endpoint} is being made")
        target = self._targets.find(tenant, delivery.endpoint)
        if target is None or not target.enabled or target.findings.gone_at is not None:
            return _Started(claim, now, None)
        if not target.is_proved:
            return _Started(claim, now, None, held=True)
        body = delivery.message.payload.encode()
        headers = headers_of(self._keys, tenant, target, str(delivery.message.id), now, body)
        seconds = float(target.manner.timeout_seconds)
        call = self._calls.submit(self._receivers.post, target.url, headers, body, seconds=seconds)
        return _Started(claim, now, (target, call))

    def _too_early(self, tenant: TenantContext, delivery: Delivery, now: datetime) -> bool:
        """Whether a delivery came before its time, as far as the queue could hold it; it was sent back then."""
        left = delivery.due - now.timestamp()
        if left <= 1:
            return False
        self._queue.send([to_message(tenant, delivery)], delay_seconds=min(ceil(left), retries.LONGEST_DELAY))
        return True

    def _hold(self, tenant: TenantContext, delivery: Delivery, started: _Started) -> None:
        """Leave a delivery to the moment when its endpoint is verified."""
        self._deliveries.hold(tenant, delivery, started.claim, self._clock())
        target = self._targets.find(tenant, delivery.endpoint)
        if target is not None and target.is_proved:
            # It was verified between the two looks, and what was held then is released already.
            self._queue.send([about(tenant, RELEASE, delivery.endpoint)], delay_seconds=5)
        self._observability.info("webhook held", **_named(delivery))

    def _conclude(
        self, tenant: TenantContext, delivery: Delivery, started: _Started, target: Target, outcome: Outcome
    ) -> None:
        now = self._clock()
        self._deliveries.record_attempt(tenant, delivery, target.url, outcome, started.at)
        next_at = None
        match retries.verdict(outcome.status):
            case Verdict.DELIVERED:
                state = State.DELIVERED
                self._count(tenant, delivery, started.at)
                if target.findings.failing_since is not None:
                    self._targets.mark_well(tenant, target)
            case Verdict.GONE:
                self._targets.mark_gone(tenant, target, now)
                state = State.STOPPED
            case Verdict.FAILED:
                if target.findings.failing_since is None:
                    self._targets.mark_failing(tenant, target, outcome.error, now)
                next_at = self._again(tenant, delivery, target, outcome, now)
                state = State.DEAD if next_at is None else State.WAITING
        self._deliveries.end_attempt(tenant, delivery, started.claim, state, now=now, next_at=next_at)
        self._observability.count(f"Webhooks{state.title()}" if next_at is None else "WebhooksRetried")
        self._observability.info(
            "webhook attempted",
            **_named(delivery),
            state=state,
            status=outcome.status,
            error=outcome.error,
            milliseconds=outcome.timing.get("total"),
        )

    def _count(self, tenant: TenantContext, delivery: Delivery, at: datetime) -> None:
        """Tell the ledger, before the delivery says that it has ended: so none is forgotten, and each counts once."""
        message, endpoint = str(delivery.message.id), str(delivery.endpoint)
        data = {"message": message, "endpoint": endpoint, "at": rfc3339(at)}
        self._usage.send([QueueMessage(tenant.tenant, tenant.request_id, "ledger.delivery", data)])

    def _again(
        self, tenant: TenantContext, delivery: Delivery, target: Target, outcome: Outcome, now: datetime
    ) -> datetime | None:
        """Queue the next attempt and answer when it is due; None when this was the last."""
        seconds = retries.wait(
            delivery.attempt,
            target.manner.retry_schedule,
            luck=random.uniform(-1, 1),  # noqa: S311  jitter, not a secret
            retry_after=retries.retry_after_seconds(outcome.retry_after, now),
        )
        if seconds is None:
            return None
        due = now + timedelta(seconds=seconds)
        later = ceil(due.timestamp()) if seconds > retries.LONGEST_DELAY else 0
        following = replace(delivery, attempt=delivery.attempt + 1, due=later)
        self._queue.send([to_message(tenant, following)], delay_seconds=min(seconds, retries.LONGEST_DELAY))
        return due


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
