"""The index of what is due: by the hour, in shards, each in the order of its time.

Items of deliveries and of endpoints stand in it by `gsi1pk` and `gsi1sk` while they wait for a moment that a queue
cannot hold them back to. The index is the platform's and names no tenant; the items' own keys do.

    sweep / cursor    the hour up to which nothing is left behind
"""

from collections.abc import Iterator
from contextlib import suppress
from zlib import crc32

from tenant_context.dynamo import ConditionFailed, Item, Table

SHARDS = 8
_HOUR = 3600
_SETTLED = 600
"""Seconds after an hour's end when nothing more is put into it: whatever waits is put in long before."""
_PAGE = 100


def place(at: float, name: str) -> tuple[str, str]:
    """`gsi1pk` and `gsi1sk` of what is due at a moment (seconds since 1970)."""
    return _bucket(int(at) // _HOUR, crc32(name.encode()) % SHARDS), f"{int(at):012}#{name}"


class DueIndex:
    """Reads what is due, of all tenants."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def until(self, now: float, ahead: int) -> Iterator[Item]:
        """What is due up to `ahead` seconds from now, hour by hour since the cursor; moves the cursor on."""
        cursor = self._table.get("sweep", "cursor")
        hour = first = int(cursor["hour"]) if cursor else int(now) // _HOUR - 1
        # The cursor passes hours that were found empty: what was found is looked for again until it is gone.
        settled = int(now - _SETTLED) // _HOUR
        while hour * _HOUR <= now + ahead:
            for shard in range(SHARDS):
                for item in self._shard(hour, shard, f"{int(now + ahead):012}$"):
                    settled = min(settled, hour)
                    yield item
            hour += 1
        if cursor is None or settled > first:
            self._table.put({"pk": "sweep", "sk": "cursor", "hour": settled})

    def clear(self, item: Item) -> None:
        """Take an item out of the index, unless it stands elsewhere in it by now."""
        with suppress(ConditionFailed):
            self._table.update(
                item["pk"],
                item["sk"],
                "REMOVE gsi1pk, gsi1sk",
                {":seen": item["gsi1sk"]},
                condition="gsi1sk = :seen",
            )

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
