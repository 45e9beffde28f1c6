"""The words of the inbox."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

NOBODY = UUID(int=0)
"""Whose the platform's own entries are, and those of which nobody knows whose they are. No tenant has this id."""
ENTRY = "inbox.entry"
"""The kind of the messages that tell the worker of an entry."""


class Source(StrEnum):
    """Who posts to the platform."""

    STRIPE = "stripe"
    SES = "ses"
    """Amazon SES, through a topic of Amazon SNS."""
    META = "meta"
    GOOGLE = "google"
    """Google Cloud Pub/Sub, as Google's products publish."""
    TIKTOK = "tiktok"


class State(StrEnum):
    """What became of an entry."""

    RECEIVED = "received"
    """It waits to be worked on, or is."""
    DONE = "done"
    FAILED = "failed"
    """Given up after several tries, with the reason; a replay tries again."""
    IGNORED = "ignored"
    """There was nothing to do, with the reason."""


class Order(StrEnum):
    """What an entry means once a newer one of the same subject was worked on."""

    NEWEST = "newest"
    """Nothing: it tells a state that is over."""
    EACH = "each"
    """As much as before: it counts by itself, or whoever works on it judges its time."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request as it was posted; `at` is when."""

    body: bytes
    headers: Mapping[str, str]
    at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a delivery tells."""

    id: str
    """The sender's, by which it is known again."""
    kind: str
    subject: str
    occurred_at: datetime
    body: bytes
    tenant: UUID = NOBODY


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry of the inbox, without its body."""

    id: UUID
    tenant: UUID
    source: Source
    external_id: str
    kind: str
    subject: str
    occurred_at: datetime
    received_at: datetime
    state: State
    tries: int
    reason: str = ""
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an entry, and why, in words without anybody's name."""

    state: State
    reason: str = ""


DONE = Verdict(State.DONE)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a delivery: entries that are kept and wait, and those that were there and settled before."""

    kept: int
    repeated: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Door:
    """A source's row at the door: how its deliveries are believed, and what they tell."""

    verify: Callable[[Delivery], None]
    """Raises `Unsigned`, `SignatureRefused`, `Stale`, `NotSetUp` or `TopicRefused`."""
    read: Callable[[bytes], Sequence[Entry]]
    """Raises `BadRequest` for what cannot be read."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are asked for; None asks for any."""

    id: UUID | None = None
    tenant: UUID | None = None
    source: Source | None = None
    state: State | None = None
    since: datetime | None = None
    until: datetime | None = None
