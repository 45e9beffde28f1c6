"""The whole OpenAPI document."""

import json
import tomllib
from pathlib import Path
from typing import Any

from local.openapi import problems
from local.openapi.discovery import FunctionRoutes, discover
from local.openapi.operations import operation
from local.openapi.shapes import Shapes
from local.openapi.webhooks import HEADERS, event, webhooks
from tenant_context.routing import Route

_PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"

_ABOUT = """\
Retail media campaigns, people counters and tills of stores, metrics and webhooks, for many organizations.

- **Who you are.** `Authorization: Bearer <access token>` of a user (15 minutes; refresh it), or `X-API-Key` of a \
program or device. A credential is for one organization; an `X-Tenant-ID` that disagrees is refused. Another \
organization's ids answer 404, as missing ones do.
- **Versions.** The path decides. Every address also works without its version (`/api/campaigns`); then \
`X-API-Version` decides, else 1.
- **Lists** take `limit` and `cursor` and answer `items` and `next_cursor`, which is null on the last page.
- **Writes** take `Idempotency-Key`: the same key and request get the stored answer, another request gets 422. \
Updates need `If-Match` with the ETag that was read.
- **Forms.** Times are RFC 3339 in UTC, money is a decimal string beside an ISO 4217 currency, ids are UUIDs.
- **Problems** are `application/problem+json` (RFC 9457); `errors` names every bad field. An unknown address answers \
404, a wrong method 405 with `Allow`.
- **Webhooks.** The section `webhooks` has what is sent to endpoints, one type of event each, signed by Standard \
Webhooks 1.0.0. A new URL has to answer `webhook.verification` first."""

_SECURITY_SCHEMES: dict[str, Any] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The `access_token` that signing up, logging in or refreshing answers.",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "A key of a program or device; `Authorization: Bearer <key>` does as well.",
    },
    "operator": {
        "type": "http",
        "scheme": "bearer",
        "description": "The platform's operator secret.",
    },
}
_PARAMETERS: dict[str, Any] = {
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Makes a write that is sent twice happen once.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "required": True,
        "description": "The ETag of what is being changed, as it was read.",
        "schema": {"type": "string"},
        "example": '"3"',
    },
}


def describe() -> dict[str, Any]:
    """The document for every route that is declared now."""
    found = discover()
    routes = [route for function in found for route in function.routes]
    shapes = Shapes(routes)
    project = tomllib.loads(_PROJECT.read_text())["project"]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "RMAP API",
            "version": project["version"],
            "summary": "Retail Media & Analytics Platform",
            "description": _ABOUT,
        },
        "servers": [{"url": "/", "description": "This deployment"}],
        "tags": _tags(found),
        "paths": _paths(found, shapes),
        "webhooks": webhooks(),
        "components": {
            "securitySchemes": _SECURITY_SCHEMES,
            "parameters": _PARAMETERS | HEADERS,
            "headers": problems.HEADERS,
            "responses": problems.responses(),
            "schemas": {
                **shapes.components(route.query for route in routes if route.query is not None),
                "Event": event(),
                "FieldError": problems.FIELD_ERROR,
                "Problem": problems.PROBLEM,
            },
        },
    }


def _tags(found: list[FunctionRoutes]) -> list[dict[str, str]]:
    """The headings; functions that share one are described together."""
    about: dict[str, list[str]] = {}
    for function in found:
        about.setdefault(function.tag, []).append(function.about)
    return [{"name": name, "description": " ".join(said)} for name, said in about.items()]


def _paths(found: list[FunctionRoutes], shapes: Shapes) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    names: dict[str, Route] = {}
    for function in found:
        for route in function.routes:
            if route.operation in names:
                raise ValueError(f"two routes are called {route.operation}")
            names[route.operation] = route
            methods = paths.setdefault(route.path, {})
            if route.method.lower() in methods:
                raise ValueError(f"{route.method} {route.path} is declared by two functions")
            methods[route.method.lower()] = operation(route, function.tag, shapes)
    return paths


def written(document: dict[str, Any]) -> str:
    """The document as the file holds it."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
