"""From a queued delivery to a signed call, its record, and the next attempt.

The calls of a batch run side by side; everything else runs in turn. Each step may be the last of a sandbox:

- an attempt is claimed before its call, so that a repeated message makes no second call while the first is on;
- the next attempt is queued before the delivery says that this one has ended, so that none is forgotten; a next
  attempt that is queued twice is made once, because only attempt n + 1 can be claimed after n.

A crash between call and record repeats the call: receivers drop a webhook-id they have seen.
"""

import random
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from shared.outbound.gateway.client import Strangers
from shared.outbound.model import Outcome
from shared.webhooks.errors import DeliveryBusy
from shared.webhooks.gateway.keys import SecretKeys
from shared.webhooks.model import Delivery, State, Target, Verdict
from shared.webhooks.repository.deliveries import DeliveryRepository
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.rules import retries, signature
from shared.webhooks.rules.endpoints import signing
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
class _Started:
    """A claimed attempt; without a call where the endpoint is not to be called."""

    claim: str
    at: datetime
    call: tuple[Target, Future[Outcome]] | None


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
        elif started.call is None:
            self._deliveries.end_attempt(
                tenant, delivery, started.claim, State.STOPPED, now=self._clock(), attempted=False
            )
            self._observability.info("webhook stopped", **_named(delivery))
        else:
            target, call = started.call
            self._conclude(tenant, delivery, started, target, call.result())

    def _start(self, tenant: TenantContext, delivery: Delivery) -> _Started | None:
        """Claim the attempt and begin its call; None where the attempt was made before."""
        claim, now = str(uuid7()), self._clock()
        if not self._deliveries.claim(tenant, delivery, claim, now):
            standing = self._deliveries.standing(tenant, delivery)
            if standing is None or standing.state is not State.WAITING or standing.attempts >= delivery.attempt:
                return None
            raise DeliveryBusy(f"attempt {delivery.attempt} at {delivery.endpoint} is being made")
        target = self._targets.find(tenant, delivery.endpoint)
        if target is None or not target.enabled or target.gone_at is not None:
            return _Started(claim, now, None)
        body = delivery.message.payload.encode()
        opened = [self._keys.open(tenant, target.id, sealed.ciphertext) for sealed in signing(target.secrets, now)]
        headers = signature.headers(opened, str(delivery.message.id), int(now.timestamp()), body)
        return _Started(claim, now, (target, self._calls.submit(self._receivers.post, target.url, headers, body)))

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
            case Verdict.GONE:
                self._targets.mark_gone(tenant, target, now)
                state = State.STOPPED
            case Verdict.FAILED:
                next_at = self._again(tenant, delivery, outcome, now)
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

    def _again(self, tenant: TenantContext, delivery: Delivery, outcome: Outcome, now: datetime) -> datetime | None:
        """Queue the next attempt and answer when it is due; None when this was the last."""
        seconds = retries.wait(
            delivery.attempt,
            luck=random.uniform(-1, 1),  # noqa: S311  jitter, not a secret
            retry_after=retries.retry_after_seconds(outcome.retry_after, now),
        )
        if seconds is None:
            return None
        following = replace(delivery, attempt=delivery.attempt + 1)
        self._queue.send([to_message(tenant, following)], delay_seconds=seconds)
        return now + timedelta(seconds=seconds)


def _key(tenant: TenantContext, delivery: Delivery) -> _Key:
    return tenant.tenant, delivery.message.id, delivery.endpoint, delivery.attempt


def _named(delivery: Delivery) -> dict[str, object]:
    return {
        "webhook_id": str(delivery.message.id),
        "endpoint": str(delivery.endpoint),
        "event_type": delivery.message.type,
        "attempt": delivery.attempt,
    }
