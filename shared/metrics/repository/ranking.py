"""Stores in the order of what they have, from their days."""

from datetime import date
from typing import LiteralString
from uuid import UUID

from shared.metrics.errors import SeveralCurrencies
from shared.metrics.model import EVERYBODY, MONEY, Metric, RankAsk, Ranked
from shared.metrics.rules.ranking import After
from tenant_context.context import TenantContext
from tenant_context.postgres import Database

_RANKED: LiteralString = """
    WITH RECURSIVE below AS (
        SELECT %(within)s::uuid AS id
        UNION ALL
        SELECT t.site_id FROM below b JOIN site_tree t ON t.tenant_id = %(tenant)s AND t.parent_id = b.id
        WHERE t.kind <> 'zone'
    ), stores AS MATERIALIZED (
        SELECT s.id, s.name, s.code, s.time_zone FROM sites s
        WHERE s.tenant_id = %(tenant)s AND s.kind = 'site' AND (%(everybody)s OR s.id IN (SELECT id FROM below))
    ), sides AS (
        SELECT * FROM (VALUES (true, %(first)s::date, %(last)s::date),
                              (false, %(before)s::date, %(first)s::date)) s (now, first, last)
    ), traffic AS (
        SELECT s.id, p.now, sum(f.entries)::numeric AS entries, sum(f.exits)::numeric AS exits,
               sum(f.minutes)::bigint AS minutes, bool_or(f.intervals > 0 OR f.minutes > 0) AS counted
        FROM stores s CROSS JOIN sides p CROSS JOIN LATERAL (
            SELECT * FROM footfall_day q WHERE q.tenant_id = %(tenant)s AND q.place_id = s.id
                                               AND q.day >= p.first AND q.day < p.last OFFSET 0) f
        GROUP BY 1, 2
    ), sales AS (
        SELECT s.id, p.now, sum(f.transactions)::numeric AS transactions, sum(f.units) AS units,
               sum(f.revenue) AS revenue, sum(f.transactions + f.cancellations) > 0 AS sold,
               array_agg(DISTINCT f.currency) FILTER (WHERE f.transactions + f.cancellations > 0) AS currencies
        FROM stores s CROSS JOIN sides p CROSS JOIN LATERAL (
            SELECT * FROM sales_day q WHERE q.tenant_id = %(tenant)s AND q.place_id = s.id
                                            AND q.day >= p.first AND q.day < p.last OFFSET 0) f
        WHERE %(sales)s AND (%(currency)s::text IS NULL OR f.currency = %(currency)s) GROUP BY 1, 2
    ), valued AS (
        SELECT s.id, p.now, t.minutes, a.currencies,
               CASE %(metric)s::text
                   WHEN 'footfall' THEN CASE WHEN counted THEN entries END
                   WHEN 'exits' THEN CASE WHEN counted THEN exits END
                   WHEN 'transactions' THEN CASE WHEN sold THEN transactions END
                   WHEN 'units' THEN CASE WHEN sold THEN units END
                   WHEN 'revenue' THEN CASE WHEN sold THEN revenue END
                   WHEN 'conversion_rate' THEN CASE WHEN sold THEN round(transactions / nullif(entries, 0), 4) END
                   WHEN 'average_basket' THEN CASE WHEN sold THEN round(revenue / nullif(transactions, 0), 4) END
                   WHEN 'units_per_transaction'
                       THEN CASE WHEN sold THEN round(units / nullif(transactions, 0), 4) END
                   WHEN 'sales_per_visitor' THEN CASE WHEN sold THEN round(revenue / nullif(entries, 0), 4) END
               END AS value
        FROM stores s CROSS JOIN sides p
        LEFT JOIN traffic t ON t.id = s.id AND t.now = p.now
        LEFT JOIN sales a ON a.id = s.id AND a.now = p.now
    ), ranked AS (
        SELECT n.id, n.value, b.value AS before, n.minutes,
               rank() OVER (ORDER BY n.value * %(sign)s DESC NULLS LAST) AS place
        FROM valued n JOIN valued b ON b.id = n.id AND NOT b.now WHERE n.now
    )
    SELECT s.id, s.name, s.code, s.time_zone, r.value, r.before, r.minutes, r.place,
           (SELECT array_agg(DISTINCT c ORDER BY c) FROM valued v, unnest(v.currencies) c)
    FROM ranked r JOIN stores s ON s.id = r.id
    WHERE %(after)s::uuid IS NULL
       OR CASE WHEN %(value)s::numeric IS NULL THEN r.value IS NULL AND r.id > %(after)s
               ELSE r.value IS NULL OR (r.value * -%(sign)s, r.id) > (%(value)s::numeric * -%(sign)s, %(after)s) END
    ORDER BY r.value * %(sign)s DESC NULLS LAST, r.id LIMIT %(limit)s"""


class RankingRepository:
    """Stores of one tenant at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ranked(
        self, tenant: TenantContext, ask: RankAsk, days: tuple[date, date], after: After | None, limit: int
    ) -> tuple[list[Ranked], str | None]:
        """A page of stores by a metric of some days, each with what it had in as many before; and the currency.

        Errors: SeveralCurrencies.
        """
        first, last = days
        values = {
            "tenant": tenant.tenant,
            "within": ask.within,
            "everybody": ask.within == EVERYBODY,
            "first": first,
            "last": last,
            "before": first - (last - first),
            "metric": ask.metric.value,
            "sales": ask.metric not in {Metric.FOOTFALL, Metric.EXITS},
            "currency": ask.currency,
            "sign": 1 if ask.descending else -1,
            "after": after and UUID(after.id),
            "value": after and after.value,
            "limit": limit,
        }
        rows = self._database.read(tenant, _RANKED, values)
        currencies = rows[0][-1] if rows and rows[0][-1] else []
        if ask.metric in MONEY and len(currencies) > 1:
            raise SeveralCurrencies(currencies)
        currency = currencies[0] if len(currencies) == 1 else ask.currency
        return [Ranked(*row[:-1]) for row in rows], currency
