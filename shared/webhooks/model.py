"""The words of webhooks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

EndpointId = NewType("EndpointId", UUID)
MessageId = NewType("MessageId", UUID)
"""A message has the id of its event; it is the header webhook-id, the same over all attempts."""
KeyId = NewType("KeyId", UUID)

Scalar = str | int | float | bool | None
"""A JSON value that is no array and no object."""


class Op(StrEnum):
    """How a condition compares what an event holds at a place with its own value."""

    EQUALS = "equals"
    NOT_EQUALS = "not_equals"
    IN = "in"
    NOT_IN = "not_in"
    LESS = "less"
    AT_MOST = "at_most"
    GREATER = "greater"
    AT_LEAST = "at_least"
    PREFIX = "prefix"
    EXISTS = "exists"


@dataclass(frozen=True, slots=True)
class Condition:
    """What has to hold of an event's body; `path` is a JSON Pointer (RFC 6901)."""

    path: str
    op: Op
    value: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which events an endpoint asks for; `event_types` are types, `<area>.*` or `*`."""

    event_types: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()
    site_ids: tuple[UUID, ...] = ()
    campaign_ids: tuple[UUID, ...] = ()


class Ordering(StrEnum):
    """Whether an event waits for those before it."""

    NONE = "none"
    ENTITY = "entity"
    """For those of the same subject."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How an endpoint is called. Without a schedule of its own, by the platform's; without a number, without limit."""

    payload_version: int = 1
    """Reserved: bodies have one form so far, and no other is taken."""
    retry_schedule: tuple[int, ...] | None = None
    """Seconds between the attempts."""
    timeout_seconds: int = 15
    rate_per_second: int | None = None
    max_concurrency: int | None = None
    ordering: Ordering = Ordering.NONE
    replay_per_second: int | None = None
    """How fast what waited for the endpoint is sent afterwards."""


@dataclass(frozen=True, slots=True)
class EndpointDraft:
    """What a caller says of an endpoint.

    A header without a value keeps the one it has; None keeps them all.
    """

    url: str
    description: str
    filters: Filters
    enabled: bool
    manner: Manner = field(default_factory=Manner)
    headers: Mapping[str, str | None] | None = None


class Algorithm(StrEnum):
    """How deliveries are signed."""

    HMAC = "hmac"
    """Standard Webhooks' `v1`: HMAC-SHA256 with a secret that both sides have."""
    ED25519 = "ed25519"
    """Standard Webhooks' `v1a`: only the platform can sign, whoever has the public key can verify."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs, sealed; `until` ends its overlap with its successor. `public` is `whpk_…`, or empty."""

    id: KeyId
    algorithm: Algorithm
    ciphertext: bytes
    created_at: datetime
    until: datetime | None = None
    public: str = ""


@dataclass(frozen=True, slots=True)
class Disabled:
    """Who switched an endpoint off, and when."""

    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint as it stands; `keys` has the newest first, `headers` are sealed."""

    id: EndpointId
    url: str
    description: str
    filters: Filters
    manner: Manner
    headers: Mapping[str, bytes]
    keys: tuple[SigningKey, ...]
    disabled: Disabled | None
    must_prove: bool
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def enabled(self) -> bool:
        """Whether it is to be sent anything."""
        return self.disabled is None


class Proof(StrEnum):
    """How far an endpoint's owner has come in showing that its URL is theirs."""

    PENDING = "pending"
    VERIFIED = "verified"
    FAILED = "failed"
    """No further challenge comes by itself."""


@dataclass(frozen=True, slots=True)
class Challenged:
    """What came of challenges of one URL, the last one's reason included."""

    url: str
    proof: Proof
    reason: str
    at: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A challenge that is wanted: for the so-manieth time since somebody asked (seconds since 1970), by a name."""

    endpoint: EndpointId
    name: str
    asked_at: float
    time: int = 1


@dataclass(frozen=True, slots=True)
class Asked:
    """The newest challenge of one URL: whose wish it was, and when the call began (seconds since 1970)."""

    url: str
    by: str
    at: float


@dataclass(frozen=True, slots=True)
class Circuit:
    """An endpoint that failed again and again rests until a moment (seconds since 1970); then one attempt probes it.

    While a probe is on its way, the moment is the end of its time. `trips` counts the rests in a row.
    """

    until: float
    trips: int


@dataclass(frozen=True, slots=True)
class Findings:
    """What the dispatcher found out about an endpoint; moments as RFC 3339 has them.

    A change of the endpoint clears all but `challenged`, `asked` and `missed_since`.
    """

    gone_at: str | None = None
    """When the receiver answered 410."""
    given_up_at: str | None = None
    """When it was disabled for having failed for days."""
    failing_since: str | None = None
    failing_reason: str = ""
    """Of the last failure: what is wrong now."""
    failures: int = 0
    """In a row."""
    circuit: Circuit | None = None
    throttled_until: float = 0
    """Seconds since 1970: the receiver said that it is asked too much."""
    warned: int = 0
    """How many of the warnings its owner was given."""
    warned_at: str | None = None
    slow_until: float = 0
    """Seconds since 1970: it let a call wait lately."""
    challenged: Challenged | None = None
    asked: Asked | None = None
    """The newest challenge, which may be on its way."""
    missed_since: str | None = None
    """Since when it had failed as the platform disabled it: what died from then on is still to be sent again."""

    @property
    def is_disabled(self) -> bool:
        """Whether the platform sends it nothing until it is changed."""
        return self.gone_at is not None or self.given_up_at is not None

    @property
    def has_trouble(self) -> bool:
        """Whether a success is news."""
        return bool(self.failing_since or self.failures or self.circuit or self.throttled_until)

    def proof(self, url: str) -> Proof:
        """Where a URL stands that has to be proved."""
        return self.challenged.proof if self.challenged and self.challenged.url == url else Proof.PENDING


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint as the dispatcher sees it, which has no way to the database."""

    id: EndpointId
    url: str
    keys: tuple[SigningKey, ...]
    headers: Mapping[str, bytes]
    manner: Manner
    enabled: bool
    must_prove: bool
    version: int
    findings: Findings = field(default_factory=Findings)

    @property
    def is_deleted(self) -> bool:
        """Whether this is what is left of an endpoint that is gone."""
        return not self.url

    @property
    def may_be_sent(self) -> bool:
        """Whether it is to be sent what comes, unless it rests."""
        return self.enabled and self.is_proved and not self.findings.is_disabled

    @property
    def is_proved(self) -> bool:
        """Whether its URL may be sent events; without a key, as after an import, nothing is."""
        return bool(self.keys) and (not self.must_prove or self.findings.proof(self.url) is Proof.VERIFIED)


class State(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    HELD = "held"
    """In its endpoint's backlog; `Wait` says for what. No attempt is used up, but for one of a replay that failed."""
    DELIVERED = "delivered"
    DEAD = "dead"
    """Given up: `End` says why."""
    STOPPED = "stopped"
    """The endpoint was deleted."""


class Wait(StrEnum):
    """What a held delivery waits for."""

    VERIFICATION = "verification"
    """The endpoint's URL is not verified yet."""
    ENDPOINT = "endpoint"
    """The endpoint is disabled, by its owner or by the platform."""
    CIRCUIT = "circuit"
    """The endpoint failed again and again, and rests."""
    THROTTLE = "throttle"
    """The receiver asked for less."""
    RATE = "rate"
    CONCURRENCY = "concurrency"
    ORDER = "order"
    """An earlier event of its entity is still on its way."""
    SHARE = "share"
    """Its turn: the tenant has many on their way."""
    REPLAY = "replay"
    """Its turn: it was asked for again, or failed while what its endpoint missed was replayed."""


class End(StrEnum):
    """Why a delivery is a dead letter."""

    ATTEMPTS = "attempts"
    """Every attempt failed."""
    ORDER = "order"
    """Too many later events of its entity waited for it."""
    SKIPPED = "skipped"
    """Somebody asked for that."""


class What(StrEnum):
    """What is sent again."""

    FAILED = "failed"
    """What was given up."""
    ALL = "all"
    """What was delivered, too."""


class Verdict(StrEnum):
    """What an answer means for a delivery."""

    DELIVERED = "delivered"
    GONE = "gone"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Message:
    """One event on its way to some endpoints; `payload` is the body, the same bytes at every attempt.

    `whole` is the event in full where the payload is only its notice; `keep_until` in seconds since 1970.
    """

    id: MessageId
    type: str
    payload: str
    keep_until: int
    whole: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt of one message at one endpoint: what a queue message asks for; attempts count from 1.

    `due` (seconds since 1970) is when it was planned for, where it waited in the index of what is due. `first` attempts
    were made before the schedule began anew. `by_slow` where it came by the queue of receivers known as slow.
    """

    message: Message
    endpoint: EndpointId
    attempt: int
    due: int = 0
    first: int = 0
    by_slow: bool = False


@dataclass(frozen=True, slots=True)
class Opening:
    """A message's delivery to one endpoint, still to be recorded; in a lane where that keeps order.

    `before` are earlier events of its entity: those that have not come yet are waited for.
    """

    endpoint: EndpointId
    lane: str = ""
    before: tuple[MessageId, ...] = ()
