"""How fast an endpoint is called, and how often at once, counted for all sandboxes together.

pace#<endpoint> / second#<time>    calls of one second
pace#<who> / calls                 calls under way, each with the end of its time: a crash holds its place until then
"""

from contextlib import suppress
from datetime import datetime, timedelta

from tenant_context.context import TenantContext
from tenant_context.dynamo import ConditionFailed, Table, TenantTable

_TRIES = 3
_SECOND_KEPT = timedelta(minutes=5)
_CALLS_KEPT = timedelta(days=30)
_CALLS = "calls"


class PaceRepository:
    """Counts calls."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def take(self, tenant: TenantContext, who: str, most: int, now: datetime) -> bool:
        """Whether this second has room for one more call; it is counted then."""
        try:
            TenantTable(self._table, tenant).update(
                f"pace#{who}",
                f"second#{int(now.timestamp())}",
                "SET expires_at = :end ADD made :one",
                {":end": int((now + _SECOND_KEPT).timestamp()), ":one": 1, ":most": most},
                condition="attribute_not_exists(made) OR made < :most",
            )
        except ConditionFailed:
            return False
        return True

    def grant(self, tenant: TenantContext, who: str, wanted: int, most: int, now: datetime) -> int:
        """For how many of some this second has room; they are counted then."""
        item = TenantTable(self._table, tenant).update(
            f"pace#{who}",
            f"second#{int(now.timestamp())}",
            "SET expires_at = :end ADD made :wanted",
            {":end": int((now + _SECOND_KEPT).timestamp()), ":wanted": wanted},
        )
        return max(0, min(wanted, most - (int(item["made"]) - wanted)))

    def enter(self, tenant: TenantContext, who: str, claim: str, most: int, *, now: datetime, until: float) -> bool:
        """Whether there is room for one more call at once; it has its place until it leaves, or its time is over."""
        table, key = TenantTable(self._table, tenant), f"pace#{who}"
        kept = int((now + _CALLS_KEPT).timestamp())
        for _ in range(_TRIES):
            try:
                table.update(
                    key,
                    _CALLS,
                    "SET calls.#claim = :until, expires_at = :kept",
                    {":until": until, ":kept": kept, ":most": most},
                    condition="attribute_exists(calls) AND size(calls) < :most",
                    names={"#claim": claim},
                )
            except ConditionFailed:
                if not self._makes_room(table, key, now.timestamp(), kept):
                    return False
            else:
                return True
        return False

    def leave(self, tenant: TenantContext, who: str, claim: str) -> None:
        """Give up a place."""
        table = TenantTable(self._table, tenant)
        try:
            table.update(
                f"pace#{who}", _CALLS, "REMOVE calls.#claim", {}, condition="attribute_exists(calls)",
                names={"#claim": claim},
            )  # fmt: skip
        except ConditionFailed:
            return

    def _makes_room(self, table: TenantTable, key: str, now: float, kept: int) -> bool:
        """Make the item, or take out calls whose time is over; whether that changed anything."""
        item = table.get(key, _CALLS)
        if item is None:
            with suppress(ConditionFailed):
                table.put(key, _CALLS, {"calls": {}, "expires_at": kept}, only_if_absent=True)
            return True
        over = {claim: until for claim, until in item["calls"].items() if until < now}
        for claim, until in over.items():
            try:
                table.update(
                    key, _CALLS, "REMOVE calls.#claim", {":until": until}, condition="calls.#claim = :until",
                    names={"#claim": claim},
                )  # fmt: skip
            except ConditionFailed:
                continue
        return bool(over)
