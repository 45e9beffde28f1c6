"""Sign-up, log-in, sessions and keys, as the auth function uses them."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from shared.identity import rules
from shared.identity.errors import (
    ApiKeyNotFound,
    KeyExpiresInThePast,
    NoMembership,
    ScopeNotHeld,
    SessionEnded,
    SessionNotFound,
    WrongCredentials,
)
from shared.identity.gateway import Passwords, TokenSigner
from shared.identity.model import ApiKey, Membership, Session, SignedIn, SignUp, Tokens, User
from shared.identity.repository import ApiKeyRepository, SessionRepository, UserRepository
from tenant_context.api_keys import key_hash, make_key
from tenant_context.clock import Clock, NewId
from tenant_context.context import Source, TenantContext, from_credentials
from tenant_context.errors import Forbidden
from tenant_context.events import Event
from tenant_context.postgres import Database, Transaction


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a log-in comes from."""

    source_ip: str
    agent: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Issuer:
    """In whose name tokens are issued, and for which stage keys are made."""

    issuer: str
    audience: str
    stage: str


class SessionTokens:
    """Opens sessions and issues their tokens."""

    def __init__(
        self, sessions: SessionRepository, signer: TokenSigner, issuer: Issuer, pepper: str, clock: Clock, new_id: NewId
    ) -> None:
        self._sessions = sessions
        self._signer = signer
        self._issuer = issuer
        self._pepper = pepper
        self._clock = clock
        self._new_id = new_id

    def open(self, user: UUID, membership: Membership, caller: Caller) -> Tokens:
        """A new session in a tenant."""
        now = self._clock()
        session = Session(
            id=self._new_id(),
            user=user,
            tenant=membership.tenant,
            role=membership.role,
            seed=secrets.token_urlsafe(32),
            generation=1,
            rotated_at=now.timestamp(),
            created_at=now,
            expires_at=int(now.timestamp()) + rules.REFRESH_SECONDS,
            source_ip=caller.source_ip,
            agent=caller.agent[:200],
        )
        self._sessions.add(session)
        return self._tokens(session, membership)

    def rotate(self, token: str) -> tuple[Session, bool]:
        """The session at its next generation, and whether the token given was the present one.

        The token just replaced answers with the active one for ten seconds; anything older ends the session.
        """
        read = rules.read_refresh_token(token)
        session = self._sessions.find(read[0]) if read else None
        now = self._clock().timestamp()
        if read is None or session is None or now >= session.expires_at:
            raise SessionEnded
        generation = read[1]
        if not rules.is_genuine(session, generation, read[2], self._pepper):
            raise SessionEnded
        if generation == session.generation:
            rotated = self._sessions.rotate(session, now)
            if rotated is not None:
                return rotated, True
            session = self._sessions.find(session.id)
            if session is None:
                raise SessionEnded
        if generation == session.generation - 1 and now - session.rotated_at <= rules.GRACE_SECONDS:
            return session, False
        self._sessions.end(session.id)
        raise SessionEnded("This refresh token was used before; the session is closed for safety.")

    def refresh(self, session: Session, membership: Membership) -> Tokens:
        """The tokens of a session's present generation."""
        return self._tokens(session, membership)

    def _tokens(self, session: Session, membership: Membership) -> Tokens:
        claims = rules.claims(
            session,
            membership,
            issuer=self._issuer.issuer,
            audience=self._issuer.audience,
            token_id=self._new_id(),
            now=self._clock(),
        )
        return Tokens(
            access_token=self._signer.sign(claims),
            refresh_token=rules.refresh_token(session, self._pepper),
            expires_in=rules.ACCESS_SECONDS,
        )


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


class ApiKeys:
    """Keys of programs and devices."""

    def __init__(self, keys: ApiKeyRepository, issuer: Issuer, pepper: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._pepper = pepper

    def make(self, tx: Transaction, name: str, scopes: tuple[str, ...], expires_at: datetime | None) -> ApiKey:
        """A new key, whose text is in the answer and nowhere else. Errors: ScopeNotHeld, KeyExpiresInThePast."""
        if expires_at is not None and expires_at <= tx.now:
            raise KeyExpiresInThePast
        for scope in scopes:
            try:
                tx.tenant.require(scope)
            except Forbidden as error:
                raise ScopeNotHeld(f"You do not have {scope}.") from error
        made = make_key(self._issuer.stage)
        key = ApiKey(made.prefix, name, scopes, tx.now, expires_at, revoked=False, text=made.text)
        self._keys.add(tx.tenant.tenant, key, key_hash(made.text, self._pepper))
        data = {"prefix": key.prefix, "name": name, "scopes": list(scopes)}
        tx.emit(Event("security.api_key_created", f"api-key/{key.prefix}", data))
        return key

    def all(self, tenant: TenantContext) -> list[ApiKey]:
        """The tenant's keys."""
        return self._keys.all(tenant.tenant)

    def revoke(self, tx: Transaction, prefix: str) -> None:
        """Stop a key within ten seconds. Errors: ApiKeyNotFound."""
        if self._keys.find(tx.tenant.tenant, prefix) is None:
            raise ApiKeyNotFound
        self._keys.revoke(tx.tenant.tenant, prefix)
        tx.emit(Event("security.api_key_revoked", f"api-key/{prefix}", {"prefix": prefix}))


def _choose(memberships: tuple[Membership, ...], organization: str | None) -> Membership:
    for membership in memberships:
        if organization is None or organization in {membership.slug, str(membership.tenant)}:
            return membership
    raise NoMembership


def _user(tenant: TenantContext) -> UUID:
    if tenant.user is None:
        raise Forbidden("This is for users, not for keys.")
    return tenant.user
