"""The caller's organization, as the tenants function uses it."""

from uuid import UUID

from shared.tenants.errors import OrganizationNotFound
from shared.tenants.model import AuditFilter
from shared.tenants.repository import TenantRepository
from tenant_context.context import TenantContext
from tenant_context.errors import PreconditionFailed
from tenant_context.events import Event
from tenant_context.postgres import Transaction


class Tenants:
    """Reads and changes the organization of the caller's credential; any other is not found."""

    def __init__(self, repository: TenantRepository) -> None:
        self._repository = repository

    def check(self, tenant: TenantContext, organization: UUID) -> None:
        """Whether it is the caller's. Errors: OrganizationNotFound."""
        _own(tenant, organization)

    def name(self, tx: Transaction, organization: UUID) -> str:
        """What it is called. Errors: OrganizationNotFound."""
        _own(tx.tenant, organization)
        return self._repository.name(tx)

    def show(self, tenant: TenantContext, organization: UUID) -> tuple[int, bytes]:
        """Version and JSON. Errors: OrganizationNotFound."""
        _own(tenant, organization)
        return self._repository.show(tenant)

    def rename(self, tx: Transaction, organization: UUID, name: str, version: int) -> tuple[int, bytes]:
        """Another name; emits tenant.updated. Errors: OrganizationNotFound, PreconditionFailed."""
        self._at(tx, organization, version)
        renamed = self._repository.rename(tx, name)
        tx.emit(Event("tenant.updated", f"tenant/{organization}", {"id": str(organization), "name": name}))
        return renamed

    def secure(
        self, tx: Transaction, organization: UUID, *, mfa_required: bool, sso_only: bool, version: int
    ) -> tuple[int, bytes]:
        """Another policy for log-ins, in force with the next tokens; emits security.policy_changed.

        Errors: OrganizationNotFound, PreconditionFailed.
        """
        self._at(tx, organization, version)
        secured = self._repository.secure(tx, mfa_required=mfa_required, sso_only=sso_only)
        data = {"id": str(organization), "mfa_required": mfa_required, "sso_only": sso_only}
        tx.emit(Event("security.policy_changed", f"tenant/{organization}", data))
        return secured

    def _at(self, tx: Transaction, organization: UUID, version: int) -> None:
        _own(tx.tenant, organization)
        present = self._repository.lock(tx)
        if present != version:
            raise PreconditionFailed(f"The organization is at version {present}; read it again.")

    def members(
        self, tenant: TenantContext, organization: UUID, *, after: UUID | None, limit: int
    ) -> list[tuple[str, UUID]]:
        """JSON and id of the members. Errors: OrganizationNotFound."""
        _own(tenant, organization)
        return self._repository.members(tenant, after=after, limit=limit)

    def audit(
        self, tenant: TenantContext, organization: UUID, wanted: AuditFilter, *, after: UUID | None, limit: int
    ) -> list[tuple[str, UUID]]:
        """JSON and id of audit entries, newest first. Errors: OrganizationNotFound."""
        _own(tenant, organization)
        return self._repository.audit(tenant, wanted, after=after, limit=limit)


def _own(tenant: TenantContext, organization: UUID) -> None:
    if organization != tenant.tenant:
        raise OrganizationNotFound
