"""A tenant's state in PostgreSQL: columns of its own row."""

from typing import LiteralString

from shared.life.errors import TenantNotFound
from shared.life.model import Standing
from tenant_context.postgres import Transaction
from tenant_context.states import State

_LOCK: LiteralString = """
    SELECT status, status_reason, coalesce(status_since, created_at), closes_at, reopens_as
    FROM tenants WHERE tenant_id = %s FOR NO KEY UPDATE"""
_SAVE: LiteralString = """
    UPDATE tenants SET status = %s, status_reason = %s, status_since = %s, closes_at = %s, reopens_as = %s,
           version = version + 1, updated_at = %s
    WHERE tenant_id = %s"""
_ROLE: LiteralString = "SELECT role FROM memberships WHERE tenant_id = %s AND user_id = %s FOR SHARE"


class LifeRepository:
    """The state of the transaction's tenant."""

    def lock(self, tx: Transaction) -> Standing:
        """Where it stands, held until the transaction ends. Errors: TenantNotFound."""
        row = tx.one(_LOCK, (tx.tenant.tenant,))
        if row is None:
            raise TenantNotFound
        state, reason, since, closes_at, reopens_as = row
        return Standing(State(state), reason, since, closes_at, State(reopens_as) if reopens_as else None)

    def save(self, tx: Transaction, standing: Standing) -> None:
        """Queue where it stands now."""
        one = standing
        values = (one.state, one.reason, one.since, one.closes_at, one.reopens_as)
        tx.run(_SAVE, (*values, tx.now, tx.tenant.tenant))

    def is_owner(self, tx: Transaction) -> bool:
        """Whether the caller owns it, by what PostgreSQL says now."""
        row = tx.one(_ROLE, (tx.tenant.tenant, tx.tenant.user))
        return row is not None and row[0] == "owner"
