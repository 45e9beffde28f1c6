"""Sums of places from the rollups: whole days from those by day, the rest from quarters of an hour."""

from datetime import date, datetime, time, timedelta
from typing import Literal, LiteralString
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.figures.errors import PlaceNotFound
from shared.figures.model import Flow, Place, Sums
from shared.hours.rules import first_shown
from tenant_context.postgres import Transaction

# A zone's days are by its store's clock and hours, as its rollups are.
_PLACE: LiteralString = """
    SELECT s.id, s.kind, s.name, coalesce(h.time_zone, s.time_zone), coalesce(h.hours, s.hours)
    FROM sites s
    LEFT JOIN site_tree t ON t.tenant_id = s.tenant_id AND t.site_id = s.id AND t.kind = 'zone'
    LEFT JOIN sites h ON h.tenant_id = t.tenant_id AND h.id = t.parent_id
    WHERE s.tenant_id = %s AND s.id = %s"""
# A place and, of regions and districts, the stores in it.
_BELOW: LiteralString = """
    WITH RECURSIVE below AS (
        SELECT s.id, s.kind FROM sites s WHERE s.tenant_id = %(tenant)s AND s.id = %(place)s
        UNION ALL
        SELECT t.site_id, t.kind FROM below b
        JOIN site_tree t ON t.tenant_id = %(tenant)s AND t.parent_id = b.id
        WHERE b.kind IN ('region', 'district')
    )"""
# Whole days from the rollup by day, which larger places have as well; what is before and after them from quarters.
_SUMS: LiteralString = f"""{_BELOW}, edges AS (
        SELECT * FROM (VALUES (%(start)s::timestamptz, %(head)s::timestamptz),
                              (%(tail)s::timestamptz, %(end)s::timestamptz)) AS e (start, until)
        WHERE start < until
    ), traffic AS (
        SELECT d.entries, d.exits FROM footfall_day d
        WHERE d.tenant_id = %(tenant)s AND d.place_id = %(place)s AND d.day >= %(first)s AND d.day < %(last)s
        UNION ALL
        SELECT f.entries, f.exits FROM below s CROSS JOIN edges e
        JOIN footfall_15m f ON f.tenant_id = %(tenant)s AND f.site_id = s.id
        WHERE s.kind IN ('site', 'zone') AND f.bucket >= e.start AND f.bucket < e.until
    ), sales AS (
        SELECT d.transactions, d.units, d.revenue FROM sales_day d
        WHERE d.tenant_id = %(tenant)s AND d.place_id = %(place)s AND d.day >= %(first)s AND d.day < %(last)s
        UNION ALL
        SELECT f.transactions, f.units, f.revenue FROM below s CROSS JOIN edges e
        JOIN sales_15m f ON f.tenant_id = %(tenant)s AND f.site_id = s.id
        WHERE s.kind = 'site' AND f.bucket >= e.start AND f.bucket < e.until
    )
    SELECT t.entries, t.exits, s.transactions, s.units, s.revenue
    FROM (SELECT sum(entries)::bigint AS entries, sum(exits)::bigint AS exits FROM traffic) t,
         (SELECT sum(transactions)::bigint AS transactions, sum(units) AS units, sum(revenue) AS revenue
          FROM sales) s"""
_DAYS: LiteralString = """
    SELECT day, sum(entries)::bigint, sum(exits)::bigint, sum(transactions)::bigint, sum(units), sum(revenue)
    FROM (
        SELECT day, entries, exits, NULL::bigint AS transactions, NULL::numeric AS units, NULL::numeric AS revenue
        FROM footfall_day
        WHERE tenant_id = %(tenant)s AND place_id = %(place)s AND day >= %(first)s AND day < %(last)s
        UNION ALL
        SELECT day, NULL, NULL, transactions, units, revenue FROM sales_day
        WHERE tenant_id = %(tenant)s AND place_id = %(place)s AND day >= %(first)s AND day < %(last)s) d
    GROUP BY day"""
_FLOWS: LiteralString = """
    SELECT bucket, entries, exits FROM footfall_15m
    WHERE tenant_id = %(tenant)s AND site_id = %(place)s AND bucket >= %(start)s AND bucket < %(end)s ORDER BY bucket"""
_NEWEST: LiteralString = f"""{_BELOW}
    SELECT max(n.at) FROM below s CROSS JOIN LATERAL (
        SELECT max(f.bucket) AS at FROM footfall_15m f
        WHERE %(source)s = 'traffic' AND s.kind IN ('site', 'zone') AND f.tenant_id = %(tenant)s AND f.site_id = s.id
          AND f.bucket >= %(start)s AND f.bucket < %(end)s
        UNION ALL
        SELECT max(f.bucket) FROM sales_15m f
        WHERE %(source)s = 'sales' AND s.kind = 'site' AND f.tenant_id = %(tenant)s AND f.site_id = s.id
          AND f.bucket >= %(start)s AND f.bucket < %(end)s) n"""
_LATELY = timedelta(days=60)
"""What is older than this is no news of a place."""


class FigureRepository:
    """Reads sums of one tenant's places within a transaction."""

    def place(self, tx: Transaction, place: UUID) -> Place:
        """A place; of a zone the clock and the hours are its store's. Errors: PlaceNotFound."""
        row = tx.one(_PLACE, (tx.tenant.tenant, place))
        if row is None:
            raise PlaceNotFound
        return Place(*row)

    def sums(self, tx: Transaction, place: UUID, zone: ZoneInfo, start: datetime, end: datetime) -> Sums:
        """What happened from a moment (included) to another (excluded); quarters count by their beginning.

        Days that are whole by the zone are those of the stores' own clocks.
        """
        first, last = _first_whole(zone, start), end.astimezone(zone).date()
        head, tail = (_midnight(zone, first), _midnight(zone, last)) if first < last else (end, end)
        days = {"head": head, "tail": tail, "first": first, "last": max(first, last)}
        row = tx.one(_SUMS, {**self._values(tx, place, start, end), **days})
        return Sums(*row) if row else Sums()

    def days(self, tx: Transaction, place: UUID, first: date, last: date) -> dict[date, Sums]:
        """The same by day, from one (included) to another (excluded)."""
        values = {"tenant": tx.tenant.tenant, "place": place, "first": first, "last": last}
        return {day: Sums(*sums) for day, *sums in tx.all(_DAYS, values)}

    def flows(self, tx: Transaction, place: UUID, start: datetime, end: datetime) -> list[Flow]:
        """Who came to a store or a zone and left it, by quarters of an hour and in order."""
        return [Flow(*row) for row in tx.all(_FLOWS, self._values(tx, place, start, end))]

    def newest(
        self, tx: Transaction, place: UUID, until: datetime, *, source: Literal["traffic", "sales"] = "traffic"
    ) -> datetime | None:
        """The quarter of an hour of the newest count, or receipt, before a moment, of two months."""
        row = tx.one(_NEWEST, {**self._values(tx, place, until - _LATELY, until), "source": source})
        return row[0] if row else None

    @staticmethod
    def _values(tx: Transaction, place: UUID, start: datetime, end: datetime) -> dict[str, object]:
        return {"tenant": tx.tenant.tenant, "place": place, "start": start, "end": end}


def _first_whole(zone: ZoneInfo, start: datetime) -> date:
    day = start.astimezone(zone).date()
    return day if _midnight(zone, day) == start else day + timedelta(days=1)


def _midnight(zone: ZoneInfo, day: date) -> datetime:
    return first_shown(zone, datetime.combine(day, time()))
