"""The shapes of events as JSON Schemas (2020-12).

What a name means, it means in every event: a field's type is looked up here by its name. Schemas are open, so that
receivers pass over fields they do not know and a field may be added; a field that is published stays as it is, and a
change that would break who reads it is a new version (`local.catalogue` holds the code to what was published).
"""

from collections.abc import Mapping
from typing import Any

from shared.events.model import EventType

Schema = Mapping[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Schema = {"type": "string"}
_UUID: Schema = {"type": "string", "format": "uuid"}
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_NUMBER: Schema = {"type": "integer", "minimum": 0}
_YES_OR_NO: Schema = {"type": "boolean"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_DECIMAL: Schema = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}

_TEXTUAL = """
    action agent by challenge client_id code currency display_name domain email from greeting invoice issuer job
    kind locale message meter metric name number period plan prefix previous_serial proof reason replaced_by
    role serial session severity slug source_ip state status subscription_status time_zone to type url
    week_start"""
_NUMERIC = """
    accepted bytes campaigns capacity clear_at days duplicates included occupancy part parts quantity
    quarantined rejected revised rows shares stage stored threshold unchanged version"""
_NAMES: tuple[tuple[Schema, str], ...] = (
    (_TEXT, _TEXTUAL),
    (_UUID, "id batch endpoint parent_id previous_parent_id rule_id sensor_id site_id user zone_id"),
    (_MOMENT, "disabled_from expires_at failing_since hour measured_at since until"),
    (_NUMBER, _NUMERIC),
    (_YES_OR_NO, "enabled mfa_required sso_only"),
    ({"type": "array", "items": _UUID}, "site_ids"),
    (_TEXTS, "permissions proofs scopes"),
    (_DECIMAL, "amount_due amount_paid budget total value"),
    ({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"}, "month"),
    ({"type": "string", "format": "date"}, "first_day last_day"),
    ({"type": "object", "additionalProperties": _NUMBER}, "counts"),
)
FIELDS: Mapping[str, Schema] = {name: schema for schema, names in _NAMES for name in names.split()}
"""The type of every field that some event has. Add a new name here; it means the same wherever it is used."""


def identifier(name: str, version: int) -> str:
    """What names a schema everywhere: CloudEvents' `dataschema`."""
    return f"urn:rmap:event:{name}:{version}"


def data_schema(kind: EventType) -> dict[str, Any]:
    """The schema of an event's data; KeyError names a field that `FIELDS` does not know."""
    properties = {name: _nullable(FIELDS[name]) if name in kind.nullable else FIELDS[name] for name in kind.example}
    return {
        "$id": identifier(kind.name, kind.version),
        "title": kind.name,
        "description": kind.description,
        "type": "object",
        "properties": properties,
        "required": sorted(set(kind.example) - kind.optional),
    }


def body_schema(kind: EventType) -> dict[str, Any]:
    """The schema of the whole body that a receiver gets; a body that would be too long has `dataref` for `data`."""
    return {
        "$schema": DIALECT,
        "type": "object",
        "properties": {
            "specversion": {"const": "1.0"},
            "id": _UUID,
            "type": {"const": kind.name},
            "source": {"type": "string", "format": "uri-reference"},
            "subject": _TEXT,
            "time": _MOMENT,
            "timestamp": _MOMENT,
            "tenant": _UUID,
            "dataschema": {"const": identifier(kind.name, kind.version)},
            "data": data_schema(kind),
            "dataref": {"type": "string", "format": "uri-reference"},
        },
        "required": [
            "specversion", "id", "type", "source", "subject", "time", "timestamp", "tenant", "dataschema",
        ],
        "oneOf": [{"required": ["data"]}, {"required": ["dataref"]}],
    }  # fmt: skip


def _nullable(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}
