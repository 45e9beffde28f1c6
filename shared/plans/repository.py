"""Limits and grants in PostgreSQL."""

from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import UUID

from psycopg import errors

from shared.plans import rules
from shared.plans.errors import OrganizationClosed, OrganizationUnknown
from shared.plans.model import Allowances, Feature, Grant, Held, Kind, Limit
from tenant_context.context import TenantContext
from tenant_context.plans import COUNTED
from tenant_context.postgres import Database, Transaction
from tenant_context.states import State

_ALLOWANCES: LiteralString = """
    SELECT t.plan,
           ARRAY(SELECT f FROM unnest(%(features)s::text[]) f WHERE app.has_feature(t.tenant_id, f, %(now)s)),
           l.name, l.allowed, l.used, l.granted, l.ends_at
    FROM tenants t, app.limits(t.tenant_id, %(limits)s, %(now)s) l
    WHERE t.tenant_id = %(tenant)s"""
_ADD: LiteralString = """
    INSERT INTO grants (tenant_id, id, kind, name, amount, reason, created_at, until)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
    RETURNING (SELECT t.status FROM tenants t WHERE t.tenant_id = grants.tenant_id)"""
_ALL: LiteralString = """
    SELECT id, kind, name, amount, reason, created_at, until, revoked_at FROM grants WHERE tenant_id = %s ORDER BY id"""
_HELD: LiteralString = """
    SELECT t.plan, g.id, g.kind, g.name, g.amount, g.reason, g.created_at, g.until, g.revoked_at
    FROM tenants t LEFT JOIN grants g
      ON g.tenant_id = t.tenant_id AND g.revoked_at IS NULL AND (g.until IS NULL OR g.until > %(now)s)
    WHERE t.tenant_id = %(tenant)s ORDER BY g.id"""
_STORED: LiteralString = """
    SELECT b.kind, sum(p.stored + p.revised)::bigint FROM ingest_batches b
    JOIN ingest_parts p ON p.tenant_id = b.tenant_id AND p.batch_id = b.id
    WHERE b.tenant_id = %s GROUP BY b.kind"""
_REVOKE: LiteralString = """
    UPDATE grants SET revoked_at = %s WHERE tenant_id = %s AND id = %s AND revoked_at IS NULL RETURNING name"""


class HeldRepository:
    """What the transaction's tenant holds: its plan with what was granted, and how much it keeps."""

    def held(self, tx: Transaction) -> Held:
        """The plan, and grants in force. Errors: OrganizationUnknown."""
        return _held(tx.all(_HELD, {"tenant": tx.tenant.tenant, "now": tx.now}))

    def size(self, tx: Transaction) -> int:
        """About how many bytes are kept of what was pushed."""
        return rules.size({row[0]: row[1] for row in tx.all(_STORED, (tx.tenant.tenant,))})


class PlanRepository:
    """What one tenant may have."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def allowances(self, tenant: TenantContext, features: tuple[str, ...]) -> Allowances:
        """Limits with their usage, and features. Errors: OrganizationUnknown."""
        values = {
            "tenant": tenant.tenant,
            "features": list(features),
            "limits": list(COUNTED),
            "now": self._database.clock(),
        }
        rows = self._database.read(tenant, _ALLOWANCES, values)
        if not rows:
            raise OrganizationUnknown
        limits = tuple(
            Limit(name, allowed, used, "grant" if granted else "plan", ends_at)
            for _, _, name, allowed, used, granted, ends_at in rows
        )
        return Allowances(rows[0][0], limits, tuple(Feature(one, one in rows[0][1]) for one in features))

    def held(self, tenant: TenantContext) -> Held:
        """The plan, and grants in force. Errors: OrganizationUnknown."""
        values = {"tenant": tenant.tenant, "now": self._database.clock()}
        return _held(self._database.read(tenant, _HELD, values))

    def size(self, tenant: TenantContext) -> int:
        """About how many bytes are kept of what was pushed."""
        return rules.size({row[0]: row[1] for row in self._database.read(tenant, _STORED, (tenant.tenant,))})

    def add(self, tx: Transaction, grant: Grant) -> None:
        """A new grant. Errors: OrganizationUnknown, OrganizationClosed."""
        one = grant
        values = (one.id, one.kind, one.name, one.amount, one.reason, one.created_at, one.until)
        try:
            row = tx.one(_ADD, (tx.tenant.tenant, *values))
        except errors.ForeignKeyViolation as error:
            raise OrganizationUnknown from error
        if row is None or row[0] == State.CLOSED:
            raise OrganizationClosed

    def all(self, tenant: TenantContext) -> list[Grant]:
        """Every grant there was, oldest first."""
        return [Grant(row[0], Kind(row[1]), *row[2:]) for row in self._database.read(tenant, _ALL, (tenant.tenant,))]

    def revoke(self, tx: Transaction, grant: UUID) -> str | None:
        """Take one back; answers what it was of, None where there is none."""
        row = tx.one(_REVOKE, (tx.now, tx.tenant.tenant, grant))
        return str(row[0]) if row else None


def _held(rows: Sequence[tuple[Any, ...]]) -> Held:
    if not rows:
        raise OrganizationUnknown
    return Held(rows[0][0], tuple(Grant(row[1], Kind(row[2]), *row[3:]) for row in rows if row[1] is not None))
