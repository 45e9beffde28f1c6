"""Who belongs to a tenant, in PostgreSQL."""

from typing import LiteralString
from uuid import UUID

from tenant_context.permissions import ROLES
from tenant_context.postgres import Transaction

# Owners are locked with the member in question, so that two cannot step down at once.
_LOCK: LiteralString = """
    SELECT user_id, role FROM memberships
    WHERE tenant_id = %s AND (user_id = ANY(%s) OR role = 'owner') ORDER BY user_id FOR UPDATE"""
_HELD: LiteralString = """
    SELECT m.role, r.permissions FROM memberships m
    LEFT JOIN roles r ON r.tenant_id = m.tenant_id AND r.name = m.role
    WHERE m.tenant_id = %s AND m.user_id = %s"""
_WITHDRAW: LiteralString = """
    UPDATE invitations SET revoked_at = %(now)s
    WHERE tenant_id = %(tenant)s AND accepted_at IS NULL AND revoked_at IS NULL
          AND (invited_by = %(user)s OR email = (SELECT email FROM users WHERE user_id = %(user)s))"""
_CHANGE: LiteralString = "UPDATE memberships SET role = %s WHERE tenant_id = %s AND user_id = %s"
_REMOVE: LiteralString = "DELETE FROM memberships WHERE tenant_id = %s AND user_id = %s"


class MemberRepository:
    """The members of the transaction's tenant."""

    def lock(self, tx: Transaction, user: UUID) -> tuple[str | None, int]:
        """The user's role, None for nobody's, and how many owners there are; held until the transaction ends."""
        found = self.lock_all(tx, user)
        return found.get(user), sum(role == "owner" for role in found.values())

    def lock_all(self, tx: Transaction, *users: UUID) -> dict[UUID, str]:
        """The roles of these users and of every owner, locked in one order, so that nobody waits in a circle."""
        return {row[0]: str(row[1]) for row in tx.all(_LOCK, (tx.tenant.tenant, list(users)))}

    def held(self, tx: Transaction) -> frozenset[str]:
        """What the caller may do now, not when the token was issued; of a key, what it carries."""
        if tx.tenant.user is None:
            return tx.tenant.permissions
        row = tx.one(_HELD, (tx.tenant.tenant, tx.tenant.user))
        if row is None:
            return frozenset()
        return ROLES.get(row[0]) or frozenset(row[1] or ())

    def withdraw(self, tx: Transaction, user: UUID) -> None:
        """Revoke the open invitations that a member sent, or that are for their address."""
        tx.run(_WITHDRAW, {"now": tx.now, "tenant": tx.tenant.tenant, "user": user})

    def change(self, tx: Transaction, user: UUID, role: str) -> None:
        """Another role."""
        tx.run(_CHANGE, (role, tx.tenant.tenant, user))

    def remove(self, tx: Transaction, user: UUID) -> None:
        """No member any more."""
        tx.run(_REMOVE, (tx.tenant.tenant, user))
