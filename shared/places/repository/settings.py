"""One tenant's settings."""

from typing import Any, LiteralString

from shared.places.model import OwnSettings
from tenant_context.context import TenantContext
from tenant_context.postgres import Database, Transaction

_FIND: LiteralString = """
    SELECT time_zone, locale, currency, week_start, contact_email, version FROM tenant_settings WHERE tenant_id = %s"""
_PUT: LiteralString = """
    INSERT INTO tenant_settings (tenant_id, time_zone, locale, currency, week_start, contact_email, version, updated_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (tenant_id) DO UPDATE
    SET time_zone = excluded.time_zone, locale = excluded.locale, currency = excluded.currency,
        week_start = excluded.week_start, contact_email = excluded.contact_email, version = excluded.version,
        updated_at = excluded.updated_at
    WHERE tenant_settings.version = excluded.version - 1 RETURNING 1"""


class SettingsRepository:
    """Kept as a whole, at a version."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, tenant: TenantContext) -> OwnSettings:
        """The tenant's settings; the platform's where it has chosen none."""
        return _of(self._database.read(tenant, _FIND, (tenant.tenant,)))

    def present(self, tx: Transaction) -> OwnSettings:
        """The same, in a transaction that may change them."""
        return _of(tx.all(_FIND, (tx.tenant.tenant,)))

    def put(self, tx: Transaction, settings: OwnSettings) -> bool:
        """Keep settings in place of the version before; False where that is not the present one."""
        one = settings
        values = (one.time_zone, one.locale, one.currency, one.week_start, one.contact_email, one.version)
        return tx.one(_PUT, (tx.tenant.tenant, *values, tx.now)) is not None


def _of(rows: list[tuple[Any, ...]]) -> OwnSettings:
    return OwnSettings(*rows[0]) if rows else OwnSettings()
