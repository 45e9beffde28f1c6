"""Feature flags: for everybody, for named tenants, or for a share of them; judged here, without a call.

All of them are one item of the table that also tells of ended sessions; a sandbox reads it at most once in thirty
seconds. A tenant's place in a share is a hash of the flag and the tenant: the same at every look and in every sandbox,
another one for each flag; a share that grows keeps whom it had. A flag that nobody has set is off. When the table does
not answer, what is known goes on.
"""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic as seconds
from typing import Any
from uuid import UUID

from tenant_context.aws import AwsError
from tenant_context.dynamo import ConditionFailed, Table

PLACE = ("flags", "flags")
"""Keys `pk` and `sk` of the item."""
_READ_EVERY_S = 30.0
_WHOLE = 10_000
"""A share is told to the hundredth of a percent."""
_RACES = 10
"""How often a tenant is taken out of a flag that operators change at the same moment."""


@dataclass(frozen=True, slots=True)
class Flag:
    """Who has a feature: `percent` of all tenants, those it is on for, never those it is off for."""

    percent: float = 0.0
    on: frozenset[str] = frozenset()
    off: frozenset[str] = frozenset()

    def holds(self, name: str, tenant: UUID) -> bool:
        """Whether a tenant has it."""
        text = str(tenant)
        if text in self.off or text in self.on:
            return text not in self.off
        return place_of(name, tenant) < round(self.percent * 100)

    def item(self) -> dict[str, Any]:
        """As the table keeps it."""
        return {"share": round(self.percent * 100), "on": sorted(self.on), "off": sorted(self.off)}


def place_of(name: str, tenant: UUID) -> int:
    """Where in 0 … 9999 a tenant stands for a flag; whoever stands below the share has it."""
    digest = hashlib.sha256(f"{name}:{tenant}".encode()).digest()
    return int.from_bytes(digest[:8], "big") * _WHOLE >> 64


class Flags:
    """What the table says, kept for a while."""

    def __init__(self, table: Table, monotonic: Callable[[], float] = seconds) -> None:
        self._table = table
        self._monotonic = monotonic
        self._flags: Mapping[str, Flag] = {}
        self._tried_at: float | None = None

    def on(self, name: str, tenant: UUID) -> bool:
        """Whether a flag is on for a tenant."""
        flag = self._known().get(name)
        return flag is not None and flag.holds(name, tenant)

    def all_on(self, tenant: UUID) -> tuple[str, ...]:
        """The flags that are on for a tenant, by name."""
        return tuple(sorted(name for name, flag in self._known().items() if flag.holds(name, tenant)))

    def _known(self) -> Mapping[str, Flag]:
        now = self._monotonic()
        if self._tried_at is None or now - self._tried_at >= _READ_EVERY_S:
            self._tried_at = now
            with suppress(AwsError):
                self._flags = read_flags(self._table)
        return self._flags


class Shelf:
    """Where flags are kept, for whoever sets them."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def all(self) -> dict[str, Flag]:
        """Every flag as it is now."""
        return read_flags(self._table)

    def set(self, name: str, flag: Flag | None) -> None:
        """Set one flag, or take it away; the others stay as they are."""
        with suppress(ConditionFailed):
            self._table.put({"pk": PLACE[0], "sk": PLACE[1], "flags": {}}, only_if_absent=True)
        if flag is None:
            self._table.update(*PLACE, "REMOVE flags.#name", {}, names={"#name": name})
        else:
            self._table.update(*PLACE, "SET flags.#name = :flag", {":flag": flag.item()}, names={"#name": name})

    def naming(self, tenant: UUID) -> list[str]:
        """The flags that name a tenant, on for it or off."""
        return sorted(name for name, flag in self.all().items() if str(tenant) in flag.on | flag.off)

    def forget(self, name: str, tenant: UUID) -> None:
        """Take a tenant out of a flag; what an operator makes of it meanwhile stays. Errors: ConditionFailed."""
        for _ in range(_RACES):
            kept = ((self._table.get(*PLACE) or {}).get("flags") or {}).get(name)
            if kept is None or str(tenant) not in {*kept["on"], *kept["off"]}:
                return
            left = {**kept, **{side: [one for one in kept[side] if one != str(tenant)] for side in ("on", "off")}}
            with suppress(ConditionFailed):
                self._table.update(
                    *PLACE,
                    "SET flags.#name = :left",
                    {":left": left, ":kept": kept},
                    condition="flags.#name = :kept",
                    names={"#name": name},
                )
                return
        raise ConditionFailed


def read_flags(table: Table) -> dict[str, Flag]:
    """Every flag as it is now."""
    item = table.get(*PLACE) or {}
    return {
        name: Flag(int(one["share"]) / 100, frozenset(one["on"]), frozenset(one["off"]))
        for name, one in (item.get("flags") or {}).items()
    }
