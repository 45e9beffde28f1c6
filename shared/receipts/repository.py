"""Receipts in PostgreSQL, each with what it undoes and what undoes it."""

from typing import Any, LiteralString
from uuid import UUID

from shared.receipts.errors import WrongRange
from shared.receipts.model import LONGEST, Asked, Found, Page
from shared.sites.errors import SiteNotFound
from tenant_context.context import TenantContext
from tenant_context.pages import MOST_BYTES
from tenant_context.postgres import Database

_SITE: LiteralString = "SELECT 1 FROM sites WHERE tenant_id = %s AND id = %s AND kind = 'site'"
# Ids of receipts come again, a year later or at midnight: a link means the last one before it. How much of a receipt
# others undo is told piece by piece, from lines that nobody is to read for it; tills write what comes back with a minus
# or without, and one that undoes without lines undoes all of it.
_PAGE: LiteralString = """
    WITH asked AS (
        SELECT * FROM transactions
        WHERE tenant_id = %(tenant)s AND site_id = %(site)s AND at >= %(start)s AND at < %(end)s
          AND (%(id)s::text IS NULL OR id = %(id)s)
          AND (%(after_at)s::timestamptz IS NULL OR (at, id) < (%(after_at)s, %(after_id)s))
        ORDER BY at DESC, id DESC LIMIT %(limit)s + 1
    ), page AS (
        SELECT * FROM (
            SELECT a.*, count(*) OVER () AS there, row_number() OVER newest AS n,
                   sum(octet_length(lines::text) + 30 * jsonb_array_length(lines) + 500) OVER newest AS bytes
            FROM asked a WINDOW newest AS (ORDER BY at DESC, id DESC)) w
        WHERE n = 1 OR (n <= %(limit)s AND bytes <= %(most)s)
    )
    SELECT json_build_object(
               'id', p.id, 'time', app.rfc3339(p.at), 'currency', p.currency, 'total', trim_scale(p.total)::text,
               'units', trim_scale(p.units)::text, 'revision', p.revision, 'received_at', app.rfc3339(p.received_at),
               'lines', (SELECT coalesce(json_agg(json_build_object('sku', l->>0, 'quantity', l->>1,
                                                                    'unit_price', l->>2)), '[]')
                         FROM jsonb_array_elements(p.lines) l)),
           p.at, p.id, p.cancels,
           CASE WHEN o.id IS NOT NULL
                THEN json_build_object('id', o.id, 'time', app.rfc3339(o.at), 'total', trim_scale(o.total)::text) END,
           o.cancels, coalesce(b.ids, '{}'), b.undone, p.there
    FROM page p
    LEFT JOIN LATERAL (
        SELECT o.id, o.at, o.total, o.cancels FROM transactions o
        WHERE o.tenant_id = %(tenant)s AND o.site_id = %(site)s AND o.id = p.cancels AND o.at <= p.at
          AND (o.id, o.at) <> (p.id, p.at)
        ORDER BY o.at DESC LIMIT 1) o ON true
    CROSS JOIN LATERAL (
        WITH linked AS MATERIALIZED (
            SELECT l.id, l.at, l.lines FROM transactions l
            WHERE l.tenant_id = %(tenant)s AND l.site_id = %(site)s AND l.cancels = p.id AND l.at >= p.at
              AND (l.id, l.at) <> (p.id, p.at)
              AND NOT EXISTS (SELECT FROM transactions m
                              WHERE m.tenant_id = %(tenant)s AND m.site_id = %(site)s AND m.id = p.id
                                AND m.at > p.at AND m.at <= l.at AND (m.id, m.at) <> (l.id, l.at))
            ORDER BY l.at, l.id LIMIT 1000
        ), had AS MATERIALIZED (
            SELECT l->>0 AS sku, sum(abs((l->>1)::numeric)) AS pieces FROM jsonb_array_elements(p.lines) l GROUP BY 1
        ), back AS MATERIALIZED (
            SELECT sku, sum(pieces) AS pieces FROM (
                -- Where some have a minus, what has none was taken for it.
                SELECT l->>0 AS sku, abs((l->>1)::numeric) AS pieces FROM linked, jsonb_array_elements(linked.lines) l
                WHERE (l->>1)::numeric < 0 OR NOT EXISTS (
                    SELECT FROM jsonb_array_elements(linked.lines) piece WHERE (piece.value->>1)::numeric < 0)
                UNION ALL
                SELECT sku, pieces FROM had, linked WHERE linked.lines = '[]') brought
            GROUP BY 1
        )
        SELECT (SELECT array_agg(id ORDER BY at, id) FROM linked) AS ids,
               CASE WHEN NOT EXISTS (SELECT FROM linked) THEN 'no'
                    WHEN EXISTS (SELECT FROM back LEFT JOIN had USING (sku) WHERE back.pieces > coalesce(had.pieces, 0))
                        THEN 'beyond'
                    WHEN EXISTS (SELECT FROM had LEFT JOIN back USING (sku) WHERE coalesce(back.pieces, 0) < had.pieces)
                        THEN 'partly'
                    ELSE 'wholly' END AS undone) b
    ORDER BY p.at DESC, p.id DESC"""


class ReceiptRepository:
    """Reads receipts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, tenant: TenantContext, site: UUID, asked: Asked) -> Page:
        """Receipts of a store, newest first. Errors: SiteNotFound, WrongRange."""
        if asked.end <= asked.start:
            raise WrongRange("must be after from")
        if asked.end - asked.start > LONGEST:
            raise WrongRange(f"may be {LONGEST.days} days after from at most")
        if not self._database.read(tenant, _SITE, (tenant.tenant, site)):
            raise SiteNotFound
        after_at, after_id = asked.after or (None, None)
        values: dict[str, Any] = {
            "tenant": tenant.tenant, "site": site, "start": asked.start, "end": asked.end, "id": asked.id,
            "after_at": after_at, "after_id": after_id, "limit": asked.limit, "most": MOST_BYTES,
        }  # fmt: skip
        rows = self._database.read(tenant, _PAGE, values)
        found = [Found(*told) for *told, _ in rows]
        return Page(found, rows[0][-1] if rows else 0)
