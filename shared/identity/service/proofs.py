"""Proving once more who you are, and setting up what you prove it with."""

from uuid import UUID

from shared.identity.errors import FactorNotFound, WrongCredentials
from shared.identity.gateway.passwords import Passwords
from shared.identity.model import Enrollment, Factors, Tokens
from shared.identity.repository.sessions import SessionRepository
from shared.identity.repository.users import UserRepository
from shared.identity.service.callers import Caller, security, user_of
from shared.identity.service.factors import SecondFactors
from shared.identity.service.sessions import SessionTokens
from shared.identity.service.throttle import Throttle
from tenant_context.assurance import SecondFactorRequired
from tenant_context.context import TenantContext
from tenant_context.postgres import Database


class Proofs:
    """What a signed-in user does about their own proofs."""

    def __init__(
        self,
        database: Database,
        users: UserRepository,
        sessions: SessionRepository,
        *,
        tokens: SessionTokens,
        passwords: Passwords,
        factors: SecondFactors,
        throttle: Throttle,
    ) -> None:
        self._database = database
        self._users = users
        self._sessions = sessions
        self._tokens = tokens
        self._passwords = passwords
        self._factors = factors
        self._throttle = throttle

    def step_up(self, tenant: TenantContext, caller: Caller, *, password: str | None, code: str | None) -> Tokens:
        """Tokens that say that the user has just proved who they are, by a code where they have a second factor.

        Errors: WrongCredentials, WrongCode, SecondFactorRequired, TooManyTries, SessionEnded.
        """
        user = user_of(tenant)
        if code is not None:
            proof = self._factors.check(user, code, caller.source_ip)
        elif self._factors.of(user).methods:
            raise SecondFactorRequired("You have a second factor: prove who you are with a code of it.")
        else:
            self.check_password(tenant, password or "", caller)
            proof = "pwd"
        return self._tokens.reissue(self._tokens.assure(UUID(tenant.session), proof))

    def check_password(self, tenant: TenantContext, password: str, caller: Caller) -> None:
        """Whether it is the caller's. Errors: WrongCredentials, TooManyTries."""
        user = user_of(tenant)
        attempt = self._throttle.enter("password", str(user), caller.source_ip)
        login = self._users.find_login(self._users.email_of(tenant))
        if not self._passwords.matches(login.password_hash if login else None, password):
            self._throttle.failed(attempt)
            raise WrongCredentials
        self._throttle.succeeded(attempt)

    def begin_mfa(self, tenant: TenantContext) -> Enrollment:
        """What an authenticator app is set up with. Errors: FactorExists, OwnProofRequired."""
        self._tokens.require_own_proof(tenant)
        return self._factors.begin(user_of(tenant), self._users.email_of(tenant))

    def confirm_mfa(self, tenant: TenantContext, code: str, caller: Caller) -> tuple[list[str], Tokens]:
        """The app's first code: recovery codes, and tokens of a session that now stands on two proofs.

        The user's other sessions in this tenant end: they stand on one proof alone.
        Errors: FactorNotFound, FactorExists, WrongCode.
        """
        user = user_of(tenant)
        codes = self._factors.confirm(user, code, caller.source_ip)
        self._tell(tenant, "mfa_enabled", caller)
        for other in self._sessions.of_user(tenant.tenant, user):
            if str(other.id) != tenant.session:
                self._sessions.end(other.id)
        return codes, self._tokens.reissue(self._tokens.assure(UUID(tenant.session), "otp"))

    def remove_mfa(self, tenant: TenantContext, caller: Caller) -> None:
        """Take the second factor away. Errors: FactorNotFound, OwnProofRequired."""
        self._tokens.require_own_proof(tenant)
        self._factors.remove(user_of(tenant))
        self._tell(tenant, "mfa_disabled", caller)

    def renew_codes(self, tenant: TenantContext, caller: Caller) -> list[str]:
        """Fresh recovery codes in place of those before. Errors: FactorNotFound, OwnProofRequired."""
        self._tokens.require_own_proof(tenant)
        user = user_of(tenant)
        if not self._factors.of(user).totp:
            raise FactorNotFound
        codes = self._factors.renew_codes(user)
        self._tell(tenant, "recovery_codes_renewed", caller)
        return codes

    def factors(self, tenant: TenantContext) -> Factors:
        """What the caller has set up."""
        return self._factors.of(user_of(tenant))

    def _tell(self, tenant: TenantContext, what: str, caller: Caller) -> None:
        with self._database.transaction(tenant) as tx:
            tx.emit(security(what, user_of(tenant), caller, {}))
