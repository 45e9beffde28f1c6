"""The wire's shapes of webhooks."""

from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from shared.webhooks.model import (
    Algorithm,
    Condition,
    Endpoint,
    EndpointDraft,
    Filters,
    Findings,
    Manner,
    Op,
    Ordering,
    Proof,
    Scalar,
    SigningKey,
)
from tenant_context.clock import rfc3339
from tenant_context.wire import In, Out, Text

EventFilter = Annotated[
    str, StringConstraints(min_length=1, max_length=128), Field(examples=["campaign.launched", "campaign.*", "*"])
]


class ConditionIn(In):
    """What has to hold of an event's body. On what an event does not have, only `exists: false` holds."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=200), Field(examples=["/data/status"])]
    """A JSON Pointer (RFC 6901) of at most eight steps."""
    op: Annotated[Op, Field(examples=["in"])] = Op.EQUALS
    value: Annotated[Scalar | Annotated[list[Scalar], Field(max_length=100)], Field(examples=[["active", "paused"]])]
    """A list for `in` and `not_in`, true or false for `exists`, a text for `prefix`, else one value."""

    def condition(self) -> Condition:
        """The domain's form."""
        return Condition(self.path, self.op, tuple(self.value) if isinstance(self.value, list) else self.value)


class EndpointIn(In):
    """An endpoint as a caller describes it. It gets the events that pass all of its filters.

    Values of `headers` are sent with each delivery and never shown: null for a value keeps the one there is, null for
    all keeps all. Where the URL's scheme, host or port changes none is kept: each is given anew, or left out.

    `payload_version` is reserved: bodies have one form, 1, and every other number is refused. A further form would be
    an endpoint's own choice by it. Types of events have versions of their own, which `dataschema` names.
    """

    url: Annotated[str, StringConstraints(min_length=1, max_length=2048), Field(examples=["https://example.com/rmap"])]
    """Has to answer a challenge before events are sent to it: see POST …/verify."""
    description: Text = ""
    event_types: Annotated[list[EventFilter], Field(min_length=1, max_length=100)] = ["*"]
    conditions: Annotated[list[ConditionIn], Field(max_length=20)] = []
    site_ids: Annotated[list[UUID], Field(max_length=100)] = []
    """With these or `campaign_ids`, only events that are about one of them."""
    campaign_ids: Annotated[list[UUID], Field(max_length=100)] = []
    headers: Annotated[dict[str, str | None], Field(max_length=20, examples=[{"authorization": "Bearer …"}])] | None = (
        None
    )
    payload_version: Annotated[int, Field(ge=1)] = 1
    retry_schedule: Annotated[list[int], Field(max_length=12, examples=[[5, 60, 3600]])] | None = None
    """Seconds between attempts, each up to a fifth more or less; null for the platform's own, over 27.6 hours."""
    timeout_seconds: Annotated[int, Field(ge=1, le=30)] = 15
    """For a whole call."""
    rate_per_second: Annotated[int, Field(ge=1, le=1000)] | None = None
    max_concurrency: Annotated[int, Field(ge=1, le=100)] | None = None
    ordering: Ordering = Ordering.NONE
    """`entity`: events about the same thing one after the other."""
    replay_per_second: Annotated[int, Field(ge=1, le=50)] | None = None
    """How fast what waited, or was missed while it was disabled, is sent afterwards; null for 50."""
    enabled: bool = True

    def draft(self) -> EndpointDraft:
        """The domain's form."""
        return EndpointDraft(
            url=self.url,
            description=self.description,
            filters=Filters(
                tuple(self.event_types),
                tuple(condition.condition() for condition in self.conditions),
                tuple(self.site_ids),
                tuple(self.campaign_ids),
            ),
            enabled=self.enabled,
            manner=Manner(
                self.payload_version,
                None if self.retry_schedule is None else tuple(self.retry_schedule),
                self.timeout_seconds,
                self.rate_per_second,
                self.max_concurrency,
                self.ordering,
                self.replay_per_second,
            ),
            headers=self.headers,
        )


class NewEndpointIn(EndpointIn):
    """A new endpoint, and how its deliveries are to be signed."""

    signing: Annotated[list[Algorithm], Field(min_length=1, max_length=2)] = [Algorithm.HMAC]
    """`hmac` is Standard Webhooks' v1, `ed25519` its v1a; with both, each delivery has both signatures."""


class RotateQuery(In):
    """Which key is replaced, and how long the one before signs as well."""

    algorithm: Algorithm = Algorithm.HMAC
    overlap_hours: Annotated[int, Field(ge=0, le=168)] = 24


class ConditionOut(Out):
    """A condition as it was given."""

    path: str
    op: Op
    value: Any


class KeyOut(Out):
    """A key that signs; `public_key` is there for Ed25519."""

    id: UUID
    algorithm: Algorithm
    public_key: str | None
    created_at: str
    ends_at: str | None
    """When it signs no more; null for the present one."""


class HealthOut(Out):
    """How an endpoint does: `ok`, `pending` (its URL is not verified), `failing`, `resting`, or `disabled`.

    Where it fails, `since` is its first failure in a row, and `reason` says what was wrong with the last one.
    After ten failures in a row it rests, for 30 seconds and up to 15 minutes, and is tried with one event then.
    """

    state: Annotated[str, Field(examples=["ok"])]
    since: str | None
    by: str | None
    """Who disabled it: a user, a key, or `platform`."""
    reason: str


class VerificationOut(Out):
    """Whether the URL has answered a challenge; `reason` says why the last one failed."""

    state: Proof
    reason: str
    at: str | None


class EndpointOut(Out):
    """An endpoint as the API answers it. The values of headers are not shown; sent back so, they stay."""

    id: UUID
    url: str
    description: str
    event_types: list[str]
    conditions: list[ConditionOut]
    site_ids: list[UUID]
    campaign_ids: list[UUID]
    headers: dict[str, None]
    payload_version: int
    retry_schedule: list[int] | None
    timeout_seconds: int
    rate_per_second: int | None
    max_concurrency: int | None
    ordering: Ordering
    replay_per_second: int | None
    enabled: bool
    keys: list[KeyOut]
    health: HealthOut
    verification: VerificationOut
    version: int
    created_at: str
    updated_at: str
    gone_at: str | None
    """When the receiver answered 410 Gone; deliveries rest until the endpoint is changed."""


class EndpointWithSecretOut(EndpointOut):
    """An endpoint with its new signing secret: shown now and never again."""

    secret: str | None
    """`whsec_` and base64 of the key; null for Ed25519, and where a repeated Idempotency-Key is answered."""


class EndpointPage(Out):
    """A page of endpoints, newest first."""

    items: list[EndpointOut]
    next_cursor: str | None


class TestOut(Out):
    """A test that is on its way."""

    message_id: UUID


class BodyOut(Out):
    """The body of an event, whole: a CloudEvents 1.0 event, as its type's schema says."""

    specversion: str
    id: UUID
    type: str
    source: str
    subject: str
    time: str
    timestamp: str
    tenant: UUID
    dataschema: str
    data: dict[str, Any]


class EventTypeOut(Out):
    """One kind of event: the schema of the whole body that a receiver gets, and an example of it.

    Bodies are CloudEvents 1.0 in JSON. Pass over fields you do not know: more may come without a new version.
    """

    model_config = ConfigDict(defer_build=True, serialize_by_alias=True)

    type: str
    area: str
    version: int
    """The version of its data's shape, as `dataschema` names it."""
    description: str
    subject: str
    shape: Annotated[dict[str, Any], Field(alias="schema")]
    """JSON Schema, draft 2020-12."""
    example: dict[str, Any]


class EventTypesOut(Out):
    """Every kind of event."""

    items: list[EventTypeOut]
    next_cursor: str | None


def endpoint(found: Endpoint, findings: Findings) -> dict[str, Any]:
    """The answer's form of an endpoint; a new version is never gone."""
    return {
        "id": found.id,
        "url": found.url,
        "description": found.description,
        "event_types": found.filters.event_types,
        "conditions": [asdict(condition) for condition in found.filters.conditions],
        "site_ids": found.filters.site_ids,
        "campaign_ids": found.filters.campaign_ids,
        "headers": dict.fromkeys(found.headers),
        **asdict(found.manner),
        "enabled": found.enabled,
        "keys": [_key(key) for key in found.keys],
        "health": _health(found, findings),
        "verification": _verification(found, findings),
        "version": found.version,
        "created_at": rfc3339(found.created_at),
        "updated_at": rfc3339(found.updated_at),
        "gone_at": findings.gone_at,
    }


def _key(key: SigningKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "algorithm": key.algorithm,
        "public_key": key.public or None,
        "created_at": rfc3339(key.created_at),
        "ends_at": rfc3339(key.until) if key.until else None,
    }


def _verification(found: Endpoint, findings: Findings) -> dict[str, Any]:
    challenged = findings.challenged
    known = challenged is not None and challenged.url == found.url
    return {
        "state": findings.proof(found.url) if found.must_prove else Proof.VERIFIED,
        "reason": challenged.reason if challenged and known else "",
        "at": challenged.at if challenged and known else None,
    }


def _health(found: Endpoint, findings: Findings) -> dict[str, Any]:
    if found.disabled:
        return _state("disabled", rfc3339(found.disabled.at), "It was switched off.", by=found.disabled.by)
    if (since := findings.gone_at or findings.given_up_at) is not None:
        failed = f"It failed for days: {findings.failing_reason}"
        reason = "The receiver answered 410 Gone." if findings.gone_at else failed
        return _state("disabled", since, reason, by="platform")
    if found.must_prove and findings.proof(found.url) is not Proof.VERIFIED:
        return _state("pending", None, "Its URL is not verified yet; what is to be sent waits for that.")
    if findings.failing_since:
        state = "resting" if findings.circuit else "failing"
        return _state(state, findings.failing_since, findings.failing_reason)
    return _state("ok", None, "")


def _state(state: str, since: str | None, reason: str, by: str | None = None) -> dict[str, Any]:
    return {"state": state, "since": since, "by": by, "reason": reason}
