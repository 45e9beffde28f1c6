"""What stands in words under fields and members, for those who read the served document and not the source."""

import ast
import inspect
import textwrap
from enum import Enum
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue


@cache
def attributes(owner: type[Any]) -> dict[str, str]:
    """The docstrings under the attributes of a class and of what it inherits from, by the attributes' names."""
    found: dict[str, str] = {}
    for one in reversed(owner.__mro__):
        if one.__module__.partition(".")[0] in {"functions", "shared", "tenant_context"}:
            found |= _written(one)
    return found


def _written(owner: type[Any]) -> dict[str, str]:
    try:
        [body] = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    except (OSError, TypeError, SyntaxError):
        return {}  # made without a source of its own, as generic models are
    found: dict[str, str] = {}
    parts = getattr(body, "body", [])
    for before, part in pairwise(parts):
        match before, part:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = inspect.cleandoc(text)
    return found


def members(kind: type[Enum]) -> str:
    """What each member of an enumeration means, as a list; nothing where nothing is said."""
    said = attributes(kind)
    return "\n".join(f"- `{one.value}`: {said[one.name]}" for one in kind if one.name in said)


def _counted(field: JsonSchemaValue) -> None:
    """Of an array, its length is of its items; behind a validator of ours, pydantic takes it for a text's."""
    if field.get("type") == "array":
        for of_text, of_items in (("minLength", "minItems"), ("maxLength", "maxItems")):
            if of_text in field:
                field[of_items] = field.pop(of_text)


class Wording(GenerateJsonSchema):
    """Pydantic's schemas with the words under fields and members."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._members: dict[str, str] = {}

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        """Of a model."""
        found = super().model_schema(schema)
        owner: type[BaseModel] = schema["cls"]
        for name, text in attributes(owner).items():
            known = owner.model_fields.get(name)
            shown = found.get("properties", {}).get((known.alias if known else None) or name)
            if shown is not None:
                shown.setdefault("description", text)
        for shown in found.get("properties", {}).values():
            _counted(shown)
        return found

    def enum_schema(self, schema: Any) -> JsonSchemaValue:
        """Of an enumeration."""
        self._members[schema["cls"].__name__] = members(schema["cls"])
        return super().enum_schema(schema)

    def generate_definitions(self, inputs: Any) -> Any:
        """Of all; an enumeration's own description comes after its schema, and its members' after that."""
        references, found = super().generate_definitions(inputs)
        for shown in found.values():
            if "enum" in shown and (text := self._members.get(shown.get("title", ""))):
                shown["description"] = "\n\n".join(part for part in (shown.get("description"), text) if part)
        return references, found
