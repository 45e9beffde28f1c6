"""A page of stores in the order of what they have."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

import msgspec

from shared.metrics.model import RankAsk, Ranked
from shared.metrics.rules.values import change, number


@dataclass(frozen=True, slots=True)
class After:
    """Where the page before ended: a store and what it had, as text; None where it had nothing."""

    id: str
    value: str | None


def read_cursor(cursor: str) -> After | None:
    """What a cursor says; None for one that is none of ours."""
    try:
        found = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=After)
        UUID(found.id)
        if found.value is not None and not Decimal(found.value).is_finite():
            return None
    except (binascii.Error, msgspec.MsgspecError, ValueError, InvalidOperation):
        return None
    return found


def page(
    ask: RankAsk, found: Sequence[Ranked], limit: int, currency: str | None, expected: Mapping[UUID, float]
) -> dict[str, Any]:
    """A page as the wire has it; `found` holds one more than `limit` where another follows."""
    shown = found[:limit]
    following = None
    if len(found) > limit:
        last = shown[-1]
        after = After(str(last.id), None if last.value is None else str(last.value))
        following = base64.urlsafe_b64encode(msgspec.json.encode(after)).decode().rstrip("=")
    items = [
        {
            "rank": one.rank,
            "site": str(one.id),
            "name": one.name,
            "code": one.code,
            "value": number(one.value),
            "previous": number(one.before),
            "change": change(one.value, one.before),
            "coverage": _coverage(one, expected.get(one.id, 0)),
        }
        for one in shown
    ]
    return {"metric": ask.metric.value, "currency": currency, "items": items, "next_cursor": following}


def rows(told: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """A page as a table: a row for each store, what it has and had named by the metric."""
    metric, currency = told["metric"], told["currency"] or ""
    names = ["rank", "place", "name", "code", metric, f"previous_{metric}", "change", "currency", "coverage"]
    said = ("rank", "site", "name", "code", "value", "previous", "change")
    return names, [[*(item[one] for one in said), currency, item["coverage"]] for item in told["items"]]


def _coverage(one: Ranked, expected: float) -> float:
    return round(min(1.0, (one.minutes or 0) / expected), 3) if expected else 0.0
