"""Identity providers, mail domains and who a provider's subjects are, in PostgreSQL."""

from datetime import datetime
from typing import LiteralString
from uuid import UUID

from psycopg import errors
from psycopg.types.json import Jsonb

from shared.identity.errors import DomainTaken
from shared.identity.model import MailDomain, Provider
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction

_DOMAINS: LiteralString = """
    SELECT domain, challenge, created_at, verified_at FROM domains WHERE tenant_id = %s ORDER BY domain"""
_ADD_DOMAIN: LiteralString = """
    INSERT INTO domains (tenant_id, domain, challenge, created_at) VALUES (%s, %s, %s, %s) RETURNING 1"""
_VERIFY: LiteralString = """
    UPDATE domains SET verified_at = coalesce(verified_at, %s) WHERE tenant_id = %s AND domain = %s
    RETURNING verified_at"""
_REMOVE_DOMAIN: LiteralString = "DELETE FROM domains WHERE tenant_id = %s AND domain = %s RETURNING 1"
_FIND: LiteralString = """
    SELECT issuer, client_id, client_secret, role_claim, role_map, default_role, return_urls, version
    FROM identity_providers WHERE tenant_id = %s"""
_PUT: LiteralString = """
    INSERT INTO identity_providers (tenant_id, issuer, client_id, client_secret, role_claim, role_map, default_role,
                                    return_urls, created_at, updated_at)
    VALUES (%(tenant)s, %(issuer)s, %(client)s, %(secret)s, %(claim)s, %(map)s, %(role)s, %(urls)s, %(now)s, %(now)s)
    ON CONFLICT (tenant_id) DO UPDATE
    SET issuer = excluded.issuer, client_id = excluded.client_id, client_secret = excluded.client_secret,
        role_claim = excluded.role_claim, role_map = excluded.role_map, default_role = excluded.default_role,
        return_urls = excluded.return_urls, version = identity_providers.version + 1,
        updated_at = excluded.updated_at
    WHERE identity_providers.version = %(version)s - 1 RETURNING version"""
_REMOVE: LiteralString = "DELETE FROM identity_providers WHERE tenant_id = %s RETURNING 1"
_SSO_ONLY: LiteralString = "SELECT sso_only FROM tenants WHERE tenant_id = %s FOR UPDATE"
_LINKED: LiteralString = """
    SELECT s.user_id, m.role, u.email, u.name
    FROM provider_subjects s JOIN memberships m USING (tenant_id, user_id) JOIN users u USING (user_id)
    WHERE s.tenant_id = %s AND s.issuer = %s AND s.subject = %s"""
_LINK: LiteralString = """
    INSERT INTO provider_subjects (tenant_id, issuer, subject, user_id, created_at) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT DO NOTHING"""


class ProviderRepository:
    """One tenant's provider and domains; found by a public name before a tenant is known."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def place(self, name: str) -> UUID | None:
        """The tenant of a slug or of a verified mail domain, if it has a provider."""
        rows = self._database.door("SELECT * FROM app.provider_place(%s)", (name,))
        return rows[0][0] if rows else None

    def find(self, tenant: TenantContext) -> Provider | None:
        """The tenant's provider."""
        rows = self._database.read(tenant, _FIND, (tenant.tenant,))
        if not rows:
            return None
        issuer, client, secret, claim, role_map, default_role, urls, version = rows[0]
        return Provider(issuer, client, secret, claim, dict(role_map), default_role, tuple(urls), version)

    def put(self, tx: Transaction, provider: Provider) -> bool:
        """Keep a provider in place of the version before; False where that is not the present one."""
        one = provider
        values = {"issuer": one.issuer, "client": one.client_id, "secret": one.sealed_secret, "claim": one.role_claim}
        more = {
            "map": Jsonb(list(one.role_map.items())),
            "role": one.default_role,
            "urls": list(one.return_urls),
            "now": tx.now,
        }
        row = tx.one(_PUT, {**values, **more, "tenant": tx.tenant.tenant, "version": one.version})
        return bool(row and row[0] == one.version)

    def remove(self, tx: Transaction) -> bool:
        """No provider any more; False where there was none."""
        return tx.one(_REMOVE, (tx.tenant.tenant,)) is not None

    def is_needed(self, tx: Transaction) -> bool:
        """Whether people come in by the provider alone; held until the transaction ends."""
        row = tx.one(_SSO_ONLY, (tx.tenant.tenant,))
        return bool(row and row[0])

    def domains(self, tenant: TenantContext) -> list[MailDomain]:
        """The tenant's domains, by name."""
        return [MailDomain(*row) for row in self._database.read(tenant, _DOMAINS, (tenant.tenant,))]

    def exists(self, tx: Transaction) -> bool:
        """Whether there is a provider, which stays until the transaction ends."""
        row = tx.one("SELECT 1 FROM identity_providers WHERE tenant_id = %s FOR KEY SHARE", (tx.tenant.tenant,))
        return row is not None

    def count_domains(self, tx: Transaction) -> int:
        """How many domains are claimed."""
        row = tx.one("SELECT count(*) FROM domains WHERE tenant_id = %s", (tx.tenant.tenant,))
        return int(row[0]) if row else 0

    def add_domain(self, tx: Transaction, domain: str, challenge: str) -> None:
        """Claim a domain. Errors: DomainTaken, when it is claimed already."""
        try:
            tx.one(_ADD_DOMAIN, (tx.tenant.tenant, domain, challenge, tx.now))
        except errors.UniqueViolation as error:
            raise DomainTaken from error

    def verify_domain(self, tx: Transaction, domain: str) -> datetime | None:
        """The domain is the tenant's, since when; None where it is not claimed. Errors: DomainTaken."""
        try:
            row = tx.one(_VERIFY, (tx.now, tx.tenant.tenant, domain))
        except errors.UniqueViolation as error:
            raise DomainTaken("Another organization has verified this domain.") from error
        return row[0] if row else None

    def remove_domain(self, tx: Transaction, domain: str) -> bool:
        """The domain is no longer the tenant's; False where it never was."""
        return tx.one(_REMOVE_DOMAIN, (tx.tenant.tenant, domain)) is not None

    def linked(self, tenant: TenantContext, issuer: str, subject: str) -> tuple[UUID, str, str, str] | None:
        """The member that a subject is: user, role, mail address and name."""
        rows = self._database.read(tenant, _LINKED, (tenant.tenant, issuer, subject))
        return (rows[0][0], rows[0][1], rows[0][2], rows[0][3]) if rows else None

    def link(self, tx: Transaction, issuer: str, subject: str, user: UUID) -> None:
        """A subject is this member from now on."""
        tx.run(_LINK, (tx.tenant.tenant, issuer, subject, user, tx.now))
