"""Limits and grants in PostgreSQL."""

from typing import LiteralString
from uuid import UUID

from psycopg import errors

from shared.plans.errors import OrganizationUnknown
from shared.plans.model import Allowances, Feature, Grant, Kind, Limit
from tenant_context.context import TenantContext
from tenant_context.plans import COUNTED
from tenant_context.postgres import Database, Transaction

_ALLOWANCES: LiteralString = """
    SELECT t.plan,
           ARRAY(SELECT f FROM unnest(%(features)s::text[]) f WHERE app.has_feature(t.tenant_id, f, %(now)s)),
           l.name, l.allowed, l.used, l.granted, l.ends_at
    FROM tenants t, app.limits(t.tenant_id, %(limits)s, %(now)s) l
    WHERE t.tenant_id = %(tenant)s"""
_ADD: LiteralString = """
    INSERT INTO grants (tenant_id, id, kind, name, amount, reason, created_at, until)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING 1"""
_ALL: LiteralString = """
    SELECT id, kind, name, amount, reason, created_at, until, revoked_at FROM grants WHERE tenant_id = %s ORDER BY id"""
_REVOKE: LiteralString = """
    UPDATE grants SET revoked_at = %s WHERE tenant_id = %s AND id = %s AND revoked_at IS NULL RETURNING name"""


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

    def add(self, tx: Transaction, grant: Grant) -> None:
        """A new grant. Errors: OrganizationUnknown."""
        one = grant
        values = (one.id, one.kind, one.name, one.amount, one.reason, one.created_at, one.until)
        try:
            tx.one(_ADD, (tx.tenant.tenant, *values))
        except errors.ForeignKeyViolation as error:
            raise OrganizationUnknown from error

    def all(self, tenant: TenantContext) -> list[Grant]:
        """Every grant there was, oldest first."""
        return [Grant(row[0], Kind(row[1]), *row[2:]) for row in self._database.read(tenant, _ALL, (tenant.tenant,))]

    def revoke(self, tx: Transaction, grant: UUID) -> str | None:
        """Take one back; answers what it was of, None where there is none."""
        row = tx.one(_REVOKE, (tx.now, tx.tenant.tenant, grant))
        return str(row[0]) if row else None
