"""Where a caller may name things other than by the path: every id that the API takes in queries and bodies."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from infra.settings import ROOT
from tests.isolation.things import NAMES, QUERIES

DESCRIPTION = ROOT / "docs" / "api" / "openapi.json"
Json = dict[str, Any]


@dataclass(frozen=True)
class Mention:
    """A parameter of a query, or a field of a body (`lines[].site_id`), that takes an id."""

    method: str
    path: str
    place: str
    field: str
    schema: str = ""
    """Of the body, as JSON; so that a mention can be told from another by its value."""

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.place} {self.field}"

    def kind(self, ids: Mapping[str, str]) -> str:
        """Which of a tenant's things is meant, by the path parameter that names such things."""
        last = self.field.rsplit(".", 1)[-1].removesuffix("[]")
        for name in (last, last.removesuffix("s"), f"{last}_id", f"{last.removesuffix('s')}_id"):
            if name in ids:
                return name
        raise AssertionError(f"{self}: tests/isolation/things.py makes nothing that is called so; add it to Things.of")

    def address(self, ids: Mapping[str, str], meant: str) -> str:
        """The path with the caller's own ids, and the query."""
        path = self.path
        for name, value in {**NAMES, **ids}.items():
            path = path.replace(f"{{{name}}}", value)
        assert "{" not in path, f"{self}: tests/isolation/things.py makes nothing for it; add it to Things.of"
        query = QUERIES.get(self.path, "")
        if self.place == "query":
            query += ("&" if query else "?") + urlencode({self.field: meant})
        return path + query

    def body(self, ids: Mapping[str, str], meant: str) -> bytes | None:
        """What has to be in the body, with the caller's own ids, and the field."""
        if self.place != "body":
            return None
        whole: Json = json.loads(self.schema)
        made = _least(whole, lambda field: ids[Mention(self.method, self.path, "body", field).kind(ids)], "")
        _put(made, self.field.split("."), meant)
        return json.dumps(made).encode()


def mentions() -> Iterator[Mention]:
    """Each of them, of every route that is not the operators' (who may name anybody's)."""
    described = json.loads(DESCRIPTION.read_text())
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            if not isinstance(operation, dict) or {"operator": []} in operation.get("security", []):
                continue
            for parameter in (_resolved(described, one) for one in operation.get("parameters", [])):
                if parameter["in"] == "query" and list(_fields(_whole(described, parameter["schema"]), "")):
                    yield Mention(method.upper(), path, "query", parameter["name"])
            for media in operation.get("requestBody", {}).get("content", {}).values():
                whole = _whole(described, media.get("schema", {}))
                for field in dict.fromkeys(_fields(whole, "")):
                    yield Mention(method.upper(), path, "body", field, json.dumps(whole))


def _resolved(described: Json, one: Json) -> Json:
    while "$ref" in one:
        found = described
        for part in one["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        one = {**found, **{name: value for name, value in one.items() if name != "$ref"}}
    return one


def _whole(described: Json, schema: Any, within: tuple[str, ...] = ()) -> Any:
    """A schema with what it refers to in place; what refers to itself ends there."""
    if isinstance(schema, list):
        return [_whole(described, one, within) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("$ref", "") in within:
        return {}
    within = (*within, schema["$ref"]) if "$ref" in schema else within
    return {name: _whole(described, value, within) for name, value in _resolved(described, schema).items()}


def _fields(schema: Json, at: str) -> Iterator[str]:
    if schema.get("format") == "uuid":
        yield at
    for way in [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]:
        yield from _fields(way, at)
    if schema.get("type") == "array":
        yield from _fields(schema.get("items", {}), f"{at}[]")
    for name, value in schema.get("properties", {}).items():
        yield from _fields(value, f"{at}.{name}" if at else name)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _fields(schema["additionalProperties"], f"{at}.anything" if at else "anything")


def _least(schema: Json, own: Callable[[str], str], at: str) -> Any:
    """The least that a schema takes."""
    ways: list[Json] = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf") or []
    given = [*schema.get("examples", []), *schema.get("enum", []), *([schema["const"]] if "const" in schema else [])]
    if ways or given:
        return given[0] if given else _least(ways[0], own, at)
    match schema.get("type"):
        case "object":
            needed, parts = schema.get("required", []), schema.get("properties", {})
            return {name: _least(parts[name], own, f"{at}.{name}" if at else name) for name in needed}
        case "array":
            return [_least(schema["items"], own, f"{at}[]")] * int(schema.get("minItems", 0))
        case "string":
            return own(at) if schema.get("format") == "uuid" else _text(schema, at)
    return False if schema.get("type") == "boolean" else schema.get("minimum", 1)


def _text(schema: Json, at: str) -> str:
    if at == "serial":
        return f"x{uuid4().hex[:8]}"  # of which there may be one
    return "https://example.com/mine" if "url" in at else "x" * max(int(schema.get("minLength", 1)), 1)


def _put(made: Json, steps: list[str], meant: str) -> None:
    """Put an id where a field is, in a list of one where it is one of several."""
    first, *rest = steps
    name = first.removesuffix("[]")
    value: Any = meant
    if rest:
        value = made.get(name) or {}
        value = value[0] if isinstance(value, list) and value else value or {}
        _put(value, rest, meant)
    made[name] = [value] if first.endswith("[]") else value
