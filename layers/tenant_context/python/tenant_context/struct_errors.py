"""What msgspec says of a body that does not fit, as the field that is wrong and a sentence that helps."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

from tenant_context.errors import FieldError

_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_EVERY = "*"
"""The step of a map's key, which msgspec does not tell."""


def field_error(shape: type[msgspec.Struct], error: msgspec.ValidationError) -> FieldError:
    """The field as a JSON Pointer, in which `*` stands for some name of a map, and what would be right there."""
    message, _, path = str(error).partition(" - at `")
    path = path.removesuffix("`")
    of_name = path.startswith("key` in `")
    steps = [name or number.replace("...", _EVERY) for name, number in _STEP.findall(path.rpartition("`")[2])]
    code = "type"
    if of_name:
        steps.append(_EVERY)
        message = f"its name: {message}"
    elif unknown := _UNKNOWN.fullmatch(message):
        code = "unknown"
        message = f"is no field here; there are {_listed(sorted(_fields(shape, steps)))}"
        steps.append(unknown[1])
    elif allowed := [repr(value) for value in _allowed(shape, steps)]:
        message = f"{message}; it may be {_listed(allowed)}"
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
    return FieldError(pointer, code, message)


def _listed(words: list[str]) -> str:
    return ", ".join(words)


def _fields(shape: type[msgspec.Struct], steps: list[str]) -> Iterator[str]:
    for kind in _kinds(shape, steps):
        if isinstance(kind, inspect.StructType):
            yield from (field.encode_name for field in kind.fields)


def _allowed(shape: type[msgspec.Struct], steps: list[str]) -> Iterator[Any]:
    """The values that a field may have, where those are few by its type."""
    for kind in _kinds(shape, steps):
        if isinstance(kind, inspect.LiteralType):
            yield from kind.values
        elif isinstance(kind, inspect.EnumType):
            yield from (member.value for member in kind.cls)


def _kinds(shape: type[msgspec.Struct], steps: list[str]) -> list[inspect.Type]:
    """The types at a place of a shape: more than one where it may be one or another."""
    found = list(_plain(inspect.type_info(shape)))
    for step in steps:
        found = [plain for kind in found for part in _below(kind, step) for plain in _plain(part)]
    return found


def _below(kind: inspect.Type, step: str) -> list[inspect.Type]:
    if isinstance(kind, inspect.StructType):
        return [field.type for field in kind.fields if field.encode_name == step]
    if isinstance(kind, inspect.DictType):
        return [kind.value_type]
    return [kind.item_type] if isinstance(kind, inspect.ListType) else []


def _plain(kind: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(kind, inspect.Metadata):
        yield from _plain(kind.type)
    elif isinstance(kind, inspect.UnionType):
        for one in kind.types:
            yield from _plain(one)
    else:
        yield kind
