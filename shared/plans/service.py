"""What tenants may have, for themselves to read and for operators to widen."""

from datetime import datetime
from uuid import UUID

from shared.plans import rules
from shared.plans.errors import GrantNotFound, OrganizationUnknown
from shared.plans.model import Allowances, Grant, Kind
from shared.plans.repository import PlanRepository
from tenant_context.clock import NewId
from tenant_context.context import TenantContext
from tenant_context.events import Event
from tenant_context.postgres import Transaction


class Plans:
    """Reads what the caller's organization may have."""

    def __init__(self, repository: PlanRepository) -> None:
        self._repository = repository

    def allowances(self, tenant: TenantContext, organization: UUID) -> Allowances:
        """Limits with their usage, and features. Errors: OrganizationUnknown."""
        if organization != tenant.tenant:
            raise OrganizationUnknown
        return self._repository.allowances(tenant, rules.FEATURES)


class Grants:
    """What operators give one tenant beyond its plan; in force with the next creation."""

    def __init__(self, repository: PlanRepository, new_id: NewId) -> None:
        self._repository = repository
        self._new_id = new_id

    def give(
        self, tx: Transaction, kind: Kind, name: str, *, amount: int | None, until: datetime | None, reason: str
    ) -> Grant:
        """A grant; emits tenant.grant_given. Errors: NothingToGrant, OrganizationUnknown."""
        grant = Grant(self._new_id(), kind, name, amount, reason, tx.now, until)
        rules.check(grant)
        self._repository.add(tx, grant)
        _tell(tx, "tenant.grant_given", grant.id, name)
        return grant

    def take_back(self, tx: Transaction, grant: UUID) -> None:
        """End a grant; what was made under it stays. Emits tenant.grant_taken_back. Errors: GrantNotFound."""
        name = self._repository.revoke(tx, grant)
        if name is None:
            raise GrantNotFound
        _tell(tx, "tenant.grant_taken_back", grant, name)

    def all(self, tenant: TenantContext) -> list[Grant]:
        """Every grant there was."""
        return self._repository.all(tenant)


def _tell(tx: Transaction, kind: str, grant: UUID, name: str) -> None:
    data = {"id": str(grant), "name": name}
    tx.emit(Event(kind, f"grant/{grant}", data))
