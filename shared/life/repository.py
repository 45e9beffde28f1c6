"""A tenant's state in PostgreSQL: columns of its own row."""

from typing import LiteralString

from shared.life.errors import TenantNotFound
from shared.life.model import Hold, Standing, Wish
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Row, Transaction
from tenant_context.states import State

_SHOW: LiteralString = """
    SELECT status, status_reason, coalesce(status_since, created_at), closes_at, reopens_as,
           dunning_stage = 'suspended', wished_closes_at, wished_by, held_state, held_reason, held_since
    FROM tenants WHERE tenant_id = %s"""
_LOCK: LiteralString = f"{_SHOW} FOR NO KEY UPDATE"
_SAVE: LiteralString = """
    UPDATE tenants SET status = %s, status_reason = %s, status_since = %s, closes_at = %s, reopens_as = %s,
           wished_closes_at = %s, wished_by = %s, version = version + 1, updated_at = %s
    WHERE tenant_id = %s"""
_HOLD: LiteralString = """
    UPDATE tenants SET held_state = %s, held_reason = %s, held_since = %s, version = version + 1, updated_at = %s
    WHERE tenant_id = %s"""
_ROLE: LiteralString = "SELECT role FROM memberships WHERE tenant_id = %s AND user_id = %s FOR SHARE"


class LifeRepository:
    """The state of the transaction's tenant."""

    def lock(self, tx: Transaction) -> Standing:
        """Where it stands, held until the transaction ends. Errors: TenantNotFound."""
        return _standing(tx.one(_LOCK, (tx.tenant.tenant,)))

    def read(self, database: Database, tenant: TenantContext) -> Standing:
        """Where a tenant stands. Errors: TenantNotFound."""
        rows = database.read(tenant, _SHOW, (tenant.tenant,))
        return _standing(rows[0] if rows else None)

    def save(self, tx: Transaction, standing: Standing) -> None:
        """Queue where it stands now."""
        one = standing
        values = (one.state, one.reason, one.since, one.closes_at, one.reopens_as)
        wish = (one.wish.closes_at, one.wish.by) if one.wish else (None, None)
        tx.run(_SAVE, (*values, *wish, tx.now, tx.tenant.tenant))

    def hold(self, tx: Transaction, hold: Hold | None) -> None:
        """Queue what an operator orders; None lifts it."""
        values = (hold.state, hold.reason, hold.since) if hold else (None, None, None)
        tx.run(_HOLD, (*values, tx.now, tx.tenant.tenant))

    def is_owner(self, tx: Transaction) -> bool:
        """Whether the caller owns it, by what PostgreSQL says now."""
        row = tx.one(_ROLE, (tx.tenant.tenant, tx.tenant.user))
        return row is not None and row[0] == "owner"


def _standing(row: Row | None) -> Standing:
    if row is None:
        raise TenantNotFound
    state, reason, since, closes_at, reopens_as, in_debt, wished, by, held, *why = row
    hold = Hold(State(held), *why) if held else None
    wish = Wish(wished, by) if wished else None
    before = State(reopens_as) if reopens_as else None
    return Standing(State(state), reason, since, closes_at, before, hold, wish, in_debt)
