"""What people and programs ask of uploads; a worker reads them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from shared.uploads.gateway import Files, key_of
from shared.uploads.model import Links, UploadId, Wanted
from shared.uploads.repository import UploadRepository, check_open
from tenant_context.clock import NewId, rfc3339
from tenant_context.context import TenantContext
from tenant_context.entry.queue import Message
from tenant_context.errors import Forbidden
from tenant_context.postgres import Transaction

READ = "read"
Send = Callable[[list[Message]], object]


class Uploads:
    """Takes announcements of files, says where to put them, has them read."""

    def __init__(self, uploads: UploadRepository, files: Files, send: Send, new_id: NewId) -> None:
        self._uploads = uploads
        self._files = files
        self._send = send
        self._new_id = new_id

    def announce(self, tx: Transaction, wanted: Wanted) -> tuple[UploadId, bytes, dict[str, Any]]:
        """Get ready for a file: its id, its JSON and where to put it.

        Errors: NoSuchSensor, TooManyUploads, Forbidden.
        """
        _check_key(tx.tenant)
        upload = UploadId(self._new_id())
        key = key_of(tx.tenant.tenant, upload)
        self._uploads.check(tx, wanted)
        parts = self._files.expect(key, wanted)
        self._uploads.add(tx, upload, wanted, parts)
        return upload, self._uploads.shown(tx, upload), _told(self._files.links(key, wanted, parts, tx.now))

    def links(self, tx: Transaction, upload: UploadId) -> dict[str, Any]:
        """Where to put the file, anew. Errors: UploadNotFound, UploadOver, Forbidden."""
        _check_key(tx.tenant)
        wanted, status, parts = self._uploads.take(tx, upload)
        check_open(status)
        return _told(self._files.links(key_of(tx.tenant.tenant, upload), wanted, parts, tx.now))

    def complete(self, tx: Transaction, upload: UploadId) -> bytes:
        """Have a file read that is there now; asked again while it is read, a worker is told once more.

        Errors: UploadNotFound, UploadOver, UploadIncomplete, Forbidden.
        """
        _check_key(tx.tenant)
        wanted, status, parts = self._uploads.take(tx, upload)
        if status not in {"queued", "reading"}:
            check_open(status)
            self._uploads.queue(tx, upload, self._files.whole(key_of(tx.tenant.tenant, upload), wanted, parts))
        message = Message(tx.tenant.tenant, tx.tenant.request_id, READ, {"upload": str(upload)})
        # After the commit, so that the worker finds the row. Should it fail, the same may be asked again.
        tx.after_commit(lambda: self._send([message]))
        return self._uploads.shown(tx, upload)

    def cancel(self, tx: Transaction, upload: UploadId) -> None:
        """Forget the file; rows of it that are with the queue already stay.

        Errors: UploadNotFound, UploadOver, Forbidden.
        """
        _check_key(tx.tenant)
        _, status, parts = self._uploads.take(tx, upload)
        if status not in {"queued", "reading", "expired"}:
            check_open(status)
        self._uploads.cancel(tx, upload)
        key = key_of(tx.tenant.tenant, upload)
        tx.after_commit(lambda: self._files.remove(tx.tenant.tenant, key, parts or ""))

    def show(self, tenant: TenantContext, upload: UploadId) -> bytes:
        """The JSON of an upload. Errors: UploadNotFound."""
        return self._uploads.show(tenant, upload)

    def page(self, tenant: TenantContext, *, after: UUID | None, limit: int) -> list[tuple[str, UUID]]:
        """JSON and id of uploads, newest first."""
        return self._uploads.page(tenant, after=after, limit=limit)

    def rejected(
        self, tenant: TenantContext, upload: UploadId, *, after: UUID | None, limit: int
    ) -> list[tuple[str, UUID]]:
        """JSON and id of the rows of a file that were refused. Errors: UploadNotFound."""
        return self._uploads.rejected(tenant, upload, after=after, limit=limit)


def _check_key(tenant: TenantContext) -> None:
    """Files hold counts of any sensor: a device's key, which is good for its own alone, may do nothing with them."""
    if tenant.scopes.get("sensor"):
        raise Forbidden("This is the key of a sensor's device; files are uploaded by keys of their own.")


def _told(links: Links) -> dict[str, Any]:
    return {
        "method": "PUT",
        "headers": links.headers,
        "parts": list(links.parts),
        "expires_at": rfc3339(links.expires_at),
    }
