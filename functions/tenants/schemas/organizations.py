"""Organizations, their members, roles and invitations."""

from typing import Annotated
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints

from shared.tenants.model import AuditFilter
from tenant_context.wire import Email, In, Moment, Name, Out, PageQuery, Until, no_nul, plain_text

RoleName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,39}$")]
"""owner, admin, manager, member, viewer, or a role of the organization's own making."""
Grant = Annotated[str, StringConstraints(pattern=r"^([a-z]{2,30}|\*)\.([a-z]{2,30}|\*)$")]


class OrganizationIn(In):
    """What of an organization can be changed."""

    name: Name


class SecurityIn(In):
    """What the organization asks of its users' log-ins."""

    mfa_required: bool
    sso_only: bool = False
    """Whether people come in by the organization's identity provider alone; owners with two proofs all the same."""


class RoleIn(In):
    """A member's role from now on."""

    role: RoleName


class RoleChangeIn(In):
    """What a role may do: permissions, with a wildcard on either side of the dot (`campaigns.*`, `*.read`)."""

    description: Annotated[str, StringConstraints(max_length=255), BeforeValidator(plain_text)] = ""
    permissions: Annotated[list[Grant], Field(min_length=1, max_length=100)]


class NewRoleIn(RoleChangeIn):
    """A role of the organization's own making."""

    name: RoleName


class RoleOut(Out):
    """A role; those built in are every organization's."""

    name: str
    description: str
    permissions: list[str]
    version: int
    built_in: bool


class RolesOut(Out):
    """Every role of the organization."""

    items: list[RoleOut]


class InvitationIn(In):
    """Whom to ask to join, and as what."""

    email: Email
    role: RoleName


class InvitationOut(Out):
    """Somebody who was asked to join; `status` is open, accepted, revoked or expired."""

    id: UUID
    email: str
    role: str
    invited_by: UUID
    created_at: str
    expires_at: str
    status: str


class InvitationsPage(Out):
    """A page of invitations, newest first."""

    items: list[InvitationOut]
    next_cursor: str | None


class HeirIn(In):
    """Who becomes the owner."""

    user_id: UUID


class BillingOut(Out):
    """Where the organization's billing stands; `reason` says in words why it is not ready."""

    customer: str | None
    subscription: str | None
    subscription_status: str | None
    reason: str


class HeldOut(Out):
    """What the platform ordered of the organization's state, until it lifts it."""

    state: str
    reason: str
    since: str


class OrganizationOut(Out):
    """An organization; `status_reason` says why it is in its state, `closes_at` until when it can be had back."""

    id: UUID
    slug: str
    name: str
    plan: str
    status: str
    status_reason: str
    closes_at: str | None
    held: HeldOut | None
    billing: BillingOut
    mfa_required: bool
    sso_only: bool
    version: int
    created_at: str
    updated_at: str


class MemberOut(Out):
    """A user in the organization."""

    user_id: UUID
    email: str
    name: str
    role: str
    joined_at: str


class MembersPage(Out):
    """A page of members."""

    items: list[MemberOut]
    next_cursor: str | None


Word = Annotated[str, StringConstraints(min_length=1, max_length=300), BeforeValidator(no_nul)]


class AuditQuery(PageQuery):
    """Which entries; `action` may name a whole area, like `security.*`."""

    action: Word | None = None
    actor: Word | None = None
    subject: Word | None = None
    since: Moment | None = None
    until: Until | None = None

    def wanted(self) -> AuditFilter:
        """The domain's form."""
        return AuditFilter(self.action, self.actor, self.subject, self.since, self.until)


class AuditEntry(Out):
    """Who did what, when, from where, in which request."""

    id: UUID
    at: str
    actor: str
    action: str
    subject: str
    request_id: str
    source_ip: str
    details: dict[str, object]


class AuditPage(Out):
    """A page of the audit log, newest first."""

    items: list[AuditEntry]
    next_cursor: str | None
