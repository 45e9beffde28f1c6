"""Proving once more who you are, and setting up what you prove it with."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared.identity.errors import FactorNotFound, WrongCode, WrongCredentials, WrongPasskey
from shared.identity.gateway.passwords import Passwords
from shared.identity.model import Ceremony, Enrollment, Factors, Passkey, Tokens
from shared.identity.repository.sessions import SessionRepository
from shared.identity.repository.users import UserRepository
from shared.identity.service.callers import Caller, security, user_of
from shared.identity.service.factors import SecondFactors
from shared.identity.service.failures import Failures
from shared.identity.service.passkeys import STEP_UP, Passkeys
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
        passkeys: Passkeys,
        throttle: Throttle,
        failures: Failures,
    ) -> None:
        self._database = database
        self._users = users
        self._sessions = sessions
        self._tokens = tokens
        self._passwords = passwords
        self._factors = factors
        self._passkeys = passkeys
        self._throttle = throttle
        self._failures = failures

    def step_up(self, tenant: TenantContext, caller: Caller, *, password: str | None, code: str | None) -> Tokens:
        """Tokens that say that the user has just proved who they are, by a code where they have a second factor.

        With a passkey, `step_up_by_passkey`.

        Errors: WrongCredentials, WrongCode, SecondFactorRequired, TooManyTries, SessionEnded, OrganizationClosed.
        """
        user = user_of(tenant)
        if code is not None:
            with self._telling(tenant, caller):
                proof = self._factors.check(user, code, caller.source_ip)
        elif self._factors.of(user).methods:
            raise SecondFactorRequired("You have a second factor: prove who you are with it.")
        else:
            self.check_password(tenant, password or "", caller)
            proof = "pwd"
        self._tell(tenant, "stepped_up", caller, {"proof": proof})
        return self._tokens.reissue(self._tokens.assure(tenant, proof))

    def ask_passkey(self, tenant: TenantContext) -> Ceremony:
        """Ask the caller's passkeys who they are. Errors: PasskeyNotFound."""
        return self._passkeys.ask(STEP_UP, user_of(tenant))

    def step_up_by_passkey(
        self, tenant: TenantContext, token: str, credential: dict[str, Any], caller: Caller
    ) -> Tokens:
        """The same by a passkey.

        Errors: CeremonyEnded, WrongPasskey, PasskeyCloned, TooManyTries, SessionEnded, OrganizationClosed.
        """
        with self._telling(tenant, caller):
            passkey = self._passkeys.check(STEP_UP, token, credential, user_of(tenant), caller)
        return self._tokens.reissue(self._tokens.assure(tenant, passkey.proof))

    def check_password(self, tenant: TenantContext, password: str, caller: Caller) -> None:
        """Whether it is the caller's; emits security.step_up_failed where it is not.

        Errors: WrongCredentials, TooManyTries.
        """
        user = user_of(tenant)
        attempt = self._throttle.enter("password", str(user), caller.source_ip)
        login = self._users.find_login(self._users.email_of(tenant))
        if not self._passwords.matches(login.password_hash if login else None, password):
            self._throttle.failed(attempt)
            self._failures.step_up(tenant, user, caller, "wrong-password")
            raise WrongCredentials
        self._throttle.succeeded(attempt)

    @contextmanager
    def _telling(self, tenant: TenantContext, caller: Caller) -> Iterator[None]:
        """Tell the audit log of a code or a passkey that is not good."""
        try:
            yield
        except (WrongCode, WrongPasskey) as wrong:
            self._failures.step_up(tenant, user_of(tenant), caller, wrong.code)
            raise

    def begin_mfa(self, tenant: TenantContext) -> Enrollment:
        """What an authenticator app is set up with.

        Errors: FactorExists, OwnProofRequired, SecondFactorRequired, SessionEnded.
        """
        self._require_own(tenant)
        return self._factors.begin(user_of(tenant), self._users.email_of(tenant))

    def confirm_mfa(self, tenant: TenantContext, code: str, caller: Caller) -> tuple[list[str], Tokens]:
        """The app's first code: recovery codes, and tokens of a session that now stands on two proofs.

        The user's other sessions end: they stand on one proof alone.
        Errors: FactorNotFound, FactorExists, WrongCode, TooManyTries, SessionEnded, OrganizationClosed.
        """
        user = user_of(tenant)
        self._tokens.living(tenant)
        codes = self._factors.confirm(user, code, caller.source_ip)
        self._tell(tenant, "mfa_enabled", caller)
        self._end_others(tenant)
        return codes, self._tokens.reissue(self._tokens.assure(tenant, "otp"))

    def remove_mfa(self, tenant: TenantContext, caller: Caller) -> None:
        """Take the authenticator app away.

        Errors: FactorNotFound, OwnProofRequired, SecondFactorRequired, SessionEnded.
        """
        self._require_own(tenant)
        self._factors.remove(user_of(tenant))
        self._tell(tenant, "mfa_disabled", caller)

    def passkeys(self, tenant: TenantContext) -> list[Passkey]:
        """The caller's passkeys."""
        return self._passkeys.of_user(user_of(tenant))

    def begin_passkey(self, tenant: TenantContext) -> Ceremony:
        """Ask for a new passkey. Errors: TooManyPasskeys, OwnProofRequired, SecondFactorRequired, SessionEnded."""
        self._require_own(tenant)
        user_of(tenant)
        return self._passkeys.begin(self._users.own(tenant))

    def add_passkey(
        self, tenant: TenantContext, token: str, credential: dict[str, Any], name: str, caller: Caller
    ) -> tuple[Passkey, list[str], Tokens]:
        """The new passkey, recovery codes where there were none, and tokens of a session that stands on two proofs.

        With the first second factor the user's other sessions end: they stand on one proof alone.
        Errors: CeremonyEnded, PasskeyRefused, PasskeyExists, TooManyPasskeys, SessionEnded, OrganizationClosed.
        """
        user = user_of(tenant)
        self._tokens.living(tenant)
        is_first = not self._factors.of(user).methods
        added = self._passkeys.add(self._users.own(tenant), token, credential, name)
        self._tell(tenant, "passkey_added", caller, {"name": name})
        codes = self._factors.first_codes(user)
        if is_first:
            self._end_others(tenant)
        return added, codes, self._tokens.reissue(self._tokens.assure(tenant, added.proof))

    def remove_passkey(self, tenant: TenantContext, credential: str, caller: Caller) -> None:
        """Take a passkey away, and the recovery codes with the last second factor.

        Errors: PasskeyNotFound, OwnProofRequired, SecondFactorRequired, SessionEnded.
        """
        self._require_own(tenant)
        user = user_of(tenant)
        removed = self._passkeys.remove(user, credential)
        self._factors.drop_idle_codes(user)
        self._tell(tenant, "passkey_removed", caller, {"name": removed.name})

    def renew_codes(self, tenant: TenantContext, caller: Caller) -> list[str]:
        """Fresh recovery codes in place of those before.

        Errors: FactorNotFound, OwnProofRequired, SecondFactorRequired, SessionEnded.
        """
        self._require_own(tenant)
        user = user_of(tenant)
        if not self._factors.of(user).methods:
            raise FactorNotFound
        codes = self._factors.renew_codes(user)
        self._tell(tenant, "recovery_codes_renewed", caller)
        return codes

    def factors(self, tenant: TenantContext) -> Factors:
        """What the caller has set up."""
        return self._factors.of(user_of(tenant))

    def _end_others(self, tenant: TenantContext) -> None:
        """In every tenant: factors are the user's, wherever they are."""
        user = user_of(tenant)
        for place in {tenant.tenant, *(one.tenant for one in self._users.memberships(user))}:
            for other in self._sessions.of_user(place, user):
                if str(other.id) != tenant.session:
                    self._sessions.end(other.id)

    def _require_own(self, tenant: TenantContext) -> None:
        """Proofs are changed by who has proved themselves, with a second factor where there is one."""
        self._factors.require(user_of(tenant), self._tokens.require_own_proof(tenant))

    def _tell(self, tenant: TenantContext, what: str, caller: Caller, details: dict[str, object] | None = None) -> None:
        with self._database.transaction(tenant) as tx:
            tx.emit(security(what, user_of(tenant), caller, details or {}))
