"""What is wrong with a value, in the words of those who sent it, from what msgspec says of it."""

import re
from collections.abc import Callable
from typing import Final

_KINDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "datetime": "a time",
    "null": "nothing (null)",
}
_TIME = "such as 2026-05-04T10:15:00Z or 2026-05-04T12:15:00+02:00"
_FIXED: Final = {
    "Expected `datetime` with a timezone component": f"must say its offset from UTC, {_TIME}",
    "Invalid RFC3339 encoded datetime": f"must be a time as RFC 3339 writes it, {_TIME}",
    "Invalid decimal string": "must be a number with a point before its decimals, such as 12.50",
    "Invalid UUID": "must be a UUID",
    "Number out of range": "is more than a number may be",
}
_PATTERNS: Final = {
    r"^[^\\x00]*$": "must not contain the NUL character",
    "^[A-Z]{3}$": "must be three capital letters, such as EUR",
}
_WORDS: Final = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
_ITEMS: Final = {"str": "characters", "array": "items"}


def _kind(name: str) -> str:
    return " or ".join(_KINDS.get(one.strip(), one.strip()) for one in name.split("|"))


_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[..., str]], ...]] = (
    (
        re.compile(r"Expected `(str|array)` of length (>=|<=) (\d+)"),
        lambda kind, way, bound: f"must have {_WORDS[way]} {bound} {_ITEMS[kind]}",
    ),
    (re.compile(r"Expected `str` matching regex '(.*)'"), lambda form: _PATTERNS.get(form, f"must match {form}")),
    (re.compile(r"Expected `\w+` (>=|<=|>|<) (-?[\d.]+)"), lambda way, bound: f"must be {_WORDS[way]} {bound}"),
    (
        re.compile(r"Expected `([^`]+)`, got `([^`]+)`"),
        lambda wanted, found: f"must be {_kind(wanted)}, not {_kind(found)}",
    ),
    (re.compile(r"Object missing required field `([^`]+)`"), lambda name: f"{name} is missing"),
    (re.compile(r"Object contains unknown field `([^`]+)`"), lambda name: f"{name} is no field of it"),
)


def in_words(said: str) -> str:
    """A sentence of msgspec's, without the place, as one about the field; what is not known stays as it is."""
    for form, words in _FORMS:
        if found := form.fullmatch(said):
            return words(*found.groups())
    return _FIXED.get(said, said)
