"""Receipts of tills, their revisions and their rollups, written by one statement as counts are."""

from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from shared.measurements import rules
from shared.measurements.model import Outcome
from shared.measurements.repository.writing import ensure_months, share_tree, write
from tenant_context.postgres import Transaction

_WRITE_TRANSACTIONS: LiteralString = """
    WITH input AS (
        SELECT n, site_id, id, at, currency, total, units, cancels, lines
        FROM unnest(%(sites)s::uuid[], %(ids)s::text[], %(times)s::timestamptz[], %(currencies)s::text[],
                    %(totals)s::numeric[], %(units)s::numeric[], %(cancels)s::text[], %(lines)s::jsonb[])
             WITH ORDINALITY AS t (site_id, id, at, currency, total, units, cancels, lines, n)
    ), known AS (
        SELECT i.* FROM input i JOIN sites s ON s.tenant_id = %(tenant)s AND s.id = i.site_id AND s.kind = 'site'
    ), written AS (
        INSERT INTO transactions AS t (tenant_id, site_id, id, at, currency, total, units, cancels, lines, received_at,
                                       batch_id)
        SELECT %(tenant)s, site_id, id, at, currency, total, units, cancels, lines, %(received)s, %(batch)s
        FROM known ORDER BY site_id, id, at
        ON CONFLICT (tenant_id, site_id, id, at) DO UPDATE
        SET currency = excluded.currency, total = excluded.total, units = excluded.units, cancels = excluded.cancels,
            lines = excluded.lines, received_at = excluded.received_at, revision = t.revision + 1,
            batch_id = excluded.batch_id
        WHERE (t.currency, t.total, t.units, t.cancels, t.lines) IS DISTINCT FROM
              (excluded.currency, excluded.total, excluded.units, excluded.cancels, excluded.lines)
          AND (t.received_at, t.batch_id) < (excluded.received_at, excluded.batch_id)
        RETURNING old.revision AS old_revision, old.currency AS old_currency, old.total AS old_total,
                  old.units AS old_units, old.cancels AS old_cancels, old.lines AS old_lines,
                  old.received_at AS old_received_at, old.batch_id AS old_batch_id, new.*
    ), kept AS (
        INSERT INTO transaction_revisions (tenant_id, site_id, id, at, revision, currency, total, units, cancels, lines,
                                           received_at, batch_id)
        SELECT tenant_id, site_id, id, at, old_revision, old_currency, old_total, old_units, old_cancels, old_lines,
               old_received_at, old_batch_id
        FROM written WHERE old_revision IS NOT NULL
    ), moves AS (
        SELECT site_id, at, currency, total, units, cancels IS NOT NULL OR total < 0 AS cancelled, 1 AS sign
        FROM written
        UNION ALL
        SELECT site_id, at, old_currency, old_total, old_units, old_cancels IS NOT NULL OR old_total < 0, -1
        FROM written WHERE old_revision IS NOT NULL
    ), deltas AS (
        SELECT site_id, date_bin('15 minutes', at, '2000-01-01 00:00Z') AS bucket, currency,
               coalesce(sum(sign) FILTER (WHERE NOT cancelled), 0) AS transactions,
               coalesce(sum(sign) FILTER (WHERE cancelled), 0) AS cancellations,
               sum(sign * units) AS units, sum(sign * total) AS revenue
        FROM moves GROUP BY 1, 2, 3
    ), rolled AS (
        INSERT INTO sales_15m AS s (tenant_id, site_id, bucket, currency, transactions, cancellations, units, revenue)
        SELECT %(tenant)s, site_id, bucket, currency, transactions, cancellations, units, revenue
        FROM deltas ORDER BY site_id, bucket, currency
        ON CONFLICT (tenant_id, site_id, bucket, currency) DO UPDATE
        SET transactions = s.transactions + excluded.transactions,
            cancellations = s.cancellations + excluded.cancellations,
            units = s.units + excluded.units, revenue = s.revenue + excluded.revenue
    ), places AS (
        SELECT d.site_id, app.known_zone(s.time_zone) AS time_zone,
               app.shard_of(d.site_id) AS shard, t.parent_id AS parent,
               u.parent_id AS grandparent
        FROM (SELECT DISTINCT site_id FROM deltas) d
        JOIN sites s ON s.tenant_id = %(tenant)s AND s.id = d.site_id
        LEFT JOIN site_tree t ON t.tenant_id = %(tenant)s AND t.site_id = d.site_id
        LEFT JOIN site_tree u ON u.tenant_id = %(tenant)s AND u.site_id = t.parent_id
    ), days AS MATERIALIZED (
        SELECT a.place, (d.bucket AT TIME ZONE p.time_zone)::date AS day, a.shard, d.currency,
               sum(d.transactions) AS transactions, sum(d.cancellations) AS cancellations, sum(d.units) AS units,
               sum(d.revenue) AS revenue, max(d.bucket) AS newest
        FROM deltas d JOIN places p USING (site_id)
        CROSS JOIN LATERAL (
            VALUES (d.site_id, 0::smallint), (p.parent, p.shard), (p.grandparent, p.shard),
                   ('00000000-0000-0000-0000-000000000000', p.shard)) a (place, shard)
        WHERE a.place IS NOT NULL GROUP BY 1, 2, 3, 4
    ), kept_days AS (
        INSERT INTO sales_day AS s (tenant_id, place_id, day, shard, currency, transactions, cancellations, units,
                                    revenue, newest)
        SELECT %(tenant)s, place, day, shard, currency, transactions, cancellations, units, revenue, newest
        FROM days ORDER BY place, day, shard, currency
        ON CONFLICT (tenant_id, place_id, day, shard, currency) DO UPDATE
        SET transactions = s.transactions + excluded.transactions,
            cancellations = s.cancellations + excluded.cancellations,
            units = s.units + excluded.units, revenue = s.revenue + excluded.revenue,
            newest = greatest(s.newest, excluded.newest)
    ), noted AS (
        INSERT INTO metric_versions AS v (tenant_id, place_id, month, shard)
        SELECT DISTINCT %(tenant)s::uuid, place, date_trunc('month', day)::date, shard
        FROM days ORDER BY 1, 2, 3, 4
        ON CONFLICT (tenant_id, place_id, month, shard) DO UPDATE SET version = v.version + 1
    )
    SELECT (SELECT count(*) FROM written WHERE old_revision IS NULL),
           (SELECT count(*) FROM written WHERE old_revision IS NOT NULL),
           (SELECT count(*) FROM known),
           ARRAY(SELECT n FROM input WHERE n NOT IN (SELECT n FROM known))"""


def write_transactions(tx: Transaction, data: dict[str, Any]) -> tuple[Outcome, list[int]]:
    """Receipts in; answers what became of them and the places of rows whose store is not there."""
    columns = list(zip(*data["rows"], strict=True)) or [()] * 7
    ensure_months(tx, "transactions", columns[2])
    share_tree(tx)
    return write(
        tx,
        _WRITE_TRANSACTIONS,
        data,
        {
            "sites": list(columns[0]),
            "ids": list(columns[1]),
            "times": list(columns[2]),
            "currencies": list(columns[3]),
            "totals": list(columns[4]),
            "cancels": list(columns[5]),
            "units": [rules.units(lines) for lines in columns[6]],
            "lines": [Jsonb(lines) for lines in columns[6]],
        },
    )
