"""The words of usage."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Meter(StrEnum):
    """What is counted."""

    API_CALLS = "api_calls"
    INGESTED_ROWS = "ingested_rows"
    WEBHOOK_DELIVERIES = "webhook_deliveries"
    ACTIVE_USERS = "active_users"
    """Users who called in a month, each once."""
    STORAGE_BYTES = "storage_bytes"
    """The most that was kept in a month, estimated by rows."""


class Kind(StrEnum):
    """What the messages of the usage queue are about."""

    CALLS = "ledger.calls"
    """What a sandbox counted: data is `Calls`."""
    DELIVERY = "ledger.delivery"
    """A webhook was delivered: data is `Delivered`."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Requests of one tenant in one hour since a sandbox last told, and who asked."""

    flush: str
    at: datetime
    quantity: int
    users: list[str]


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message that reached an endpoint."""

    message: str
    endpoint: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Use:
    """Something that was used, named by its source so that it counts once."""

    meter: Meter
    source: str
    id: str
    at: datetime
    quantity: int


@dataclass(frozen=True, slots=True)
class Push:
    """A part of an hour's usage that Stripe is to be told of."""

    meter: str
    hour: datetime
    part: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Month:
    """One meter's month."""

    meter: str
    quantity: int
    pushed: int
    alerts: list[int]
