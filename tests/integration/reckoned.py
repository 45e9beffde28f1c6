"""Answers computed once more from raw rows: point by point, with coverage, sharing nothing with what answers."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.integration.chain import EVERYBODY, QUARTER, Chain, Recomputed

METRICS = ("footfall", "exits", "transactions", "units", "revenue", "conversion_rate", "average_basket",
           "units_per_transaction", "sales_per_visitor")  # fmt: skip
LENGTHS = {"15m": QUARTER, "hour": 4 * QUARTER}
Span = tuple[UUID | None, UUID, bool, datetime, datetime]


class Reckoner:
    """Reckons the points that an answer should have."""

    def __init__(self, chain: Chain, raw: Recomputed, now: datetime) -> None:
        self.raw, self.now = raw, now - (now - datetime(2000, 1, 1, tzinfo=UTC)) % QUARTER
        rows = chain.read("SELECT id, kind, time_zone FROM sites")
        self.kinds = {row[0]: row[1] for row in rows} | {EVERYBODY: "organization"}
        self.zones = {row[0]: row[2] for row in rows} | {EVERYBODY: "UTC"}
        self.parents = {row[0]: row[1] for row in chain.read("SELECT site_id, parent_id FROM site_tree")}
        self.spans = list(_spans(chain))

    def clock(self, place: UUID) -> ZoneInfo:
        """The clock of a place: of a zone its store's."""
        if self.kinds[place] == "zone":
            place = self.parents.get(place, place)
        return ZoneInfo(self.zones[place])

    def members(self, place: UUID) -> list[UUID]:
        """The stores that are in a place; a store or zone itself."""
        if self.kinds[place] in {"site", "zone"}:
            return [place]
        stores = [site for site, kind in self.kinds.items() if kind == "site"]
        return [store for store in stores if place == EVERYBODY or place in self._above(store)]

    def paired(self, place: UUID, start: datetime, end: datetime, step: str, currency: str) -> list[UUID]:
        """The stores of a place that both counted and sold in a range."""
        times, counted, sold = self._told(place, start, end, step)
        return [
            store
            for store in self.members(place)
            if any((store, one) in counted for one in times)
            and any((store, one, currency) in sold and sum(sold[store, one, currency][:2]) > 0 for one in times)
        ]

    def per_visitor(self, stores: list[UUID], place: UUID, start: datetime, step: str, currency: str) -> Any:
        """What was bought per visitor of some stores in a step: conversion, and sales."""
        times, counted, sold = self._told(place, start, self.end(place, start, step), step)
        pairs = [(store, one) for store in stores for one in times]
        entries = sum(counted[pair][0] for pair in pairs if pair in counted)
        found = [sold[*pair, currency] for pair in pairs if (*pair, currency) in sold]
        receipts, revenue = sum(one[0] for one in found), sum((one[3] for one in found), Decimal(0))
        return _ratio(Decimal(receipts), entries), _ratio(revenue, entries)

    def end(self, place: UUID, start: datetime, step: str) -> datetime:
        """When a step of a place ends."""
        if (length := LENGTHS.get(step)) is not None:
            return start + length
        return _midnight(following(start.astimezone(self.clock(place)).date(), step), self.clock(place))

    def _told(self, place: UUID, start: datetime, end: datetime, step: str) -> tuple[list[Any], Any, Any]:
        """The quarters, or days, of a time, and what was counted and sold by them."""
        if step in LENGTHS:
            quarters = [start + n * QUARTER for n in range((end - start) // QUARTER)]
            return quarters, self.raw.quarters, self.raw.sold
        first, last = (one.astimezone(self.clock(place)).date() for one in (start, end))
        days = [first + timedelta(days=n) for n in range((last - first).days)]
        return days, self.raw.days, self.raw.sales_days

    def point(self, place: UUID, start: datetime, step: str, currency: str) -> dict[str, Any]:
        """What a step of a place should tell."""
        if (length := LENGTHS.get(step)) is not None:
            moments = [start + n * QUARTER for n in range(length // QUARTER)]
            pairs = [(member, moment) for member in self.members(place) for moment in moments]
            counted = [self.raw.quarters[pair] for pair in pairs if pair in self.raw.quarters]
            sold = [self.raw.sold[*pair, currency] for pair in pairs if (*pair, currency) in self.raw.sold]
            expected = self._expected(place, lambda _: (start, start + length))
        else:
            first = start.astimezone(self.clock(place)).date()
            last = following(first, step)
            days = [(place, first + timedelta(days=n)) for n in range((last - first).days)]
            counted = [self.raw.days[day] for day in days if day in self.raw.days]
            sold = [self.raw.sales_days[*day, currency] for day in days if (*day, currency) in self.raw.sales_days]
            expected = self._expected(place, lambda zone: (_midnight(first, zone), _midnight(last, zone)))
        said = _values(
            [sum(part) for part in zip(*counted, strict=True)], [sum(part) for part in zip(*sold, strict=True)]
        )
        minutes = sum(one[3] for one in counted)
        return {**said, "coverage": round(min(1.0, minutes / expected), 3) if expected else 0.0}

    def _expected(self, place: UUID, bounds: Any) -> float:
        whole = 0.0
        for zone, store, alone, since, until in self.spans:
            here = zone if self.kinds[place] == "zone" else None if alone else store
            if here in self.members(place):
                start, end = bounds(ZoneInfo(self.zones[store]))
                whole += max(0.0, (min(end, until, self.now) - max(start, since)).total_seconds()) / 60
        return whole

    def _above(self, site: UUID) -> list[UUID]:
        found = []
        while (site := self.parents.get(site, EVERYBODY)) != EVERYBODY:
            found.append(site)
        return found


def following(day: date, step: str) -> date:
    """The day that the next step begins with."""
    if step == "month":
        return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return day + timedelta(days=7 if step == "week" else 1)


def _spans(chain: Chain) -> Iterator[Span]:
    """Where and when each line of each sensor was to count."""
    begun: dict[UUID, list[datetime]] = {}
    for sensor, first in chain.read("SELECT sensor_id, min(starts_at) FROM people_counts GROUP BY sensor_id, line"):
        begun.setdefault(sensor, []).append(first)
    late = datetime(2200, 1, 1, tzinfo=UTC)
    for sensor, kind, zone, store, since, until, made in chain.read(
        "SELECT n.id, n.kind, p.zone_id, p.site_id, p.since, p.until, n.created_at FROM sensors n"
        " JOIN sensor_placements p ON p.sensor_id = n.id"
        " UNION ALL SELECT id, kind, zone_id, site_id, placed_at, retired_at, created_at FROM sensors"
    ):
        lines = sorted(begun.get(sensor, [made]))
        for one in (min(lines[0], made), *lines[1:]):
            if (until or late) > max(since, one):
                yield zone, store, kind == "zone" and zone is not None, max(since, one), until or late


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _values(counted: list[int], sold: list[Any]) -> dict[str, Any]:
    said: dict[str, Any] = dict.fromkeys(METRICS)
    if counted:
        said["footfall"], said["exits"] = counted[0], counted[1]
    # What was sold and is corrected away, to another currency say, was not sold.
    if sold and sold[0] + sold[1] > 0:
        said["transactions"], said["units"], said["revenue"] = sold[0], _number(sold[2]), _number(sold[3])
        entries = counted[0] if counted else 0
        said["conversion_rate"] = _ratio(Decimal(sold[0]), entries)
        said["average_basket"] = _ratio(sold[3], sold[0])
        said["units_per_transaction"] = _ratio(sold[2], sold[0])
        said["sales_per_visitor"] = _ratio(sold[3], entries)
    return said


def _ratio(above: Decimal, below: int) -> float | int | None:
    return _number((above / below).quantize(Decimal("0.0001"), ROUND_HALF_UP)) if below else None


def _number(said: Decimal) -> float | int:
    return int(said) if said == int(said) else float(said)
