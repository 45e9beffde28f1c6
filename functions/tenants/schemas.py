"""The wire's shapes of organizations."""

from typing import Literal
from uuid import UUID

from tenant_context.wire import Email, In, Name, Out


class OrganizationIn(In):
    """What of an organization can be changed."""

    name: Name


class SecurityIn(In):
    """What the organization asks of its users' log-ins."""

    mfa_required: bool


class RoleIn(In):
    """A member's role from now on."""

    role: Literal["owner", "admin", "manager", "member", "viewer"]


class InvitationIn(In):
    """Whom to ask to join, and as what."""

    email: Email
    role: Literal["owner", "admin", "manager", "member", "viewer"]


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


class OrganizationOut(Out):
    """An organization."""

    id: UUID
    slug: str
    name: str
    plan: str
    status: str
    billing: BillingOut
    mfa_required: bool
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


class AuditEntry(Out):
    """Who did what, when, in which request."""

    id: UUID
    at: str
    actor: str
    action: str
    subject: str
    request_id: str
    details: dict[str, object]


class AuditPage(Out):
    """A page of the audit log, newest first."""

    items: list[AuditEntry]
    next_cursor: str | None
