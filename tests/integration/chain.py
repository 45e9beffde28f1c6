"""A chain of stores in several time zones that is pushed to and moved about, and its rollups computed once more.

From raw rows, in Python, by zoneinfo: that shares nothing with what keeps them.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb

from shared.measurements.repository.raw import RawRepository
from shared.measurements.service import Processor
from shared.sites.model import Kind, Site, SiteId
from shared.sites.repository.sites import SiteRepository
from shared.sites.repository.tree import TreeRepository
from tenant_context.clock import uuid7
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.postgres import Database

QUARTER = timedelta(minutes=15)
EVERYBODY = UUID(int=0)
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Chatham", "UTC")
STARTS = (datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 3, 28, tzinfo=UTC), datetime(2025, 10, 25, tzinfo=UTC))
"""Before the clocks of New York, and before those of Berlin, go forward; and before those of Berlin go back."""
Sum = tuple[int, int, int, int]
Sales = tuple[int, int, Decimal, Decimal]


@dataclass
class Chain:
    """A tenant with a region, two districts, three stores, two zones and four sensors."""

    database: Database
    tenant: TenantContext
    places: dict[str, UUID] = field(default_factory=dict)
    sensors: list[UUID] = field(default_factory=list)
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def build(self) -> "Chain":
        """Make all of it."""
        self.place("region", "region", None)
        self.place("north", "district", "region")
        self.place("south", "district", "region")
        self.place("alpha", "site", "north", "Europe/Berlin")
        self.place("beta", "site", "south", "America/New_York")
        self.place("gamma", "site", "region", "Asia/Kolkata")
        self.place("foyer", "zone", "alpha")
        self.place("cellar", "zone", "beta")
        for store, zone in (("alpha", "foyer"), ("alpha", None), ("beta", "cellar"), ("gamma", None)):
            self.sensor(store, zone)
        return self

    def with_border(self) -> "Chain":
        """And a fifth sensor, at a border of the foyer, which counts for that alone."""
        self.sensor("alpha", "foyer", kind="zone")
        return self

    def place(self, name: str, kind: str, parent: str | None, zone: str = "UTC") -> UUID:
        """A place in another."""
        site = self.places[name] = uuid7()
        with self.database.transaction(self.tenant) as tx:
            tx.run(
                "INSERT INTO sites (tenant_id, id, kind, name, code, time_zone, created_at, updated_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, now(), now())",
                (self.tenant.tenant, site, kind, name, site.hex, zone),
            )
        if parent is not None:
            self.move(name, parent)
        return site

    def sensor(self, store: str, zone: str | None, made: str = "2026-03-01", kind: str = "line") -> UUID:
        """A people counter."""
        sensor = uuid7()
        with self.database.transaction(self.tenant) as tx:
            tx.run(
                "INSERT INTO sensors (tenant_id, id, site_id, zone_id, name, serial, kind, interval_minutes,"
                " created_at, updated_at) VALUES (%s, %s, %s, %s, 'Door', %s, %s, 15, %s, %s)",
                (self.tenant.tenant, sensor, *self._where(store, zone), sensor.hex, kind, made, made),
            )
        self.sensors.append(sensor)
        return sensor

    def push(self, rows: Sequence[tuple[int, int, int, int, int, int]], at: int) -> None:
        """Counts: sensor, which start, quarter, minutes long, entries, exits; received at a second of a day."""
        told: dict[tuple[UUID, datetime], list[Any]] = {}
        for sensor, start, step, long, entries, exits in rows:
            begins = STARTS[start] + step * QUARTER
            told[self.sensors[sensor], begins] = [
                str(self.sensors[sensor]),
                "",
                begins.isoformat(),
                (begins + timedelta(minutes=long)).isoformat(),
                entries,
                exits,
            ]
        self.send("counts", list(told.values()), at)

    def stand(self, sensor: int, standings: Sequence[tuple[int, int]], at: int) -> None:
        """Standings of a cumulative counter: quarter and entries."""
        rows = {
            step: [str(self.sensors[sensor]), "total", (STARTS[1] + step * QUARTER).isoformat(), entries, 0]
            for step, entries in standings
        }
        self.send("counts", list(rows.values()), at)

    def sell(self, rows: Sequence[tuple[str, int, int, str, int, bool]], at: int) -> None:
        """Receipts: store, number, quarter, currency, total, whether it takes another back."""
        told = {
            (store, number, step): [
                str(self.places[store]),
                f"r{number}",
                (STARTS[1] + step * QUARTER + timedelta(minutes=7)).isoformat(),
                currency,
                str(total),
                "r0" if back else None,
                [["sku", 2, str(total)]],
            ]
            for store, number, step, currency, total, back in rows
        }
        self.send("transactions", list(told.values()), at)

    def send(self, kind: str, rows: list[list[Any]], at: int) -> None:
        """A message of the queue."""
        data = {
            "batch": str(uuid7()),
            "received_at": (datetime(2026, 4, 1, tzinfo=UTC) + timedelta(seconds=at)).isoformat(),
            "rows_in_batch": len(rows),
            "duplicates": 0,
            "rejected_in_batch": 0,
            "part": 0,
            "parts": 1,
            "rows": rows,
            "refused": [],
        }
        self.sent.append((kind, data))
        self.deliver(-1)

    def deliver(self, which: int) -> None:
        """Deliver a message, again if need be."""
        kind, data = self.sent[which % len(self.sent)]
        write = RawRepository.write_counts if kind == "counts" else RawRepository.write_transactions
        Processor(self.database, RawRepository(uuid7), kind, write)(
            self.tenant, Message(self.tenant.tenant, "test", kind, data)
        )

    def move(self, name: str, parent: str | None) -> None:
        """Put a place into another."""
        with self.database.transaction(self.tenant) as tx:
            site = self._site(tx, name)
            tree = TreeRepository(self.database)
            if parent is None:
                tree.leave(tx, site)
            else:
                holder = SiteId(self.places[parent])
                tree.put(tx, site, holder, Kind(tree.kind(tx, holder)))

    def turn(self, name: str, zone: str) -> None:
        """Another time zone."""
        with self.database.transaction(self.tenant) as tx:
            sites = SiteRepository(self.database)
            sites.update(tx, replace(sites.lock(tx, SiteId(self.places[name])), time_zone=zone))

    def carry(self, sensor: int, store: str, zone: str | None) -> None:
        """Put a sensor somewhere else."""
        with self.database.transaction(self.tenant) as tx:
            tx.run(
                "UPDATE sensors SET site_id = %s, zone_id = %s, updated_at = updated_at + interval '11 days'"
                " WHERE id = %s",
                (*self._where(store, zone), self.sensors[sensor]),
            )

    def calibrate(self, sensor: int, by: str) -> None:
        """Calibrate all of a sensor's counts anew."""
        said = {"calibrations": [{"since": "2026-01-01T00:00:00Z", "multiplier": by}]}
        with self.database.transaction(self.tenant) as tx:
            tx.run("UPDATE sensors SET setup = %s WHERE id = %s", (Jsonb(said), self.sensors[sensor]))
            span = (min(STARTS) - timedelta(days=9), max(STARTS) + timedelta(days=9))
            RawRepository(uuid7).recalibrate(tx, self.sensors[sensor], *span, uuid7())

    def _where(self, store: str, zone: str | None) -> tuple[UUID, UUID | None]:
        return self.places[store], None if zone is None else self.places[zone]

    def _site(self, tx: Any, name: str) -> Site:
        return SiteRepository(self.database).lock(tx, SiteId(self.places[name]))

    def read(self, query: Any) -> list[tuple[Any, ...]]:
        """Rows of the tenant."""
        return self.database.read(self.tenant, query)


@dataclass
class Recomputed:
    """Rollups as raw rows have them."""

    quarters: dict[tuple[UUID, datetime], Sum]
    days: dict[tuple[UUID, date], Sum]
    sold: dict[tuple[UUID, datetime, str], Sales]
    sales_days: dict[tuple[UUID, date, str], Sales]


def recompute(chain: Chain) -> Recomputed:
    """Rollups from raw rows and the tree as it is now."""
    zone_of = {row[0]: ZoneInfo(row[1]) for row in chain.read("SELECT id, time_zone FROM sites")}
    parents = {row[0]: row[1] for row in chain.read("SELECT site_id, parent_id FROM site_tree")}
    quarters: dict[tuple[UUID, datetime], list[int]] = defaultdict(lambda: [0] * 4)
    days: dict[tuple[UUID, date], list[int]] = defaultdict(lambda: [0] * 4)
    for site, zone, kind, start, end, entries, exits in chain.read(
        "SELECT c.site_id, c.zone_id, n.kind, starts_at, ends_at, entries, exits FROM people_counts c"
        " JOIN sensors n ON n.id = c.sensor_id"
    ):
        stores = [] if kind == "zone" and zone is not None else [site, *_above(parents, site), EVERYBODY]
        for bucket, piece in _pieces(start, end, entries, exits):
            for place in (*stores[:1], zone):
                if place is not None:
                    _add(quarters[place, bucket], piece)
            for place in stores:
                _add(days[place, bucket.astimezone(zone_of[site]).date()], piece)
            if zone is not None:
                _add(days[zone, bucket.astimezone(zone_of[parents.get(zone, zone)]).date()], piece)
    sold: dict[tuple[UUID, datetime, str], list[Any]] = defaultdict(lambda: [0, 0, Decimal(0), Decimal(0)])
    sales_days: dict[tuple[UUID, date, str], list[Any]] = defaultdict(lambda: [0, 0, Decimal(0), Decimal(0)])
    for site, at, currency, total, units, cancels in chain.read(
        "SELECT site_id, at, currency, total, units, cancels FROM transactions"
    ):
        back = cancels is not None or total < 0
        receipt = (int(not back), int(back), units, total)
        bucket = _quarter(at)
        _add(sold[site, bucket, currency], receipt)
        for place in (site, *_above(parents, site), EVERYBODY):
            _add(sales_days[place, bucket.astimezone(zone_of[site]).date(), currency], receipt)
    return Recomputed(_frozen(quarters), _frozen(days), _frozen(sold), _frozen(sales_days))


def kept(chain: Chain) -> Recomputed:
    """Rollups as they are kept, without what is nothing."""
    quarters = {
        (row[0], row[1]): row[2:]
        for row in chain.read("SELECT site_id, bucket, entries, exits, intervals, minutes FROM footfall_15m")
    }
    days = {
        (row[0], row[1]): tuple(map(int, row[2:]))
        for row in chain.read(
            "SELECT place_id, day, sum(entries), sum(exits), sum(intervals), sum(minutes) FROM footfall_day"
            " GROUP BY 1, 2"
        )
    }
    sold = {
        tuple(row[:3]): row[3:]
        for row in chain.read(
            "SELECT site_id, bucket, currency, transactions, cancellations, units, revenue FROM sales_15m"
        )
    }
    sales_days = {
        tuple(row[:3]): (int(row[3]), int(row[4]), *row[5:])
        for row in chain.read(
            "SELECT place_id, day, currency, sum(transactions), sum(cancellations), sum(units), sum(revenue)"
            " FROM sales_day GROUP BY 1, 2, 3"
        )
    }
    return Recomputed(_frozen(quarters), _frozen(days), _frozen(sold), _frozen(sales_days))


def _above(parents: dict[UUID, UUID], site: UUID) -> Iterator[UUID]:
    while (above := parents.get(site)) is not None:
        yield above
        site = above


def _quarter(moment: datetime) -> datetime:
    return moment - (moment - datetime(2000, 1, 1, tzinfo=UTC)) % QUARTER


def _pieces(start: datetime, end: datetime, entries: int, exits: int) -> Iterator[tuple[datetime, Sum]]:
    """An interval over the quarters that it covers: what came up to a moment is rounded down."""
    whole, bucket, first = (end - start).total_seconds(), _quarter(start), True
    before = 0.0
    while bucket < end:
        until = (min(end, bucket + QUARTER) - start).total_seconds()
        parts = (int(count * until // whole - count * before // whole) for count in (entries, exits))
        yield bucket, (*parts, int(first), int(until // 60 - before // 60))  # type: ignore[misc]
        bucket, before, first = bucket + QUARTER, until, False


def _add(sums: list[Any], piece: Sequence[Any]) -> None:
    for place, value in enumerate(piece):
        sums[place] += value


def _frozen(sums: Any) -> dict[Any, Any]:
    return {key: tuple(values) for key, values in sums.items() if any(values)}
