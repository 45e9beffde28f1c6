"""The wire's shapes of webhooks."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec
from pydantic import ConfigDict, Field, StringConstraints

from shared.webhooks.model import Endpoint, EndpointDraft, State
from tenant_context.clock import rfc3339
from tenant_context.wire import In, Out, PageQuery, Text

EventFilter = Annotated[
    str, StringConstraints(min_length=1, max_length=128), Field(examples=["campaign.launched", "campaign.*", "*"])
]


class EndpointIn(In):
    """An endpoint as a caller describes it."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2048), Field(examples=["https://example.com/rmap"])]
    description: Text = ""
    event_types: Annotated[list[EventFilter], Field(min_length=1, max_length=100)] = ["*"]
    enabled: bool = True

    def draft(self) -> EndpointDraft:
        """The domain's form."""
        return EndpointDraft(
            url=self.url, description=self.description, event_types=tuple(self.event_types), enabled=self.enabled
        )


class EndpointOut(Out):
    """An endpoint as the API answers it."""

    id: UUID
    url: str
    description: str
    event_types: list[str]
    enabled: bool
    version: int
    created_at: str
    updated_at: str
    gone_at: str | None
    """When the receiver answered 410 Gone; deliveries rest until the endpoint is changed."""


class EndpointWithSecretOut(EndpointOut):
    """An endpoint with its new signing secret: shown now and never again."""

    secret: str | None
    """`whsec_` and base64 of the key; null where a repeated Idempotency-Key is answered."""


class EndpointPage(Out):
    """A page of endpoints, newest first."""

    items: list[EndpointOut]
    next_cursor: str | None


class TestOut(Out):
    """A test that is on its way."""

    message_id: UUID


class AttemptsQuery(PageQuery):
    """Which attempts."""


class AttemptOut(Out):
    """What came of one attempt; `timing` in milliseconds since the call began, by step."""

    message_id: UUID
    endpoint_id: UUID
    type: str
    attempt: int
    at: str
    url: str
    status: int | None
    error: str
    body: str
    timing: dict[str, float]


class AttemptPage(Out):
    """A page of attempts, newest first."""

    items: list[AttemptOut]
    next_cursor: str | None


class DeliveryOut(Out):
    """Where a message stands with one endpoint; `attempts` counts those that have ended."""

    endpoint_id: UUID
    state: State
    attempts: int
    created_at: str
    updated_at: str
    next_attempt_at: str | None


class MessageOut(Out):
    """A message: the body as every receiver gets it, its deliveries and their attempts."""

    id: UUID
    type: str
    created_at: str
    payload: dict[str, Any]
    deliveries: list[DeliveryOut]
    attempts: list[AttemptOut]


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


def endpoint(written: Endpoint) -> dict[str, Any]:
    """The answer's form of an endpoint that was just written: a new version is never gone."""
    return {
        "id": written.id,
        "url": written.url,
        "description": written.description,
        "event_types": list(written.event_types),
        "enabled": written.enabled,
        "version": written.version,
        "created_at": rfc3339(written.created_at),
        "updated_at": rfc3339(written.updated_at),
        "gone_at": None,
    }


def attempt(item: Mapping[str, Any]) -> dict[str, Any]:
    """The answer's form of an attempt as the table holds it."""
    return {
        "message_id": item["message"],
        "endpoint_id": item["endpoint"],
        "type": item["type"],
        "attempt": item["attempt"],
        "at": item["at"],
        "url": item["url"],
        "status": item["status"],
        "error": item["error"],
        "body": item["body"],
        "timing": {step: float(Decimal(taken)) for step, taken in item["timing"].items()},
    }


def delivery(item: Mapping[str, Any]) -> dict[str, Any]:
    """The answer's form of a delivery as the table holds it."""
    return {
        "endpoint_id": item["endpoint"],
        "state": item["state"],
        "attempts": item["attempts"],
        "created_at": item["created_at"],
        "updated_at": item["updated_at"],
        "next_attempt_at": item.get("next_attempt_at"),
    }


def message(item: Mapping[str, Any]) -> dict[str, Any]:
    """The answer's form of a message as the table holds it; the payload passes through as it was sent."""
    return {
        "id": item["message"],
        "type": item["type"],
        "created_at": item["created_at"],
        "payload": msgspec.Raw(item["payload"].encode()),
    }
