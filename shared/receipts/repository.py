"""Receipts in PostgreSQL, each with what it undoes and what undoes it."""

from decimal import Decimal
from typing import Any, LiteralString
from uuid import UUID

from shared.receipts.errors import WrongRange
from shared.receipts.model import LONGEST, Asked, Found, Lines
from shared.sites.errors import SiteNotFound
from tenant_context.context import TenantContext
from tenant_context.postgres import Database

_SITE: LiteralString = "SELECT 1 FROM sites WHERE tenant_id = %s AND id = %s AND kind = 'site'"
# Ids of receipts come again, a year later or at midnight: a link means the last one before it.
_PAGE: LiteralString = """
    WITH page AS (
        SELECT * FROM transactions
        WHERE tenant_id = %(tenant)s AND site_id = %(site)s AND at >= %(start)s AND at < %(end)s
          AND (%(id)s::text IS NULL OR id = %(id)s)
          AND (%(after_at)s::timestamptz IS NULL OR (at, id) < (%(after_at)s, %(after_id)s))
        ORDER BY at DESC, id DESC LIMIT %(limit)s
    )
    SELECT json_build_object(
               'id', p.id, 'time', app.rfc3339(p.at), 'currency', p.currency, 'total', trim_scale(p.total)::text,
               'units', trim_scale(p.units)::text, 'revision', p.revision, 'received_at', app.rfc3339(p.received_at),
               'lines', (SELECT coalesce(json_agg(json_build_object('sku', l->>0, 'quantity', l->>1,
                                                                    'unit_price', l->>2)), '[]')
                         FROM jsonb_array_elements(p.lines) l)),
           p.at, p.id, p.cancels, p.lines,
           CASE WHEN o.id IS NOT NULL
                THEN json_build_object('id', o.id, 'time', app.rfc3339(o.at), 'total', trim_scale(o.total)::text) END,
           o.cancels, coalesce(b.ids, '{}'), coalesce(b.lines, '[]')
    FROM page p
    LEFT JOIN LATERAL (
        SELECT o.id, o.at, o.total, o.cancels FROM transactions o
        WHERE o.tenant_id = %(tenant)s AND o.site_id = %(site)s AND o.id = p.cancels AND o.at <= p.at
          AND (o.id, o.at) <> (p.id, p.at)
        ORDER BY o.at DESC LIMIT 1) o ON true
    LEFT JOIN LATERAL (
        SELECT array_agg(l.id ORDER BY l.at, l.id) AS ids, jsonb_agg(l.lines ORDER BY l.at, l.id) AS lines
        FROM (
            SELECT l.id, l.at, l.lines FROM transactions l
            WHERE l.tenant_id = %(tenant)s AND l.site_id = %(site)s AND l.cancels = p.id AND l.at >= p.at
              AND (l.id, l.at) <> (p.id, p.at)
              AND NOT EXISTS (SELECT FROM transactions m
                              WHERE m.tenant_id = %(tenant)s AND m.site_id = %(site)s AND m.id = p.id
                                AND m.at > p.at AND m.at <= l.at AND (m.id, m.at) <> (l.id, l.at))
            ORDER BY l.at, l.id LIMIT 1000) l) b ON true
    ORDER BY p.at DESC, p.id DESC"""


class ReceiptRepository:
    """Reads receipts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, tenant: TenantContext, site: UUID, asked: Asked) -> list[Found]:
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
            "after_at": after_at, "after_id": after_id, "limit": asked.limit,
        }  # fmt: skip
        return [
            Found(shown, at, own, undoes, _lines(lines), original, further, ids, [_lines(one) for one in brought])
            for shown, at, own, undoes, lines, original, further, ids, brought in self._database.read(
                tenant, _PAGE, values
            )
        ]


def _lines(kept: Any) -> Lines:
    return [(sku, Decimal(str(quantity))) for sku, quantity, _ in kept]
