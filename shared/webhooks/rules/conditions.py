"""Conditions on what an event holds: small, bounded, and without regular expressions.

A condition is a place (a JSON Pointer into the body), a comparison and a value. All of an endpoint's conditions have to
hold. An event costs at most MOST conditions of DEEPEST steps and LONGEST_LIST comparisons each, whatever was asked for.

A condition on what an event does not have does not hold, except that `exists` may ask for its absence. Numbers compare
with numbers, and with decimals written as text, as money is; nothing else is converted.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from shared.webhooks.model import Condition, Op
from tenant_context.errors import FieldError

MOST = 20
DEEPEST = 8
LONGEST_PATH = 200
LONGEST_TEXT = 500
LONGEST_LIST = 100
_LARGEST = 10**15
_DIGITS = frozenset("0123456789")
_LONGEST_NUMBER = 30
_ABSENT = object()
_LISTS = frozenset({Op.IN, Op.NOT_IN})
_ORDERED = frozenset({Op.LESS, Op.AT_MOST, Op.GREATER, Op.AT_LEAST})


def check(conditions: Sequence[Condition]) -> list[FieldError]:
    """What is wrong with conditions."""
    found = []
    for position, condition in enumerate(conditions):
        pointer = f"/conditions/{position}"
        if message := _wrong_path(condition.path):
            found.append(FieldError(f"{pointer}/path", "condition-path", message))
        if message := _wrong_value(condition):
            found.append(FieldError(f"{pointer}/value", "condition-value", message))
    return found


def hold(conditions: Sequence[Condition], body: Mapping[str, Any]) -> bool:
    """Whether all of them hold of an event's body."""
    return all(_holds(condition, body) for condition in conditions)


def _wrong_path(path: str) -> str:
    if not path.startswith("/") or len(path) > LONGEST_PATH:
        return f'must be a JSON Pointer of at most {LONGEST_PATH} characters, for example "/data/status"'
    if path.count("/") > DEEPEST:
        return f"must have at most {DEEPEST} steps"
    if "~" in path.replace("~0", "").replace("~1", ""):
        return "must write ~ as ~0 and / as ~1"
    return ""


def _wrong_value(condition: Condition) -> str:
    if condition.op not in _LISTS:
        return _wrong_single(condition.op, condition.value)
    value = condition.value
    if not isinstance(value, tuple) or not 1 <= len(value) <= LONGEST_LIST:
        return f"must be a list of 1 to {LONGEST_LIST} values"
    return next((message for one in value if (message := _wrong_scalar(one))), "")


def _wrong_single(op: Op, value: Any) -> str:
    if isinstance(value, tuple):
        return "must be one value"
    if op is Op.EXISTS and not isinstance(value, bool):
        return "must be true or false"
    if op is Op.PREFIX and not (isinstance(value, str) and value):
        return "must be a text"
    if op in _ORDERED and _number(value) is None:
        return "must be a number, or one written as a decimal"
    return _wrong_scalar(value)


def _wrong_scalar(value: Any) -> str:
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT or "\x00" in value:
            return f"must have at most {LONGEST_TEXT} characters, none of them NUL"
    elif isinstance(value, int | float) and not -_LARGEST <= value <= _LARGEST:
        return "must be a number between -10^15 and 10^15"
    return ""


def _holds(condition: Condition, body: Mapping[str, Any]) -> bool:  # noqa: PLR0911  one for each comparison
    found, value = _at(body, condition.path), condition.value
    if condition.op is Op.EXISTS:
        return (found is not _ABSENT) is value
    if found is _ABSENT:
        return False
    match condition.op:
        case Op.EQUALS:
            return _same(found, value)
        case Op.NOT_EQUALS:
            return not _same(found, value)
        case Op.IN:
            return any(_same(found, one) for one in _many(value))
        case Op.NOT_IN:
            return not any(_same(found, one) for one in _many(value))
        case Op.PREFIX:
            return isinstance(found, str) and isinstance(value, str) and found.startswith(value)
    return _compares(condition.op, _number(found), _number(value))


def _compares(op: Op, found: Decimal | None, value: Decimal | None) -> bool:
    if found is None or value is None:
        return False
    return {
        Op.LESS: found < value,
        Op.AT_MOST: found <= value,
        Op.GREATER: found > value,
        Op.AT_LEAST: found >= value,
    }[op]


def _many(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _at(body: Any, path: str) -> Any:
    here = body
    for step in path.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(here, Mapping):
            here = here.get(name, _ABSENT)
        elif isinstance(here, list) and _is_index(name, len(here)):
            here = here[int(name)]
        else:
            return _ABSENT
    return here


def _is_index(name: str, length: int) -> bool:
    return bool(name) and len(name) <= len(str(length)) and _DIGITS.issuperset(name) and int(name) < length


def _same(found: Any, value: Any) -> bool:
    """JSON's equality: 1 is 1.0, and neither is true."""
    if isinstance(found, bool) or isinstance(value, bool):
        return found is value
    return bool(found == value)


def _number(value: Any) -> Decimal | None:
    """A number, or a text that writes one plainly; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return Decimal(str(value)) if abs(value) <= _LARGEST * _LARGEST else None
    if not isinstance(value, str) or len(value) > _LONGEST_NUMBER:
        return None
    whole, _, part = value.removeprefix("-").partition(".")
    plain = bool(whole) and _DIGITS.issuperset(whole + part) and ("." not in value or bool(part))
    return Decimal(value) if plain else None
