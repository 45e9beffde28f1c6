"""Tenants in PostgreSQL, read as the JSON that PostgreSQL builds."""

from collections.abc import Mapping
from typing import Any, LiteralString
from uuid import UUID

from shared.tenants.errors import OrganizationNotFound
from shared.tenants.model import AuditFilter
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Row, Transaction

_JSON: LiteralString = """
    json_build_object('id', tenant_id, 'slug', slug, 'name', name, 'plan', plan, 'status', status,
                      'status_reason', status_reason,
                      'closes_at', CASE WHEN status = 'closing' THEN app.rfc3339(closes_at) END,
                      'held', CASE WHEN held_state IS NOT NULL
                                   THEN json_build_object('state', held_state, 'reason', held_reason,
                                                          'since', app.rfc3339(held_since)) END,
                      'billing', json_build_object('customer', stripe_customer_id,
                                                   'subscription', stripe_subscription_id,
                                                   'subscription_status', subscription_status,
                                                   'reason', billing_reason),
                      'mfa_required', mfa_required, 'sso_only', sso_only, 'version', version,
                      'created_at', app.rfc3339(created_at), 'updated_at', app.rfc3339(updated_at))::text"""
_SHOW: LiteralString = f"SELECT version, {_JSON} FROM tenants WHERE tenant_id = %s"
_LOCK: LiteralString = "SELECT version FROM tenants WHERE tenant_id = %s FOR UPDATE"
_RENAME: LiteralString = f"""
    UPDATE tenants SET name = %s, version = version + 1, updated_at = %s WHERE tenant_id = %s
    RETURNING version, {_JSON}"""
_SECURE: LiteralString = f"""
    UPDATE tenants SET mfa_required = %s, sso_only = %s, version = version + 1, updated_at = %s WHERE tenant_id = %s
    RETURNING version, {_JSON}"""
_MEMBERS: LiteralString = """
    SELECT json_build_object('user_id', u.user_id, 'email', u.email, 'name', u.name, 'role', m.role,
                             'joined_at', app.rfc3339(m.created_at))::text, u.user_id
    FROM memberships m JOIN users u USING (user_id)
    WHERE m.tenant_id = %(tenant)s AND (%(after)s::uuid IS NULL OR u.user_id > %(after)s)
    ORDER BY u.user_id LIMIT %(limit)s"""
_AUDIT: LiteralString = """
    SELECT json_build_object('id', id, 'at', app.rfc3339(at), 'actor', actor, 'action', action, 'subject', subject,
                             'request_id', request_id, 'source_ip', source_ip, 'details', details)::text, id
    FROM audit_log
    WHERE tenant_id = %(tenant)s AND (%(after)s::uuid IS NULL OR id < %(after)s)
          AND (%(action)s::text IS NULL OR action = %(action)s OR action LIKE %(area)s)
          AND (%(actor)s::text IS NULL OR actor = %(actor)s)
          AND (%(subject)s::text IS NULL OR subject = %(subject)s)
          AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
          AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
    ORDER BY id DESC LIMIT %(limit)s"""


class TenantRepository:
    """The caller's own tenant: there is no way to ask for another."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def show(self, tenant: TenantContext) -> tuple[int, bytes]:
        """Version and JSON."""
        rows = self._database.read(tenant, _SHOW, (tenant.tenant,))
        if not rows:
            raise OrganizationNotFound
        return rows[0][0], rows[0][1].encode()

    def name(self, tx: Transaction) -> str:
        """What the tenant is called."""
        row = tx.one("SELECT name FROM tenants WHERE tenant_id = %s", (tx.tenant.tenant,))
        if row is None:
            raise OrganizationNotFound
        return str(row[0])

    def lock(self, tx: Transaction) -> int:
        """The version, held until the transaction ends."""
        row = tx.one(_LOCK, (tx.tenant.tenant,))
        if row is None:
            raise OrganizationNotFound
        return int(row[0])

    def rename(self, tx: Transaction, name: str) -> tuple[int, bytes]:
        """Another name, one version later."""
        return self._changed(tx.one(_RENAME, (name, tx.now, tx.tenant.tenant)))

    def secure(self, tx: Transaction, *, mfa_required: bool, sso_only: bool) -> tuple[int, bytes]:
        """Another policy for log-ins, one version later."""
        return self._changed(tx.one(_SECURE, (mfa_required, sso_only, tx.now, tx.tenant.tenant)))

    @staticmethod
    def _changed(row: Row | None) -> tuple[int, bytes]:
        if row is None:
            raise OrganizationNotFound
        return row[0], row[1].encode()

    def members(self, tenant: TenantContext, *, after: UUID | None, limit: int) -> list[tuple[str, UUID]]:
        """JSON and id of the members."""
        return self._page(tenant, _MEMBERS, after, limit)

    def audit(
        self, tenant: TenantContext, wanted: AuditFilter, *, after: UUID | None, limit: int
    ) -> list[tuple[str, UUID]]:
        """JSON and id of the audit log's entries, newest first."""
        action, area = wanted.action, None
        if action is not None and action.endswith(".*"):
            area = action.removesuffix("*").replace("_", r"\_").replace("%", r"\%") + "%"
        values = {
            "action": action,
            "area": area,
            "actor": wanted.actor,
            "subject": wanted.subject,
            "since": wanted.since,
            "until": wanted.until,
        }
        return self._page(tenant, _AUDIT, after, limit, values)

    def _page(
        self,
        tenant: TenantContext,
        query: LiteralString,
        after: UUID | None,
        limit: int,
        more: Mapping[str, Any] | None = None,
    ) -> list[tuple[str, UUID]]:
        values = {"tenant": tenant.tenant, "after": after, "limit": limit, **(more or {})}
        return [(row[0], row[1]) for row in self._database.read(tenant, query, values)]
