"""From the wire's models to `components.schemas`, and references to them."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from local.openapi.words import Wording
from tenant_context.routing import Route

Schema = dict[str, Any]
PLACE = "#/components/schemas/"
_UNBOUNDED = 100_000
"""The kernel's bound on any text: a guard, not a promise worth repeating at each field."""
_MONEY_PATTERN = r"^\d+(\.\d{1,2})?$"
_NAMED_LENGTH = 3


def documented_body(route: Route) -> Any:
    """The shape of a route's body: the one the kernel parses, or the one the route says that it reads itself."""
    return route.body or getattr(route, "reads", None)


class Shapes:
    """The schemas of every model that some route takes or answers."""

    def __init__(self, routes: Iterable[Route]) -> None:
        models: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {}
        structs: dict[type[msgspec.Struct], None] = {}
        for route in routes:
            uses: tuple[tuple[Any, Literal["validation", "serialization"]], ...] = (
                (documented_body(route), "validation"),
                (route.query, "validation"),
                (route.answer, "serialization"),
            )
            for shape, mode in uses:
                if isinstance(shape, type) and issubclass(shape, BaseModel):
                    models[shape, mode] = None
                elif isinstance(shape, type) and issubclass(shape, msgspec.Struct):
                    structs[shape] = None
        self._references, self._found = _schemas(models, structs)

    def reference(self, shape: Any, mode: JsonSchemaMode) -> Schema:
        """Where a model's schema stands."""
        if (shape, mode) in self._references:
            return self._references[shape, mode]
        return self._references[shape, "validation"]

    def fields(self, query: type[BaseModel]) -> tuple[Mapping[str, Schema], frozenset[str]]:
        """The fields of a query's model, and which of them must be there."""
        schema = self._found[self.reference(query, "validation")["$ref"].removeprefix(PLACE)]
        return schema.get("properties", {}), frozenset(schema.get("required", ()))

    def resolve(self, schema: Schema) -> Schema:
        """The schema itself behind a reference."""
        while "$ref" in schema:
            schema = self._found[schema["$ref"].removeprefix(PLACE)]
        return schema

    def components(self, queries: Iterable[type[BaseModel]]) -> dict[str, Schema]:
        """All schemas by name, but those of queries, which are written out as parameters."""
        left_out = {self.reference(query, "validation")["$ref"].removeprefix(PLACE) for query in queries}
        return {name: schema for name, schema in sorted(self._found.items()) if name not in left_out}


def _schemas(
    models: Mapping[tuple[type[BaseModel], JsonSchemaMode], None], structs: Mapping[type[msgspec.Struct], None]
) -> tuple[dict[tuple[Any, JsonSchemaMode], Schema], dict[str, Schema]]:
    references, defined = models_json_schema(list(models), ref_template=PLACE + "{model}", schema_generator=Wording)
    struct_references, struct_schemas = msgspec.json.schema_components(structs, ref_template=PLACE + "{name}")
    schemas: dict[str, Schema] = {**defined.get("$defs", {})}
    if twice := schemas.keys() & struct_schemas.keys():
        raise ValueError(f"two shapes share a name: {', '.join(sorted(twice))}")
    schemas |= struct_schemas
    names = {name: _short(name) for name in schemas}
    if len(set(names.values())) != len(names):
        raise ValueError("two shapes share a short name")
    found = {names[name]: _cleaned(schema, names) for name, schema in schemas.items()}
    everywhere: dict[tuple[Any, JsonSchemaMode], Schema] = {
        key: _cleaned(reference, names) for key, reference in references.items()
    }
    for struct, reference in zip(structs, struct_references, strict=True):
        everywhere[struct, "validation"] = _cleaned(reference, names)
    return everywhere, found


def _short(name: str) -> str:
    """Pydantic names models that share a name by their modules: `functions__sites__schemas__Status` → SitesStatus."""
    parts = name.split("__")
    if len(parts) < _NAMED_LENGTH:
        return name
    return "".join(word.capitalize() for word in parts[1].split("_")) + parts[-1]


def _cleaned(schema: Any, names: Mapping[str, str]) -> Any:
    """A schema without what the field's name says already, and with pydantic's own words in JSON Schema's."""
    if isinstance(schema, list):
        return [_cleaned(part, names) for part in schema]
    if not isinstance(schema, dict):
        return schema
    cleaned: Schema = {}
    for name, value in schema.items():
        if name in {"properties", "$defs"}:
            cleaned[name] = {field: _cleaned(part, names) for field, part in value.items()}
        elif name in {"default", "examples", "enum", "const", "required"}:
            cleaned[name] = value
        elif name == "$ref":
            cleaned[name] = PLACE + names[value.removeprefix(PLACE)]
        elif name not in {"title", "ge", "max_digits", "decimal_places"} and (name, value) != ("maxLength", _UNBOUNDED):
            cleaned[name] = _cleaned(value, names)
    if "decimal_places" in schema:
        cleaned["pattern"] = _MONEY_PATTERN
    return cleaned
