"""What fan-out and dispatch say to each other through the queue of deliveries."""

from uuid import UUID

import msgspec

from shared.webhooks.model import Delivery, EndpointId, Message, MessageId
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message as QueueMessage

KIND = "webhooks.deliver"


class _Wanted(msgspec.Struct, frozen=True):
    message: UUID
    type: str
    payload: str
    endpoint: UUID
    attempt: int


def to_message(tenant: TenantContext, delivery: Delivery) -> QueueMessage:
    """The message that asks for one attempt of a delivery."""
    wanted = _Wanted(
        message=delivery.message.id,
        type=delivery.message.type,
        payload=delivery.message.payload,
        endpoint=delivery.endpoint,
        attempt=delivery.attempt,
    )
    return QueueMessage(tenant=tenant.tenant, id=tenant.request_id, kind=KIND, data=msgspec.to_builtins(wanted))


def to_delivery(message: QueueMessage) -> Delivery:
    """The delivery a message asks for; raises `msgspec.ValidationError` for what is none."""
    wanted = msgspec.convert(message.data, _Wanted)
    about = Message(MessageId(wanted.message), wanted.type, wanted.payload)
    return Delivery(about, EndpointId(wanted.endpoint), wanted.attempt)
