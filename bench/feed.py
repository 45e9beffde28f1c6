"""A chain of stores whose sensors count: its places in the database, and its counts as the queue brings them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from random import Random
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from tenant_context.clock import rfc3339, uuid7

QUARTER = timedelta(minutes=15)
PER_MESSAGE = 1_500
"""Rows: about what the door puts into a message of 200 kB."""
PER_STORE = 2
"""Doors."""
_TREE: LiteralString = """
    INSERT INTO sites (tenant_id, id, kind, name, code, time_zone, created_at, updated_at)
    SELECT %(tenant)s, id, kind, kind, id::text, 'Europe/Berlin', now(), now()
    FROM unnest(%(ids)s::uuid[], %(kinds)s::text[]) t (id, kind)"""
_PLACED: LiteralString = """
    INSERT INTO site_tree (tenant_id, site_id, kind, parent_id, parent_kind, since)
    SELECT %(tenant)s, id, %(kind)s, %(parent)s, %(above)s, now() FROM unnest(%(ids)s::uuid[]) id"""
_SENSORS: LiteralString = """
    INSERT INTO sensors (tenant_id, id, site_id, name, serial, kind, interval_minutes, created_at, updated_at)
    SELECT %(tenant)s, id, site, 'Door', id::text, 'line', 15, now(), now()
    FROM unnest(%(ids)s::uuid[], %(sites)s::uuid[]) t (id, site)"""


@dataclass
class Feed:
    """Counts of a chain's sensors, each time of a time that was not there before."""

    tenant: UUID
    stores: Sequence[UUID]
    sensors: Sequence[UUID]
    first: datetime
    made: int = 0
    told: list[list[list[Any]]] = field(default_factory=list)
    random: Random = field(default_factory=lambda: Random(5))

    def rows(self, number: int) -> list[list[Any]]:
        """So many new counts, in the queue's form: of each sensor in turn, then of the next quarter of an hour."""
        found = []
        for place in range(self.made, self.made + number):
            step, sensor = divmod(place, len(self.sensors))
            start = self.first + step * QUARTER
            times = (rfc3339(start), rfc3339(start + QUARTER))
            found.append([str(self.sensors[sensor]), "", *times, self.random.randrange(90), 7])
        self.made += number
        return found

    def event(self, parts: Sequence[Sequence[list[Any]]]) -> dict[str, Any]:
        """Messages of the queue with counts, as one invocation gets them."""
        return {"Records": [self.record(rows) for rows in parts]}

    def record(self, rows: Sequence[list[Any]]) -> dict[str, Any]:
        """A message of the queue with counts."""
        data = {
            "batch": str(uuid7()),
            "received_at": datetime.now(UTC).isoformat(),
            "rows_in_batch": len(rows),
            "duplicates": 0,
            "rejected_in_batch": 0,
            "part": 0,
            "parts": 1,
            "refused": [],
            "rows": rows,
        }
        body = {"tenant": str(self.tenant), "id": "bench", "kind": "counts", "data": data}
        return {
            "messageId": str(uuid7()),
            "body": json.dumps(body),
            "attributes": {"ApproximateReceiveCount": "1", "MessageGroupId": str(self.tenant)},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:rmap-local-counts",
        }

    def whole(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """A count as the table has it."""
        store = self._store_of[row[0]]
        now = datetime.now(UTC)
        return (self.tenant, row[0], row[1], row[2], row[3], store, row[4], row[5], now, 1, self.tenant)

    @cached_property
    def _store_of(self) -> dict[str, UUID]:
        return {str(sensor): self.stores[place // PER_STORE] for place, sensor in enumerate(self.sensors)}


def chain(admin: psycopg.Connection[Any], tenant: UUID, sensors: int, first: datetime) -> Feed:
    """Stores of two doors each in a district of a region, where so many sensors count from a time on."""
    stores, doors = [uuid7() for _ in range(sensors // PER_STORE)], [uuid7() for _ in range(sensors)]
    region, district = uuid7(), uuid7()
    ids, kinds = [region, district, *stores], ["region", "district", *["site"] * len(stores)]
    admin.execute("UPDATE tenants SET plan = 'enterprise'")
    admin.execute(_TREE, {"tenant": tenant, "ids": ids, "kinds": kinds})
    placed = {"tenant": tenant, "ids": [district], "kind": "district", "parent": region, "above": "region"}
    admin.execute(_PLACED, placed)
    placed = {"tenant": tenant, "ids": stores, "kind": "site", "parent": district, "above": "district"}
    admin.execute(_PLACED, placed)
    sites = [stores[place // PER_STORE] for place in range(sensors)]
    admin.execute(_SENSORS, {"tenant": tenant, "ids": doors, "sites": sites})
    return Feed(tenant, stores, doors, first)
