"""Metrics from the 15-minute rollups, in the site's own days.

A point without any interval is null, not zero: its coverage says 0. Coverage is the minutes that were counted over the
minutes there were, for the sensors in service.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from shared.metrics.errors import SiteNotFound
from shared.metrics.model import Granularity, Metric, Range
from tenant_context.context import TenantContext
from tenant_context.postgres import Database

_STEP: dict[Granularity, str] = {
    Granularity.QUARTER: "15 minutes",
    Granularity.HOUR: "1 hour",
    Granularity.DAY: "1 day",
    Granularity.WEEK: "1 week",
    Granularity.MONTH: "1 month",
}
_TRUNC: dict[Granularity, str] = {
    Granularity.QUARTER: "15m",
    Granularity.HOUR: "hour",
    Granularity.DAY: "day",
    Granularity.WEEK: "week",
    Granularity.MONTH: "month",
}

# Hours and quarters step in absolute time, days and longer in local time: so a day of 23 or 25 hours is one point.
_METRICS: LiteralString = """
    WITH site AS (
        SELECT s.id, s.time_zone,
               (SELECT count(*) FROM sensors n
                WHERE n.tenant_id = s.tenant_id AND n.site_id = s.id AND n.status = 'active') AS sensors
        FROM sites s WHERE s.tenant_id = %(tenant)s AND s.id = %(site)s
    ), edges AS (
        SELECT CASE WHEN %(trunc)s::text = '15m'
                    THEN date_bin('15 minutes', %(start)s::timestamptz, '2000-01-01 00:00Z')
                    ELSE date_trunc(%(trunc)s::text, %(start)s::timestamptz, time_zone) END AS first,
               CASE WHEN %(trunc)s::text IN ('15m', 'hour') THEN 'UTC' ELSE time_zone END AS stepped_in
        FROM site
    ), steps AS (
        SELECT start, lead(start, 1) OVER (ORDER BY start) AS following
        FROM edges, generate_series(first, %(end)s::timestamptz + %(step)s::interval, %(step)s::interval,
                                    stepped_in) AS start
    ), points AS (
        SELECT start, following FROM steps WHERE following IS NOT NULL AND start < %(end)s::timestamptz
    ), traffic AS (
        SELECT p.start, sum(f.entries) AS entries, sum(f.exits) AS exits, sum(f.minutes) AS minutes
        FROM points p, site
        JOIN footfall_15m f ON f.tenant_id = %(tenant)s AND f.site_id = site.id
        WHERE f.bucket >= p.start AND f.bucket < p.following GROUP BY 1
    ), sales AS (
        SELECT p.start, sum(s.transactions) AS transactions, sum(s.units) AS units, sum(s.revenue) AS revenue
        FROM points p, site
        JOIN sales_15m s ON s.tenant_id = %(tenant)s AND s.site_id = site.id
        WHERE s.bucket >= p.start AND s.bucket < p.following GROUP BY 1
    ), valued AS (
        SELECT p.start, p.following, t.minutes,
               CASE %(metric)s::text
                   WHEN 'footfall' THEN t.entries::numeric
                   WHEN 'exits' THEN t.exits::numeric
                   WHEN 'transactions' THEN s.transactions::numeric
                   WHEN 'units' THEN s.units
                   WHEN 'revenue' THEN s.revenue
                   WHEN 'conversion_rate' THEN round(s.transactions / nullif(t.entries, 0)::numeric, 4)
                   WHEN 'average_basket' THEN round(s.revenue / nullif(s.transactions, 0)::numeric, 4)
                   WHEN 'sales_per_visitor' THEN round(s.revenue / nullif(t.entries, 0)::numeric, 4)
               END AS value
        FROM points p LEFT JOIN traffic t USING (start) LEFT JOIN sales s USING (start)
    ), whole AS (
        SELECT (SELECT sum(entries) FROM traffic) AS entries, (SELECT sum(exits) FROM traffic) AS exits,
               (SELECT sum(transactions) FROM sales) AS transactions, (SELECT sum(units) FROM sales) AS units,
               (SELECT sum(revenue) FROM sales) AS revenue
    )
    SELECT json_build_object(
        'site', site.id, 'metric', %(metric)s::text, 'granularity', %(granularity)s::text, 'time_zone', site.time_zone,
        'from', app.rfc3339(%(start)s::timestamptz), 'to', app.rfc3339(%(end)s::timestamptz),
        'total', (SELECT trim_scale(CASE %(metric)s::text
                      WHEN 'footfall' THEN entries::numeric
                      WHEN 'exits' THEN exits::numeric
                      WHEN 'transactions' THEN transactions::numeric
                      WHEN 'units' THEN units
                      WHEN 'revenue' THEN revenue
                      WHEN 'conversion_rate' THEN round(transactions / nullif(entries, 0)::numeric, 4)
                      WHEN 'average_basket' THEN round(revenue / nullif(transactions, 0)::numeric, 4)
                      WHEN 'sales_per_visitor' THEN round(revenue / nullif(entries, 0)::numeric, 4)
                  END) FROM whole),
        'points', (SELECT coalesce(json_agg(json_build_object(
                       'start', app.rfc3339(start), 'value', trim_scale(value),
                       'coverage', round(least(1, coalesce(minutes, 0) * 60
                           / (extract(epoch FROM following - start) * greatest(site.sensors, 1))), 3))
                       ORDER BY start), '[]') FROM valued),
        'freshness', (SELECT app.rfc3339(max(bucket)) FROM footfall_15m f
                      WHERE f.tenant_id = %(tenant)s AND f.site_id = site.id))::text
    FROM site"""

_OCCUPANCY: LiteralString = """
    SELECT json_build_object(
        'site', s.id, 'time_zone', s.time_zone, 'since', app.rfc3339(d.midnight),
        'entries', coalesce(sum(f.entries), 0), 'exits', coalesce(sum(f.exits), 0),
        'occupancy', greatest(0, coalesce(sum(f.entries) - sum(f.exits), 0)),
        'as_of', app.rfc3339(max(f.bucket) + interval '15 minutes'))::text
    FROM sites s
    CROSS JOIN LATERAL (SELECT date_trunc('day', %(now)s::timestamptz, s.time_zone) AS midnight) d
    LEFT JOIN footfall_15m f ON f.tenant_id = s.tenant_id AND f.site_id = s.id
                            AND f.bucket >= d.midnight AND f.bucket <= %(now)s::timestamptz
    WHERE s.tenant_id = %(tenant)s AND s.id = %(site)s
    GROUP BY s.id, s.time_zone, d.midnight"""


class MetricsRepository:
    """Reads metrics as the JSON that PostgreSQL builds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def series(self, tenant: TenantContext, site: UUID, metric: Metric, span: Range) -> bytes:
        """A metric over a range. Errors: SiteNotFound."""
        values = {
            "tenant": tenant.tenant,
            "site": site,
            "metric": metric.value,
            "start": span.start,
            "end": span.end,
            "trunc": _TRUNC[span.granularity],
            "step": _STEP[span.granularity],
            "granularity": span.granularity.value,
        }
        return self._one(tenant, _METRICS, values)

    def occupancy(self, tenant: TenantContext, site: UUID, now: datetime) -> bytes:
        """People inside since the site's midnight. Errors: SiteNotFound."""
        return self._one(tenant, _OCCUPANCY, {"tenant": tenant.tenant, "site": site, "now": now})

    def _one(self, tenant: TenantContext, query: LiteralString, values: Mapping[str, object]) -> bytes:
        rows = self._database.read(tenant, query, values)
        if not rows:
            raise SiteNotFound
        return str(rows[0][0]).encode()
