"""The words of webhooks."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

EndpointId = NewType("EndpointId", UUID)
MessageId = NewType("MessageId", UUID)
"""A message has the id of its event; it is the header webhook-id, the same over all attempts."""


@dataclass(frozen=True, slots=True)
class EndpointDraft:
    """What a caller says of an endpoint; `event_types` are types, `<area>.*` or `*`."""

    url: str
    description: str
    event_types: tuple[str, ...]
    enabled: bool


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A signing secret as KMS encrypted it; `until` ends its overlap with its successor."""

    ciphertext: bytes
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint as it stands; `secrets` has the present one first."""

    id: EndpointId
    url: str
    description: str
    event_types: tuple[str, ...]
    secrets: tuple[SealedSecret, ...]
    enabled: bool
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint as the dispatcher sees it, which has no way to the database."""

    id: EndpointId
    url: str
    secrets: tuple[SealedSecret, ...]
    enabled: bool
    version: int
    gone_at: str | None = None
    """When the receiver answered 410; a change of the endpoint clears it."""


class State(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"
    """Every attempt failed."""
    STOPPED = "stopped"
    """The endpoint was disabled, deleted, or said 410 Gone."""


class Verdict(StrEnum):
    """What an answer means for a delivery."""

    DELIVERED = "delivered"
    GONE = "gone"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Message:
    """One event on its way to some endpoints; `payload` is the body, the same bytes at every attempt."""

    id: MessageId
    type: str
    payload: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt of one message at one endpoint: what a queue message asks for; attempts count from 1."""

    message: Message
    endpoint: EndpointId
    attempt: int
