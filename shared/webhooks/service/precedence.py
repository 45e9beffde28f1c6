"""Which deliveries a message opens, and what comes before it where an endpoint asks for order.

Changes of one entity are committed one after the other, each with its event in the outbox, whose ids ascend. The bus
and the queue bring events in any order, and one that a function left behind comes when the relay has found it. So
whatever comes first looks up in the outbox what was before it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.events.model import WaitingEvent
from shared.events.repository import OutboxRepository
from shared.events.rules.bodies import delivered, filters_of
from shared.events.rules.catalogue import TEST
from shared.webhooks.model import Endpoint, Message, MessageId, Opening, Ordering
from shared.webhooks.repository.lanes import lane_of
from shared.webhooks.repository.surroundings import SurroundingRepository
from shared.webhooks.rules import filters
from shared.webhooks.service.opening import PATIENCE
from tenant_context.context import TenantContext
from tenant_context.events import Event
from tenant_context.postgres import Database

MOST = 50
"""As many events before one are looked at; those look at the ones before them."""


class Precedence:
    """Reads the outbox."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._outbox = OutboxRepository()
        self._surroundings = SurroundingRepository()

    def of(
        self, tenant: TenantContext, message: Message, subject: str, endpoints: Sequence[Endpoint], now: datetime
    ) -> list[Opening]:
        """What a message about a thing opens at some endpoints."""
        if not any(one.manner.ordering is Ordering.ENTITY for one in endpoints):
            return [Opening(one.id) for one in endpoints]
        since = now - PATIENCE
        found = self._outbox.earlier(self._database, tenant, subject, message.id, since=since, limit=MOST)
        earlier = [(event, _body(event, tenant.tenant)) for event in found if event.type != TEST]
        places = self.places(tenant, endpoints, [body for _, body in earlier])
        return [_opening(one, subject, earlier, places) for one in endpoints]

    def places(
        self, tenant: TenantContext, endpoints: Sequence[Endpoint], bodies: Sequence[Mapping[str, Any]]
    ) -> list[frozenset[str]]:
        """Of each event the places it is about, with what these are in, where an endpoint asks for places."""
        if not any(one.filters.site_ids for one in endpoints):
            return [frozenset() for _ in bodies]
        return [self._surroundings.with_all_above(self._database, tenant, filters.sites_of(body)) for body in bodies]


def _opening(
    endpoint: Endpoint,
    subject: str,
    earlier: Sequence[tuple[WaitingEvent, dict[str, object]]],
    places: Sequence[frozenset[str]],
) -> Opening:
    if endpoint.manner.ordering is not Ordering.ENTITY:
        return Opening(endpoint.id)
    before = tuple(
        MessageId(event.id)
        for (event, body), about in zip(earlier, places, strict=True)
        if _gets(endpoint, event, body, about)
    )
    return Opening(endpoint.id, lane_of(endpoint.id, subject), before)


def _body(event: WaitingEvent, tenant: UUID) -> dict[str, object]:
    return delivered(Event(event.type, event.subject, event.data, event.id).envelope(tenant, event.at))


def _gets(endpoint: Endpoint, event: WaitingEvent, body: dict[str, object], places: frozenset[str]) -> bool:
    """Whether an endpoint, as it is now, was there for an event and asks for it."""
    asked = not set(filters_of(event.type)).isdisjoint(endpoint.filters.event_types)
    return asked and event.at > endpoint.updated_at and filters.passes(endpoint.filters, body, places)
