"""Whether a caller, proved as they are for one organization, might come into another one of theirs."""

from uuid import UUID

from shared.identity import rules
from shared.identity.errors import NoMembership, OwnProofRequired
from shared.identity.model import Assurance
from shared.identity.repository.factors import FactorRepository
from shared.identity.repository.users import UserRepository
from shared.identity.service.callers import user_of
from tenant_context.assurance import SecondFactorRequired
from tenant_context.context import TenantContext


class WaysIn:
    """What a token exchange asks for, and what the token it gave would be held to, without giving one."""

    def __init__(self, users: UserRepository, factors: FactorRepository) -> None:
        self._users = users
        self._factors = factors

    def check(self, tenant: TenantContext, organization: UUID) -> None:
        """Raise unless the caller's own proofs are enough for another organization.

        Errors: NoMembership, OwnProofRequired, SecondFactorRequired, SsoRequired, OrganizationClosed.
        """
        user = user_of(tenant)
        membership = rules.place_of(self._users.memberships(user), str(organization))
        if membership is None:
            raise NoMembership
        given = Assurance(tenant.level, tenant.proofs, tenant.authenticated_at)
        if not given.is_own:
            raise OwnProofRequired
        require_factor(self._factors, user, given)
        rules.check_open(membership)
        rules.check_way(membership, given.own())
        if rules.is_restricted(membership, given.own()):
            raise SecondFactorRequired("The other organization asks for a second factor: prove who you are with it.")


def require_factor(factors: FactorRepository, user: UUID, assurance: Assurance) -> None:
    """Whether a proof stands on a second factor, where the user has one. Errors: SecondFactorRequired."""
    if assurance.level < 2 and factors.of(user).methods:  # noqa: PLR2004  two proofs
        raise SecondFactorRequired("You have a second factor: prove who you are with it at /api/v1/auth/step-up.")
