"""Sign-up, log-in and switching."""

from dataclasses import replace
from uuid import UUID

from shared.identity import rules
from shared.identity.errors import NoMembership, SessionEnded, SessionNotFound, WrongCredentials
from shared.identity.gateway.passwords import Passwords
from shared.identity.model import Membership, Session, SignedIn, SignUp, Tokens, User
from shared.identity.repository.sessions import SessionRepository
from shared.identity.repository.users import UserRepository
from shared.identity.service.sessions import Caller, SessionTokens
from tenant_context.clock import NewId
from tenant_context.context import Source, TenantContext, from_credentials
from tenant_context.errors import Forbidden
from tenant_context.events import Event
from tenant_context.postgres import Database


class Identity:
    """Who people are, and how they come and go."""

    def __init__(
        self,
        database: Database,
        users: UserRepository,
        sessions: SessionRepository,
        tokens: SessionTokens,
        passwords: Passwords,
        new_id: NewId,
    ) -> None:
        self._database = database
        self._users = users
        self._sessions = sessions
        self._tokens = tokens
        self._passwords = passwords
        self._new_id = new_id

    def sign_up(self, sign_up: SignUp, caller: Caller) -> SignedIn:
        """A new user with a new tenant, in one transaction; emits tenant.created, which starts the billing.

        Errors: WeakPassword, EmailTaken, SlugTaken.
        """
        rules.check_password(sign_up)
        tenant_id, user_id = self._new_id(), self._new_id()
        slug = sign_up.slug or rules.slug_of(sign_up.organization, tenant_id)
        password_hash = self._passwords.hash(sign_up.password)
        tenant = from_credentials(tenant_id, user_id, Source.SIGN_UP, caller.request_id)
        with self._database.transaction(tenant) as tx:
            self._users.add(tx, sign_up, user_id, slug, password_hash)
            data = {"id": str(tenant_id), "name": sign_up.organization, "slug": slug, "plan": sign_up.plan}
            tx.emit(Event("tenant.created", f"tenant/{tenant_id}", {**data, "email": sign_up.email}))
        membership = Membership(tenant_id, slug, sign_up.organization, "owner", "billing_pending")
        tokens = self._tokens.open(user_id, membership, caller)
        return SignedIn(User(user_id, sign_up.email, sign_up.name), membership, tokens)

    def log_in(self, email: str, password: str, organization: str | None, caller: Caller) -> SignedIn:
        """A session for a user who knows their password. Errors: WrongCredentials, NoMembership."""
        login = self._users.find_login(email)
        if not self._passwords.matches(login.password_hash if login else None, password) or login is None:
            raise WrongCredentials
        membership = _choose(login.memberships, organization)
        if self._passwords.is_outdated(login.password_hash):
            tenant = from_credentials(membership.tenant, login.user.id, Source.CREDENTIALS, caller.request_id)
            with self._database.transaction(tenant) as tx:
                self._users.rehash(tx, login.user.id, self._passwords.hash(password))
        return SignedIn(login.user, membership, self._tokens.open(login.user.id, membership, caller))

    def refresh(self, token: str) -> Tokens:
        """Fresh tokens for a refresh token; the role is read anew. Errors: SessionEnded."""
        session, _ = self._tokens.rotate(token)
        for membership in self._users.memberships(session.user):
            if membership.tenant == session.tenant:
                return self._tokens.refresh(replace(session, role=membership.role), membership)
        self._sessions.end(session.id)
        raise SessionEnded("You no longer belong to this organization.")

    def switch(self, tenant: TenantContext, organization: str, caller: Caller) -> tuple[Membership, Tokens]:
        """A session of the same user in another tenant. Errors: NoMembership."""
        user = _user(tenant)
        membership = _choose(self._users.memberships(user), organization)
        return membership, self._tokens.open(user, membership, caller)

    def log_out(self, tenant: TenantContext) -> None:
        """End the caller's own session."""
        self._sessions.end(UUID(tenant.session))

    def sessions(self, tenant: TenantContext) -> list[Session]:
        """The caller's living sessions in this tenant."""
        return self._sessions.of_user(tenant.tenant, _user(tenant))

    def end_session(self, tenant: TenantContext, session: UUID) -> None:
        """End one of the caller's own sessions. Errors: SessionNotFound."""
        if session not in {mine.id for mine in self.sessions(tenant)}:
            raise SessionNotFound
        self._sessions.end(session)


def _choose(memberships: tuple[Membership, ...], organization: str | None) -> Membership:
    for membership in memberships:
        if organization is None or organization in {membership.slug, str(membership.tenant)}:
            return membership
    raise NoMembership


def _user(tenant: TenantContext) -> UUID:
    if tenant.user is None:
        raise Forbidden("This is for users, not for keys.")
    return tenant.user
