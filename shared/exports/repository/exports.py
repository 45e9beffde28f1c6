"""Exports and imports: what was asked for, how far it came, which parts are in S3."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg import errors
from psycopg.types.json import Jsonb

from shared.exports.errors import Abandoned, Busy, ExportNotFound, ExportNotReady, ExportUnderWay, ImportUnderWay
from shared.exports.model import ExportId, File, Mark, Part, Work
from tenant_context.clock import rfc3339
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction
from tenant_context.states import Need, State, permits

HELD = timedelta(minutes=6)
"""How long a claim holds: longer than its worker may run, so that a claim outlives only a crash."""
_JSON: LiteralString = """
    json_build_object('id', id, 'kind', kind, 'status', status, 'requested_by', requested_by,
                      'organization', CASE kind WHEN 'import' THEN split_part(archive, '/', 1) END,
                      'progress', json_build_object('sources', sources, 'sources_done', sources_done, 'rows', rows,
                                                    'bytes', bytes),
                      'reason', reason, 'created_at', app.rfc3339(created_at), 'updated_at', app.rfc3339(updated_at),
                      'finished_at', app.rfc3339(finished_at), 'expires_at', app.rfc3339(expires_at))::text"""
_INSERT: LiteralString = """
    INSERT INTO exports (tenant_id, id, kind, status, requested_by, archive, created_at, updated_at)
    VALUES (%s, %s, %s, 'queued', %s, %s, %s, %s) ON CONFLICT (tenant_id, id) DO NOTHING"""
_WAITING: LiteralString = """
    SELECT id, status FROM exports
    WHERE tenant_id = %s AND kind = 'export' AND status IN ('queued', 'running') FOR UPDATE"""
_SHOW: LiteralString = f"SELECT {_JSON} FROM exports WHERE tenant_id = %s AND id = %s"
_PAGE: LiteralString = f"""
    SELECT {_JSON}, id FROM exports
    WHERE tenant_id = %(tenant)s AND status <> 'deleted' AND (%(after)s::uuid IS NULL OR id < %(after)s)
    ORDER BY id DESC LIMIT %(limit)s"""
_READY: LiteralString = """
    SELECT archive, status = 'done' AND kind = 'export' AND expires_at > %s FROM exports
    WHERE tenant_id = %s AND id = %s AND status <> 'deleted'"""
_DELETE: LiteralString = """
    UPDATE exports SET upload = CASE WHEN kind = 'import' AND status = 'done' THEN NULL ELSE upload END,
                       status = 'deleted', finished_at = coalesce(finished_at, %s), updated_at = %s
    WHERE tenant_id = %s AND id = %s AND status <> 'deleted' RETURNING kind"""
_CLAIM: LiteralString = """
    UPDATE exports SET status = 'running', claimed_until = %(until)s, updated_at = %(now)s
    WHERE tenant_id = %(tenant)s AND id = %(id)s AND status IN ('queued', 'running')
          AND (claimed_until IS NULL OR claimed_until < %(now)s)
    RETURNING archive, coalesce(upload, ''), mark, created_at"""
_KIND: LiteralString = "SELECT kind, status, archive FROM exports WHERE tenant_id = %s AND id = %s FOR UPDATE"
_AGAIN: LiteralString = """
    UPDATE exports SET status = 'queued', reason = '', finished_at = NULL, updated_at = %s, claimed_until = NULL
    WHERE tenant_id = %s AND id = %s AND status IN ('failed', 'deleted') RETURNING id"""
_STOPPED: LiteralString = """
    SELECT id FROM exports
    WHERE tenant_id = %s AND kind = 'import' AND status IN ('failed', 'deleted') AND upload IS NOT NULL
    ORDER BY updated_at DESC LIMIT 1"""
_ANEW: LiteralString = """
    UPDATE exports SET mark = '{}', sources_done = 0, rows = 0, bytes = 0
    WHERE tenant_id = %s AND id = %s"""
_OWNS: LiteralString = "SELECT 1 FROM app.places(%s) WHERE tenant_id = %s AND role = 'owner'"
_BARRED: LiteralString = """
    SELECT state FROM unnest(%(states)s::text[]) state
    WHERE %(tenant)s = ANY (SELECT t.tenant_id FROM app.tenants_in(ARRAY[state], %(before)s, 1) t)"""
"""One door tells which tenants are in a state, in order: the next after the id before it is the one, or is not."""
_PRESENT: LiteralString = "SELECT status FROM tenants WHERE tenant_id = %s"
_STATUS: LiteralString = "SELECT status FROM exports WHERE tenant_id = %s AND id = %s"
_UPLOAD: LiteralString = """
    UPDATE exports SET upload = %s, mark = '{}', sources = %s, sources_done = 0, rows = 0, bytes = 0
    WHERE tenant_id = %s AND id = %s AND status = 'running' RETURNING 1"""
_FORGET_PARTS: LiteralString = "DELETE FROM export_parts WHERE tenant_id = %s AND export_id = %s"
_PART: LiteralString = "INSERT INTO export_parts VALUES (%s, %s, %s, %s, %s, %s)"
_PARTS: LiteralString = """
    SELECT number, etag, bytes, files FROM export_parts WHERE tenant_id = %s AND export_id = %s ORDER BY number"""
_NOTE: LiteralString = """
    UPDATE exports SET mark = %(mark)s, sources_done = %(done)s, rows = rows + %(rows)s, bytes = bytes + %(bytes)s,
                       claimed_until = %(until)s, updated_at = %(now)s
    WHERE tenant_id = %(tenant)s AND id = %(id)s AND status = 'running' RETURNING 1"""
_RELEASE: LiteralString = "UPDATE exports SET claimed_until = NULL WHERE tenant_id = %s AND id = %s"
_FINISH: LiteralString = """
    UPDATE exports SET status = %(status)s, reason = %(reason)s,
                       sources_done = CASE WHEN %(status)s = 'done' THEN sources ELSE sources_done END,
                       claimed_until = NULL, updated_at = %(now)s,
                       finished_at = %(now)s, expires_at = %(expires)s
    WHERE tenant_id = %(tenant)s AND id = %(id)s AND status = 'running' RETURNING rows, bytes"""


class ExportRepository:
    """Exports of one tenant at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, tx: Transaction, export: ExportId, kind: str, archive: str) -> None:
        """Note what is to be made. Errors: ExportUnderWay, ImportUnderWay."""
        values = (tx.tenant.tenant, export, kind, tx.tenant.user, archive, tx.now, tx.now)
        try:
            # Its outcome is waited for, as two requests may have found nothing under way.
            tx.all(f"{_INSERT} RETURNING id", values)
        except errors.UniqueViolation as error:
            raise (ImportUnderWay if kind == "import" else ExportUnderWay) from error

    def has(self, tx: Transaction, export: ExportId) -> bool:
        """Whether the tenant knows an export or an import by this id."""
        return tx.one(_STATUS, (tx.tenant.tenant, export)) is not None

    def import_of(self, tx: Transaction, export: ExportId) -> tuple[str, str, str] | None:
        """Kind, status and archive of what has this id here, held until the transaction ends."""
        return tx.one(_KIND, (tx.tenant.tenant, export))

    def stopped(self, tx: Transaction) -> ExportId | None:
        """The last import that began to fill the tenant and was not done."""
        row = tx.one(_STOPPED, (tx.tenant.tenant,))
        return ExportId(row[0]) if row else None

    def again(self, tx: Transaction, export: ExportId, *, anew: bool) -> None:
        """Queue an import once more: where it stopped, or `anew`; what it added then stays as it is.

        Errors: ImportUnderWay, where another goes on, which may just have begun.
        """
        place = (tx.tenant.tenant, export)
        if anew:
            tx.run(_ANEW, place)
            tx.run(_FORGET_PARTS, place)
        try:
            tx.all(_AGAIN, (tx.now, *place))  # its outcome is waited for, as in `add`
        except errors.UniqueViolation as error:
            raise ImportUnderWay from error

    def owns(self, user: UUID | None, organization: UUID) -> bool:
        """Whether a user owns an organization, whichever it is."""
        return bool(self._database.door(_OWNS, (user, organization)))

    def barred(self, organization: UUID) -> str | None:
        """The state of an organization that lets no archive go; None for others, and where there is none (any more)."""
        values = {
            "states": [state for state in State if not permits(state, Need.EXPORT)],
            "tenant": organization,
            "before": UUID(int=max(organization.int - 1, 0)),
        }
        rows = self._database.door(_BARRED, values)
        return str(rows[0][0]) if rows else None

    def state(self, tx: Transaction) -> str:
        """The tenant's state. Errors: ExportNotFound, where the tenant is gone."""
        row = tx.one(_PRESENT, (tx.tenant.tenant,))
        if row is None:
            raise ExportNotFound
        return str(row[0])

    def waiting(self, tx: Transaction) -> tuple[ExportId, str] | None:
        """The export that is queued or running, and which of these."""
        row = tx.one(_WAITING, (tx.tenant.tenant,))
        return (ExportId(row[0]), str(row[1])) if row else None

    def shown(self, tx: Transaction, export: ExportId) -> bytes:
        """The JSON of an export as this transaction leaves it. Errors: ExportNotFound."""
        row = tx.one(_SHOW, (tx.tenant.tenant, export))
        if row is None:
            raise ExportNotFound
        return str(row[0]).encode()

    def show(self, tenant: TenantContext, export: ExportId) -> bytes:
        """The JSON of an export. Errors: ExportNotFound."""
        rows = self._database.read(tenant, _SHOW, (tenant.tenant, export))
        if not rows:
            raise ExportNotFound
        return str(rows[0][0]).encode()

    def page(self, tenant: TenantContext, *, after: UUID | None, limit: int) -> list[tuple[str, UUID]]:
        """JSON and id of exports, newest first."""
        values = {"tenant": tenant.tenant, "after": after, "limit": limit}
        return [(row[0], row[1]) for row in self._database.read(tenant, _PAGE, values)]

    def archive(self, tenant: TenantContext, export: ExportId) -> str:
        """The object to load down. Errors: ExportNotFound, ExportNotReady."""
        rows = self._database.read(tenant, _READY, (self._database.clock(), tenant.tenant, export))
        if not rows:
            raise ExportNotFound
        if not rows[0][1]:
            raise ExportNotReady
        return str(rows[0][0])

    def delete(self, tx: Transaction, export: ExportId) -> str:
        """Forget an export or an import, in whatever state; answers which of them it is. Errors: ExportNotFound."""
        row = tx.one(_DELETE, (tx.now, tx.now, tx.tenant.tenant, export))
        if row is None:
            raise ExportNotFound
        return str(row[0])

    def deleted(self, tenant: TenantContext, export: ExportId) -> tuple[str, str] | None:
        """The object and the upload of an export that was deleted; never those of an import, which are another's."""
        query: LiteralString = """
            SELECT archive, coalesce(upload, '') FROM exports
            WHERE tenant_id = %s AND id = %s AND kind = 'export' AND status = 'deleted'"""
        rows = self._database.read(tenant, query, (tenant.tenant, export))
        return (rows[0][0], rows[0][1]) if rows else None

    def claim(self, tx: Transaction, export: ExportId) -> Work:
        """Take an export up where it was left. Errors: Busy, Abandoned."""
        values = {"tenant": tx.tenant.tenant, "id": export, "now": tx.now, "until": tx.now + HELD}
        row = tx.one(_CLAIM, values)
        if row is not None:
            return Work(export, row[0], row[1], msgspec.convert(row[2], Mark), row[3])
        status = tx.one(_STATUS, (tx.tenant.tenant, export))
        if status is not None and status[0] == "running":
            raise Busy
        raise Abandoned

    def is_running(self, tx: Transaction, export: ExportId) -> bool:
        """Whether it is being made."""
        return tx.one(_STATUS, (tx.tenant.tenant, export)) == ("running",)

    def begin(self, tx: Transaction, work: Work, upload: str, sources: int) -> None:
        """Start from the beginning with an upload. Errors: Abandoned."""
        if tx.one(_UPLOAD, (upload, sources, tx.tenant.tenant, work.id)) is None:
            raise Abandoned
        tx.run(_FORGET_PARTS, (tx.tenant.tenant, work.id))

    def note(self, tx: Transaction, work: Work, part: Part | None, mark: Mark, rows: int = 0) -> None:
        """A part is in S3, and the next begins at the mark. Errors: Abandoned."""
        values: dict[str, Any] = {
            "tenant": tx.tenant.tenant,
            "id": work.id,
            "mark": Jsonb(asdict(mark)),
            "done": len(mark.done),
            "rows": sum(file.rows for file in part.files) if part else rows,
            "bytes": part.bytes if part else 0,
            "now": tx.now,
            "until": tx.now + HELD,
        }
        if tx.one(_NOTE, values) is None:
            raise Abandoned
        if part is not None:
            files = Jsonb([asdict(file) for file in part.files])
            tx.run(_PART, (tx.tenant.tenant, work.id, part.number, part.etag, part.bytes, files))

    def parts(self, tenant: TenantContext, export: ExportId) -> list[Part]:
        """The parts that are in S3, in their order."""
        return [
            Part(number, etag, size, msgspec.convert(files, list[File]))
            for number, etag, size, files in self._database.read(tenant, _PARTS, (tenant.tenant, export))
        ]

    def release(self, tx: Transaction, export: ExportId) -> None:
        """Leave the rest to whoever comes next."""
        tx.run(_RELEASE, (tx.tenant.tenant, export))

    def finish(
        self, tx: Transaction, export: ExportId, *, reason: str = "", remark: str = "", keeps: timedelta | None = None
    ) -> dict[str, Any] | None:
        """The export is done, or failed for a reason; answers its numbers, None when it was over before.

        One that is done may have a remark, which stands where else the reason does.
        """
        expires = tx.now + keeps if keeps else None
        values = {
            "tenant": tx.tenant.tenant,
            "id": export,
            "status": "failed" if reason else "done",
            "reason": reason or remark,
            "now": tx.now,
            "expires": expires,
        }
        row = tx.one(_FINISH, values)
        if row is None:
            return None
        return {"rows": row[0], "bytes": row[1], "expires_at": rfc3339(expires) if expires else None}


def etags(parts: Sequence[Part]) -> list[tuple[int, str]]:
    """What S3 is told to put together."""
    return [(part.number, part.etag) for part in parts]
