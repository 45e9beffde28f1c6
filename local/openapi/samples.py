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
    "code": "HQ-1010",
    "site": "HQ-1",
    "sensor": "ACC-0042",
    "line": "entrance",
    "sku": "85123A",
    "quantity": "2",
    "address": "1 Market Street",
    "vendor": "axis",
    "organization": "acme",
    "scopes": ["ingest.write"],
    "permissions": ["campaigns.*", "sites.read"],
    "domain": "acme.example",
    "success_url": "https://app.acme.example/billing?paid",
    "cancel_url": "https://app.acme.example/billing",
    "return_url": "https://app.acme.example/billing",
    "month": "2026-03",
    "meter": "api_calls",
    "amount": "49.00",
    "amount_due": "49.00",
    "amount_paid": "0.00",
    "due_now": "12.50",
    "number": "RMAP-0007",
    "issuer": "https://id.acme.example",
    "return_urls": ["https://app.acme.example/signed-in"],
    "return_to": "https://app.acme.example/signed-in",
    "role_map": {"rmap-admins": "admin"},
    "default_role": "viewer",
    "role": "owner",
    "description": "Our warehouse",
}
_NAMES = {
    "Campaign": "Spring, in store",
    "Site": "Acme, Market Street",
    "Sensor": "Main entrance",
    "ApiKey": "Counter of the main entrance",
    "User": "Ada Owner",
    "SignUp": "Ada Owner",
    "NewRole": "buyer",
    "Grant": "sites",
    "Member": "Ada Owner",
}
"""What `name` is, by the beginning of the schema's own name."""
_SITE = {
    "name": "Acme, Market Street",
    "code": "HQ-1010",
    "address": "1 Market Street",
    "city": "Berlin",
    "postal_code": "10178",
    "country": "DE",
    "latitude": 52.5208,
    "longitude": 13.4094,
    "time_zone": "Europe/Berlin",
    "area_m2": 1200,
    "sales_area_m2": 800,
    "metadata": {"format": "flagship", "floors": 2},
}
_WHOLE: dict[str, dict[str, Any]] = {
    "Setup": {"time_zone": "Europe/Berlin", "lines": {"door": {"direction": "reversed"}}},
    "SiteIn": _SITE,
    "NewSiteIn": {**_SITE, "kind": "site"},
    "Hours": {
        "week": {"mon": [{"from": "09:00", "to": "20:00"}], "fri": [{"from": "18:00", "to": "02:00"}]},
        "exceptions": [{"date": "2026-12-25", "note": "Christmas"}],
    },
    "DeviceIn": {"serial": "ACC-0043"},
    "RecalibrateIn": {"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"},
    "HeartbeatsIn": {"heartbeats": [{"sensor": "ACC-0042"}]},
    "PushIn": {
        "Source": {"MacAddress": "00:02:D1:00:00:06"},
        "Data": [
            {
                "RuleType": "Counting",
                "CountingInfo": [
                    {
                        "RuleName": "Door",
                        "In": 1,
                        "Out": 2,
                        "StartTime": "2026-03-02T09:00:00Z",
                        "EndTime": "2026-03-02T09:15:00Z",
                    }
                ],
            }
        ],
    },
    "SensorIn": {
        "site_id": _ID,
        "name": "Main entrance",
        "serial": "ACC-0042",
        "kind": "line",
        "vendor": "axis",
        "interval_minutes": 15,
    },
    "TargetIn": {"site_id": _ID, "metric": "footfall", "period": "month", "value": 12000},
    "ConditionIn": {
        "kind": "threshold",
        "metric": "footfall",
        "period": "day",
        "direction": "below",
        "value": 500,
    },
}
"""Shapes of which every field at once would make no sense: an example that does what somebody may want."""
_LATE = "2099-12-31T23:00:00Z"
"""What must not have passed when somebody tries it."""
_MOMENTS = {
    "created_at": "2026-03-02T08:00:00Z",
    "ends_at": "2026-03-16T08:00:00Z",
    "end": "2026-03-02T09:15:00Z",
    "expires_at": _LATE,
    "until": _LATE,
}
_MOMENT = "2026-03-02T09:00:00Z"
_DAY = "2026-03-02"
_UNKNOWN = "text"
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
    owner = schema.get("$ref", "").rpartition("/")[2]
    schema = {"examples": [_WHOLE[owner]]} if owner in _WHOLE else shapes.resolve(schema)
    for given in ("examples", "enum"):
        if given in schema:
            return schema[given][0]
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            first = sample(schema[choice][0], shapes, name, depth + 1)
            return None if first == _UNKNOWN and {"type": "null"} in schema[choice] else first
    match schema.get("type"):
        case "object":
            return _object(schema, shapes, owner, depth)
        case "array":
            return _array(schema, shapes, name, depth)
        case "string":
            return _text(schema, name)
    return _number(schema, name)


def _object(schema: Schema, shapes: Shapes, owner: str, depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        return {}
    parts: Schema = schema.get("properties", {})
    found = {field: sample(part, shapes, field, depth + 1) for field, part in parts.items()}
    if "name" in found:
        found["name"] = next((name for start, name in _NAMES.items() if owner.startswith(start)), found["name"])
    return found


def _array(schema: Schema, shapes: Shapes, name: str, depth: int) -> list[Any]:
    kept = _BY_NAME.get(name)
    if isinstance(kept, list):
        return kept
    if depth > _DEEPEST or schema.get("default") == []:
        return []
    return [sample(schema.get("items", {}), shapes, name.removesuffix("s"), depth + 1)]


def _number(schema: Schema, name: str) -> Any:
    """A number or a truth value; for a schema that says nothing, an empty object."""
    if "const" in schema or "type" not in schema:
        return schema.get("const", {})
    kept = _BY_NAME.get(name)
    usual = True if schema["type"] == "boolean" else schema.get("minimum", 1)
    return schema.get("default", kept if isinstance(kept, int) else usual)


def _text(schema: Schema, name: str) -> str:
    if schema.get("format") == "uuid":
        return _ID
    kept = schema.get("const") or schema.get("default") or _BY_NAME.get(name)
    if isinstance(kept, str):
        return kept
    form = schema.get("format")
    if form == "date":
        return _DAY
    if form == "date-time" or name.endswith("_at") or name in {"start", "end", "from", "to", "time", "at"}:
        return _MOMENTS.get(name, _MOMENT)
    return _ID if name == "id" or name.endswith("_id") else _UNKNOWN
