"""What the life of a tenant refuses."""

from tenant_context.errors import Conflict, Forbidden, NotFound


class TenantNotFound(NotFound):
    """No tenant of this id, or another one than the caller's: the same answer."""

    code, title = "organization-not-found", "There is no such organization"


class StateDoesNotLeadThere(Conflict):
    """From the tenant's present state none leads to the one that was asked for."""

    code, title = "state-not-reachable", "The organization's state does not lead there"


class OwnersClose(Forbidden):
    """Only an owner closes an organization or has it back."""

    code, title = "owners-only", "Only an owner may do this"


class HeldByPlatform(Forbidden):
    """Operators ordered the state, and they alone lift it."""

    code, title = "held-by-platform", "The platform ordered this state"
