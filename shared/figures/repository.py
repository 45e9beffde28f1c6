"""Sums of places from the rollups: whole days from those by day, the rest from quarters of an hour."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import LiteralString
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.figures.errors import PlaceNotFound
from shared.figures.model import MONEY, PER_VISITOR, Flow, Place, Source, Sums
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
# Paired: of those stores alone that counted and sold in that time, each by its own days. Amounts are of one currency;
# of several there is none.
_SUMS: LiteralString = f"""{_BELOW}, both_told AS (
        SELECT s.id FROM below s
        WHERE %(paired)s AND s.kind = 'site'
          AND EXISTS (SELECT FROM footfall_15m f WHERE f.tenant_id = %(tenant)s AND f.site_id = s.id
                      AND f.bucket >= %(start)s AND f.bucket < %(end)s AND (f.intervals > 0 OR f.minutes > 0))
          AND EXISTS (SELECT FROM sales_15m f WHERE f.tenant_id = %(tenant)s AND f.site_id = s.id
                      AND f.bucket >= %(start)s AND f.bucket < %(end)s AND f.transactions + f.cancellations > 0
                      AND (%(currency)s::text IS NULL OR f.currency = %(currency)s))
    ), whole AS (
        SELECT %(place)s::uuid AS id WHERE NOT %(paired)s UNION ALL SELECT id FROM both_told
    ), parts AS (
        SELECT id, kind FROM below
        WHERE kind IN ('site', 'zone') AND (NOT %(paired)s OR id IN (SELECT id FROM both_told))
    ), edges AS (
        SELECT * FROM (VALUES (%(start)s::timestamptz, %(head)s::timestamptz),
                              (%(tail)s::timestamptz, %(end)s::timestamptz)) AS e (start, until)
        WHERE start < until
    ), traffic AS (
        SELECT d.entries, d.exits FROM whole w
        JOIN footfall_day d ON d.tenant_id = %(tenant)s AND d.place_id = w.id
                               AND d.day >= %(first)s AND d.day < %(last)s
        UNION ALL
        SELECT f.entries, f.exits FROM parts s CROSS JOIN edges e
        JOIN footfall_15m f ON f.tenant_id = %(tenant)s AND f.site_id = s.id
        WHERE f.bucket >= e.start AND f.bucket < e.until
    ), sales AS (
        SELECT d.currency, d.transactions, d.cancellations, d.units, d.revenue FROM whole w
        JOIN sales_day d ON d.tenant_id = %(tenant)s AND d.place_id = w.id
                            AND d.day >= %(first)s AND d.day < %(last)s
        WHERE %(currency)s::text IS NULL OR d.currency = %(currency)s
        UNION ALL
        SELECT f.currency, f.transactions, f.cancellations, f.units, f.revenue FROM parts s CROSS JOIN edges e
        JOIN sales_15m f ON f.tenant_id = %(tenant)s AND f.site_id = s.id
        WHERE f.bucket >= e.start AND f.bucket < e.until
          AND (%(currency)s::text IS NULL OR f.currency = %(currency)s)
    ), sold AS (
        SELECT sum(transactions) AS transactions, sum(units) AS units, sum(revenue) AS revenue,
               sum(transactions + cancellations) > 0 AS lasting
        FROM sales GROUP BY currency
    )
    SELECT t.entries, t.exits, s.transactions, s.units, s.revenue
    FROM (SELECT sum(entries)::bigint AS entries, sum(exits)::bigint AS exits FROM traffic) t,
         (SELECT sum(transactions)::bigint AS transactions, sum(units) AS units,
                 CASE WHEN count(*) FILTER (WHERE lasting) <= 1 THEN sum(revenue) END AS revenue
          FROM sold) s"""
_DAYS: LiteralString = """
    SELECT day, sum(entries)::bigint, sum(exits)::bigint, sum(transactions)::bigint, sum(units), sum(revenue)
    FROM (
        SELECT day, entries, exits, NULL::bigint AS transactions, NULL::numeric AS units, NULL::numeric AS revenue
        FROM footfall_day
        WHERE tenant_id = %(tenant)s AND place_id = %(place)s AND day >= %(first)s AND day < %(last)s
        UNION ALL
        SELECT day, NULL, NULL, transactions, units, revenue FROM sales_day
        WHERE tenant_id = %(tenant)s AND place_id = %(place)s AND day >= %(first)s AND day < %(last)s
          AND (%(currency)s::text IS NULL OR currency = %(currency)s)) d
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
# Each sensor's own newest, and each store's newest receipt; who told nothing since a moment is not asked.
_SLOWEST: LiteralString = f"""{_BELOW}, counters AS (
        SELECT n.id FROM below s JOIN sensors n ON n.tenant_id = %(tenant)s AND n.site_id = s.id
        WHERE %(source)s = 'traffic' AND s.kind = 'site' AND n.status = 'active'
          AND NOT app.zone_alone(n.kind, n.zone_id)
        UNION ALL
        SELECT n.id FROM below s JOIN sensors n ON n.tenant_id = %(tenant)s AND n.zone_id = s.id
        WHERE %(source)s = 'traffic' AND s.kind = 'zone' AND n.status = 'active'
    )
    SELECT min(told.at) FROM (
        SELECT (SELECT max(c.ends_at) FROM sensor_lines k CROSS JOIN LATERAL (
                    SELECT c.ends_at FROM people_counts c
                    WHERE c.tenant_id = %(tenant)s AND c.sensor_id = n.id AND c.line = k.line
                      AND c.starts_at >= %(start)s::timestamptz - interval '1 day' AND c.starts_at < %(end)s
                    ORDER BY c.starts_at DESC LIMIT 1) c
                WHERE k.tenant_id = %(tenant)s AND k.sensor_id = n.id) AS at
        FROM counters n
        UNION ALL
        SELECT (SELECT max(f.bucket) + interval '15 minutes' FROM sales_15m f
                WHERE f.tenant_id = %(tenant)s AND f.site_id = s.id AND f.bucket >= %(start)s AND f.bucket < %(end)s)
        FROM below s WHERE %(source)s = 'sales' AND s.kind = 'site') told
    WHERE told.at >= %(start)s"""
_CURRENCIES: LiteralString = """
    SELECT currency FROM sales_day WHERE tenant_id = %(tenant)s AND place_id = %(place)s
    GROUP BY currency HAVING sum(transactions + cancellations) > 0 ORDER BY currency"""
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

    def sums(
        self,
        tx: Transaction,
        place: UUID,
        zone: ZoneInfo,
        start: datetime,
        end: datetime,
        *,
        currency: str | None = None,
        paired: bool = False,
    ) -> Sums:
        """What happened from a moment (included) to another (excluded); quarters count by their beginning.

        Days that are whole by the zone are those of the stores' own clocks. Sales of one currency, or of all, and then
        without an amount where there are several; paired, of those stores alone that both counted and sold.
        """
        first, last = _first_whole(zone, start), end.astimezone(zone).date()
        head, tail = (_midnight(zone, first), _midnight(zone, last)) if first < last else (end, end)
        days = {"head": head, "tail": tail, "first": first, "last": max(first, last)}
        which = {"currency": currency, "paired": paired}
        row = tx.one(_SUMS, {**self._values(tx, place, start, end), **days, **which})
        return Sums(*row) if row else Sums()

    def value(
        self, tx: Transaction, place: Place, metric: str, start: datetime, end: datetime, currency: str | None
    ) -> Decimal | None:
        """A metric of a place and a time; amounts in a currency. None where it cannot be told.

        What is bought per visitor is told, of regions and districts, of those stores that count and sell.
        """
        paired = metric in PER_VISITOR and place.kind in {"region", "district"}
        said = currency if metric in MONEY else None
        zone = ZoneInfo(place.time_zone)
        return self.sums(tx, place.id, zone, start, end, currency=said, paired=paired).value(metric)

    def currencies(self, tx: Transaction, place: UUID) -> list[str]:
        """In which currencies something was ever sold in a place."""
        rows = tx.all(_CURRENCIES, {"tenant": tx.tenant.tenant, "place": place})
        return [row[0] for row in rows]

    def days(
        self, tx: Transaction, place: UUID, first: date, last: date, *, currency: str | None = None
    ) -> dict[date, Sums]:
        """The same by day, from one (included) to another (excluded)."""
        values = {"tenant": tx.tenant.tenant, "place": place, "first": first, "last": last, "currency": currency}
        return {day: Sums(*sums) for day, *sums in tx.all(_DAYS, values)}

    def flows(self, tx: Transaction, place: UUID, start: datetime, end: datetime) -> list[Flow]:
        """Who came to a store or a zone and left it, by quarters of an hour and in order."""
        return [Flow(*row) for row in tx.all(_FLOWS, self._values(tx, place, start, end))]

    def newest(self, tx: Transaction, place: UUID, until: datetime, *, source: Source = "traffic") -> datetime | None:
        """The quarter of an hour of the newest count, or receipt, before a moment, of two months."""
        row = tx.one(_NEWEST, {**self._values(tx, place, until - _LATELY, until), "source": source})
        return row[0] if row else None

    def slowest(
        self, tx: Transaction, place: UUID, since: datetime, until: datetime, source: Source
    ) -> datetime | None:
        """Up to when everybody told: every sensor that is in service in a place, or every store that sells.

        Who told of nothing since a moment is left out, so that one that is dead holds up nobody; None where all are.
        """
        row = tx.one(_SLOWEST, {**self._values(tx, place, since, until), "source": source})
        return row[0] if row else None

    @staticmethod
    def _values(tx: Transaction, place: UUID, start: datetime, end: datetime) -> dict[str, object]:
        return {"tenant": tx.tenant.tenant, "place": place, "start": start, "end": end}


def _first_whole(zone: ZoneInfo, start: datetime) -> date:
    day = start.astimezone(zone).date()
    return day if _midnight(zone, day) == start else day + timedelta(days=1)


def _midnight(zone: ZoneInfo, day: date) -> datetime:
    return first_shown(zone, datetime.combine(day, time()))
