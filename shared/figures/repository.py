"""Sums of places from the rollups; those of zones, which have none, from the counts of their sensors."""

from datetime import date, datetime, timedelta
from typing import Literal, LiteralString
from uuid import UUID

from shared.figures.errors import PlaceNotFound
from shared.figures.model import Flow, Place, Sums
from tenant_context.postgres import Transaction

_PLACE: LiteralString = "SELECT id, kind, name, time_zone, hours FROM sites WHERE tenant_id = %s AND id = %s"
# A place and, of regions and districts, the stores in it.
_BELOW: LiteralString = """
    WITH RECURSIVE below AS (
        SELECT s.id, s.kind FROM sites s WHERE s.tenant_id = %(tenant)s AND s.id = %(place)s
        UNION ALL
        SELECT t.site_id, t.kind FROM below b
        JOIN site_tree t ON t.tenant_id = %(tenant)s AND t.parent_id = b.id
        WHERE b.kind IN ('region', 'district')
    ), traffic AS (
        SELECT f.bucket AS at, f.entries, f.exits FROM below s
        JOIN footfall_15m f ON f.tenant_id = %(tenant)s AND f.site_id = s.id
        WHERE s.kind = 'site' AND f.bucket >= %(start)s::timestamptz AND f.bucket < %(end)s::timestamptz
        UNION ALL
        SELECT date_bin('15 minutes', c.starts_at, '2000-01-01 00:00Z'), c.entries, c.exits FROM below z
        JOIN sensors n ON n.tenant_id = %(tenant)s AND n.zone_id = z.id
        JOIN people_counts c ON c.tenant_id = %(tenant)s AND c.sensor_id = n.id
        WHERE z.kind = 'zone' AND c.starts_at >= %(start)s::timestamptz AND c.starts_at < %(end)s::timestamptz
    ), sales AS (
        SELECT f.bucket AS at, f.transactions, f.units, f.revenue FROM below s
        JOIN sales_15m f ON f.tenant_id = %(tenant)s AND f.site_id = s.id
        WHERE s.kind = 'site' AND f.bucket >= %(start)s::timestamptz AND f.bucket < %(end)s::timestamptz
    )"""
_SUMS: LiteralString = f"""{_BELOW}
    SELECT t.entries, t.exits, s.transactions, s.units, s.revenue
    FROM (SELECT sum(entries)::bigint AS entries, sum(exits)::bigint AS exits FROM traffic) t,
         (SELECT sum(transactions)::bigint AS transactions, sum(units) AS units, sum(revenue) AS revenue
          FROM sales) s"""
_DAYS: LiteralString = f"""{_BELOW}, moments AS (
        SELECT at, entries, exits, NULL::bigint AS transactions, NULL::numeric AS units, NULL::numeric AS revenue
        FROM traffic
        UNION ALL
        SELECT at, NULL, NULL, transactions, units, revenue FROM sales
    )
    SELECT (at AT TIME ZONE %(zone)s)::date, sum(entries)::bigint, sum(exits)::bigint, sum(transactions)::bigint,
           sum(units), sum(revenue)
    FROM moments GROUP BY 1"""
_FLOWS: LiteralString = f"""{_BELOW}
    SELECT at, sum(entries)::bigint, sum(exits)::bigint FROM traffic GROUP BY at ORDER BY at"""
_NEWEST: LiteralString = f"""{_BELOW}
    SELECT max(at) FROM (
        SELECT at FROM traffic WHERE %(source)s = 'traffic'
        UNION ALL SELECT at FROM sales WHERE %(source)s = 'sales') n"""
_LATELY = timedelta(days=60)
"""What is older than this is no news of a place."""


class FigureRepository:
    """Reads sums of one tenant's places within a transaction."""

    def place(self, tx: Transaction, place: UUID) -> Place:
        """A place. Errors: PlaceNotFound."""
        row = tx.one(_PLACE, (tx.tenant.tenant, place))
        if row is None:
            raise PlaceNotFound
        return Place(*row)

    def sums(self, tx: Transaction, place: UUID, start: datetime, end: datetime) -> Sums:
        """What happened from a moment (included) to another (excluded); quarters count by their beginning."""
        row = tx.one(_SUMS, self._values(tx, place, start, end))
        return Sums(*row) if row else Sums()

    def days(self, tx: Transaction, place: Place, start: datetime, end: datetime) -> dict[date, Sums]:
        """The same by day, as the place's own clock has them."""
        values = {**self._values(tx, place.id, start, end), "zone": place.time_zone}
        return {day: Sums(*sums) for day, *sums in tx.all(_DAYS, values)}

    def flows(self, tx: Transaction, place: UUID, start: datetime, end: datetime) -> list[Flow]:
        """Who came and left, by quarters of an hour and in order."""
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
