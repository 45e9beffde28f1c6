"""The addresses of exports."""

from functions.exports.schemas import ExportOut, ExportPage, LinkOut
from shared.exports.model import ExportId
from shared.exports.service.requests import Exports
from tenant_context.postgres import Transaction
from tenant_context.routing import Answer, Call, Routes
from tenant_context.wire import PageQuery, page

routes = Routes()


@routes.write("POST", "/api/v1/exports", permission="exports.write", answer=ExportOut, status=202, recent=True)
def create(_call: Call[None], tx: Transaction, exports: Exports) -> Answer:
    """Ask for an archive of everything your organization has."""
    export, shown = exports.create(tx)
    return Answer(shown, headers={"location": f"/api/v1/exports/{export}"})


@routes.read("/api/v1/exports", permission="exports.read", query=PageQuery, answer=ExportPage)
def index(call: Call[None], exports: Exports) -> Answer:
    """List archives, newest first."""
    query: PageQuery = call.query
    return Answer(page(exports.page(call.tenant, after=query.after(), limit=query.limit + 1), query.limit))


@routes.read("/api/v1/exports/{export_id}", permission="exports.read", answer=ExportOut)
def show(call: Call[None], exports: Exports) -> Answer:
    """Read how far an archive is."""
    return Answer(exports.show(call.tenant, ExportId(call.id("export_id"))))


@routes.read("/api/v1/exports/{export_id}/download", permission="exports.write", answer=LinkOut, recent=True)
def download(call: Call[None], exports: Exports) -> Answer:
    """Get an address to load an archive down from."""
    return Answer(exports.link(call.tenant, ExportId(call.id("export_id"))), headers={"cache-control": "no-store"})


@routes.write("DELETE", "/api/v1/exports/{export_id}", permission="exports.write", status=204)
def delete(call: Call[None], tx: Transaction, exports: Exports) -> Answer:
    """Delete an archive, or stop its making."""
    exports.delete(tx, ExportId(call.id("export_id")))
    return Answer(None, status=204)
