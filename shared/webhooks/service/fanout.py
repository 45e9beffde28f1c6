"""From one event to a delivery for each endpoint that asked for it.

The bus and the queue may bring an event twice, and a run may die at any step: messages and deliveries are recorded
only where they are not there yet, and as long as a message is not marked complete all its deliveries are queued
again. A delivery that is queued twice is attempted once (`dispatch`).
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from shared.events.rules.bodies import delivered, filters_of, thin
from shared.events.rules.catalogue import ENDPOINT_CHANGES, TEST
from shared.webhooks.model import Endpoint, EndpointId, Message, MessageId, Wish
from shared.webhooks.repository.deliveries import DeliveryRepository
from shared.webhooks.repository.endpoints import Audience, EndpointRepository
from shared.webhooks.repository.targets import TargetRepository
from shared.webhooks.rules import filters, retention
from shared.webhooks.service.alerts import Alerts
from shared.webhooks.service.backlog import Backlog
from shared.webhooks.service.opening import Opener
from shared.webhooks.service.precedence import Precedence
from shared.webhooks.service.queue import to_wish
from shared.webhooks.service.shares import Shares
from tenant_context.clock import Clock, uuid7
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message as QueueMessage
from tenant_context.observability import Observability
from tenant_context.postgres import Database
from tenant_context.queues import Queue

_KNOWN = 50_000
LONGEST_PAYLOAD = 20_000
"""Bytes: Standard Webhooks asks for bodies below 20 kB. What is longer is sent without its data, and fetched."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Where endpoints and messages are kept."""

    database: Database
    endpoints: EndpointRepository
    targets: TargetRepository
    deliveries: DeliveryRepository
    slow: Queue
    """Of calls to receivers that nobody knows as quick: here, challenges."""


@dataclass(frozen=True, slots=True)
class Desks:
    """Who is asked, and told."""

    precedence: Precedence
    opener: Opener
    backlog: Backlog
    shares: Shares
    alerts: Alerts


class Fanout:
    """Handles one event of the bus at a time."""

    def __init__(
        self, stores: Stores, desks: Desks, *, observability: Observability, clock: Clock, api_url: str
    ) -> None:
        self._database = stores.database
        self._endpoints = stores.endpoints
        self._targets = stores.targets
        self._deliveries = stores.deliveries
        self._slow = stores.slow
        self._precedence = desks.precedence
        self._opener = desks.opener
        self._backlog = desks.backlog
        self._shares = desks.shares
        self._alerts = desks.alerts
        self._observability = observability
        self._clock = clock
        self._api_url = api_url.rstrip("/")
        self._told: OrderedDict[tuple[UUID, UUID], int] = OrderedDict()

    def work(self, tenant: TenantContext, event: QueueMessage) -> None:
        """Record and queue what the event asks for; nothing for an event nobody asked for."""
        envelope = event.data
        kind = str(envelope["type"])
        self._observability.seconds("EventLag", _age(envelope["time"], self._clock()))
        if kind.startswith(ENDPOINT_CHANGES):
            self._follow(tenant, _endpoint_of(envelope["subject"]))
            self._alerts.hear(tenant, envelope)
        audience = self._audience(tenant, kind, envelope["subject"])
        body = delivered(envelope)
        [places] = self._precedence.places(tenant, audience.endpoints, [body])
        wanted = [one for one in audience.endpoints if kind == TEST or filters.passes(one.filters, body, places)]
        if not wanted:
            return
        now = self._clock()
        message = self._message(body, retention.keep_until(audience.plan, now))
        if self._deliveries.open_message(tenant, message, now):
            return
        is_held = not self._shares.take(tenant.tenant, len(wanted))
        self._tell(tenant, wanted)
        openings = self._precedence.of(tenant, message, body["subject"], wanted, now)
        self._opener.begin(tenant, message, openings, is_held=is_held)
        self._deliveries.close_message(tenant, message.id)

    def _message(self, body: dict[str, Any], keep_until: int) -> Message:
        """What is sent; where that would be too long, a notice with the address of the whole."""
        message, kind = MessageId(UUID(body["id"])), body["type"]
        whole = msgspec.json.encode(body)
        if len(whole) < LONGEST_PAYLOAD:
            return Message(message, kind, whole.decode(), keep_until)
        notice = thin(body, f"{self._api_url}/api/v1/webhooks/messages/{message}/payload")
        return Message(message, kind, msgspec.json.encode(notice).decode(), keep_until, whole.decode())

    def _audience(self, tenant: TenantContext, kind: str, subject: str) -> Audience:
        if kind == TEST:
            return self._endpoints.alone(self._database, tenant, _endpoint_of(subject))
        return self._endpoints.matching(self._database, tenant, filters_of(kind))

    def _follow(self, tenant: TenantContext, changed: EndpointId) -> None:
        """Bring the dispatcher's view of an endpoint up to date: it challenges a URL that is not proved, or goes on."""
        endpoint = self._endpoints.find(self._database, tenant, changed)
        if endpoint is None:
            self._targets.bury(tenant, changed, self._clock())
        else:
            self._tell(tenant, [endpoint])
        target = self._targets.find(tenant, changed)
        if target is not None and target.enabled and not target.is_proved:
            wish = Wish(changed, str(uuid7()), self._clock().timestamp())
            self._slow.send([to_wish(tenant, wish)])
        elif endpoint is None or endpoint.version > 1:
            # What was missed while it was disabled is replayed; what waits for one that is deleted is stopped.
            self._backlog.wake(tenant, changed)

    def _tell(self, tenant: TenantContext, endpoints: Sequence[Endpoint]) -> None:
        """Give the dispatcher these versions of endpoints, once a sandbox: an event may overtake their change."""
        new = [one for one in endpoints if self._told.get((tenant.tenant, one.id), 0) < one.version]
        present = self._targets.versions(tenant, [one.id for one in new]) if new else {}
        for one in new:
            if present.get(one.id, 0) < one.version:
                self._targets.put(tenant, one)
            self._told[tenant.tenant, one.id] = one.version
        while len(self._told) > _KNOWN:
            self._told.popitem(last=False)


def _age(time: str, now: datetime) -> float:
    """Seconds since an event's change began."""
    return max(0.0, (now - datetime.fromisoformat(time)).total_seconds())


def _endpoint_of(subject: str) -> EndpointId:
    return EndpointId(UUID(subject.partition("/")[2]))
