"""The addresses of organizations."""

from functions.tenants.schemas import AuditPage, MembersPage, OrganizationIn, OrganizationOut, SecurityIn
from shared.tenants.service import Tenants
from tenant_context.postgres import Transaction
from tenant_context.routing import SIGNED_IN, Answer, Call, Routes, etag
from tenant_context.wire import PageQuery, page

routes = Routes()

_ONE = "/api/v1/organizations/{organization_id}"


@routes.read(_ONE, permission=SIGNED_IN, answer=OrganizationOut)
def show(call: Call[None], tenants: Tenants) -> Answer:
    """Read your organization, with the state of its billing."""
    version, content = tenants.show(call.tenant, call.id("organization_id"))
    return Answer(content, headers=etag(version))


@routes.write("PATCH", _ONE, permission="settings.write", body=OrganizationIn, answer=OrganizationOut)
def rename(call: Call[OrganizationIn], tx: Transaction, tenants: Tenants) -> Answer:
    """Rename your organization."""
    version, content = tenants.rename(tx, call.id("organization_id"), call.body.name, call.expected_version())
    return Answer(content, headers=etag(version))


@routes.write(
    "PUT", _ONE + "/security", permission="settings.write", body=SecurityIn, answer=OrganizationOut, recent=True
)
def secure(call: Call[SecurityIn], tx: Transaction, tenants: Tenants) -> Answer:
    """Ask a second factor of everybody in your organization, or no longer."""
    wanted, version = call.body.mfa_required, call.expected_version()
    version, content = tenants.secure(tx, call.id("organization_id"), mfa_required=wanted, version=version)
    return Answer(content, headers=etag(version))


@routes.read(_ONE + "/members", permission="users.read", query=PageQuery, answer=MembersPage)
def members(call: Call[None], tenants: Tenants) -> Answer:
    """List the members of your organization."""
    query: PageQuery = call.query
    organization = call.id("organization_id")
    rows = tenants.members(call.tenant, organization, after=query.after(), limit=query.limit + 1)
    return Answer(page(rows, query.limit))


@routes.read(_ONE + "/audit", permission="audit.read", query=PageQuery, answer=AuditPage)
def audit(call: Call[None], tenants: Tenants) -> Answer:
    """List what was done in your organization, newest first."""
    query: PageQuery = call.query
    organization = call.id("organization_id")
    rows = tenants.audit(call.tenant, organization, after=query.after(), limit=query.limit + 1)
    return Answer(page(rows, query.limit))
