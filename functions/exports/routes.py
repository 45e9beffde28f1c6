"""The addresses of exports."""

from dataclasses import dataclass

from functions.exports.schemas import CertificateOut, ExportOut, ExportPage, FillIn, ImportIn, LinkOut
from shared.erasure.repository import ErasureRepository
from shared.exports.model import ExportId
from shared.exports.service.imports import Imports
from shared.exports.service.requests import Exports
from tenant_context.context import at_tenant
from tenant_context.postgres import Database, Transaction
from tenant_context.routing import Answer, Call, Proof, Routes
from tenant_context.wire import PageQuery, page

routes = Routes()


@dataclass(frozen=True, slots=True)
class Leaving:
    """What the routes use."""

    exports: Exports
    imports: Imports
    erasures: ErasureRepository
    database: Database
    """For what operators do, each in the tenant concerned."""


@routes.write("POST", "/api/v1/exports", permission="exports.write", answer=ExportOut, status=202, recent=True)
def create(_call: Call[None], tx: Transaction, leaving: Leaving) -> Answer:
    """Ask for an archive of everything your organization has."""
    export, shown = leaving.exports.create(tx)
    return Answer(shown, headers={"location": f"/api/v1/exports/{export}"})


@routes.read("/api/v1/exports", permission="exports.read", query=PageQuery, answer=ExportPage)
def index(call: Call[None], leaving: Leaving) -> Answer:
    """List archives, newest first."""
    query: PageQuery = call.query
    return Answer(page(leaving.exports.page(call.tenant, after=query.after(), limit=query.limit + 1), query.limit))


@routes.read("/api/v1/exports/{export_id}", permission="exports.read", answer=ExportOut)
def show(call: Call[None], leaving: Leaving) -> Answer:
    """Read how far an archive is."""
    return Answer(leaving.exports.show(call.tenant, ExportId(call.id("export_id"))))


@routes.read("/api/v1/exports/{export_id}/download", permission="exports.write", answer=LinkOut, recent=True)
def download(call: Call[None], leaving: Leaving) -> Answer:
    """Get an address to load an archive down from."""
    return Answer(
        leaving.exports.link(call.tenant, ExportId(call.id("export_id"))), headers={"cache-control": "no-store"}
    )


@routes.write("DELETE", "/api/v1/exports/{export_id}", permission="exports.write", status=204, recent=True)
def delete(call: Call[None], tx: Transaction, leaving: Leaving) -> Answer:
    """Delete an archive, or stop its making."""
    leaving.exports.delete(tx, ExportId(call.id("export_id")))
    return Answer(None, status=204)


@routes.write(
    "POST", "/api/v1/imports", permission="exports.write", body=ImportIn, answer=ExportOut, status=202, recent=True
)
def fill(call: Call[ImportIn], tx: Transaction, leaving: Leaving) -> Answer:
    """Fill your organization, which is empty yet, from an archive of another one that you own too."""
    body = call.body
    shown = leaving.imports.by_owner(tx, body.organization, ExportId(body.export))
    return Answer(shown, headers={"location": f"/api/v1/exports/{body.export}"})


@routes.act("POST", "/api/v1/operator/imports", proof=Proof.OPERATOR, body=FillIn, answer=ExportOut, status=202)
def fill_any(call: Call[FillIn], leaving: Leaving) -> Answer:
    """Fill an organization, which is empty yet, from an archive."""
    body = call.body
    with leaving.database.transaction(at_tenant(call.tenant, body.into)) as tx:
        shown = leaving.imports.ask(tx, body.organization, ExportId(body.export))
    return Answer(shown)


@routes.read("/api/v1/operator/erasures/{organization_id}", proof=Proof.OPERATOR, answer=CertificateOut)
def certificate(call: Call[None], leaving: Leaving) -> Answer:
    """Read what was erased of an organization that has gone."""
    return Answer(leaving.erasures.certificate(at_tenant(call.tenant, call.id("organization_id"))))
