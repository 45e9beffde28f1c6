"""How an organization counts and writes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared.places import rules
from shared.places.model import OwnSettings
from shared.places.repository.settings import SettingsRepository
from tenant_context.context import TenantContext
from tenant_context.errors import PreconditionFailed
from tenant_context.events import Event
from tenant_context.postgres import Transaction


class PlaceSettings:
    """Reads and changes the settings of the caller's organization."""

    def __init__(self, repository: SettingsRepository) -> None:
        self._repository = repository

    def show(self, tenant: TenantContext) -> OwnSettings:
        """The settings; the platform's where it has chosen none."""
        return self._repository.find(tenant)

    def change(self, tx: Transaction, changes: Mapping[str, Any], version: int) -> OwnSettings:
        """Change some, and keep the others; emits tenant.settings_changed where that makes a difference.

        Errors: PreconditionFailed, BadSetting, UnknownTimeZone.
        """
        present = self._repository.present(tx)
        if present.version != version:
            raise PreconditionFailed(f"The settings are at version {present.version}; read them again.")
        changed = replace(present, **changes)
        changed = replace(changed, locale=rules.locale(changed.locale))
        rules.check(changed)
        if changed == present:
            return present
        kept = replace(changed, version=version + 1)
        if not self._repository.put(tx, kept):
            raise PreconditionFailed("The settings were changed meanwhile; read them again.")
        data = {
            "id": str(tx.tenant.tenant),
            "time_zone": kept.time_zone,
            "locale": kept.locale,
            "currency": kept.currency,
            "week_start": kept.week_start,
            "version": kept.version,
        }
        tx.emit(Event("tenant.settings_changed", f"tenant/{tx.tenant.tenant}", data))
        return kept
