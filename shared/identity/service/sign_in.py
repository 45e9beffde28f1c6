"""Sign-up, log-in with a second step, proving once more, and switching."""

import secrets
from dataclasses import replace
from typing import Any
from uuid import UUID

from shared.identity import rules
from shared.identity.errors import (
    ChallengeEnded,
    EmailTaken,
    NoMembership,
    OwnProofRequired,
    SessionEnded,
    SessionNotFound,
    SessionReused,
    WrongCode,
    WrongCredentials,
    WrongPasskey,
)
from shared.identity.gateway.passwords import Passwords
from shared.identity.model import (
    Assurance,
    Ceremony,
    Challenge,
    Login,
    Membership,
    Passkey,
    Session,
    SignedIn,
    Tokens,
    User,
)
from shared.identity.repository.sessions import SessionRepository
from shared.identity.repository.tickets import TicketRepository
from shared.identity.repository.users import UserRepository
from shared.identity.service.callers import Caller, in_place, security, user_of
from shared.identity.service.factors import SecondFactors
from shared.identity.service.failures import Failures
from shared.identity.service.fresh_passwords import FreshPasswords
from shared.identity.service.invitations import Asked, check_address
from shared.identity.service.passkeys import LOG_IN, Passkeys, carried_by
from shared.identity.service.sessions import SessionTokens
from shared.identity.service.takeover import Takeover
from shared.identity.service.throttle import Throttle, device_token, known_device
from tenant_context.clock import Clock, NewId
from tenant_context.context import TenantContext
from tenant_context.dynamo import Item
from tenant_context.postgres import Database


class Identity:
    """Who people are, and how they come and go."""

    def __init__(
        self,
        database: Database,
        users: UserRepository,
        sessions: SessionRepository,
        tickets: TicketRepository,
        *,
        tokens: SessionTokens,
        passwords: Passwords,
        factors: SecondFactors,
        passkeys: Passkeys,
        throttle: Throttle,
        failures: Failures,
        asked: Asked,
        fresh: FreshPasswords,
        takeover: Takeover,
        pepper: str,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._database = database
        self._users = users
        self._sessions = sessions
        self._tickets = tickets
        self._tokens = tokens
        self._passwords = passwords
        self._factors = factors
        self._passkeys = passkeys
        self._throttle = throttle
        self._failures = failures
        self._asked = asked
        self._fresh = fresh
        self._takeover = takeover
        self._pepper = pepper
        self._clock = clock
        self._new_id = new_id

    def join_anew(self, token: str, name: str, password: str, caller: Caller) -> SignedIn:
        """A new user, who was invited; an account with their address that nobody ever confirmed becomes theirs.

        Errors: TicketEnded, TooManyTries, WeakPassword, BreachedPassword, EmailTaken, AlreadyMember,
        OrganizationClosed, SsoRequired, SessionEnded.
        """
        tenant_id, invitation, email = self._asked.read(token, caller.source_ip)
        self._fresh.check(password, email, name, caller)
        login = self._users.find_login(email)
        if login is not None and login.confirmed:
            raise EmailTaken("There is a user with this mail address: log in, and accept the invitation then.")
        user = User(login.user.id if login else self._new_id(), email, name)
        digest = self._passwords.hash(password)
        there = in_place(tenant_id, user.id, caller)
        if login is not None:
            with self._database.transaction(there) as tx:
                self._asked.check_good(tx, invitation, user.id)
            self._takeover.clear(user.id, caller)
        with self._database.transaction(there) as tx:
            if login is None:
                self._asked.add_user(tx, user.id, email, name, digest)
            else:
                self._users.make_own(tx, user, digest)
            self._asked.enter(tx, invitation, user.id)
        return self.enter(user, self._place(user.id, tenant_id), caller, self._assured("pwd"), "")

    def join(self, tenant: TenantContext, token: str, caller: Caller) -> tuple[Membership, Tokens]:
        """The caller, who was invited, and their tokens in the other tenant.

        Their address is confirmed by it: they have a session, and the code of a mail.
        Errors: TicketEnded, TooManyTries, InvitedAsAnother, AlreadyMember, OwnProofRequired, SecondFactorRequired,
        OrganizationClosed, SsoRequired, SessionEnded.
        """
        user = user_of(tenant)
        self._tokens.require_own_proof(tenant)
        tenant_id, invitation, email = self._asked.read(token, caller.source_ip)
        check_address(self._users.own(tenant).email, email)
        with self._database.transaction(in_place(tenant_id, user, caller)) as tx:
            self._asked.enter(tx, invitation, user)
            self._users.confirm(tx, user, email)
        return self.switch(tenant, str(tenant_id), caller)

    def _place(self, user: UUID, tenant: UUID) -> Membership:
        return choose(self._users.memberships(user), str(tenant))

    def log_in(
        self, email: str, password: str, organization: str | None, caller: Caller, device: str = ""
    ) -> SignedIn | Challenge:
        """A session for a user who knows their password, or, with a second factor, the challenge that asks for it.

        Errors: WrongCredentials, TooManyTries, NoMembership, OrganizationClosed, SsoRequired, SessionEnded.
        """
        login = self._users.find_login(email)
        known = known_device(device, str(login.user.id), self._pepper) if login else ""
        attempt = self._throttle.enter("password", email, caller.source_ip, known)
        if not self._passwords.matches(login.password_hash if login else None, password) or login is None:
            self._throttle.failed(attempt)
            user, places = (login.user.id, login.memberships) if login else (None, ())
            self._failures.sign_in(user, places, organization, caller, "wrong-password")
            raise WrongCredentials
        self._throttle.succeeded(attempt)
        rests_on = rules.rests_on(login)
        membership = choose(login.memberships, organization)
        if self._passwords.is_outdated(login.password_hash):
            tenant = in_place(membership.tenant, login.user.id, caller)
            fresh = self._passwords.hash(password)
            with self._database.transaction(tenant) as tx:
                self._users.renew_hash(tx, login.user.id, login.password_hash, fresh)
            rests_on = rules.rests_on(replace(login, password_hash=fresh))
        methods = self._factors.of(login.user.id).methods
        if methods:
            return self._challenge(login, membership, known, methods, rests_on)
        return self.enter(login.user, membership, caller, self._assured("pwd"), known, rests_on)

    def _challenge(
        self, login: Login, membership: Membership, device: str, methods: tuple[str, ...], rests_on: str
    ) -> Challenge:
        token, user = f"ch_{secrets.token_urlsafe(32)}", login.user
        content = {"user": user.id, "email": user.email, "tenant": membership.tenant, "device": device}
        expires = int(self._clock().timestamp()) + rules.CHALLENGE_SECONDS
        self._tickets.put("challenge", token, {**content, "name": user.name, "rests_on": rests_on}, expires)
        return Challenge(token, methods, rules.CHALLENGE_SECONDS)

    def answer(self, token: str, code: str, caller: Caller) -> SignedIn:
        """The second step of a log-in.

        Errors: ChallengeEnded, WrongCode, TooManyTries, NoMembership, OrganizationClosed, SsoRequired, SessionEnded.
        """
        ticket = self._waiting(token)
        user = UUID(ticket["user"])
        try:
            proof = self._factors.check(user, code, caller.source_ip, ticket["device"])
        except WrongCode as wrong:
            self._failures.sign_in(user, self._users.memberships(user), ticket["tenant"], caller, wrong.code)
            raise
        return self._finish(token, ticket, proof, caller)

    def ask_passkey(self, challenge: str | None) -> Ceremony:
        """Ask a passkey for a log-in: one of the user whose log-in waits for it, or whichever the device offers.

        Errors: ChallengeEnded, PasskeyNotFound.
        """
        if challenge is None:
            return self._passkeys.ask(LOG_IN, None)
        return self._passkeys.ask(LOG_IN, UUID(self._waiting(challenge)["user"]), challenge)

    def answer_passkey(
        self, token: str, credential: dict[str, Any], organization: str | None, caller: Caller, device: str = ""
    ) -> SignedIn:
        """A log-in by a passkey, as the second step after the password or as both in one.

        Errors: ChallengeEnded, CeremonyEnded, WrongPasskey, PasskeyCloned, TooManyTries, NoMembership,
        OrganizationClosed, SsoRequired, SessionEnded.
        """
        if challenge := carried_by(token):
            ticket = self._waiting(challenge)
            user, device = UUID(ticket["user"]), ticket["device"]
            passkey = self._checked(token, credential, user, ticket["tenant"], caller, device)
            return self._finish(challenge, ticket, passkey.proof, caller)
        passkey = self._checked(token, credential, None, organization, caller)
        membership = choose(self._users.memberships(passkey.user), organization)
        tenant = in_place(membership.tenant, passkey.user, caller)
        known = known_device(device, str(passkey.user), self._pepper)
        return self.enter(self._users.own(tenant), membership, caller, self._assured(passkey.proof, "user"), known)

    def _checked(
        self,
        token: str,
        credential: dict[str, Any],
        user: UUID | None,
        organization: str | None,
        caller: Caller,
        device: str = "",
    ) -> Passkey:
        try:
            return self._passkeys.check(LOG_IN, token, credential, user, caller, device)
        except WrongPasskey as wrong:
            owner = user or self._passkeys.user_of(credential)
            places = self._users.memberships(owner) if owner else ()
            self._failures.sign_in(owner, places, organization, caller, wrong.code)
            raise

    def _waiting(self, challenge: str) -> Item:
        ticket = self._tickets.find("challenge", challenge, self._clock().timestamp())
        if ticket is None:
            raise ChallengeEnded
        return ticket

    def _finish(self, challenge: str, ticket: Item, proof: str, caller: Caller) -> SignedIn:
        if not self._tickets.take("challenge", challenge):
            raise ChallengeEnded
        login = self._users.find_login(ticket["email"])
        if login is None or rules.rests_on(login) != ticket["rests_on"]:
            raise ChallengeEnded  # the address or the password has changed since
        membership, rests_on = choose(login.memberships, ticket["tenant"]), ticket["rests_on"]
        return self.enter(login.user, membership, caller, self._assured("pwd", proof), ticket["device"], rests_on)

    def _assured(self, *proofs: str) -> Assurance:
        return Assurance(len(proofs), proofs, int(self._clock().timestamp()))

    def enter(
        self, user: User, membership: Membership, caller: Caller, assurance: Assurance, device: str, rests_on: str = ""
    ) -> SignedIn:
        """Open the session and write down who came, from where, and how.

        Whatever was true while the password was checked is asked once more when the session is there: whoever changed
        the password or the membership meanwhile could not have ended it.
        Errors: OrganizationClosed, SsoRequired, SessionEnded.
        """

        def still() -> bool:
            if not rests_on:
                return True
            login = self._users.find_login(user.email)
            return login is not None and rules.rests_on(login) == rests_on

        tokens = self._tokens.open(user.id, membership, caller, assurance, still)
        self._told(user.id, membership, caller, assurance)
        shown = device_token(str(user.id), device or secrets.token_hex(16), self._pepper)
        return SignedIn(user, membership, tokens, shown)

    def _told(self, user: UUID, membership: Membership, caller: Caller, assurance: Assurance) -> None:
        with self._database.transaction(in_place(membership.tenant, user, caller)) as tx:
            tx.emit(security("signed_in", user, caller, {"proofs": list(assurance.proofs)}))

    def refresh(self, token: str, caller: Caller) -> Tokens:
        """Fresh tokens for a refresh token; the role is read anew. Errors: SessionEnded, OrganizationClosed."""
        try:
            session, _ = self._tokens.rotate(token)
        except SessionReused as reused:
            tenant = in_place(reused.tenant, reused.user, caller)
            with self._database.transaction(tenant) as tx:
                tx.emit(security("refresh_token_reused", reused.user, caller, {"session": str(reused.session)}))
            raise
        return self._tokens.reissue(session)

    def switch(self, tenant: TenantContext, organization: str, caller: Caller) -> tuple[Membership, Tokens]:
        """A session of the same user in another tenant.

        Errors: NoMembership, SessionEnded, OwnProofRequired, SecondFactorRequired, SsoRequired, OrganizationClosed.
        """
        user = user_of(tenant)
        membership = choose(self._users.memberships(user), organization)
        present = self._sessions.find(UUID(tenant.session))
        if present is None or present.user != user:
            raise SessionEnded
        if not present.assurance.is_own:
            raise OwnProofRequired
        self._factors.require(user, present.assurance)
        tokens = self._tokens.open(user, membership, caller, present.assurance.own())
        self._told(user, membership, caller, present.assurance.own())
        return membership, tokens

    def log_out(self, tenant: TenantContext, caller: Caller) -> None:
        """End the caller's own session; emits security.signed_out."""
        self._sessions.end(UUID(tenant.session))
        self._tell(tenant, "signed_out", caller, {"session": tenant.session})

    def _tell(self, tenant: TenantContext, what: str, caller: Caller, details: dict[str, object]) -> None:
        with self._database.transaction(tenant) as tx:
            tx.emit(security(what, user_of(tenant), caller, details))

    def end_sessions(self, tenant: TenantContext) -> None:
        """End every session of a user in this tenant."""
        for session in self.sessions(tenant):
            self._sessions.end(session.id)

    def sessions(self, tenant: TenantContext) -> list[Session]:
        """The caller's living sessions in this tenant."""
        return self._sessions.of_user(tenant.tenant, user_of(tenant))

    def end_session(self, tenant: TenantContext, session: UUID, caller: Caller) -> None:
        """End one of the caller's own sessions; emits security.signed_out. Errors: SessionNotFound."""
        if session not in {mine.id for mine in self.sessions(tenant)}:
            raise SessionNotFound
        self._sessions.end(session)
        self._tell(tenant, "signed_out", caller, {"session": str(session)})


def choose(memberships: tuple[Membership, ...], organization: str | None) -> Membership:
    """The place that a log-in is for, by `rules.place_of`. Errors: NoMembership."""
    place = rules.place_of(memberships, organization)
    if place is None:
        raise NoMembership
    return place
