"""A plausible value for every schema, so that a request can be tried as it stands."""

import json
from pathlib import Path
from typing import Any

from local.openapi.shapes import Schema, Shapes
from tenant_context.routing import Route

EVENTS = Path(__file__).resolve().parents[2] / "events"
_ID = "01920d5a-7b1e-7c3a-9f10-5a1b2c3d4e5f"
_BY_NAME: dict[str, object] = {
    "email": "owner@acme.example",
    "password": "correct horse battery staple",
    "name": "Acme",
    "slug": "acme",
    "currency": "USD",
    "time_zone": "Europe/Berlin",
    "url": "https://receiver.example/hooks",
    "event_types": ["campaign.launched"],
    "plan": "starter",
    "version": 3,
    "expires_in": 900,
    "token_type": "Bearer",
    "budget": "1250.00",
    "total": "12.50",
    "unit_price": "2.50",
    "serial": "ACC-0042",
    "code": "HQ-1",
    "country": "DE",
}
_MOMENTS = {"created_at": "2026-03-02T08:00:00Z", "ends_at": "2026-03-16T08:00:00Z", "end": "2026-03-02T09:15:00Z"}
_MOMENT = "2026-03-02T09:00:00Z"
_DEEPEST = 8


def recorded_body(route: Route) -> Any:
    """The body of the function's sample event of the same name (events/<function>/<route>.json), else None."""
    function, _, name = route.operation.partition(".")
    place = EVENTS / function / f"{name}.json"
    if not place.is_file():
        return None
    body = json.loads(place.read_text()).get("body")
    try:
        return json.loads(body)
    except (TypeError, ValueError):
        return None


def sample(schema: Schema, shapes: Shapes, name: str = "", depth: int = 0) -> Any:
    """A value that fits a schema, the more so the better its fields are named."""
    schema = shapes.resolve(schema)
    if examples := schema.get("examples"):
        return examples[0]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return sample(schema[choice][0], shapes, name, depth + 1)
    match schema.get("type"):
        case "object":
            return _object(schema, shapes, depth)
        case "array":
            kept = _BY_NAME.get(name)
            return kept if isinstance(kept, list) else _array(schema, shapes, name, depth)
        case "integer" | "number":
            return _number(schema, name)
        case "boolean":
            return schema.get("default", True)
        case "string":
            return _text(schema, name)
    return {}


def _object(schema: Schema, shapes: Shapes, depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        return {}
    return {field: sample(part, shapes, field, depth + 1) for field, part in schema.get("properties", {}).items()}


def _array(schema: Schema, shapes: Shapes, name: str, depth: int) -> list[Any]:
    if depth > _DEEPEST or schema.get("default") == []:
        return []
    return [sample(schema.get("items", {}), shapes, name.removesuffix("s"), depth + 1)]


def _number(schema: Schema, name: str) -> Any:
    kept = _BY_NAME.get(name)
    if isinstance(kept, int):
        return kept
    return schema.get("default", schema.get("minimum", 1))


def _text(schema: Schema, name: str) -> str:
    kept = _BY_NAME.get(name)
    match schema.get("format"):
        case "uuid":
            return _ID
        case "date-time":
            return _MOMENTS.get(name, _MOMENT)
        case "date":
            return "2026-03-02"
    if isinstance(schema.get("default"), str):
        return str(schema["default"])
    if isinstance(kept, str):
        return kept
    if name.endswith("_at") or name in {"start", "end", "from", "to", "time", "at"}:
        return _MOMENTS.get(name, _MOMENT)
    return _ID if name == "id" or name.endswith("_id") else "text"
