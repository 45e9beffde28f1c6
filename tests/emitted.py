"""Holds what the code emits to the catalogue: every event that a test's database was told of has its type's shape."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from shared.events.rules.catalogue import BY_NAME
from shared.events.rules.schemas import data_schema


@cache
def _judge(name: str) -> Draft202012Validator:
    """The published schema, closed: what we send beside it would be a field that nobody was told of."""
    kind = BY_NAME[name]
    schema = {**data_schema(kind), "additionalProperties": kind.open}
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def wrong(events: Iterable[tuple[str, Any]]) -> list[str]:
    """What is wrong with some events, given as type and data."""
    found = []
    for name, data in events:
        if name not in BY_NAME:
            found.append(f"{name} is not in the catalogue")
            continue
        found += [f"{name} at {error.json_path}: {error.message}" for error in _judge(name).iter_errors(data)]
    return found
