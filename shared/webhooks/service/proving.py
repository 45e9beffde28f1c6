"""Challenges of endpoints' URLs. One that fails comes again by itself, three times; after that somebody has to ask.

A URL that nobody proved is nobody's to call at will: each has one row of challenges at a time, of the newest wish, and
challenges that are asked for keep a distance; a tenant has a few at once, so that those who hang keep nobody waiting.
"""

import secrets
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil
from uuid import UUID

import msgspec

from shared.events.rules.bodies import delivered
from shared.events.rules.catalogue import VERIFICATION
from shared.outbound.gateway.client import Strangers
from shared.outbound.model import Outcome
from shared.webhooks.gateway.keys import SecretKeys
from shared.webhooks.model import EndpointId, Proof, Target, Wish
from shared.webhooks.repository.paces import PaceRepository
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.rules import challenges
from shared.webhooks.service import envelopes
from shared.webhooks.service.backlog import Backlog
from shared.webhooks.service.queue import read_wish, to_wish
from tenant_context.clock import Clock, uuid7
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message as QueueMessage
from tenant_context.events import Event
from tenant_context.observability import Observability
from tenant_context.queues import Queue

_SIDE_BY_SIDE = 10
_PLACE = "challenges"
_ROOM = 10
"""Seconds until one that found its tenant's places taken looks again."""
_RACED = 1
_SLACK = 15
_HANDLED = 1_000


@dataclass(frozen=True, slots=True)
class _Asked:
    """A challenge on its way."""

    target: Target
    challenge: str
    claim: str
    call: Future[Outcome]


@dataclass(frozen=True, slots=True)
class _Later:
    """One that is not to be made yet, in so many seconds."""

    seconds: int


class Proving:
    """Works on the message CHALLENGE: `ahead` for each of a batch, then `challenge`."""

    def __init__(
        self,
        targets: TargetRepository,
        paces: PaceRepository,
        backlog: Backlog,
        keys: SecretKeys,
        receivers: Strangers,
        queue: Queue,
        *,
        observability: Observability,
        clock: Clock,
    ) -> None:
        self._targets = targets
        self._paces = paces
        self._backlog = backlog
        self._keys = keys
        self._receivers = receivers
        self._queue = queue
        self._observability = observability
        self._clock = clock
        self._calls = ThreadPoolExecutor(_SIDE_BY_SIDE, "challenge")
        self._asked: OrderedDict[tuple[UUID, Wish], _Asked | _Later | Exception | None] = OrderedDict()
        self._ended: OrderedDict[tuple[UUID, Wish], None] = OrderedDict()
        """Wishes that came to their end here: a copy of their message has nothing to do."""

    def ahead(self, tenant: TenantContext, message: QueueMessage) -> None:
        """Start the call of a challenge; what goes wrong is met when the message is worked on."""
        wish = read_wish(message)
        key = (tenant.tenant, wish)
        if key in self._asked or key in self._ended:
            return
        try:
            self._asked[key] = self._ask(tenant, wish)
        except Exception as error:  # noqa: BLE001  kept, and raised in the message's own turn
            self._asked[key] = error
        while len(self._asked) > _HANDLED:  # of messages that were never worked on
            self._asked.popitem(last=False)

    def challenge(self, tenant: TenantContext, message: QueueMessage) -> None:
        """See a challenge to its end; nothing where there is none to make (any more)."""
        wish = read_wish(message)
        key = (tenant.tenant, wish)
        if key in self._ended:
            return
        # Nobody began it where the batch was read when its tenant could not be judged.
        asked = self._asked.pop(key) if key in self._asked else self._ask(tenant, wish)
        if isinstance(asked, Exception):
            raise asked
        if isinstance(asked, _Later):
            self._queue.send([to_wish(tenant, wish)], delay_seconds=asked.seconds)
        elif asked is None:
            self._release_if_proved(tenant, wish.endpoint)
        else:
            with self._leaving(tenant, asked):
                self._conclude(tenant, wish, asked)
            self._ended[key] = None
            while len(self._ended) > _HANDLED:
                self._ended.popitem(last=False)

    def _conclude(self, tenant: TenantContext, wish: Wish, asked: _Asked) -> None:
        reason = challenges.judge(asked.call.result(), asked.challenge)
        again = bool(reason) and wish.time <= len(challenges.WAITS)
        proof = (Proof.PENDING if again else Proof.FAILED) if reason else Proof.VERIFIED
        if again:
            following = replace(wish, time=wish.time + 1)
            self._queue.send([to_wish(tenant, following)], delay_seconds=challenges.WAITS[wish.time - 1])
        self._targets.mark_challenged(tenant, asked.target, proof, reason, self._clock())
        if proof is Proof.VERIFIED:
            self._backlog.wake(tenant, wish.endpoint)
        self._observability.info("webhook endpoint challenged", endpoint=str(wish.endpoint), proof=proof, reason=reason)

    @contextmanager
    def _leaving(self, tenant: TenantContext, asked: _Asked) -> Iterator[None]:
        try:
            yield
        finally:
            self._paces.leave(tenant, _PLACE, asked.claim)

    def _release_if_proved(self, tenant: TenantContext, endpoint: EndpointId) -> None:
        """A run may have died after it was proved and before that was told."""
        target = self._targets.find(tenant, endpoint)
        if target is not None and target.must_prove and target.is_proved:
            self._backlog.wake(tenant, endpoint)

    def _ask(self, tenant: TenantContext, wish: Wish) -> _Asked | _Later | None:
        target, now = self._targets.find(tenant, wish.endpoint), self._clock()
        if target is None or not target.enabled or target.is_proved:
            return None
        if not target.keys:
            self._targets.mark_challenged(tenant, target, Proof.FAILED, challenges.KEYLESS, now)
            return None
        wait = challenges.wait_of(wish, target.findings.asked, target.url, now.timestamp())
        if wait is None:
            return None
        return _Later(ceil(wait)) if wait else self._begin(tenant, wish, target, now)

    def _begin(self, tenant: TenantContext, wish: Wish, target: Target, now: datetime) -> _Asked | _Later:
        claim, until = str(uuid7()), now.timestamp() + challenges.SECONDS + _SLACK
        if not self._paces.enter(tenant, _PLACE, claim, challenges.AT_ONCE, now=now, until=until):
            return _Later(_ROOM)
        if not self._targets.begin_challenge(tenant, target, wish.name, now.timestamp()):
            self._paces.leave(tenant, _PLACE, claim)
            return _Later(_RACED)
        challenge = f"c_{secrets.token_urlsafe(24)}"
        data = {"endpoint": str(wish.endpoint), "challenge": challenge}
        event = Event(VERIFICATION, f"webhook-endpoint/{wish.endpoint}", data)
        body = msgspec.json.encode(delivered(event.envelope(tenant.tenant, now)))
        headers = envelopes.headers(envelopes.opened(self._keys, tenant, target, now), str(event.id), now, body)
        call = self._calls.submit(self._receivers.post, target.url, headers, body, seconds=challenges.SECONDS)
        return _Asked(target, challenge, claim, call)
