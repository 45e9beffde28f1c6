"""Billing in PostgreSQL: columns of the tenant's own row, and the events that made them."""

from datetime import datetime
from typing import LiteralString

import msgspec
from psycopg.types.json import Jsonb

from shared.billing.errors import TenantMissing
from shared.billing.model import BillingEvent, BillingState, Outcome, Plan, SignUp, Unpaid
from shared.billing.rules import NEVER_BEGAN, OWED_BY, OWING, SETTLED_BY
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Row, Transaction
from tenant_context.states import State

_STATE: LiteralString = """
    SELECT plan, status, billing_reason, billing_as_of, stripe_customer_id, stripe_subscription_id,
           subscription_status, billing_period_end, billing_trial_end, billing_cancels, billing_next_plan,
           dunning_since, dunning_stage, held_state, version, wished_closes_at IS NOT NULL
    FROM tenants WHERE tenant_id = %s"""
_LOCK: LiteralString = f"{_STATE} FOR UPDATE"
# A tenant has one customer, ever: what is there stays.
_SAVE: LiteralString = """
    UPDATE tenants SET plan = %(plan)s, billing_reason = %(reason)s, billing_as_of = %(as_of)s,
           stripe_customer_id = coalesce(stripe_customer_id, %(customer)s),
           stripe_subscription_id = %(subscription)s, subscription_status = %(subscription_status)s,
           billing_period_end = %(period_end)s, billing_trial_end = %(trial_end)s, billing_cancels = %(cancels)s,
           billing_next_plan = %(next_plan)s, dunning_since = %(dunning_since)s, dunning_stage = %(dunning_stage)s,
           version = version + 1, updated_at = %(now)s
    WHERE tenant_id = %(tenant)s"""
_SEEN: LiteralString = "SELECT FROM billing_events WHERE tenant_id = %s AND event_id = %s"
_RECORD: LiteralString = """
    INSERT INTO billing_events (tenant_id, event_id, type, created_at, received_at, applied, outcome, status, data)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (tenant_id, event_id) DO UPDATE SET applied = excluded.applied, outcome = excluded.outcome"""
_NEWEST: LiteralString = """
    SELECT created_at, type FROM billing_events
    WHERE tenant_id = %s AND applied AND starts_with(type, 'invoice.') = %s AND type <> 'billing.failed'
    ORDER BY created_at DESC FETCH FIRST ROW WITH TIES"""
# Whatever order they came in: the first word of owing after the last one of anything better.
_OWING_SINCE: LiteralString = """
    SELECT min(created_at) FROM billing_events
    WHERE tenant_id = %(tenant)s AND status = ANY(%(owing)s)
      AND created_at > coalesce((SELECT max(created_at) FROM billing_events
                                 WHERE tenant_id = %(tenant)s AND status IN ('trialing', 'active', 'paused')),
                                '-infinity')"""
# A set and no order: what is paid or voided once is so for good. Lines of before invoices were named are left out, and
# so is the first invoice of a subscription that never began.
_UNPAID: LiteralString = """
    WITH invoices AS (
        SELECT data->>'invoice' AS invoice, min(created_at) FILTER (WHERE type = ANY(%(owed_by)s)) AS since,
               bool_or(type = ANY(%(settled_by)s)) AS settled
        FROM billing_events
        WHERE tenant_id = %(tenant)s AND type = ANY(%(owed_by)s || %(settled_by)s) AND data->>'invoice' <> ''
              AND data->>'customer' = %(customer)s AND data->>'subscription' IS DISTINCT FROM %(unborn)s
        GROUP BY 1)
    SELECT min(since) FILTER (WHERE NOT settled),
           coalesce((array_agg(invoice ORDER BY since) FILTER (WHERE NOT settled))[1], ''),
           coalesce(bool_and(settled), false)
    FROM invoices WHERE since IS NOT NULL"""
# Of all that came in, followed or not: whatever order it came in, and before the subscription was heard of, too.
_COMPLAINT: LiteralString = """
    SELECT data->>'reason' FROM billing_events
    WHERE tenant_id = %(tenant)s AND type IN ('invoice.payment_failed', 'invoice.paid')
      AND data->>'subscription' = %(subscription)s
    ORDER BY created_at DESC, type = 'invoice.paid' DESC, event_id DESC LIMIT 1"""
_INBOX: LiteralString = """
    SELECT data FROM billing_events
    WHERE tenant_id = %(tenant)s AND data <> '{}' AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)
    ORDER BY created_at, received_at, event_id"""
_REOPEN: LiteralString = """
    UPDATE billing_events SET applied = false, outcome = 'replayed'
    WHERE tenant_id = %(tenant)s AND data <> '{}' AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)"""
_STEP: LiteralString = """
    INSERT INTO dunning_steps (tenant_id, step, since, at)
    SELECT %(tenant)s, %(step)s, %(since)s, %(now)s
    WHERE NOT EXISTS (SELECT FROM dunning_steps WHERE tenant_id = %(tenant)s AND step = %(step)s AND at >= %(since)s)
    ON CONFLICT (tenant_id, step, since) DO NOTHING RETURNING 1"""
_STEPPED: LiteralString = "SELECT max(at) FROM dunning_steps WHERE tenant_id = %s AND step = %s AND since = %s"
_BORN: LiteralString = "SELECT created_at FROM tenants WHERE tenant_id = %s"
_OWNERS: LiteralString = """
    SELECT u.name, u.email, t.name FROM memberships m JOIN users u USING (user_id) JOIN tenants t USING (tenant_id)
    WHERE m.tenant_id = %s AND m.role = 'owner' ORDER BY m.created_at"""

_SIGNED_UP: LiteralString = """
    SELECT t.name, u.email, t.plan, t.slug, t.stripe_customer_id
    FROM tenants t JOIN memberships m USING (tenant_id) JOIN users u USING (user_id)
    WHERE t.tenant_id = %s AND t.created_at <= %s AND m.role = 'owner' ORDER BY m.created_at LIMIT 1"""


class BillingRepository:
    """Reads and writes the billing of one tenant at a time."""

    def lock(self, tx: Transaction) -> BillingState:
        """What is known, held until the transaction ends, so that a tenant's events come one after the other."""
        return _state(tx.one(_LOCK, (tx.tenant.tenant,)), tx.tenant)

    def read(self, database: Database, tenant: TenantContext) -> BillingState:
        """What is known."""
        rows = database.read(tenant, _STATE, (tenant.tenant,))
        return _state(rows[0] if rows else None, tenant)

    def seen(self, tx: Transaction, event: str) -> bool:
        """Whether an event was recorded before; ask only after `lock`."""
        return tx.one(_SEEN, (tx.tenant.tenant, event)) is not None

    def newest(self, tx: Transaction, *, of_invoices: bool) -> list[tuple[datetime, str]]:
        """Time and type of the newest applied event, of invoices or of the subscription; a second may hold several."""
        return [(row[0], row[1]) for row in tx.all(_NEWEST, (tx.tenant.tenant, of_invoices))]

    def record(self, tx: Transaction, event: BillingEvent, outcome: Outcome) -> None:
        """Queue the event's line of the inbox."""
        applied = outcome is Outcome.APPLIED
        data = Jsonb(msgspec.to_builtins(event)) if event.customer else Jsonb({})
        values = (event.id, event.type, event.created, tx.now, applied, outcome, event.status, data)
        tx.run(_RECORD, (tx.tenant.tenant, *values))

    def owing_since(self, tx: Transaction) -> datetime | None:
        """Since when something has been owed, as far as Stripe's events tell."""
        row = tx.one(_OWING_SINCE, {"tenant": tx.tenant.tenant, "owing": list(OWING)})
        return row[0] if row else None

    def unpaid(self, tx: Transaction, state: BillingState) -> Unpaid:
        """Which of the customer's invoices are owed, by all that came in."""
        values = {
            "tenant": tx.tenant.tenant,
            "customer": state.customer,
            "unborn": state.subscription if state.subscription_status in NEVER_BEGAN else None,
            "owed_by": list(OWED_BY),
            "settled_by": list(SETTLED_BY),
        }
        row = tx.one(_UNPAID, values)
        return Unpaid(*row) if row else Unpaid(None, "", settled=False)

    def complaint(self, tx: Transaction, subscription: str) -> str:
        """Why the newest payment for a subscription failed; nothing where it did not."""
        row = tx.one(_COMPLAINT, {"tenant": tx.tenant.tenant, "subscription": subscription})
        return (row[0] or "") if row else ""

    def reopen(self, tx: Transaction, since: datetime | None) -> list[BillingEvent]:
        """The inbox's events since a moment, oldest first, as if none had been followed yet."""
        values = {"tenant": tx.tenant.tenant, "since": since}
        found = [msgspec.convert(row[0], BillingEvent) for row in tx.all(_INBOX, values)]
        tx.run(_REOPEN, values)
        return found

    def step(self, tx: Transaction, name: str, since: datetime) -> bool:
        """Note a step of dunning; False where it was taken before."""
        values = {"tenant": tx.tenant.tenant, "step": name, "since": since, "now": tx.now}
        return tx.one(_STEP, values) is not None

    def stepped(self, tx: Transaction, name: str, since: datetime) -> datetime | None:
        """When a step was taken, if it was."""
        row = tx.one(_STEPPED, (tx.tenant.tenant, name, since))
        return row[0] if row else None

    def born(self, tx: Transaction) -> datetime:
        """When the tenant signed up. Errors: TenantMissing."""
        row = tx.one(_BORN, (tx.tenant.tenant,))
        if row is None:
            raise TenantMissing(f"There is no tenant {tx.tenant.tenant}.")
        born: datetime = row[0]
        return born

    def owners(self, tx: Transaction) -> list[tuple[str, str, str]]:
        """Name and mail address of the owners, and the organization's name."""
        return [(row[0], row[1], row[2]) for row in tx.all(_OWNERS, (tx.tenant.tenant,))]

    def signed_up(self, tx: Transaction, *, before: datetime) -> SignUp | None:
        """What the sign-up asked for, by its first owner; None: it is younger, or its plan is none that is sold."""
        row = tx.one(_SIGNED_UP, (tx.tenant.tenant, before))
        if row is None or row[2] not in set(Plan):
            return None
        name, email, plan, slug, customer = row
        return SignUp(name, email, Plan(plan), slug, customer)

    def save(self, tx: Transaction, state: BillingState) -> None:
        """Queue the new state, but for the tenant's status."""
        tx.run(
            _SAVE,
            {
                "tenant": tx.tenant.tenant,
                "plan": state.plan,
                "reason": state.reason,
                "as_of": state.as_of,
                "customer": state.customer,
                "subscription": state.subscription,
                "subscription_status": state.subscription_status,
                "period_end": state.period_end,
                "trial_end": state.trial_end,
                "cancels": state.cancels,
                "next_plan": state.next_plan,
                "dunning_since": state.dunning_since,
                "dunning_stage": state.dunning_stage,
                "now": tx.now,
            },
        )


def _state(row: Row | None, tenant: TenantContext) -> BillingState:
    if row is None:
        raise TenantMissing(f"There is no tenant {tenant.tenant}.")
    plan, status, *rest, held, version, leaving = row
    rest += [State(held) if held else None, version, leaving]
    return BillingState(plan, State(status), *rest)
