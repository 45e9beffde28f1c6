"""What fan-out and dispatch say to each other through the queue of deliveries."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from shared.webhooks.model import Delivery, EndpointId, Message, MessageId, Opening, Wish
from tenant_context.clock import utc_now
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message as QueueMessage

KIND = "webhooks.deliver"
CHALLENGE = "webhooks.challenge"
"""Challenge an endpoint's URL, for the so-manieth time."""
RELEASE = "webhooks.release"
"""Queue some of what waits for it in its backlog."""
OPEN = "webhooks.open"
"""Record and queue some of a message's deliveries, which are many."""
RECOVER = "webhooks.recover"
"""Put what was sent in some time back into its endpoint's backlog."""


def _usually() -> int:
    """Until when to keep what the release before queued, which did not say."""
    return int((utc_now() + timedelta(days=30)).timestamp())


class _Wanted(msgspec.Struct, frozen=True):
    message: UUID
    type: str
    payload: str
    endpoint: UUID
    attempt: int
    keep_until: int = 0
    due: int = 0
    first: int = 0
    by_slow: bool = False


class _Opening(msgspec.Struct, frozen=True):
    endpoint: UUID
    lane: str
    before: list[UUID]


class _Part(msgspec.Struct, frozen=True):
    message: UUID
    type: str
    payload: str
    keep_until: int
    is_held: bool
    openings: list[_Opening]


class _Wish(msgspec.Struct, frozen=True):
    endpoint: UUID
    time: int = 1
    name: str = ""
    asked_at: float = 0


class _About(msgspec.Struct, frozen=True):
    endpoint: UUID
    time: int = 1
    by_slow: bool = False


def to_message(tenant: TenantContext, delivery: Delivery, *, due: int = 0) -> QueueMessage:
    """The message that asks for one attempt of a delivery, due at a moment where that was long planned."""
    wanted = _Wanted(
        message=delivery.message.id,
        type=delivery.message.type,
        payload=delivery.message.payload,
        endpoint=delivery.endpoint,
        attempt=delivery.attempt,
        keep_until=delivery.message.keep_until,
        due=due or delivery.due,
        first=delivery.first,
        by_slow=delivery.by_slow,
    )
    return QueueMessage(tenant=tenant.tenant, id=tenant.request_id, kind=KIND, data=msgspec.to_builtins(wanted))


def to_delivery(message: QueueMessage) -> Delivery:
    """The delivery a message asks for; raises `msgspec.ValidationError` for what is none."""
    wanted = msgspec.convert(message.data, _Wanted)
    about = Message(MessageId(wanted.message), wanted.type, wanted.payload, wanted.keep_until or _usually())
    return Delivery(about, EndpointId(wanted.endpoint), wanted.attempt, wanted.due, wanted.first, wanted.by_slow)


def to_part(tenant: TenantContext, message: Message, openings: Sequence[Opening], *, is_held: bool) -> QueueMessage:
    """The message that asks for some deliveries to be opened."""
    opened = [_Opening(one.endpoint, one.lane, list(one.before)) for one in openings]
    part = _Part(message.id, message.type, message.payload, message.keep_until, is_held, opened)
    return QueueMessage(tenant=tenant.tenant, id=tenant.request_id, kind=OPEN, data=msgspec.to_builtins(part))


def to_openings(message: QueueMessage) -> tuple[Message, list[Opening], bool]:
    """The deliveries to be opened, and whether they are held; raises `msgspec.ValidationError` for what is none."""
    part = msgspec.convert(message.data, _Part)
    openings = [
        Opening(EndpointId(one.endpoint), one.lane, tuple(MessageId(earlier) for earlier in one.before))
        for one in part.openings
    ]
    return Message(MessageId(part.message), part.type, part.payload, part.keep_until), openings, part.is_held


def about(tenant: TenantContext, kind: str, endpoint: EndpointId, time: int = 1) -> QueueMessage:
    """A message about an endpoint: RELEASE."""
    data: dict[str, Any] = {"endpoint": str(endpoint), "time": time}
    return QueueMessage(tenant=tenant.tenant, id=tenant.request_id, kind=kind, data=data)


def to_wish(tenant: TenantContext, wish: Wish) -> QueueMessage:
    """The message CHALLENGE."""
    data = msgspec.to_builtins(_Wish(wish.endpoint, wish.time, wish.name, wish.asked_at))
    return QueueMessage(tenant=tenant.tenant, id=tenant.request_id, kind=CHALLENGE, data=data)


def read_wish(message: QueueMessage) -> Wish:
    """What it asks for; raises `msgspec.ValidationError` for what is none."""
    read = msgspec.convert(message.data, _Wish)
    return Wish(EndpointId(read.endpoint), read.name, read.asked_at, read.time)


def by_slow(message: QueueMessage) -> QueueMessage:
    """The same message, for the queue of receivers that are known as slow."""
    return QueueMessage(message.tenant, message.id, message.kind, {**message.data, "by_slow": True})


def came_by_slow(message: QueueMessage) -> bool:
    """Whether a message came by that queue."""
    return bool(message.data.get("by_slow"))


def read_about(message: QueueMessage) -> tuple[EndpointId, int]:
    """The endpoint, and for the how-manieth time; raises `msgspec.ValidationError` for what is none."""
    read = msgspec.convert(message.data, _About)
    return EndpointId(read.endpoint), read.time
