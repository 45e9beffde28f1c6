"""Hosts of one tenant's own."""

from datetime import datetime
from typing import LiteralString

from psycopg import errors

from shared.identity.errors import DomainTaken
from shared.places.model import CustomDomain
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction

_ALL: LiteralString = """
    SELECT domain, challenge, created_at, verified_at FROM custom_domains WHERE tenant_id = %s ORDER BY domain"""
_ADD: LiteralString = """
    INSERT INTO custom_domains (tenant_id, domain, challenge, created_at) VALUES (%s, %s, %s, %s) RETURNING 1"""
_VERIFY: LiteralString = """
    UPDATE custom_domains SET verified_at = coalesce(verified_at, %s) WHERE tenant_id = %s AND domain = %s
    RETURNING verified_at"""
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

    def remove(self, tx: Transaction, domain: str) -> bool:
        """The domain is no longer the tenant's; False where it never was."""
        return tx.one(_REMOVE, (tx.tenant.tenant, domain)) is not None
