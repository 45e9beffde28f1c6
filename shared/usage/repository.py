"""Usage in PostgreSQL: each event once, its sums moved with it, and the parts that Stripe is told of."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import LiteralString

from shared.usage.model import Month, Push, Use
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction
from tenant_context.states import State

_RECORD: LiteralString = """
    WITH fresh AS (
        INSERT INTO usage_events (tenant_id, source, id, meter, at, quantity, received_at)
        VALUES (%(tenant)s, %(source)s, %(id)s, %(meter)s, %(at)s, %(quantity)s, %(now)s)
        ON CONFLICT (tenant_id, source, id) DO NOTHING
        RETURNING meter, at, quantity
    ), hours AS (
        INSERT INTO usage_hourly AS h (tenant_id, meter, hour, quantity)
        SELECT %(tenant)s, meter, date_trunc('hour', at, 'UTC'), quantity FROM fresh
        ON CONFLICT (tenant_id, meter, hour) DO UPDATE SET quantity = h.quantity + excluded.quantity
    )
    INSERT INTO usage_monthly AS m (tenant_id, meter, month, quantity)
    SELECT %(tenant)s, meter, date_trunc('month', at, 'UTC')::date, quantity FROM fresh
    ON CONFLICT (tenant_id, meter, month) DO UPDATE SET quantity = m.quantity + excluded.quantity"""
_RECORD_MANY: LiteralString = """
    WITH fresh AS (
        INSERT INTO usage_events (tenant_id, source, id, meter, at, quantity, received_at)
        SELECT %(tenant)s, source, id, meter, at, quantity, %(now)s
        FROM unnest(%(sources)s::text[], %(ids)s::text[], %(meters)s::text[], %(moments)s::timestamptz[],
                    %(quantities)s::bigint[]) AS u (source, id, meter, at, quantity)
        ORDER BY source, id
        ON CONFLICT (tenant_id, source, id) DO NOTHING
        RETURNING meter, at, quantity
    ), hours AS (
        INSERT INTO usage_hourly AS h (tenant_id, meter, hour, quantity)
        SELECT %(tenant)s, meter, date_trunc('hour', at, 'UTC') AS hour, sum(quantity)
        FROM fresh GROUP BY meter, hour ORDER BY meter, hour
        ON CONFLICT (tenant_id, meter, hour) DO UPDATE SET quantity = h.quantity + excluded.quantity
    )
    INSERT INTO usage_monthly AS m (tenant_id, meter, month, quantity)
    SELECT %(tenant)s, meter, date_trunc('month', at, 'UTC')::date AS month, sum(quantity)
    FROM fresh GROUP BY meter, month ORDER BY meter, month
    ON CONFLICT (tenant_id, meter, month) DO UPDATE SET quantity = m.quantity + excluded.quantity"""
_PLAN: LiteralString = """
    WITH due AS (
        UPDATE usage_hourly SET planned = quantity, parts = parts + 1
        WHERE tenant_id = %(tenant)s AND hour <= %(closed)s AND quantity > planned
        RETURNING meter, hour, quantity - old.planned AS quantity, parts
    ), made AS (
        INSERT INTO usage_pushes (tenant_id, meter, hour, part, quantity, created_at)
        SELECT %(tenant)s, meter, hour, parts, quantity, %(now)s FROM due RETURNING 1
    )
    SELECT count(*) FROM made"""
_WAITING: LiteralString = """
    SELECT meter, hour, part, quantity FROM usage_pushes
    WHERE tenant_id = %s AND state = 'waiting' ORDER BY hour, meter, part LIMIT %s"""
_MARK: LiteralString = """
    UPDATE usage_pushes SET state = %(state)s, reason = %(reason)s, pushed_at = %(now)s
    WHERE tenant_id = %(tenant)s AND meter = %(meter)s AND hour = %(hour)s AND part = %(part)s AND state = 'waiting'"""
_CUSTOMER: LiteralString = "SELECT stripe_customer_id FROM tenants WHERE tenant_id = %s"
_STATE: LiteralString = "SELECT status FROM tenants WHERE tenant_id = %s"
_MONTHS: LiteralString = "SELECT meter, month, quantity FROM usage_monthly WHERE tenant_id = %s AND month >= %s"
_ALERT: LiteralString = """
    INSERT INTO usage_alerts (tenant_id, meter, month, threshold, at) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (tenant_id, meter, month, threshold) DO NOTHING RETURNING 1"""
_SHOW: LiteralString = """
    SELECT t.plan, m.meter, m.quantity,
           (SELECT coalesce(sum(p.quantity), 0)::bigint FROM usage_pushes p
            WHERE p.tenant_id = t.tenant_id AND p.meter = m.meter AND p.state = 'pushed'
              AND p.hour >= %(month)s::date::timestamp AT TIME ZONE 'UTC'
              AND p.hour < (%(month)s::date + interval '1 month') AT TIME ZONE 'UTC'),
           ARRAY(SELECT a.threshold::integer FROM usage_alerts a
                 WHERE a.tenant_id = t.tenant_id AND a.meter = m.meter AND a.month = %(month)s ORDER BY 1)
    FROM tenants t LEFT JOIN usage_monthly m ON m.tenant_id = t.tenant_id AND m.month = %(month)s
    WHERE t.tenant_id = %(tenant)s ORDER BY m.meter"""
_HOURS: LiteralString = """
    SELECT hour, quantity FROM usage_hourly
    WHERE tenant_id = %s AND meter = %s AND hour >= %s AND hour < %s ORDER BY hour"""
_IS_RECORDED: LiteralString = "SELECT FROM usage_events WHERE tenant_id = %s AND source = %s AND id = %s"
_OF_MONTH: LiteralString = """
    SELECT coalesce(max(quantity), 0) FROM usage_monthly WHERE tenant_id = %s AND meter = %s AND month = %s"""
_FORGET: LiteralString = """
    WITH gone AS (DELETE FROM usage_events WHERE tenant_id = %s AND received_at < %s RETURNING 1)
    SELECT count(*) FROM gone"""


class UsageRepository:
    """The ledger of one tenant at a time."""

    def record(self, tx: Transaction, use: Use) -> None:
        """Queue something that was used; what was recorded before changes nothing.

        The sums' rows stay locked until the transaction ends, so this comes last in it.
        """
        values = {
            "tenant": tx.tenant.tenant,
            "source": use.source,
            "id": use.id,
            "meter": use.meter,
            "at": use.at,
            "quantity": use.quantity,
            "now": tx.now,
        }
        tx.run(_RECORD, values)

    def plan(self, tx: Transaction, closed: datetime) -> int:
        """Make pushes of what was used up to an hour and not planned yet; answers how many."""
        row = tx.one(_PLAN, {"tenant": tx.tenant.tenant, "closed": closed, "now": tx.now})
        return int(row[0]) if row else 0

    def waiting(self, database: Database, tenant: TenantContext, limit: int) -> list[Push]:
        """Pushes that Stripe has not taken yet, oldest first."""
        return [Push(*row) for row in database.read(tenant, _WAITING, (tenant.tenant, limit))]

    def mark(self, tx: Transaction, push: Push, state: str, reason: str) -> None:
        """Queue what became of a push."""
        values = {"meter": push.meter, "hour": push.hour, "part": push.part, "state": state, "reason": reason}
        tx.run(_MARK, {"tenant": tx.tenant.tenant, "now": tx.now, **values})

    def customer(self, database: Database, tenant: TenantContext) -> str | None:
        """Whom Stripe knows the tenant as."""
        rows = database.read(tenant, _CUSTOMER, (tenant.tenant,))
        return rows[0][0] if rows else None

    def state(self, tx: Transaction) -> State:
        """What the tenant is; one that is gone is closed."""
        row = tx.one(_STATE, (tx.tenant.tenant,))
        return State(row[0]) if row else State.CLOSED

    def months(self, tx: Transaction, since: date) -> list[tuple[str, date, int]]:
        """Meter, month and quantity, from a month on."""
        return [(row[0], row[1], row[2]) for row in tx.all(_MONTHS, (tx.tenant.tenant, since))]

    def alert(self, tx: Transaction, meter: str, month: date, threshold: int) -> bool:
        """Note an alert; False where it was given before."""
        return tx.one(_ALERT, (tx.tenant.tenant, meter, month, threshold, tx.now)) is not None

    def show(self, database: Database, tenant: TenantContext, month: date) -> tuple[str, list[Month]]:
        """The plan, and every meter that was used in the month."""
        rows = database.read(tenant, _SHOW, {"tenant": tenant.tenant, "month": month})
        return (str(rows[0][0]) if rows else ""), [Month(*row[1:]) for row in rows if row[1] is not None]

    def hours(
        self, database: Database, tenant: TenantContext, meter: str, start: datetime, end: datetime
    ) -> list[tuple[datetime, int]]:
        """A meter's hours, those without any left out."""
        return [(row[0], row[1]) for row in database.read(tenant, _HOURS, (tenant.tenant, meter, start, end))]

    def is_recorded(self, tx: Transaction, source: str, name: str) -> bool:
        """Whether a source's event is in the ledger."""
        return tx.one(_IS_RECORDED, (tx.tenant.tenant, source, name)) is not None

    def of_month(self, tx: Transaction, meter: str, month: date) -> int:
        """A meter's month so far."""
        row = tx.one(_OF_MONTH, (tx.tenant.tenant, meter, month))
        return int(row[0]) if row else 0

    def forget(self, tx: Transaction, before: datetime) -> int:
        """Remove events that nobody sends again; their sums stay."""
        row = tx.one(_FORGET, (tx.tenant.tenant, before))
        return int(row[0]) if row else 0

    def record_all(self, tx: Transaction, uses: Sequence[Use]) -> None:
        """Queue several in one statement, always in one order, so that two transactions never wait for each other."""
        if len(uses) == 1:
            self.record(tx, uses[0])
        elif uses:
            values = {
                "tenant": tx.tenant.tenant,
                "sources": [use.source for use in uses],
                "ids": [use.id for use in uses],
                "meters": [use.meter for use in uses],
                "moments": [use.at for use in uses],
                "quantities": [use.quantity for use in uses],
                "now": tx.now,
            }
            tx.run(_RECORD_MANY, values)
