"""Organizations, their members, roles and invitations."""

from functions.tenants.routes.declared import ONE, Organizations, routes
from functions.tenants.schemas.organizations import (
    AuditPage,
    AuditQuery,
    HeirIn,
    InvitationIn,
    InvitationOut,
    InvitationsPage,
    MembersPage,
    NewRoleIn,
    OrganizationIn,
    OrganizationOut,
    RoleChangeIn,
    RoleIn,
    RoleOut,
    RolesOut,
    SecurityIn,
)
from shared.identity.model import Role
from tenant_context.postgres import Transaction
from tenant_context.routing import SIGNED_IN, Answer, Call, etag
from tenant_context.wire import PageQuery, page, page_of


@routes.read(ONE, permission=SIGNED_IN, answer=OrganizationOut)
def show(call: Call[None], organizations: Organizations) -> Answer:
    """Read your organization, with the state of its billing."""
    version, content = organizations.tenants.show(call.tenant, call.id("organization_id"))
    return Answer(content, headers=etag(version))


@routes.write("PATCH", ONE, permission="settings.write", body=OrganizationIn, answer=OrganizationOut)
def rename(call: Call[OrganizationIn], tx: Transaction, organizations: Organizations) -> Answer:
    """Rename your organization."""
    version, content = organizations.tenants.rename(
        tx, call.id("organization_id"), call.body.name, call.expected_version()
    )
    return Answer(content, headers=etag(version))


@routes.write(
    "PUT", ONE + "/security", permission="settings.write", body=SecurityIn, answer=OrganizationOut, recent=True
)
def secure(call: Call[SecurityIn], tx: Transaction, organizations: Organizations) -> Answer:
    """Say how people come in: with a second factor, by your identity provider alone; in force within five seconds."""
    body, version = call.body, call.expected_version()
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    if body.sso_only:
        organizations.providers.check_there_is_one(tx)
    version, content = organizations.tenants.secure(
        tx, call.id("organization_id"), mfa_required=body.mfa_required, sso_only=body.sso_only, version=version
    )
    organizations.providers.outdate(tx)
    return Answer(content, headers=etag(version))


@routes.read(ONE + "/members", permission="users.read", query=PageQuery, answer=MembersPage)
def members(call: Call[None], organizations: Organizations) -> Answer:
    """List the members of your organization."""
    query: PageQuery = call.query
    organization = call.id("organization_id")
    rows = organizations.tenants.members(call.tenant, organization, after=query.after(), limit=query.limit + 1)
    return Answer(page(rows, query.limit))


@routes.write(
    "POST",
    ONE + "/members/{user_id}/role",
    permission="users.write",
    body=RoleIn,
    status=204,
    recent=True,
)
def change_role(call: Call[RoleIn], tx: Transaction, organizations: Organizations) -> Answer:
    """Give a member another role; they log in again. Only owners give and take ownership."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    organizations.members.change_role(tx, call.id("user_id"), call.body.role)
    return Answer()


@routes.write("DELETE", ONE + "/members/{user_id}", permission="users.write", status=204, recent=True)
def remove_member(call: Call[None], tx: Transaction, organizations: Organizations) -> Answer:
    """Take a member out of your organization; their sessions in it end."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    organizations.members.remove(tx, call.id("user_id"))
    return Answer()


@routes.write("POST", ONE + "/leave", permission=SIGNED_IN, status=204, recent=True)
def leave(call: Call[None], tx: Transaction, organizations: Organizations) -> Answer:
    """Leave the organization; its last owner cannot."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    organizations.members.leave(tx)
    return Answer()


@routes.write("POST", ONE + "/owner", permission="users.write", body=HeirIn, status=204, recent=True)
def hand_over(call: Call[HeirIn], tx: Transaction, organizations: Organizations) -> Answer:
    """Hand your ownership over to another member, and become an admin."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    organizations.members.hand_over(tx, call.body.user_id)
    return Answer()


@routes.read(ONE + "/roles", permission="users.read", answer=RolesOut)
def roles(call: Call[None], organizations: Organizations) -> Answer:
    """List the roles of your organization, and what each may do."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    return Answer({"items": organizations.roles.all(call.tenant)})


@routes.write("POST", ONE + "/roles", permission="users.write", body=NewRoleIn, answer=RoleOut, status=201, recent=True)
def add_role(call: Call[NewRoleIn], tx: Transaction, organizations: Organizations) -> Answer:
    """Make a role that may do no more than you may."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    role = Role(call.body.name, call.body.description, tuple(sorted(set(call.body.permissions))), 1)
    organizations.roles.add(tx, role)
    return Answer(role, headers=etag(role.version))


@routes.write("PUT", ONE + "/roles/{role}", permission="users.write", body=RoleChangeIn, answer=RoleOut, recent=True)
def change_role_permissions(call: Call[RoleChangeIn], tx: Transaction, organizations: Organizations) -> Answer:
    """Replace what a role of your organization's own may do; it holds for everybody within five seconds."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    permissions = tuple(sorted(set(call.body.permissions)))
    role = Role(call.path["role"], call.body.description, permissions, call.expected_version())
    changed = organizations.roles.change(tx, role)
    return Answer(changed, headers=etag(changed.version))


@routes.write("DELETE", ONE + "/roles/{role}", permission="users.write", status=204, recent=True)
def remove_role(call: Call[None], tx: Transaction, organizations: Organizations) -> Answer:
    """Remove a role of your organization's own that nobody holds."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    organizations.roles.remove(tx, call.path["role"])
    return Answer()


@routes.write(
    "POST",
    ONE + "/invitations",
    permission="users.write",
    body=InvitationIn,
    answer=InvitationOut,
    status=201,
    recent=True,
)
def invite(call: Call[InvitationIn], tx: Transaction, organizations: Organizations) -> Answer:
    """Ask somebody by mail to join your organization; the invitation is good for seven days, once."""
    name = organizations.tenants.name(tx, call.id("organization_id"))
    return Answer(organizations.invitations.send(tx, call.body.email, call.body.role, name))


@routes.read(ONE + "/invitations", permission="users.read", query=PageQuery, answer=InvitationsPage)
def invitations(call: Call[None], organizations: Organizations) -> Answer:
    """List whom your organization asked to join."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    query: PageQuery = call.query
    found = organizations.invitations.page(call.tenant, after=query.after(), limit=query.limit + 1)
    return Answer(page_of(found, query.limit))


@routes.write("DELETE", ONE + "/invitations/{invitation_id}", permission="users.write", status=204, recent=True)
def revoke_invitation(call: Call[None], tx: Transaction, organizations: Organizations) -> Answer:
    """Take an invitation back."""
    organizations.tenants.check(call.tenant, call.id("organization_id"))
    organizations.invitations.revoke(tx, call.id("invitation_id"))
    return Answer()


@routes.read(ONE + "/audit", permission="audit.read", query=AuditQuery, answer=AuditPage)
def audit(call: Call[None], organizations: Organizations) -> Answer:
    """List what was done in your organization, newest first."""
    query: AuditQuery = call.query
    organization, after = call.id("organization_id"), query.after()
    rows = organizations.tenants.audit(call.tenant, organization, query.wanted(), after=after, limit=query.limit + 1)
    return Answer(page(rows, query.limit))
