"""Targets in PostgreSQL."""

from datetime import date
from typing import LiteralString
from uuid import UUID

from psycopg import errors

from shared.targets.errors import TargetExists, TargetNotFound, WrongTarget
from shared.targets.model import Target
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction

_COLUMNS: LiteralString = """
    id, site_id, metric, period, first_day, value, cascaded_from, version, created_at, updated_at, currency"""
_SHOW: LiteralString = f"SELECT {_COLUMNS} FROM targets WHERE tenant_id = %s AND id = %s"
_LOCK: LiteralString = f"{_SHOW} FOR UPDATE"
_PAGE: LiteralString = f"""
    SELECT {_COLUMNS} FROM targets
    WHERE tenant_id = %(tenant)s AND (%(after)s::uuid IS NULL OR id < %(after)s)
      AND (%(site)s::uuid IS NULL OR site_id = %(site)s) AND (%(metric)s::text IS NULL OR metric = %(metric)s)
      AND (%(period)s::text IS NULL OR period = %(period)s)
      AND (%(first_day)s::date IS NULL OR first_day = %(first_day)s)
    ORDER BY id DESC LIMIT %(limit)s"""
_INSERT: LiteralString = f"""
    INSERT INTO targets (tenant_id, {_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    RETURNING 1"""
_UPDATE: LiteralString = """
    UPDATE targets SET value = %s, cascaded_from = %s, version = %s, updated_at = %s WHERE tenant_id = %s AND id = %s"""
_DELETE: LiteralString = "DELETE FROM targets WHERE tenant_id = %s AND id = %s"
# Whoever adds targets waits for who adds others: so the count before is exact.
_HOLD: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended('targets:' || %s::text, 0))"
_COUNT: LiteralString = "SELECT count(*) FROM targets WHERE tenant_id = %s"
_CHILDREN: LiteralString = """
    SELECT t.site_id FROM site_tree t WHERE t.tenant_id = %s AND t.parent_id = %s ORDER BY t.site_id"""
_SAME: LiteralString = f"""
    SELECT {_COLUMNS} FROM targets
    WHERE tenant_id = %s AND site_id = ANY (%s) AND metric = %s AND period = %s AND first_day = %s
      AND currency IS NOT DISTINCT FROM %s
    ORDER BY id FOR UPDATE"""


class TargetRepository:
    """Targets of one tenant at a time."""

    def show(self, database: Database, tenant: TenantContext, target: UUID) -> Target:
        """A target. Errors: TargetNotFound."""
        rows = database.read(tenant, _SHOW, (tenant.tenant, target))
        if not rows:
            raise TargetNotFound
        return Target(*rows[0])

    def lock(self, tx: Transaction, target: UUID) -> Target:
        """A target, held until the transaction ends. Errors: TargetNotFound."""
        row = tx.one(_LOCK, (tx.tenant.tenant, target))
        if row is None:
            raise TargetNotFound
        return Target(*row)

    def page(
        self,
        database: Database,
        tenant: TenantContext,
        *,
        site: UUID | None,
        metric: str | None,
        period: str | None,
        first_day: date | None,
        after: UUID | None,
        limit: int,
    ) -> list[Target]:
        """Targets, newest first."""
        asked = {"site": site, "metric": metric, "period": period, "first_day": first_day}
        values = {**asked, "after": after, "limit": limit, "tenant": tenant.tenant}
        return [Target(*row) for row in database.read(tenant, _PAGE, values)]

    def count(self, tx: Transaction) -> int:
        """How many there are; nobody else adds any until the transaction ends."""
        tx.run(_HOLD, (tx.tenant.tenant,))
        row = tx.one(_COUNT, (tx.tenant.tenant,))
        return int(row[0]) if row else 0

    def insert(self, tx: Transaction, target: Target) -> None:
        """A new target. Errors: TargetExists, WrongTarget, of a place that is not there."""
        values = tuple(getattr(target, name) for name in target.__slots__)
        try:
            tx.one(_INSERT, (tx.tenant.tenant, *values))
        except errors.UniqueViolation as error:
            raise TargetExists from error
        except errors.ForeignKeyViolation as error:
            raise WrongTarget("/site_id", "unknown-site", "names no site of this organization") from error

    def update(self, tx: Transaction, target: Target) -> None:
        """Queue another value."""
        said = (target.value, target.cascaded_from, target.version, target.updated_at)
        tx.run(_UPDATE, (*said, tx.tenant.tenant, target.id))

    def delete(self, tx: Transaction, target: UUID) -> None:
        """Queue the end of a target."""
        tx.run(_DELETE, (tx.tenant.tenant, target))

    def children(self, tx: Transaction, site: UUID) -> list[UUID]:
        """The places that are in a place."""
        return [row[0] for row in tx.all(_CHILDREN, (tx.tenant.tenant, site))]

    def of_children(self, tx: Transaction, children: list[UUID], like: Target) -> dict[UUID, Target]:
        """The targets that places have of the same metric, period and currency, held."""
        values = (tx.tenant.tenant, children, like.metric, like.period, like.first_day, like.currency)
        return {row[1]: Target(*row) for row in tx.all(_SAME, values)}
