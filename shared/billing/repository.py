"""Billing in PostgreSQL: columns of the tenant's own row, and the events that made them."""

from datetime import datetime
from typing import LiteralString

from shared.billing.errors import TenantMissing
from shared.billing.model import BillingState, TenantStatus
from tenant_context.postgres import Transaction

_LOCK: LiteralString = """
    SELECT plan, status, billing_reason, billing_as_of, stripe_customer_id, stripe_subscription_id,
           subscription_status
    FROM tenants WHERE tenant_id = %s FOR UPDATE"""
_SAVE: LiteralString = """
    UPDATE tenants SET plan = %(plan)s, status = %(status)s, billing_reason = %(reason)s, billing_as_of = %(as_of)s,
           stripe_customer_id = %(customer)s, stripe_subscription_id = %(subscription)s,
           subscription_status = %(subscription_status)s, version = version + 1, updated_at = %(now)s
    WHERE tenant_id = %(tenant)s"""
_SEEN: LiteralString = "SELECT FROM billing_events WHERE tenant_id = %s AND event_id = %s"
_RECORD: LiteralString = """
    INSERT INTO billing_events (tenant_id, event_id, type, created_at, received_at, applied)
    VALUES (%s, %s, %s, %s, %s, %s)"""
_NEWEST: LiteralString = """
    SELECT created_at, type FROM billing_events
    WHERE tenant_id = %s AND applied AND starts_with(type, 'invoice.') = %s AND type <> 'billing.failed'
    ORDER BY created_at DESC FETCH FIRST ROW WITH TIES"""


class BillingRepository:
    """Reads and writes the billing of one tenant at a time."""

    def lock(self, tx: Transaction) -> BillingState:
        """What is known, held until the transaction ends, so that a tenant's events come one after the other."""
        row = tx.one(_LOCK, (tx.tenant.tenant,))
        if row is None:
            raise TenantMissing(f"There is no tenant {tx.tenant.tenant}.")
        plan, status, reason, as_of, customer, subscription, subscription_status = row
        return BillingState(
            plan=plan,
            status=TenantStatus(status),
            reason=reason,
            as_of=as_of,
            customer=customer,
            subscription=subscription,
            subscription_status=subscription_status,
        )

    def seen(self, tx: Transaction, event: str) -> bool:
        """Whether an event was recorded before; ask only after `lock`."""
        return tx.one(_SEEN, (tx.tenant.tenant, event)) is not None

    def newest(self, tx: Transaction, *, of_invoices: bool) -> list[tuple[datetime, str]]:
        """Time and type of the newest applied event, of invoices or of the subscription; a second may hold several."""
        return [(row[0], row[1]) for row in tx.all(_NEWEST, (tx.tenant.tenant, of_invoices))]

    def record(self, tx: Transaction, event: str, kind: str, created: datetime, *, applied: bool) -> None:
        """Queue the note that an event was here."""
        tx.run(_RECORD, (tx.tenant.tenant, event, kind, created, tx.now, applied))

    def save(self, tx: Transaction, state: BillingState) -> None:
        """Queue the new state."""
        tx.run(
            _SAVE,
            {
                "tenant": tx.tenant.tenant,
                "plan": state.plan,
                "status": state.status,
                "reason": state.reason,
                "as_of": state.as_of,
                "customer": state.customer,
                "subscription": state.subscription,
                "subscription_status": state.subscription_status,
                "now": tx.now,
            },
        )
