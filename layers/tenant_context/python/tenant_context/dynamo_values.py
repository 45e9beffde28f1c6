"""DynamoDB's JSON form of values."""

import base64
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

Item = dict[str, Any]
"""An item by the names of its attributes."""


def encode(value: Any) -> dict[str, Any]:  # noqa: C901, PLR0911  one for each form
    """A value in DynamoDB's JSON form."""
    # The usual ones first: what is written of a webhook alone are some fifty.
    kind = type(value)
    if kind is str:
        return {"S": value}
    if kind is int or kind is float:
        return {"N": str(value)}
    if kind is dict:
        return {"M": encode_item(value)}
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str() | UUID():
            return {"S": str(value)}
        case bytes():
            return {"B": base64.b64encode(value).decode()}
        case int() | float() | Decimal():
            return {"N": str(value)}
        case Mapping():
            return {"M": encode_item(value)}
        case list() | tuple() | set() | frozenset():
            return {"L": [encode(part) for part in value]}
    raise TypeError(f"DynamoDB has no form for {type(value).__name__}")


def decode(value: Mapping[str, Any]) -> Any:  # noqa: PLR0911  one for each form
    """The value behind DynamoDB's JSON form; numbers become int where they are whole, else Decimal."""
    kind, content = next(iter(value.items()))
    if kind == "S":
        return content
    match kind:
        case "N":
            return Decimal(content) if "." in content or "e" in content.lower() else int(content)
        case "B":
            return base64.b64decode(content)
        case "M":
            return {name: decode(part) for name, part in content.items()}
        case "L":
            return [decode(part) for part in content]
        case "NULL":
            return None
    return content


def encode_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """A whole item."""
    return {name: {"S": value} if type(value) is str else encode(value) for name, value in item.items()}


def decode_item(item: Mapping[str, Any]) -> Item:
    """A whole item, back."""
    return {name: decode(value) for name, value in item.items()}
