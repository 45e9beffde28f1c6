"""What is told of alerts."""

from dataclasses import replace

from shared.alerts.model import Alert
from shared.alerts.repository.alerts import AlertRepository
from tenant_context.events import Event
from tenant_context.postgres import Transaction


def tell(tx: Transaction, kind: str, alert: Alert) -> None:
    """Emit alert.opened, alert.acknowledged or alert.resolved."""
    data = {
        "id": str(alert.id),
        "rule_id": str(alert.rule_id),
        "site_id": str(alert.site_id),
        "kind": alert.kind,
        "severity": alert.severity,
        "status": alert.status,
        "reason": alert.reason,
        "message": alert.message,
        "value": None if alert.value is None else f"{alert.value.normalize():f}",
    }
    tx.emit(Event(f"alert.{kind}", f"alert/{alert.id}", data))


def resolve(tx: Transaction, alerts: AlertRepository, alert: Alert, reason: str) -> None:
    """Have an alert be over, and tell so."""
    after = replace(alert, status="resolved", reason=reason, resolved_at=tx.now)
    alerts.change(tx, after)
    tell(tx, "resolved", after)
