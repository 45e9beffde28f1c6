"""Form-encoded nested parameters, as Stripe's clients send them: `items[0][price]=price_1&expand[]=customer`."""

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

from local.stripe.errors import invalid, missing_parameter

_PART = re.compile(r"\[([^\]]*)\]")
MAX_DEPTH = 8


def decode(encoded: str) -> dict[str, Any]:
    """A nested mapping of strings and lists; keys that are all numbers become a list in their order."""
    return nest(parse_qsl(encoded, keep_blank_values=True))


def nest(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Build the nesting that the bracketed keys spell."""
    root: dict[str, Any] = {}
    for key, value in pairs:
        head, _, _ = key.partition("[")
        path = [head, *_PART.findall(key)]
        if len(path) > MAX_DEPTH:
            raise invalid(head, f"Parameter nested too deeply: {key}")
        _place(root, path, value)
    return {name: _listed(value) for name, value in root.items()}


def _place(node: dict[str, Any], path: list[str], value: str) -> None:
    for part in path[:-1]:
        child = node.setdefault(_slot(node, part), {})
        if not isinstance(child, dict):
            raise invalid(path[0], f"Invalid object: {path[0]}")
        node = child
    node[_slot(node, path[-1])] = value


def _slot(node: dict[str, Any], part: str) -> str:
    return part or str(len(node))


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_listed(value[key]) for key in sorted(value, key=int)]
    return {key: _listed(item) for key, item in value.items()}


class Params:
    """Typed reading of one request's parameters; a wrong one is Stripe's 400."""

    def __init__(self, values: dict[str, Any], prefix: str = "") -> None:
        self.values = values
        self._prefix = prefix

    def __contains__(self, name: str) -> bool:
        """Whether the parameter was sent, even if empty."""
        return name in self.values

    def _named(self, name: str) -> str:
        return f"{self._prefix}[{name}]" if self._prefix else name

    def text(self, name: str, default: str | None = None) -> str | None:
        """A string; an empty one unsets, as Stripe has it."""
        value = self.values.get(name, default)
        if value is not None and not isinstance(value, str):
            raise invalid(self._named(name), f"Invalid string: {value}")
        return value or None

    def required(self, name: str) -> str:
        """A string that must be there."""
        value = self.text(name)
        if value is None:
            raise missing_parameter(self._named(name))
        return value

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        """One of a few words."""
        value = self.text(name) or default
        if value not in allowed:
            raise invalid(self._named(name), f"Invalid {name}: must be one of {', '.join(allowed)}")
        return value

    def integer(self, name: str, default: int | None = None) -> int | None:
        """A whole number."""
        value = self.text(name)
        if value is None:
            return default
        try:
            return int(value)
        except ValueError:
            raise invalid(self._named(name), f"Invalid integer: {value}") from None

    def decimal(self, name: str) -> Decimal | None:
        """A decimal number."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return Decimal(value)
        except InvalidOperation:
            raise invalid(self._named(name), f"Invalid decimal: {value}") from None

    def boolean(self, name: str, *, default: bool = False) -> bool:
        """`true` or `false`."""
        value = self.text(name)
        if value is None:
            return default
        if value.lower() not in {"true", "false"}:
            raise invalid(self._named(name), f"Invalid boolean: {value}")
        return value.lower() == "true"

    def mapping(self, name: str) -> dict[str, Any]:
        """A nested object; absent or unset is empty."""
        value = self.values.get(name) or {}
        if not isinstance(value, dict):
            raise invalid(self._named(name), f"Invalid object: {name}")
        return value

    def nested(self, name: str) -> "Params":
        """A nested object, to be read the same way."""
        return Params(self.mapping(name), self._named(name))

    def items(self, name: str) -> list["Params"]:
        """A list of nested objects."""
        value = self.values.get(name) or []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise invalid(self._named(name), f"Invalid array: {name}")
        return [Params(item, f"{self._named(name)}[{index}]") for index, item in enumerate(value)]

    def words(self, name: str) -> list[str]:
        """A list of strings."""
        value = self.values.get(name) or []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise invalid(self._named(name), f"Invalid array: {name}")
        return value
