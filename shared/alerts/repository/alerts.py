"""Alerts in PostgreSQL."""

from typing import LiteralString
from uuid import UUID

from shared.alerts.errors import AlertNotFound
from shared.alerts.model import Alert, Reading
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction

_COLUMNS: LiteralString = """
    a.id, a.rule_id, r.name, a.site_id, r.condition ->> 'kind', r.severity, a.status, a.reason, a.value, a.measured_at,
    a.message, a.note, a.opened_at, a.acknowledged_at, a.acknowledged_by, a.resolved_at"""
_FROM: LiteralString = "alerts a JOIN alert_rules r ON r.tenant_id = a.tenant_id AND r.id = a.rule_id"
_SHOW: LiteralString = f"SELECT {_COLUMNS} FROM {_FROM} WHERE a.tenant_id = %s AND a.id = %s"
_LOCK: LiteralString = f"{_SHOW} FOR UPDATE OF a"
_PAGE: LiteralString = f"""
    SELECT {_COLUMNS} FROM {_FROM}
    WHERE a.tenant_id = %(tenant)s AND (%(after)s::uuid IS NULL OR a.id < %(after)s)
      AND (%(site)s::uuid IS NULL OR a.site_id = %(site)s) AND (%(rule)s::uuid IS NULL OR a.rule_id = %(rule)s)
      AND (%(status)s::text IS NULL OR a.status = %(status)s)
    ORDER BY a.id DESC LIMIT %(limit)s"""
_CURRENT: LiteralString = f"""
    SELECT {_COLUMNS} FROM {_FROM}
    WHERE a.tenant_id = %(tenant)s AND a.status <> 'resolved' AND a.rule_id = %(rule)s
      AND (%(site)s::uuid IS NULL OR a.site_id = %(site)s)
    ORDER BY a.id FOR UPDATE OF a"""
_OPEN: LiteralString = """
    INSERT INTO alerts (tenant_id, id, rule_id, site_id, status, value, measured_at, message, opened_at)
    VALUES (%s, %s, %s, %s, 'open', %s, %s, %s, %s)
    ON CONFLICT (tenant_id, rule_id, site_id) WHERE status <> 'resolved' DO NOTHING RETURNING id"""
_CHANGE: LiteralString = """
    UPDATE alerts SET status = %s, reason = %s, note = %s, acknowledged_at = %s, acknowledged_by = %s, resolved_at = %s
    WHERE tenant_id = %s AND id = %s"""


class AlertRepository:
    """Alerts of one tenant at a time."""

    def show(self, database: Database, tenant: TenantContext, alert: UUID) -> Alert:
        """An alert. Errors: AlertNotFound."""
        rows = database.read(tenant, _SHOW, (tenant.tenant, alert))
        if not rows:
            raise AlertNotFound
        return Alert(*rows[0])

    def page(
        self,
        database: Database,
        tenant: TenantContext,
        *,
        site: UUID | None,
        rule: UUID | None,
        status: str | None,
        after: UUID | None,
        limit: int,
    ) -> list[Alert]:
        """Alerts, newest first."""
        asked = {"site": site, "rule": rule, "status": status, "after": after, "limit": limit}
        return [Alert(*row) for row in database.read(tenant, _PAGE, {**asked, "tenant": tenant.tenant})]

    def lock(self, tx: Transaction, alert: UUID) -> Alert:
        """An alert, held until the transaction ends. Errors: AlertNotFound."""
        row = tx.one(_LOCK, (tx.tenant.tenant, alert))
        if row is None:
            raise AlertNotFound
        return Alert(*row)

    def current(self, tx: Transaction, rule: UUID, site: UUID | None = None) -> list[Alert]:
        """The alerts of a rule that are not resolved, of one place or any, held."""
        values = {"tenant": tx.tenant.tenant, "rule": rule, "site": site}
        return [Alert(*row) for row in tx.all(_CURRENT, values)]

    def open(self, tx: Transaction, alert: UUID, rule: UUID, site: UUID, reading: Reading, message: str) -> bool:
        """A new alert, unless the rule has one of the place; whether it was made."""
        said = (alert, rule, site, reading.value, reading.measured_at, message, tx.now)
        return tx.one(_OPEN, (tx.tenant.tenant, *said)) is not None

    def change(self, tx: Transaction, alert: Alert) -> None:
        """Queue what became of an alert."""
        acknowledged = (alert.acknowledged_at, alert.acknowledged_by)
        said = (alert.status, alert.reason, alert.note, *acknowledged, alert.resolved_at)
        tx.run(_CHANGE, (*said, tx.tenant.tenant, alert.id))
