"""Challenges of endpoints' URLs. One that fails comes again by itself, three times; after that somebody has to ask."""

import secrets
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

import msgspec

from shared.events.rules.bodies import delivered
from shared.events.rules.catalogue import VERIFICATION
from shared.outbound.gateway.client import Strangers
from shared.outbound.model import Outcome
from shared.webhooks.gateway.keys import SecretKeys
from shared.webhooks.model import EndpointId, Proof, Target
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.rules import challenges
from shared.webhooks.service import envelopes
from shared.webhooks.service.backlog import Backlog
from shared.webhooks.service.queue import CHALLENGE, about, read_about
from tenant_context.clock import Clock
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message as QueueMessage
from tenant_context.events import Event
from tenant_context.observability import Observability
from tenant_context.queues import Queue

_SIDE_BY_SIDE = 10


@dataclass(frozen=True, slots=True)
class _Asked:
    """A challenge on its way."""

    target: Target
    challenge: str
    call: Future[Outcome]


class Proving:
    """Works on the message CHALLENGE: `ahead` for each of a batch, then `challenge`."""

    def __init__(
        self,
        targets: TargetRepository,
        backlog: Backlog,
        keys: SecretKeys,
        receivers: Strangers,
        queue: Queue,
        *,
        observability: Observability,
        clock: Clock,
    ) -> None:
        self._targets = targets
        self._backlog = backlog
        self._keys = keys
        self._receivers = receivers
        self._queue = queue
        self._observability = observability
        self._clock = clock
        self._calls = ThreadPoolExecutor(_SIDE_BY_SIDE, "challenge")
        self._asked: dict[tuple[UUID, UUID], _Asked | Exception | None] = {}

    def ahead(self, tenant: TenantContext, message: QueueMessage) -> None:
        """Start the call of a challenge; what goes wrong is met when the message is worked on."""
        endpoint, _ = read_about(message)
        key = (tenant.tenant, endpoint)
        if key in self._asked:
            return
        try:
            self._asked[key] = self._ask(tenant, endpoint)
        except Exception as error:  # noqa: BLE001  kept, and raised in the message's own turn
            self._asked[key] = error

    def challenge(self, tenant: TenantContext, message: QueueMessage) -> None:
        """See a challenge to its end; nothing where there is none to make (any more)."""
        endpoint, time = read_about(message)
        key = (tenant.tenant, endpoint)
        asked = self._asked.pop(key) if key in self._asked else self._ask(tenant, endpoint)
        if isinstance(asked, Exception):
            raise asked
        if asked is None:
            self._release_if_proved(tenant, endpoint)
            return
        reason = challenges.judge(asked.call.result(), asked.challenge)
        again = bool(reason) and time <= len(challenges.WAITS)
        proof = (Proof.PENDING if again else Proof.FAILED) if reason else Proof.VERIFIED
        if again:
            self._queue.send([about(tenant, CHALLENGE, endpoint, time + 1)], delay_seconds=challenges.WAITS[time - 1])
        self._targets.mark_challenged(tenant, asked.target, proof, reason, self._clock())
        if proof is Proof.VERIFIED:
            self._backlog.wake(tenant, endpoint)
        self._observability.info("webhook endpoint challenged", endpoint=str(endpoint), proof=proof, reason=reason)

    def _release_if_proved(self, tenant: TenantContext, endpoint: EndpointId) -> None:
        """A run may have died after it was proved and before that was told."""
        target = self._targets.find(tenant, endpoint)
        if target is not None and target.must_prove and target.is_proved:
            self._backlog.wake(tenant, endpoint)

    def _ask(self, tenant: TenantContext, endpoint: EndpointId) -> _Asked | None:
        target = self._targets.find(tenant, endpoint)
        if target is None or not target.enabled or target.is_proved:
            return None
        if not target.keys:
            self._targets.mark_challenged(tenant, target, Proof.FAILED, challenges.KEYLESS, self._clock())
            return None
        challenge, now = f"c_{secrets.token_urlsafe(24)}", self._clock()
        data = {"endpoint": str(endpoint), "challenge": challenge}
        event = Event(VERIFICATION, f"webhook-endpoint/{endpoint}", data)
        body = msgspec.json.encode(delivered(event.envelope(tenant.tenant, now)))
        headers = envelopes.headers(envelopes.opened(self._keys, tenant, target, now), str(event.id), now, body)
        call = self._calls.submit(self._receivers.post, target.url, headers, body, seconds=challenges.SECONDS)
        return _Asked(target, challenge, call)
