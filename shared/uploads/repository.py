"""Uploads in PostgreSQL: what was announced, who reads it, and how far that is."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from shared.uploads.errors import Abandoned, Busy, NoSuchSensor, TooManyUploads, UploadNotFound, UploadOver
from shared.uploads.model import MOST_OPEN, OPEN_HOURS, Mark, Tally, UploadId, Wanted, Work
from shared.uploads.rules.cutting import batches_of
from tenant_context.context import TenantContext
from tenant_context.pages import MOST_BYTES
from tenant_context.postgres import Database, Transaction

HELD = timedelta(minutes=6)
"""How long a claim holds after the last piece: longer than its worker may run, so that it outlives only a crash."""
_KEPT = timedelta(days=7)
"""As the bucket's own rule."""
_STATUS: LiteralString = "CASE WHEN status = 'waiting' AND expires_at <= %(now)s THEN 'expired' ELSE status END"
_JSON: LiteralString = f"""
    'id', id, 'kind', kind, 'format', form, 'name', name, 'sensor', sensor, 'bytes', bytes, 'status', {_STATUS},
    'reason', reason, 'requested_by', requested_by,
    'progress', json_build_object('bytes', bytes_read, 'rows', rows, 'parts', parts),
    'accepted', accepted, 'duplicates', duplicates, 'rejected', rejected,
    'created_at', app.rfc3339(created_at), 'updated_at', app.rfc3339(updated_at),
    'finished_at', app.rfc3339(finished_at), 'expires_at', app.rfc3339(expires_at)"""
_SHOW: LiteralString = f"""
    SELECT json_build_object({_JSON}, 'processed', (
        SELECT json_build_object('parts', count(*), 'stored', coalesce(sum(p.stored), 0),
                                 'unchanged', coalesce(sum(p.unchanged), 0), 'revised', coalesce(sum(p.revised), 0),
                                 'quarantined', coalesce(sum(p.quarantined), 0))
        FROM ingest_parts p
        WHERE p.tenant_id = u.tenant_id AND p.batch_id BETWEEN %(first)s AND %(last)s))::text
    FROM ingest_uploads u WHERE tenant_id = %(tenant)s AND id = %(id)s"""
_PAGE: LiteralString = f"""
    SELECT json_build_object({_JSON})::text, id FROM ingest_uploads
    WHERE tenant_id = %(tenant)s AND (%(after)s::uuid IS NULL OR id < %(after)s) ORDER BY id DESC LIMIT %(limit)s"""
_REJECTED: LiteralString = """
    SELECT shown, id
    FROM (SELECT shown, id, row_number() OVER (ORDER BY id DESC) AS n,
                 sum(octet_length(shown)) OVER (ORDER BY id DESC) - octet_length(shown) AS before
          FROM (SELECT json_build_object('id', id, 'batch', batch_id, 'row', row, 'field', field, 'code', code,
                                         'message', message, 'content', content, 'at', app.rfc3339(at),
                                         'resubmitted_as', resubmitted_as)::text AS shown, id
                FROM rejected_rows
                WHERE tenant_id = %(tenant)s AND batch_id BETWEEN %(first)s AND %(last)s
                  AND (%(after)s::uuid IS NULL OR id < %(after)s)
                ORDER BY id DESC LIMIT %(limit)s) page) weighed
    WHERE before <= %(most)s OR n <= 2 ORDER BY id DESC"""
_OPEN: LiteralString = """
    SELECT count(*) FROM ingest_uploads
    WHERE tenant_id = %s AND status IN ('waiting', 'queued', 'reading') AND (status <> 'waiting' OR expires_at > %s)"""
_ADD: LiteralString = """
    INSERT INTO ingest_uploads (tenant_id, id, kind, form, name, sensor, bytes, status, requested_by, upload,
                                created_at, updated_at, expires_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, 'waiting', %s, %s, %s, %s, %s)"""
_TAKE: LiteralString = f"""
    SELECT kind, form, bytes, name, sensor, {_STATUS}, upload FROM ingest_uploads
    WHERE tenant_id = %(tenant)s AND id = %(id)s FOR UPDATE"""
_QUEUE: LiteralString = """
    UPDATE ingest_uploads SET status = 'queued', etag = %s, received_at = %s, updated_at = %s, expires_at = %s
    WHERE tenant_id = %s AND id = %s"""
_CANCEL: LiteralString = """
    UPDATE ingest_uploads SET status = 'cancelled', finished_at = %s, updated_at = %s, claimed_until = NULL
    WHERE tenant_id = %s AND id = %s"""
_CLAIM: LiteralString = """
    UPDATE ingest_uploads
    SET status = 'reading', claimed_until = %(until)s, run = run + 1, updated_at = %(now)s, reason = ''
    WHERE tenant_id = %(tenant)s AND id = %(id)s AND status IN ('queued', 'reading')
          AND (claimed_until IS NULL OR claimed_until < %(now)s)
    RETURNING kind, form, bytes, name, sensor, etag, received_at, run, mark, rows"""
_IS: LiteralString = "SELECT status FROM ingest_uploads WHERE tenant_id = %s AND id = %s"
_NOTE: LiteralString = """
    UPDATE ingest_uploads
    SET mark = %(mark)s, bytes_read = %(read)s, rows = rows + %(rows)s, accepted = accepted + %(accepted)s,
        duplicates = duplicates + %(duplicates)s, rejected = rejected + %(rejected)s, parts = parts + %(parts)s,
        claimed_until = %(until)s, updated_at = %(now)s
    WHERE tenant_id = %(tenant)s AND id = %(id)s AND status = 'reading' AND run = %(run)s RETURNING 1"""
_RELEASE: LiteralString = """
    UPDATE ingest_uploads SET claimed_until = NULL, reason = %s, updated_at = %s
    WHERE tenant_id = %s AND id = %s AND run = %s AND status = 'reading'"""
_FINISH: LiteralString = """
    UPDATE ingest_uploads SET status = %s, reason = %s, claimed_until = NULL, finished_at = %s, updated_at = %s
    WHERE tenant_id = %s AND id = %s AND run = %s AND status = 'reading'
    RETURNING kind, rows, accepted, duplicates, rejected"""


# A sensor's id, its serial, or that of a device that it was.
_SENSOR: LiteralString = """
    SELECT 1 FROM sensors n WHERE n.tenant_id = %(tenant)s AND n.status = 'active'
       AND (n.serial = %(name)s OR n.id::text = lower(%(name)s) OR EXISTS (
                SELECT FROM sensor_devices d
                WHERE d.tenant_id = n.tenant_id AND d.sensor_id = n.id AND d.serial = %(name)s)) LIMIT 1"""


class UploadRepository:
    """Uploads of one tenant at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @staticmethod
    def check(tx: Transaction, wanted: Wanted) -> None:
        """Raise `NoSuchSensor` where the sensor whose columns a file is read by is not there."""
        if wanted.sensor is not None and not tx.one(_SENSOR, {"tenant": tx.tenant.tenant, "name": wanted.sensor}):
            raise NoSuchSensor

    def add(self, tx: Transaction, upload: UploadId, wanted: Wanted, parts: str | None) -> None:
        """Note a file that is announced. Errors: TooManyUploads."""
        row = tx.one(_OPEN, (tx.tenant.tenant, tx.now))
        if row is not None and row[0] >= MOST_OPEN:
            raise TooManyUploads(f"{MOST_OPEN} uploads are under way, which is the most at once.")
        about = (wanted.kind, wanted.form, wanted.name, wanted.sensor, wanted.bytes, tx.tenant.actor, parts)
        tx.run(_ADD, (tx.tenant.tenant, upload, *about, tx.now, tx.now, tx.now + timedelta(hours=OPEN_HOURS)))

    def take(self, tx: Transaction, upload: UploadId) -> tuple[Wanted, str, str | None]:
        """An upload, its status and what its parts are put to; held until the transaction ends.

        Errors: UploadNotFound.
        """
        row = tx.one(_TAKE, {"tenant": tx.tenant.tenant, "id": upload, "now": tx.now})
        if row is None:
            raise UploadNotFound
        return Wanted(*row[:5]), str(row[5]), row[6]

    def queue(self, tx: Transaction, upload: UploadId, etag: str) -> None:
        """The file is whole, and may be read."""
        tx.run(_QUEUE, (etag, tx.now, tx.now, tx.now + _KEPT, tx.tenant.tenant, upload))

    def cancel(self, tx: Transaction, upload: UploadId) -> None:
        """Nobody wants it read any more."""
        tx.run(_CANCEL, (tx.now, tx.now, tx.tenant.tenant, upload))

    def shown(self, tx: Transaction, upload: UploadId) -> bytes:
        """The JSON of an upload as this transaction leaves it. Errors: UploadNotFound."""
        row = tx.one(_SHOW, _values(tx.tenant, upload) | {"now": tx.now})
        if row is None:
            raise UploadNotFound
        return str(row[0]).encode()

    def show(self, tenant: TenantContext, upload: UploadId) -> bytes:
        """The JSON of an upload. Errors: UploadNotFound."""
        rows = self._database.read(tenant, _SHOW, _values(tenant, upload) | {"now": self._database.clock()})
        if not rows:
            raise UploadNotFound
        return str(rows[0][0]).encode()

    def page(self, tenant: TenantContext, *, after: UUID | None, limit: int) -> list[tuple[str, UUID]]:
        """JSON and id of uploads, newest first."""
        values = {"tenant": tenant.tenant, "after": after, "limit": limit, "now": self._database.clock()}
        return [(row[0], row[1]) for row in self._database.read(tenant, _PAGE, values)]

    def rejected(
        self, tenant: TenantContext, upload: UploadId, *, after: UUID | None, limit: int
    ) -> list[tuple[str, UUID]]:
        """JSON and id of the rows of a file that were refused, newest first. Errors: UploadNotFound.

        Of more than an answer has room for, one.
        """
        self.show(tenant, upload)
        values = _values(tenant, upload) | {"after": after, "limit": limit, "most": MOST_BYTES}
        return [(row[0], row[1]) for row in self._database.read(tenant, _REJECTED, values)]

    def claim(self, tx: Transaction, upload: UploadId) -> Work:
        """Take an upload up where it was left. Errors: Busy, Abandoned."""
        values = {"tenant": tx.tenant.tenant, "id": upload, "now": tx.now, "until": tx.now + HELD}
        row = tx.one(_CLAIM, values)
        if row is not None:
            mark = msgspec.convert(row[8], Mark)
            return Work(upload, Wanted(*row[:5]), row[5], row[6], row[7], mark, row[9])
        status = tx.one(_IS, (tx.tenant.tenant, upload))
        if status is not None and status[0] == "reading":
            raise Busy
        raise Abandoned

    def note(self, tx: Transaction, work: Work, tally: Tally, read: int) -> None:
        """So much of it is with the queue, and the next piece begins at the mark. Errors: Abandoned."""
        values: dict[str, Any] = {
            **{name: getattr(tally, name) for name in ("rows", "accepted", "duplicates", "rejected", "parts")},
            "tenant": tx.tenant.tenant,
            "id": work.id,
            "run": work.run,
            "mark": Jsonb(asdict(work.mark)),
            "read": read,
            "until": tx.now + HELD,
            "now": tx.now,
        }
        if tx.one(_NOTE, values) is None:
            raise Abandoned

    def release(self, tx: Transaction, work: Work, reason: str = "") -> None:
        """Leave the rest to whoever comes next; where it has to wait, say for what."""
        tx.run(_RELEASE, (reason, tx.now, tx.tenant.tenant, work.id, work.run))

    def finish(self, tx: Transaction, work: Work, reason: str = "") -> dict[str, Any]:
        """It is done, or failed for a reason; answers its numbers. Errors: Abandoned."""
        status = "failed" if reason else "done"
        row = tx.one(_FINISH, (status, reason, tx.now, tx.now, tx.tenant.tenant, work.id, work.run))
        if row is None:
            raise Abandoned
        names = ("kind", "rows", "accepted", "duplicates", "rejected")
        return {**dict(zip(names, row, strict=True)), "status": status}


def check_open(status: str) -> None:
    """Raise `UploadOver` for what does not wait for its file."""
    if status == "expired":
        raise UploadOver(f"The file did not come within {OPEN_HOURS} hours; begin another upload.")
    if status != "waiting":
        raise UploadOver(f"The upload is {status}.")


def _values(tenant: TenantContext, upload: UploadId) -> dict[str, Any]:
    first, last = batches_of(upload)
    return {"tenant": tenant.tenant, "id": upload, "first": first, "last": last}
