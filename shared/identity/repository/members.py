"""Who belongs to a tenant, in PostgreSQL."""

from typing import LiteralString
from uuid import UUID

from tenant_context.postgres import Transaction

# Owners are locked with the member in question, so that two cannot step down at once.
_LOCK: LiteralString = """
    SELECT user_id, role FROM memberships
    WHERE tenant_id = %s AND (user_id = %s OR role = 'owner') ORDER BY user_id FOR UPDATE"""
_CHANGE: LiteralString = "UPDATE memberships SET role = %s WHERE tenant_id = %s AND user_id = %s"
_REMOVE: LiteralString = "DELETE FROM memberships WHERE tenant_id = %s AND user_id = %s"


class MemberRepository:
    """The members of the transaction's tenant."""

    def lock(self, tx: Transaction, user: UUID) -> tuple[str | None, int]:
        """The user's role, None for nobody's, and how many owners there are; held until the transaction ends."""
        found = {row[0]: str(row[1]) for row in tx.all(_LOCK, (tx.tenant.tenant, user))}
        return found.get(user), sum(role == "owner" for role in found.values())

    def change(self, tx: Transaction, user: UUID, role: str) -> None:
        """Another role."""
        tx.run(_CHANGE, (role, tx.tenant.tenant, user))

    def remove(self, tx: Transaction, user: UUID) -> None:
        """No member any more."""
        tx.run(_REMOVE, (tx.tenant.tenant, user))
