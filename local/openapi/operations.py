"""One route as an OpenAPI operation."""

import inspect
import json
import re
from typing import Any

from pydantic import BaseModel

from local.openapi import problems
from local.openapi.samples import recorded_body, sample
from local.openapi.shapes import Schema, Shapes, documented_body
from tenant_context.bodies import GZIP
from tenant_context.routing import SIGNED_IN, Proof, Route

_REASONS = {200: "OK.", 201: "Created.", 202: "Accepted; the work goes on behind the answer.", 204: "Done."}
_SECURITY: dict[Proof, list[dict[str, list[str]]]] = {
    Proof.TOKEN: [{"bearer": []}],
    Proof.KEY: [{"apiKey": []}],
    Proof.OPERATOR: [{"operator": []}],
    Proof.PUBLIC: [],
}
_TITLE = 40
"""Letters of a docstring that only says what its class is."""
_ABOUT_QUERY = {
    "limit": "How many items at most.",
    "cursor": "`next_cursor` of the page before.",
}


def _security(route: Route) -> list[dict[str, list[str]]]:
    """Tokens everywhere, and keys where it is neither about the user nor sensitive."""
    for_users = route.recent or route.permission == SIGNED_IN
    programs = _SECURITY[Proof.KEY] if route.proof is Proof.TOKEN and not for_users else []
    return [*_SECURITY[route.proof], *programs]


def operation(route: Route, tag: str, shapes: Shapes) -> dict[str, Any]:
    """The operation object."""
    body = _request_body(route, shapes)
    described: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary.rstrip("."),
        "tags": [tag],
        "security": _security(route),
    }
    if about := _description(route):
        described["description"] = about
    if route.permission is not None and "." in route.permission:
        described["x-permission"] = route.permission
    if parameters := _parameters(route, shapes):
        described["parameters"] = parameters
    if body is not None:
        described["requestBody"] = body
    answers = {str(route.status): _answer(route, shapes)}
    for status in problems.possible(route, takes_body=body is not None):
        answers[str(status)] = {"$ref": f"#/components/responses/{problems.NAMES[status]}"}
    described["responses"] = answers
    return described


def _description(route: Route) -> str:
    text = inspect.getdoc(route.handler) or ""
    rest = text.partition("\n")[2].strip()
    return "\n\n".join(part for part in (rest, _asked(route), problems.needed(route)) if part)


def _asked(route: Route) -> str:
    """What a query's own words tell, where that is more than what it is a query of."""
    text = inspect.cleandoc((route.query.__doc__ if route.query is not None else None) or "")
    return text if len(text) > _TITLE else ""


def _parameters(route: Route, shapes: Shapes) -> list[dict[str, Any]]:
    found = [_in_path(name) for name in re.findall(r"\{(\w+)\}", route.path)]
    if route.query is not None:
        fields, required = shapes.fields(route.query)
        found += [_in_query(name, field, required=name in required) for name, field in fields.items()]
    if route.writes:
        found.append({"$ref": "#/components/parameters/Idempotency-Key"})
    found += [{"$ref": f"#/components/parameters/{name}"} for name in route.headers]
    return found


def _in_path(name: str) -> dict[str, Any]:
    schema = {"type": "string", "format": "uuid"} if name.endswith("_id") else {"type": "string"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(name: str, field: Schema, *, required: bool) -> dict[str, Any]:
    """A parameter; in an address nothing is null, so what may be null may be left out."""
    schema = dict(field)
    about = schema.pop("description", _ABOUT_QUERY.get(name, ""))
    if schema.get("default", ...) is None:
        del schema["default"]
    choices = [part for part in schema.pop("anyOf", []) if part != {"type": "null"}]
    if len(choices) == 1:
        schema |= choices[0]
    elif choices:
        schema["anyOf"] = choices
    parameter: dict[str, Any] = {"name": name, "in": "query", "required": required, "schema": schema}
    if schema.get("type") == "array":  # one parameter, commas between
        parameter |= {"style": "form", "explode": False}
    return parameter | ({"description": about} if about else {})


def _request_body(route: Route, shapes: Shapes) -> dict[str, Any] | None:
    shape = documented_body(route)
    if shape is None:
        return _raw_body(route)
    schema = shapes.reference(shape, "validation")
    content: dict[str, Any] = {}
    for kind in route.content_types:
        if kind == "application/json":
            example = recorded_body(route)
            content[kind] = {"schema": schema, "example": sample(schema, shapes) if example is None else example}
        else:
            content[kind] = {"schema": {"type": "string"}}
    if "text/csv" in route.content_types:
        content[GZIP] = {"schema": {"type": "string", "format": "binary"}}
    return {"required": True, "content": content}


def _raw_body(route: Route) -> dict[str, Any] | None:
    """The body of a route that verifies the bytes as they were signed."""
    if route.method == "GET" or route.writes or route.proof is not Proof.PUBLIC:
        return None
    content: dict[str, Any] = {"schema": {"type": "object"}}
    if (example := recorded_body(route)) is not None:
        content["example"] = example
    return {"required": True, "content": {"application/json": content}}


def _answer(route: Route, shapes: Shapes) -> dict[str, Any]:
    more = ["ETag"] if _is_versioned(route.answer) else []
    more += ["X-Next-Cursor"] if route.lines else []
    more += route.tells
    if route.writes:
        more += [*(["Location"] if route.status == 201 else []), "Idempotent-Replayed"]  # noqa: PLR2004  Created
    answer: dict[str, Any] = {
        "description": _REASONS.get(route.status, "OK."),
        "headers": problems.headers(*more),
    }
    if route.types:
        answer["content"] = {kind: {"schema": _file(kind)} for kind in route.types}
    elif route.answer is str:
        answer["content"] = {"text/plain": {"schema": {"type": "string"}}}
    elif route.answer is dict:
        answer["content"] = {"application/json": {"schema": {"type": "object"}}}
    elif route.answer is not None:
        schema = shapes.reference(route.answer, "serialization")
        if route.lines:
            line = json.dumps(sample(schema, shapes), ensure_ascii=False, separators=(",", ":"))
            answer["description"] = "OK. Each line is a JSON document of this schema."
            answer["content"] = {"application/x-ndjson": {"schema": schema, "example": f"{line}\n"}}
        else:
            answer["content"] = {"application/json": {"schema": schema, "example": sample(schema, shapes)}}
    return answer


def _file(kind: str) -> Schema:
    """A file's schema: text is a string, and what is binary has none (OpenAPI 3.1)."""
    return {"type": "string"} if kind.startswith("text/") else {}


def _is_versioned(shape: Any) -> bool:
    if not (isinstance(shape, type) and issubclass(shape, BaseModel)):
        return False
    version = shape.model_fields.get("version")
    return version is not None and version.annotation is int
