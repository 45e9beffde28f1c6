"""The index of what is due: by the hour, in shards, each in the order of its time.

Items of deliveries and of endpoints stand in it by `gsi1pk` and `gsi1sk` while they wait for a moment that a queue
cannot hold them back to. The index is the platform's and names no tenant; the items' own keys do.

    sweep / cursor    the hour up to which nothing is left behind
"""

from collections.abc import Iterable, Iterator, Sequence
from zlib import crc32

from tenant_context.dynamo import Item, Table
from tenant_context.dynamo_many import Update

SHARDS = 8
_HOUR = 3600
_SETTLED = 600
"""Seconds after an hour's end when nothing more is put into it: whatever waits is put in long before."""
_PAGE = 500
_CLEAR = "REMOVE gsi1pk REMOVE gsi1sk WHERE pk = ? AND sk = ? AND gsi1sk = ?"


def hour_of(at: float) -> int:
    """The hour of a moment (seconds since 1970)."""
    return int(at) // _HOUR


def place(at: float, name: str) -> tuple[str, str]:
    """`gsi1pk` and `gsi1sk` of what is due at a moment (seconds since 1970)."""
    return _bucket(hour_of(at), crc32(name.encode()) % SHARDS), f"{int(at):012}#{name}"


class DueIndex:
    """Reads what is due, of all tenants."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def first_hour(self, now: float) -> int:
        """The hour from which on something may stand in it."""
        cursor = self._table.get("sweep", "cursor")
        return int(cursor["hour"]) if cursor else hour_of(now) - 1

    def until(self, end: float, first: int, shards: Iterable[int]) -> Iterator[Item]:
        """What is due up to a moment in some shards, hour by hour, each in the order of its time."""
        for hour in range(first, hour_of(end) + 1):
            for shard in shards:
                yield from self._shard(hour, shard, f"{int(end):012}$")

    def settle(self, now: float, first: int, oldest: int | None) -> None:
        """Have the cursor pass the hours that were found empty: what was found is looked for until it is gone.

        `first` is where the search began, `oldest` the hour of the oldest that it found.
        """
        settled = min(hour_of(now - _SETTLED), hour_of(now) if oldest is None else oldest)
        if settled > first or self._table.get("sweep", "cursor") is None:
            self._table.put({"pk": "sweep", "sk": "cursor", "hour": settled})

    def clear(self, items: Sequence[Item]) -> None:
        """Take items out of the index, but for those that stand elsewhere in it by now."""
        self._table.update_many([Update(_CLEAR, (item["pk"], item["sk"], item["gsi1sk"])) for item in items])

    def _shard(self, hour: int, shard: int, end: str) -> Iterator[Item]:
        start: Item | None = None
        while True:
            items, start = self._table.query(_bucket(hour, shard), index="gsi1", limit=_PAGE, start=start)
            for item in items:
                if item["gsi1sk"] > end:
                    return
                yield item
            if start is None:
                return


def _bucket(hour: int, shard: int) -> str:
    return f"due#{hour}#{shard}"
