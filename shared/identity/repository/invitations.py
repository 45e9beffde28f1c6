"""Invitations, in PostgreSQL."""

from datetime import datetime
from typing import LiteralString
from uuid import UUID

from psycopg import errors

from shared.identity.errors import AlreadyMember, EmailTaken, OrganizationClosed, SessionEnded, SsoRequired
from shared.identity.model import Invitation
from shared.identity.rules import check_status
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction
from tenant_context.states import Need, permits, refusal

_ADD: LiteralString = """
    INSERT INTO invitations (tenant_id, id, email, role, invited_by, created_at, expires_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s)"""
_PAGE: LiteralString = """
    SELECT id, email, role, invited_by, created_at, expires_at,
           CASE WHEN accepted_at IS NOT NULL THEN 'accepted' WHEN revoked_at IS NOT NULL THEN 'revoked'
                WHEN expires_at <= %(now)s THEN 'expired' ELSE 'open' END
    FROM invitations
    WHERE tenant_id = %(tenant)s AND (%(after)s::uuid IS NULL OR id < %(after)s) ORDER BY id DESC LIMIT %(limit)s"""
_REVOKE: LiteralString = """
    UPDATE invitations SET revoked_at = %s
    WHERE tenant_id = %s AND id = %s AND accepted_at IS NULL AND revoked_at IS NULL RETURNING email"""
_ACCEPT: LiteralString = """
    UPDATE invitations SET accepted_at = %(now)s
    WHERE tenant_id = %(tenant)s AND id = %(id)s AND accepted_at IS NULL AND revoked_at IS NULL
          AND expires_at > %(now)s RETURNING role"""
_IS_OPEN: LiteralString = """
    SELECT 1 FROM invitations
    WHERE tenant_id = %s AND id = %s AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > %s"""
_IS_ACCEPTED: LiteralString = "SELECT 1 FROM invitations WHERE tenant_id = %s AND id = %s AND accepted_at IS NOT NULL"
_IS_MEMBER: LiteralString = "SELECT 1 FROM memberships WHERE tenant_id = %s AND user_id = %s"
_JOIN: LiteralString = """
    INSERT INTO memberships (tenant_id, user_id, role, created_at)
    SELECT %s, user_id, %s, %s FROM users WHERE user_id = %s AND deleted_at IS NULL FOR SHARE RETURNING 1"""
_ADD_USER: LiteralString = """
    INSERT INTO users (user_id, email, name, password_hash, created_at, updated_at, email_verified_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING 1"""


class InvitationRepository:
    """The invitations of one tenant at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, tx: Transaction, invitation: Invitation) -> None:
        """Keep a new one."""
        one = invitation
        values = (tx.tenant.tenant, one.id, one.email, one.role, one.invited_by, one.created_at, one.expires_at)
        tx.run(_ADD, values)

    def page(self, tenant: TenantContext, *, now: datetime, after: UUID | None, limit: int) -> list[Invitation]:
        """Invitations, newest first."""
        values = {"tenant": tenant.tenant, "now": now, "after": after, "limit": limit}
        return [Invitation(*row) for row in self._database.read(tenant, _PAGE, values)]

    def revoke(self, tx: Transaction, invitation: UUID) -> str | None:
        """Take an open one back; answers whose it was, None where there is none."""
        row = tx.one(_REVOKE, (tx.now, tx.tenant.tenant, invitation))
        return str(row[0]) if row else None

    def check_open(self, tx: Transaction) -> None:
        """Whether people may join by invitation at all. Errors: SsoRequired, and those of `check_joining`."""
        self.check_joining(tx)
        row = tx.one("SELECT sso_only FROM tenants WHERE tenant_id = %s", (tx.tenant.tenant,))
        if row and row[0]:
            raise SsoRequired

    def check_joining(self, tx: Transaction) -> None:
        """Whether the organization takes people in.

        Errors: OrganizationClosed, OrganizationSuspended, and what says that it is read-only.
        """
        row = tx.one("SELECT status FROM tenants WHERE tenant_id = %s", (tx.tenant.tenant,))
        if row is None:
            raise OrganizationClosed
        check_status(row[0])
        if not permits(row[0], Need.WRITE):
            raise refusal(row[0])

    def is_open(self, tx: Transaction, invitation: UUID) -> bool:
        """Whether it could be accepted."""
        return tx.one(_IS_OPEN, (tx.tenant.tenant, invitation, tx.now)) is not None

    def is_accepted(self, tx: Transaction, invitation: UUID) -> bool:
        """Whether it was used up by being accepted."""
        return tx.one(_IS_ACCEPTED, (tx.tenant.tenant, invitation)) is not None

    def is_member(self, tx: Transaction, user: UUID) -> bool:
        """Whether the user belongs to the tenant."""
        return tx.one(_IS_MEMBER, (tx.tenant.tenant, user)) is not None

    def accept(self, tx: Transaction, invitation: UUID) -> str | None:
        """Use an open one up; answers the role, None where there is none."""
        row = tx.one(_ACCEPT, {"now": tx.now, "tenant": tx.tenant.tenant, "id": invitation})
        return str(row[0]) if row else None

    def add_user(self, tx: Transaction, user: UUID, email: str, name: str, password_hash: str) -> None:
        """A user who came by a mail, whose address is confirmed by that. Errors: EmailTaken."""
        try:
            tx.one(_ADD_USER, (user, email, name, password_hash, tx.now, tx.now, tx.now))
        except errors.UniqueViolation as error:
            raise EmailTaken from error

    def join(self, tx: Transaction, user: UUID, role: str) -> None:
        """A new member. Errors: AlreadyMember; SessionEnded, for a user who was deleted meanwhile."""
        try:
            joined = tx.one(_JOIN, (tx.tenant.tenant, role, tx.now, user))
        except errors.UniqueViolation as error:
            raise AlreadyMember from error
        if joined is None:
            raise SessionEnded
