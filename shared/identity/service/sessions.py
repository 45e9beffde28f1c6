"""Sessions and the tokens they issue."""

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from shared.identity import rules
from shared.identity.errors import OwnProofRequired, SessionEnded, SessionReused
from shared.identity.gateway.tokens import TokenSigner
from shared.identity.model import Assurance, Membership, Session, Tokens
from shared.identity.repository.sessions import SessionRepository
from shared.identity.repository.users import UserRepository
from shared.identity.service.callers import Caller
from tenant_context.aws import AwsError
from tenant_context.clock import Clock, NewId
from tenant_context.context import TenantContext
from tenant_context.state_news import Allowances, Allowed


@dataclass(frozen=True, slots=True)
class Issuer:
    """In whose name tokens are issued, and for which stage keys are made."""

    issuer: str
    audience: str
    stage: str


class SessionTokens:
    """Opens sessions and issues their tokens."""

    def __init__(
        self,
        sessions: SessionRepository,
        users: UserRepository,
        signer: TokenSigner,
        issuer: Issuer,
        *,
        pepper: str,
        clock: Clock,
        new_id: NewId,
        allowances: Allowances,
    ) -> None:
        self._allowances = allowances
        self._sessions = sessions
        self._users = users
        self._signer = signer
        self._issuer = issuer
        self._pepper = pepper
        self._clock = clock
        self._new_id = new_id

    def open(
        self,
        user: UUID,
        membership: Membership,
        caller: Caller,
        assurance: Assurance,
        still: Callable[[], bool] = lambda: True,
    ) -> Tokens:
        """A new session in a tenant, of a user who has just proved who they are.

        What it rests on is asked once more when it is there: the place as it was, and `still`.
        Errors: OrganizationClosed, SsoRequired, SessionEnded.
        """
        rules.check_open(membership)
        rules.check_way(membership, assurance)
        now = self._clock()
        session = Session(
            id=self._new_id(),
            user=user,
            tenant=membership.tenant,
            seed=secrets.token_urlsafe(32),
            generation=1,
            rotated_at=now.timestamp(),
            created_at=now,
            expires_at=int(now.timestamp())
            + (rules.FEDERATED_SECONDS if assurance.is_federated else rules.REFRESH_SECONDS),
            source_ip=caller.source_ip,
            agent=caller.agent[:200],
            assurance=assurance,
        )
        self._sessions.add(session)
        place = (membership.tenant, membership.role)
        if place not in {(one.tenant, one.role) for one in self._users.memberships(user)} or not still():
            self._sessions.end(session.id)
            raise SessionEnded("Something changed while you logged in; do so again.")
        return self._tokens(session, membership)

    def rotate(self, token: str) -> tuple[Session, bool]:
        """The session at its next generation, and whether the token given was the present one.

        The token just replaced answers with the active one for ten seconds; anything older ends the session.
        Errors: SessionEnded; SessionReused, which is one, for anything older.
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
        raise SessionReused(session.user, session.tenant, session.id)

    def assure(self, tenant: TenantContext, proof: str) -> Session:
        """The caller's session after they have proved once more who they are. Errors: SessionEnded."""
        before, now = self.living(tenant).assurance, int(self._clock().timestamp())
        given = Assurance(before.level, before.proofs, now).with_proof(proof, now)
        found = self._sessions.assure(UUID(tenant.session), given)
        if found is None:
            raise SessionEnded
        return found

    def living(self, tenant: TenantContext) -> Session:
        """The caller's session as it is now: an access token outlives it by seconds. Errors: SessionEnded."""
        found = self._sessions.find(UUID(tenant.session))
        if found is None or found.user != tenant.user:
            raise SessionEnded
        return found

    def require_own_proof(self, tenant: TenantContext) -> Assurance:
        """How the caller has proved themselves; a tenant's provider's word is not enough.

        Errors: OwnProofRequired, SessionEnded.
        """
        assurance = self.living(tenant).assurance
        if not assurance.is_own:
            raise OwnProofRequired
        return assurance

    def reissue(self, session: Session) -> Tokens:
        """The tokens of a session's present generation, with the role its user has now.

        Errors: OrganizationClosed; SessionEnded, also where the organization asks for another way in.
        """
        for membership in self._users.memberships(session.user):
            if membership.tenant == session.tenant:
                rules.check_open(membership)
                if not rules.holds(membership, session.assurance):
                    break
                return self._tokens(session, membership)
        self._sessions.end(session.id)
        raise SessionEnded("You no longer belong to this organization, or it asks you to log in another way.")

    def _allowed(self, tenant: UUID) -> Allowed | None:
        """What the tenant may use beside its plan; while that is not to be known, it has its plan's."""
        with suppress(AwsError):
            return self._allowances.of(tenant)
        return None

    def _tokens(self, session: Session, membership: Membership) -> Tokens:
        claims = rules.claims(
            session,
            membership,
            self._allowed(membership.tenant),
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
