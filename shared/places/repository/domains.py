"""Hosts of one tenant's own."""

from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from psycopg import errors

from shared.identity.errors import DomainTaken
from shared.places.model import CustomDomain, Holder
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction

_ALL: LiteralString = """
    SELECT domain, challenge, created_at, verified_at, contested_at FROM custom_domains WHERE tenant_id = %s
    ORDER BY domain"""
_ADD: LiteralString = """
    INSERT INTO custom_domains (tenant_id, domain, challenge, created_at) VALUES (%s, %s, %s, %s) RETURNING 1"""
_VERIFY: LiteralString = """
    UPDATE custom_domains SET verified_at = coalesce(verified_at, %s), contested_by = NULL, contested_at = NULL
    WHERE tenant_id = %s AND domain = %s RETURNING verified_at"""
_HOLDER: LiteralString = "SELECT tenant_id, challenge FROM app.holder_of(%s)"
# A contest that its claimant forgot is over after some time, and another's is another one.
_CONTEST: LiteralString = """
    UPDATE custom_domains SET
        contested_at = CASE WHEN contested_by = %(by)s AND contested_at > %(stale)s THEN contested_at ELSE %(now)s END,
        contested_by = %(by)s
    WHERE tenant_id = %(tenant)s AND domain = %(domain)s AND verified_at IS NOT NULL RETURNING contested_at"""
_LOSE: LiteralString = """
    UPDATE custom_domains SET verified_at = NULL, contested_by = NULL, contested_at = NULL
    WHERE tenant_id = %s AND domain = %s"""
_KEEP: LiteralString = """
    UPDATE custom_domains SET contested_by = NULL, contested_at = NULL
    WHERE tenant_id = %s AND domain = %s AND contested_at IS NOT NULL"""
_REMOVE: LiteralString = "DELETE FROM custom_domains WHERE tenant_id = %s AND domain = %s RETURNING 1"


class CustomDomainRepository:
    """Claimed by anybody, verified by one tenant of all."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, tenant: TenantContext) -> list[CustomDomain]:
        """The tenant's domains, by name."""
        return [CustomDomain(*row) for row in self._database.read(tenant, _ALL, (tenant.tenant,))]

    def slug(self, tenant: TenantContext) -> str:
        """The tenant's slug."""
        rows = self._database.read(tenant, "SELECT slug FROM tenants WHERE tenant_id = %s", (tenant.tenant,))
        return str(rows[0][0])

    def add(self, tx: Transaction, domain: str, challenge: str) -> None:
        """Claim a domain. Errors: DomainTaken, where this tenant has claimed it already; LimitReached."""
        try:
            tx.one(_ADD, (tx.tenant.tenant, domain, challenge, tx.now))
        except errors.UniqueViolation as error:
            raise DomainTaken("The organization has claimed this domain already.") from error

    def verify(self, tx: Transaction, domain: str) -> datetime | None:
        """The domain is the tenant's, since when; None where it is not claimed. Errors: DomainTaken."""
        try:
            row = tx.one(_VERIFY, (tx.now, tx.tenant.tenant, domain))
        except errors.UniqueViolation as error:
            raise DomainTaken("Another organization has verified this domain.") from error
        return row[0] if row else None

    def holder(self, tenant: TenantContext, domain: str) -> Holder | None:
        """Who has verified a domain that the tenant claims."""
        rows = self._database.read(tenant, _HOLDER, (domain,))
        return Holder(*rows[0]) if rows else None

    def contest(self, tx: Transaction, domain: str, by: UUID, lapse: timedelta) -> datetime | None:
        """The tenant's domain is contested by another; answers since when, None where it is not the tenant's."""
        values = {"tenant": tx.tenant.tenant, "domain": domain, "by": by, "now": tx.now, "stale": tx.now - lapse}
        row = tx.one(_CONTEST, values)
        return row[0] if row else None

    def keep(self, tx: Transaction, domain: str) -> None:
        """The tenant's domain is contested by nobody any more."""
        tx.run(_KEEP, (tx.tenant.tenant, domain))

    def lose(self, tx: Transaction, domain: str) -> None:
        """The tenant's domain is a claim like any other again."""
        tx.run(_LOSE, (tx.tenant.tenant, domain))

    def remove(self, tx: Transaction, domain: str) -> bool:
        """The domain is no longer the tenant's; False where it never was."""
        return tx.one(_REMOVE, (tx.tenant.tenant, domain)) is not None
