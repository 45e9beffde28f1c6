"""What the platform sends: a webhook of the document for each type of event, and the headers that come with it."""

from typing import Any

from shared.events.model import EventType
from shared.events.rules.bodies import type_document
from shared.events.rules.catalogue import CATALOGUE, VERIFICATION

_SIGNED = """\
Signatures with spaces between, of which one has to fit: `v1,` and the Base64 of HMAC-SHA256 over \
`<webhook-id>.<webhook-timestamp>.<body>`, keyed with the bytes behind `whsec_`; `v1a,` likewise of Ed25519, for \
endpoints that have such a key. As Standard Webhooks 1.0.0 has it."""
_HEADERS = {
    "webhook-id": (
        "The event's id, the same at every attempt and resend.",
        {"type": "string", "format": "uuid"},
        "0193a0c2-9999-7c11-8f5a-3d2e9b1c4a60",
    ),
    "webhook-timestamp": (
        "Seconds since 1970 of this attempt; refuse what is older than five minutes.",
        {"type": "string", "pattern": "^[0-9]+$"},
        "1772357400",
    ),
    "webhook-signature": (
        _SIGNED,
        {"type": "string"},
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
}
HEADERS: dict[str, Any] = {
    name: {"name": name, "in": "header", "required": True, "description": about, "schema": schema, "example": example}
    for name, (about, schema, example) in _HEADERS.items()
}
"""The parameters of every delivery, for `components`."""
_OF_TYPE = ("type", "dataschema")
"""What each type of event has a value of its own of."""
_ANSWERS = {
    "2XX": {"description": "Taken."},
    "410": {"description": "Nothing more is wanted: the endpoint is disabled until it is changed."},
    "429": {"description": "Too much: the endpoint rests, as long as `Retry-After` says."},
    "default": {"description": "A failure, redirects included: it comes again by the endpoint's schedule."},
}
_CHALLENGED = {
    "2XX": {
        "description": "The challenge, alone or as the member `challenge`: the URL is verified, and events are sent.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"challenge": {"type": "string"}},
                    "required": ["challenge"],
                }
            }
        },
    },
    "default": {"description": "It comes again after 10 s, 1 min and 5 min, then when somebody asks."},
}


def webhooks() -> dict[str, Any]:
    """The section `webhooks`."""
    return {kind.name: {"post": _delivery(kind)} for kind in CATALOGUE}


def event() -> dict[str, Any]:
    """The schema that all events share: CloudEvents 1.0, `data` apart."""
    schema = type_document(CATALOGUE[0])["schema"]
    parts = {name: part for name, part in schema["properties"].items() if name != "data"}
    parts |= {name: {"type": "string"} for name in _OF_TYPE}
    return {**_kept(schema), "properties": parts}


def _kept(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in schema.items() if name != "$schema"}


def _delivery(kind: EventType) -> dict[str, Any]:
    told = type_document(kind)
    parts = told["schema"]["properties"]
    data = {name: part for name, part in parts["data"].items() if name not in {"$id", "title", "description"}}
    schema = {
        "allOf": [{"$ref": "#/components/schemas/Event"}],
        "properties": {name: parts[name] for name in _OF_TYPE} | {"data": data},
    }
    return {
        "operationId": f"receive.{kind.name}",
        "summary": kind.description.rstrip("."),
        "tags": ["Webhooks"],
        "security": [],
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in HEADERS],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "example": told["example"]}},
        },
        "responses": _CHALLENGED if kind.name == VERIFICATION else _ANSWERS,
    }
