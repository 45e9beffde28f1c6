"""How an organization looks."""

from dataclasses import replace

from shared.places.model import Branding, Look
from shared.places.repository.branding import BrandingRepository
from tenant_context.context import TenantContext
from tenant_context.errors import PreconditionFailed
from tenant_context.events import Event
from tenant_context.postgres import Transaction


class Brandings:
    """Reads and changes the look of the caller's organization."""

    def __init__(self, repository: BrandingRepository) -> None:
        self._repository = repository

    def show(self, tenant: TenantContext) -> Look:
        """How it looks."""
        return self._repository.find(tenant)

    def put(self, tx: Transaction, branding: Branding, version: int) -> Look:
        """Another look, in place of the one at a version; emits tenant.branding_changed. Errors: PreconditionFailed."""
        present = self._repository.present(tx)
        if present.branding.version != version:
            raise PreconditionFailed(f"The branding is at version {present.branding.version}; read it again.")
        return self._keep(tx, present.name, replace(branding, version=version + 1))

    def reset(self, tx: Transaction) -> None:
        """The platform's own look again, one version later; emits tenant.branding_changed.

        Errors: PreconditionFailed, where somebody changes it at this very moment.
        """
        present = self._repository.present(tx)
        if present.branding != Branding(version=present.branding.version):
            self._keep(tx, present.name, Branding(version=present.branding.version + 1))

    def _keep(self, tx: Transaction, name: str, branding: Branding) -> Look:
        if not self._repository.put(tx, branding):
            raise PreconditionFailed("The branding was changed meanwhile; read it again.")
        data = {
            "id": str(tx.tenant.tenant),
            "display_name": branding.display_name or name,
            "version": branding.version,
        }
        tx.emit(Event("tenant.branding_changed", f"tenant/{tx.tenant.tenant}", data))
        return Look(name, branding)
