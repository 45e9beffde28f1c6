"""How one tenant looks; and for pages to log in at, how the tenant at a host does."""

from typing import Any, LiteralString

from shared.places.model import Branding, Look, Place
from tenant_context.context import TenantContext
from tenant_context.errors import NotFound
from tenant_context.postgres import Database, Transaction

_FIND: LiteralString = """
    SELECT t.name, b.display_name, b.primary_color, b.accent_color, b.logo_url, b.logo_alt, b.support_email,
           b.support_url, b.footer, coalesce(b.version, 0)
    FROM tenants t LEFT JOIN tenant_branding b ON b.tenant_id = t.tenant_id
    WHERE t.tenant_id = %s"""
_PUT: LiteralString = """
    INSERT INTO tenant_branding (tenant_id, display_name, primary_color, accent_color, logo_url, logo_alt,
                                 support_email, support_url, footer, version, updated_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (tenant_id) DO UPDATE
    SET display_name = excluded.display_name, primary_color = excluded.primary_color,
        accent_color = excluded.accent_color, logo_url = excluded.logo_url, logo_alt = excluded.logo_alt,
        support_email = excluded.support_email, support_url = excluded.support_url, footer = excluded.footer,
        version = excluded.version, updated_at = excluded.updated_at
    WHERE tenant_branding.version = excluded.version - 1 RETURNING 1"""


class BrandingRepository:
    """Kept as a whole, at a version that only ever grows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, tenant: TenantContext) -> Look:
        """How the tenant looks; the platform's own way where it has chosen nothing."""
        return _look(self._database.read(tenant, _FIND, (tenant.tenant,)))

    def present(self, tx: Transaction) -> Look:
        """The same, in a transaction that may change it."""
        return _look(tx.all(_FIND, (tx.tenant.tenant,)))

    def put(self, tx: Transaction, branding: Branding) -> bool:
        """Keep a branding in place of the version before; False where that is not the present one."""
        one = branding
        looks = (one.display_name, one.primary_color, one.accent_color, one.logo_url, one.logo_alt)
        says = (one.support_email, one.support_url, one.footer)
        return tx.one(_PUT, (tx.tenant.tenant, *looks, *says, one.version, tx.now)) is not None

    def place(self, slug: str | None, domain: str | None) -> Place | None:
        """The organization at a slug or at a verified domain, before any tenant is known."""
        rows = self._database.door("SELECT * FROM app.place_at(%s, %s)", (slug, domain))
        if not rows:
            return None
        found, name, single_sign_on, *looks = rows[0]
        return Place(found, Look(name, Branding(*looks)), single_sign_on)


def _look(rows: list[tuple[Any, ...]]) -> Look:
    if not rows:
        raise NotFound
    name, *branding = rows[0]
    return Look(name, Branding(*branding))
