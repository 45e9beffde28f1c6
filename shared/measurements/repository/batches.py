"""What became of batches, and of the rows that were refused."""

from typing import LiteralString
from uuid import UUID

from shared.measurements.errors import BatchNotFound, RejectedNotFound
from tenant_context.context import TenantContext
from tenant_context.pages import MOST_BYTES
from tenant_context.postgres import Database

_SHOW_BATCH: LiteralString = """
    SELECT json_build_object(
        'id', b.id, 'kind', b.kind, 'received_at', app.rfc3339(b.received_at), 'rows', b.rows,
        'rejected', b.rejected, 'duplicates', b.duplicates,
        'state', CASE WHEN count(p.part) = b.parts THEN 'done' ELSE 'processing' END,
        'stored', coalesce(sum(p.stored), 0), 'unchanged', coalesce(sum(p.unchanged), 0),
        'revised', coalesce(sum(p.revised), 0), 'quarantined', coalesce(sum(p.quarantined), 0))::text
    FROM ingest_batches b LEFT JOIN ingest_parts p ON p.tenant_id = b.tenant_id AND p.batch_id = b.id
    WHERE b.tenant_id = %s AND b.id = %s GROUP BY b.tenant_id, b.id"""
_REFUSED: LiteralString = """
    json_build_object('id', id, 'batch', batch_id, 'row', row, 'field', field, 'code', code, 'message', message,
                      'content', content, 'at', app.rfc3339(at), 'resubmitted_as', resubmitted_as)::text"""
_SHOW_REJECTED: LiteralString = f"SELECT {_REFUSED} FROM rejected_rows WHERE tenant_id = %s AND id = %s"
_PAGE_REJECTED: LiteralString = f"""
    SELECT shown, id
    FROM (SELECT shown, id, row_number() OVER (ORDER BY id DESC) AS n,
                 sum(octet_length(shown)) OVER (ORDER BY id DESC) - octet_length(shown) AS before
          FROM (SELECT {_REFUSED} AS shown, id
                FROM rejected_rows
                WHERE tenant_id = %(tenant)s AND (%(batch)s::uuid IS NULL OR batch_id = %(batch)s)
                  AND (%(after)s::uuid IS NULL OR id < %(after)s)
                ORDER BY id DESC LIMIT %(limit)s) page) weighed
    WHERE before <= %(most)s OR n <= 2 ORDER BY id DESC"""


class BatchRepository:
    """Reads what became of batches."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def show(self, tenant: TenantContext, batch: UUID) -> bytes:
        """The JSON of a batch. Errors: BatchNotFound."""
        rows = self._database.read(tenant, _SHOW_BATCH, (tenant.tenant, batch))
        if not rows:
            raise BatchNotFound
        return str(rows[0][0]).encode()

    def refused(self, tenant: TenantContext, row: UUID) -> bytes:
        """The JSON of one refused row. Errors: RejectedNotFound."""
        rows = self._database.read(tenant, _SHOW_REJECTED, (tenant.tenant, row))
        if not rows:
            raise RejectedNotFound
        return str(rows[0][0]).encode()

    def rejected(
        self, tenant: TenantContext, *, batch: UUID | None, after: UUID | None, limit: int
    ) -> list[tuple[str, UUID]]:
        """JSON and id of refused rows, newest first; of more than an answer has room for, one."""
        values = {"tenant": tenant.tenant, "batch": batch, "after": after, "limit": limit, "most": MOST_BYTES}
        return [(row[0], row[1]) for row in self._database.read(tenant, _PAGE_REJECTED, values)]
