"""The addresses of uploads."""

import msgspec

from functions.uploads.schemas import (
    LinksOut,
    RefusedRowPage,
    UploadIn,
    UploadPage,
    UploadShown,
    UploadStarted,
)
from shared.uploads.model import UploadId, Wanted
from shared.uploads.service.requests import Uploads
from tenant_context.postgres import Transaction
from tenant_context.routing import Answer, Call, Routes
from tenant_context.wire import PageQuery, page

routes = Routes()


@routes.write(
    "POST", "/api/v1/ingest/uploads", permission="ingest.write", body=UploadIn, answer=UploadStarted, status=201
)
def announce(call: Call[UploadIn], tx: Transaction, uploads: Uploads) -> Answer:
    """Announce a file of counts or receipts of up to 1 GB, and get the addresses to put it, or its parts, to."""
    body = call.body
    wanted = Wanted(body.kind, body.format, body.bytes, body.name, body.sensor)
    upload, shown, links = uploads.announce(tx, wanted)
    kept = {**msgspec.json.decode(shown), "links": None}
    headers = {"location": f"/api/v1/ingest/uploads/{upload}", "cache-control": "no-store"}
    return Answer({**kept, "links": links}, headers=headers, kept=kept)


@routes.read("/api/v1/ingest/uploads", permission="sensors.read", query=PageQuery, answer=UploadPage)
def index(call: Call[None], uploads: Uploads) -> Answer:
    """List uploads, newest first."""
    query: PageQuery = call.query
    return Answer(page(uploads.page(call.tenant, after=query.after(), limit=query.limit + 1), query.limit))


@routes.read("/api/v1/ingest/uploads/{upload_id}", permission="sensors.read", answer=UploadShown)
def show(call: Call[None], uploads: Uploads) -> Answer:
    """Read how far an upload is."""
    return Answer(uploads.show(call.tenant, UploadId(call.id("upload_id"))))


@routes.write("POST", "/api/v1/ingest/uploads/{upload_id}/links", permission="ingest.write", answer=LinksOut)
def links(call: Call[None], tx: Transaction, uploads: Uploads) -> Answer:
    """Get the addresses to put a file to anew, as they are good for fifteen minutes."""
    found = uploads.links(tx, UploadId(call.id("upload_id")))
    return Answer(found, headers={"cache-control": "no-store"}, kept={**found, "parts": []})


@routes.write(
    "POST", "/api/v1/ingest/uploads/{upload_id}/complete", permission="ingest.write", answer=UploadShown, status=202
)
def complete(call: Call[None], tx: Transaction, uploads: Uploads) -> Answer:
    """Say that the file is there, so that it is read; asked again, it is read on where it stuck."""
    return Answer(uploads.complete(tx, UploadId(call.id("upload_id"))))


@routes.read(
    "/api/v1/ingest/uploads/{upload_id}/rejected", permission="sensors.read", query=PageQuery, answer=RefusedRowPage
)
def rejected(call: Call[None], uploads: Uploads) -> Answer:
    """List the rows of a file that were refused, newest first, by their place in the whole file."""
    query: PageQuery = call.query
    upload = UploadId(call.id("upload_id"))
    rows = uploads.rejected(call.tenant, upload, after=query.after(), limit=query.limit + 1)
    return Answer(page(rows, query.limit))


@routes.write("DELETE", "/api/v1/ingest/uploads/{upload_id}", permission="ingest.write", status=204)
def cancel(call: Call[None], tx: Transaction, uploads: Uploads) -> Answer:
    """Cancel an upload and delete its file; rows of it that were taken stay."""
    uploads.cancel(tx, UploadId(call.id("upload_id")))
    return Answer(None, status=204)
