"""The addresses of webhooks and of the event catalogue."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from functions.webhooks_api import schemas, sent
from functions.webhooks_api.schemas import (
    BodyOut,
    EndpointIn,
    EndpointOut,
    EndpointPage,
    EndpointWithSecretOut,
    EventTypeOut,
    EventTypesOut,
    NewEndpointIn,
    RotateQuery,
    TestOut,
)
from functions.webhooks_api.sent import (
    AttemptOut,
    AttemptPage,
    AttemptsQuery,
    DeadLetterPage,
    DeadQuery,
    DeliveryOut,
    MessageOut,
    RecoverIn,
    RecoveryOut,
)
from shared.events.errors import EventTypeNotFound
from shared.events.rules.bodies import catalogue_document, type_document
from shared.events.rules.catalogue import BY_NAME
from shared.webhooks.model import Endpoint, EndpointId, Findings, KeyId, MessageId
from shared.webhooks.service.endpoints import Endpoints
from tenant_context.postgres import Transaction
from tenant_context.routing import Answer, Call, Routes, etag
from tenant_context.wire import PageQuery, cursor_of

routes = Routes()

_ALL = "/api/v1/webhooks/endpoints"
_ONE = _ALL + "/{endpoint_id}"
_MESSAGES = "/api/v1/webhooks/messages"
_SENT = _ONE + "/messages/{message_id}"
"""One message at one endpoint."""


def _id(call: Call[Any]) -> EndpointId:
    return EndpointId(call.id("endpoint_id"))


def _with_secret(endpoint: Endpoint, findings: Findings, secret: str | None, headers: dict[str, str]) -> Answer:
    """The secret goes out once; what is remembered for a repeated Idempotency-Key is without it."""
    shown = schemas.endpoint(endpoint, findings)
    return Answer({**shown, "secret": secret}, headers=headers, kept={**shown, "secret": None})


@routes.write("POST", _ALL, permission="webhooks.write", body=NewEndpointIn, answer=EndpointWithSecretOut, status=201)
def create(call: Call[NewEndpointIn], tx: Transaction, endpoints: Endpoints) -> Answer:
    """Add an endpoint; its signing secret is shown in this answer and never again. Its URL is challenged at once."""
    endpoint, secret = endpoints.create(tx, call.body.draft(), call.body.signing)
    headers = {**etag(endpoint.version), "location": f"{_ALL}/{endpoint.id}"}
    return _with_secret(endpoint, Findings(), secret, headers)


@routes.read(_ALL, permission="webhooks.read", query=PageQuery, answer=EndpointPage)
def index(call: Call[None], endpoints: Endpoints) -> Answer:
    """List endpoints, newest first."""
    query: PageQuery = call.query
    rows = endpoints.page(call.tenant, after=query.after(), limit=query.limit + 1)
    following = cursor_of(rows[query.limit - 1][0].id) if len(rows) > query.limit else None
    items = [schemas.endpoint(*row) for row in rows[: query.limit]]
    return Answer({"items": items, "next_cursor": following})


@routes.read(_ONE, permission="webhooks.read", answer=EndpointOut)
def show(call: Call[None], endpoints: Endpoints) -> Answer:
    """Read an endpoint, how it does, and whether its URL is verified."""
    endpoint, findings = endpoints.show(call.tenant, _id(call))
    return Answer(schemas.endpoint(endpoint, findings), headers=etag(endpoint.version))


@routes.write("PUT", _ONE, permission="webhooks.write", body=EndpointIn, answer=EndpointOut)
def amend(call: Call[EndpointIn], tx: Transaction, endpoints: Endpoints) -> Answer:
    """Replace an endpoint's particulars; another URL is challenged, and one that was gone is tried again."""
    endpoint, findings = endpoints.amend(tx, _id(call), call.body.draft(), call.expected_version())
    return Answer(schemas.endpoint(endpoint, Findings(challenged=findings.challenged)), headers=etag(endpoint.version))


@routes.write("DELETE", _ONE, permission="webhooks.write", status=204)
def delete(call: Call[None], tx: Transaction, endpoints: Endpoints) -> Answer:
    """Remove an endpoint; what still waits for it is stopped."""
    endpoints.delete(tx, _id(call))
    return Answer()


@routes.write(
    "POST",
    _ONE + "/rotate-secret",
    permission="webhooks.write",
    query=RotateQuery,
    answer=EndpointWithSecretOut,
)
def rotate_secret(call: Call[None], tx: Transaction, endpoints: Endpoints) -> Answer:
    """Give an endpoint a new key, its secret shown once; the one before it signs as well for the overlap."""
    query: RotateQuery = call.query
    overlap = timedelta(hours=query.overlap_hours)
    endpoint, findings, secret = endpoints.rotate(tx, _id(call), query.algorithm, overlap)
    return _with_secret(endpoint, findings, secret, etag(endpoint.version))


@routes.write("DELETE", _ONE + "/keys/{key_id}", permission="webhooks.write", status=204)
def end_key(call: Call[None], tx: Transaction, endpoints: Endpoints) -> Answer:
    """Have a signing key sign no more, at once: one that leaked, or an algorithm that is not wanted any more."""
    endpoints.end_key(tx, _id(call), KeyId(call.id("key_id")))
    return Answer()


@routes.write("POST", _ONE + "/verify", permission="webhooks.write", answer=EndpointOut, status=202)
def verify(call: Call[None], tx: Transaction, endpoints: Endpoints) -> Answer:
    """Challenge an endpoint's URL once more; read the endpoint for what came of it."""
    endpoint, findings = endpoints.verify(tx, _id(call))
    return Answer(schemas.endpoint(endpoint, findings), headers=etag(endpoint.version))


@routes.write("POST", _ONE + "/test", permission="webhooks.write", answer=TestOut, status=202)
def test(call: Call[None], tx: Transaction, endpoints: Endpoints) -> Answer:
    """Send a test event to this endpoint and to no other; its message, at Location, tells what came of it."""
    message = endpoints.test(tx, _id(call))
    return Answer({"message_id": message}, headers={"location": f"{_MESSAGES}/{message}"})


@routes.read(_ONE + "/attempts", permission="webhooks.read", query=AttemptsQuery, answer=AttemptPage)
def attempts(call: Call[None], endpoints: Endpoints) -> Answer:
    """List attempts at an endpoint by message, type, status and time, newest first, as long as the plan keeps logs."""
    query: AttemptsQuery = call.query
    items, following = endpoints.attempts(
        call.tenant, _id(call), query.search(), cursor=query.cursor, limit=query.limit
    )
    return Answer({"items": [sent.attempt(item) for item in items], "next_cursor": following})


@routes.read(_ONE + "/attempts/export", permission="webhooks.read", query=AttemptsQuery, answer=AttemptOut, lines=True)
def export(call: Call[None], endpoints: Endpoints) -> Answer:
    """Read the same as JSON Lines, one attempt a line; where there are more, X-Next-Cursor says where to go on."""
    query: AttemptsQuery = call.query
    items, following = endpoints.attempts(
        call.tenant, _id(call), query.search(), cursor=query.cursor, limit=query.limit
    )
    lines = b"".join(msgspec.json.encode(sent.attempt(item)) + b"\n" for item in items)
    more = {"x-next-cursor": following} if following else {}
    return Answer(lines, headers=more, content_type="application/x-ndjson")


@routes.read(_ONE + "/dead-letters", permission="webhooks.read", query=DeadQuery, answer=DeadLetterPage)
def dead_letters(call: Call[None], endpoints: Endpoints) -> Answer:
    """List what was given up for an endpoint, oldest event first, and why; `recover` sends it again."""
    query: DeadQuery = call.query
    found = endpoints.dead(call.tenant, _id(call), query.span(), after=query.after(), limit=query.limit + 1)
    following = cursor_of(UUID(found[query.limit - 1][0]["message"])) if len(found) > query.limit else None
    items = [sent.dead_letter(*one) for one in found[: query.limit]]
    return Answer({"items": items, "next_cursor": following})


@routes.write("POST", _ONE + "/recover", permission="webhooks.write", body=RecoverIn, answer=RecoveryOut, status=202)
def recover(call: Call[RecoverIn], tx: Transaction, endpoints: Endpoints) -> Answer:
    """Send again what was given up, or all that was sent, for events of some time: in order, at the endpoint's pace."""
    endpoints.recover(tx, _id(call), call.body.what, call.body.span())
    return Answer({"endpoint_id": _id(call), "what": call.body.what})


@routes.write("POST", _SENT + "/resend", permission="webhooks.write", answer=DeliveryOut, status=202)
def resend(call: Call[None], tx: Transaction, endpoints: Endpoints) -> Answer:
    """Send one message once more, whatever came of it, or where it is overdue; its attempts begin anew."""
    return Answer(sent.delivery(endpoints.resend(tx, _id(call), MessageId(call.id("message_id")))))


@routes.write("POST", _SENT + "/skip", permission="webhooks.write", answer=DeliveryOut)
def skip(call: Call[None], _tx: Transaction, endpoints: Endpoints) -> Answer:
    """Give up a delivery that waits, as a dead letter; later events of its entity go on. Its state says so at once."""
    return Answer(sent.delivery(endpoints.skip(call.tenant, _id(call), MessageId(call.id("message_id")))))


@routes.read(_SENT, permission="webhooks.read", answer=DeliveryOut)
def delivery(call: Call[None], endpoints: Endpoints) -> Answer:
    """Read where a message stands with one endpoint; its attempts there are in the log: `attempts?message=`."""
    return Answer(sent.delivery(endpoints.delivery(call.tenant, _id(call), MessageId(call.id("message_id")))))


@routes.read(_MESSAGES + "/{message_id}", permission="webhooks.read", answer=MessageOut)
def message(call: Call[None], endpoints: Endpoints) -> Answer:
    """Read a message: its body, where it stands with its endpoints, and the attempts."""
    found = endpoints.message(call.tenant, MessageId(call.id("message_id")))
    shown = {
        **sent.message(found.message),
        "deliveries": [sent.delivery(item) for item in found.deliveries],
        "attempts": [sent.attempt(item) for item in found.attempts],
        "is_whole": found.is_whole,
    }
    return Answer(shown)


@routes.read(_MESSAGES + "/{message_id}/payload", permission="webhooks.read", answer=BodyOut)
def payload(call: Call[None], endpoints: Endpoints) -> Answer:
    """Read a message's whole event: what `dataref` names, where it was too long to be sent."""
    return Answer(endpoints.payload(call.tenant, MessageId(call.id("message_id"))))


@routes.read("/api/v1/events/types", permission="webhooks.read", answer=EventTypesOut)
def event_types(_call: Call[None], _endpoints: Endpoints) -> Answer:
    """List every type of event, each with its schema and an example of what a receiver gets."""
    return Answer({"items": catalogue_document(), "next_cursor": None})


@routes.read("/api/v1/events/types/{event_type}", permission="webhooks.read", answer=EventTypeOut)
def event_type(call: Call[None], _endpoints: Endpoints) -> Answer:
    """Read one type of event: its schema (JSON Schema 2020-12) and an example of what a receiver gets."""
    name = call.path["event_type"]
    if name not in BY_NAME:
        raise EventTypeNotFound
    return Answer(type_document(BY_NAME[name]))
