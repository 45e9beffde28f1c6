"""Runs and housekeeping in PostgreSQL."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from shared.jobs.errors import RunNotFound
from shared.jobs.model import NEEDS, Job
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction
from tenant_context.states import Need, permitting

_PAGE = 500

_TENANTS: LiteralString = "SELECT tenant_id FROM app.tenants_in(%s, %s, %s)"
_DUE: LiteralString = "SELECT tenant_id FROM app.tenants_due(%s, %s, %s, %s, %s)"

# A worker may be done before the transaction that queued the run has committed: whoever is first adds the row.
_INSERT: LiteralString = """
    INSERT INTO job_runs (tenant_id, id, job, status, created_at) VALUES (%s, %s, %s, 'queued', %s)
    ON CONFLICT (tenant_id, id) DO NOTHING"""
_FINISH: LiteralString = """
    INSERT INTO job_runs AS r (tenant_id, id, job, status, detail, created_at, finished_at)
    VALUES (%(tenant)s, %(run)s, %(job)s, %(status)s, %(detail)s, %(now)s, %(now)s)
    ON CONFLICT (tenant_id, id) DO UPDATE
    SET status = excluded.status, detail = excluded.detail, finished_at = excluded.finished_at
    WHERE r.finished_at IS NULL RETURNING id"""
_JSON: LiteralString = """
    json_build_object('id', id, 'job', job, 'status', status, 'detail', detail,
                      'created_at', app.rfc3339(created_at), 'finished_at', app.rfc3339(finished_at))::text"""
_SHOW: LiteralString = f"SELECT {_JSON} FROM job_runs WHERE tenant_id = %s AND id = %s"
_RUNS: LiteralString = f"""
    SELECT {_JSON}, id FROM job_runs
    WHERE tenant_id = %(tenant)s AND (%(after)s::uuid IS NULL OR id < %(after)s) ORDER BY id DESC LIMIT %(limit)s"""
_FORGET_KEYS: LiteralString = """
    WITH gone AS (DELETE FROM idempotency_keys WHERE tenant_id = %s AND created_at < %s RETURNING 1)
    SELECT count(*) FROM gone"""
_FORGET_EVENTS: LiteralString = """
    WITH gone AS (DELETE FROM outbox WHERE tenant_id = %s AND published_at < %s RETURNING 1)
    SELECT count(*) FROM gone"""
_FORGET_RUNS: LiteralString = """
    WITH gone AS (DELETE FROM job_runs WHERE tenant_id = %s AND created_at < %s RETURNING 1)
    SELECT count(*) FROM gone"""
_GIVE_UP: LiteralString = """
    WITH gone AS (UPDATE exports SET status = 'failed', claimed_until = NULL, finished_at = updated_at,
                                     reason = 'It stood still for a day, as its worker failed again and again.'
                  WHERE tenant_id = %s AND status IN ('queued', 'running') AND updated_at < %s RETURNING 1)
    SELECT count(*) FROM gone"""
_FORGET_POSTED: LiteralString = """
    WITH gone AS (DELETE FROM inbox WHERE tenant_id = %s AND state IN ('done', 'ignored') AND received_at < %s
                  RETURNING 1)
    SELECT count(*) FROM gone"""
_FORGET: tuple[tuple[str, LiteralString, timedelta], ...] = (
    ("idempotency_keys", _FORGET_KEYS, timedelta(hours=24)),
    ("outbox", _FORGET_EVENTS, timedelta(days=7)),
    ("job_runs", _FORGET_RUNS, timedelta(days=30)),
    ("exports", _GIVE_UP, timedelta(days=1)),
    ("inbox", _FORGET_POSTED, timedelta(days=90)),
)
_REFRESH: LiteralString = """
    WITH flights AS (
        SELECT c.id, c.currency, c.starts_at, least(coalesce(c.ends_at, %(now)s), %(now)s) AS ends_at
        FROM campaigns c
        WHERE c.tenant_id = %(tenant)s AND c.status IN ('active', 'paused', 'completed')
          AND c.starts_at IS NOT NULL
    ), places AS (
        SELECT f.*, s.id AS site_id, s.time_zone
        FROM flights f JOIN sites s ON s.tenant_id = %(tenant)s AND s.kind = 'site'
        WHERE EXISTS (SELECT FROM campaign_sites p
                      WHERE p.tenant_id = s.tenant_id AND p.campaign_id = f.id AND p.site_id = s.id)
           OR NOT EXISTS (SELECT FROM campaign_sites p
                          WHERE p.tenant_id = %(tenant)s AND p.campaign_id = f.id)
    ), moments AS (
        SELECT p.id, (b.bucket AT TIME ZONE p.time_zone)::date AS day, b.entries, 0::bigint AS transactions,
               0::numeric AS revenue
        FROM places p JOIN footfall_15m b ON b.tenant_id = %(tenant)s AND b.site_id = p.site_id
        WHERE b.bucket >= p.starts_at AND b.bucket < p.ends_at
        UNION ALL
        SELECT p.id, (b.bucket AT TIME ZONE p.time_zone)::date, 0, b.transactions, b.revenue
        FROM places p JOIN sales_15m b ON b.tenant_id = %(tenant)s AND b.site_id = p.site_id
                                      AND b.currency = p.currency
        WHERE b.bucket >= p.starts_at AND b.bucket < p.ends_at
    ), days AS (
        SELECT id, day, sum(entries) AS footfall, sum(transactions) AS transactions, sum(revenue) AS revenue
        FROM moments GROUP BY id, day
    ), written AS (
        INSERT INTO campaign_performance AS p (tenant_id, campaign_id, day, footfall, transactions, revenue,
                                               refreshed_at)
        SELECT %(tenant)s, id, day, footfall, transactions, revenue, %(now)s FROM days ORDER BY id, day
        ON CONFLICT (tenant_id, campaign_id, day) DO UPDATE
        SET footfall = excluded.footfall, transactions = excluded.transactions, revenue = excluded.revenue,
            refreshed_at = excluded.refreshed_at
        RETURNING campaign_id, day
    ), outside AS (
        DELETE FROM campaign_performance p USING flights f
        WHERE p.tenant_id = %(tenant)s AND p.campaign_id = f.id
          AND NOT EXISTS (SELECT FROM days d WHERE d.id = p.campaign_id AND d.day = p.day)
    )
    SELECT count(DISTINCT campaign_id), count(*) FROM written"""


class JobRepository:
    """Runs of one tenant at a time, and the list of tenants for timed work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def tenants(self, after: UUID | None = None, *, need: Need = Need.TIMED) -> Iterator[list[UUID]]:
        """The ids of tenants whose state permits it, in order and page by page, or those after one."""
        states = list(permitting(need))
        while rows := self._database.door(_TENANTS, (states, after, _PAGE)):
            yield [row[0] for row in rows]
            after = rows[-1][0]

    def due(self, job: Job, now: datetime, after: UUID | None = None) -> Iterator[list[UUID]]:
        """The same of those for which a job has something to do, in a state that permits it."""
        states = list(permitting(NEEDS.get(job, Need.TIMED)))
        while rows := self._database.door(_DUE, (job, now, states, after, _PAGE)):
            yield [row[0] for row in rows]
            after = rows[-1][0]

    def ensure_months(self, now: datetime) -> None:
        """The partitions of this month and the next two, ahead of the first row that needs them."""
        month = now.astimezone(UTC).replace(day=1)
        for table in ("people_counts", "transactions"):
            for ahead in (0, 31, 62):  # from the first of a month, these lead into the next and the one after
                self._database.door("SELECT app.ensure_month(%s, %s)", (table, month + timedelta(days=ahead)))

    def add(self, tx: Transaction, run: UUID, job: Job) -> None:
        """Note a run that is about to start, unless it has ended by now."""
        tx.run(_INSERT, (tx.tenant.tenant, run, job, tx.now))

    def finish(self, tx: Transaction, run: UUID, job: Job, status: str, detail: dict[str, Any]) -> bool:
        """Note how a run ended; False when that was noted before."""
        values = {
            "tenant": tx.tenant.tenant,
            "run": run,
            "job": job,
            "status": status,
            "detail": Jsonb(detail),
            "now": tx.now,
        }
        return tx.one(_FINISH, values) is not None

    def show(self, tenant: TenantContext, run: UUID) -> bytes:
        """The JSON of a run. Errors: RunNotFound."""
        rows = self._database.read(tenant, _SHOW, (tenant.tenant, run))
        if not rows:
            raise RunNotFound
        return str(rows[0][0]).encode()

    def page(self, tenant: TenantContext, *, after: UUID | None, limit: int) -> list[tuple[str, UUID]]:
        """JSON and id of runs, newest first."""
        values = {"tenant": tenant.tenant, "after": after, "limit": limit}
        return [(row[0], row[1]) for row in self._database.read(tenant, _RUNS, values)]

    def refresh_performance(self, tx: Transaction) -> dict[str, int]:
        """Compute the performance of every campaign that has flown, day by day in its sites' zones."""
        row = tx.one(_REFRESH, {"tenant": tx.tenant.tenant, "now": tx.now}) or (0, 0)
        return {"campaigns": row[0], "days": row[1]}

    def forget(self, tx: Transaction) -> dict[str, int]:
        """Remove what has served its time, and give up what stands still; answers how many rows of which table."""
        gone: dict[str, int] = {}
        for table, statement, age in _FORGET:
            row = tx.one(statement, (tx.tenant.tenant, tx.now - age))
            gone[table] = row[0] if row else 0
        return gone
