"""A user's own account: another mail address, out of every session, gone."""

import secrets
from uuid import UUID

from shared.identity.errors import EmailUnchanged, LastOwner, TicketEnded
from shared.identity.gateway.mail import NOBODY, MailQueue
from shared.identity.model import Membership, User
from shared.identity.repository.credentials import CredentialRepository
from shared.identity.repository.members import MemberRepository
from shared.identity.repository.sessions import SessionRepository
from shared.identity.repository.tickets import TicketRepository
from shared.identity.repository.users import UserRepository
from shared.identity.service.callers import Caller, everywhere, in_place, security, user_of
from shared.identity.service.factors import SecondFactors
from shared.identity.service.mailed_codes import MailedCodes
from shared.identity.service.sessions import SessionTokens
from shared.identity.service.throttle import Throttle
from tenant_context.clock import Clock
from tenant_context.context import TenantContext
from tenant_context.dynamo import Item
from tenant_context.events import Event
from tenant_context.postgres import Database

_DAY = 86_400
_CHANGE, _SIDE = "address-change", "address"


class Account:
    """What users do to their own accounts. What cannot be undone asks for proofs of their own, not of a provider."""

    def __init__(
        self,
        database: Database,
        users: UserRepository,
        sessions: SessionRepository,
        tickets: TicketRepository,
        *,
        members: MemberRepository,
        codes: MailedCodes,
        credentials: CredentialRepository,
        factors: SecondFactors,
        tokens: SessionTokens,
        throttle: Throttle,
        mails: MailQueue,
        clock: Clock,
    ) -> None:
        self._database = database
        self._users = users
        self._sessions = sessions
        self._tickets = tickets
        self._members = members
        self._codes = codes
        self._credentials = credentials
        self._factors = factors
        self._tokens = tokens
        self._throttle = throttle
        self._mails = mails
        self._clock = clock

    def ask_to_change_email(self, tenant: TenantContext, email: str, caller: Caller) -> None:
        """Send a code to the present address and one to the new: with both, the address changes.

        Errors: OwnProofRequired, SecondFactorRequired, EmailUnchanged, TooManyTries, SessionEnded.
        """
        self._require_own(tenant)
        user = self._users.own(tenant)
        if email == user.email:
            raise EmailUnchanged
        self._throttle.failed(self._throttle.enter("change-email", str(user.id), caller.source_ip))
        until = int(self._clock().timestamp()) + _DAY
        change = secrets.token_urlsafe(32)
        content: Item = {"user": user.id, "old": user.email, "new": email, "name": user.name}
        self._tickets.put(_CHANGE, change, content, until)
        for side, kind, to in (("new", "change-address", email), ("old", "leave-address", user.email)):
            token = f"ea_{secrets.token_urlsafe(32)}"
            self._tickets.put(_SIDE, token, {"change": change, "side": side}, until)
            values = {"name": user.name, "token": token, "email": email}
            self._mails.send(kind, to, values, request_id=caller.request_id, tenant=tenant.tenant)
        with self._database.transaction(tenant) as tx:
            tx.emit(security("address_change_requested", user.id, caller, {}))

    def confirm_email(self, token: str, caller: Caller) -> bool:
        """One of the two codes; answers whether the address has changed by it.

        Errors: TicketEnded, TooManyTries, EmailTaken.
        May be repeated, until the change is done: it is marked first, then made, then forgotten.
        """
        ticket = self._codes.read(_SIDE, token, caller.source_ip)
        if self._tickets.find(_CHANGE, ticket["change"], self._clock().timestamp()) is None:
            raise TicketEnded
        marked = self._tickets.mark(_CHANGE, ticket["change"], f"confirmed_{ticket['side']}")
        if marked is None:
            raise TicketEnded
        if not (marked.get("confirmed_old") and marked.get("confirmed_new")):
            return False
        changed = self._change(User(UUID(marked["user"]), marked["old"], marked["name"]), marked["new"], caller)
        self._tickets.take(_CHANGE, ticket["change"])
        if not changed:
            raise TicketEnded  # the address has changed since, to another
        return True

    def _change(self, user: User, email: str, caller: Caller) -> bool:
        with self._database.transaction(in_place(NOBODY, user.id, caller)) as tx:
            changed = self._users.change_email(tx, user.id, user.email, email)
        if not changed:
            return False
        for tenant in self._contexts(user.id, caller):
            with self._database.transaction(tenant) as tx:
                tx.emit(security("address_changed", user.id, caller, {}))
        values = {"name": user.name, "email": email, "source_ip": caller.source_ip}
        self._mails.send("address-changed", user.email, values, request_id=caller.request_id)
        return True

    def log_out_everywhere(self, tenant: TenantContext, caller: Caller) -> None:
        """End every session of the caller, in every tenant; emits security.signed_out in each.

        For whom a tenant's provider vouched, those of that tenant.
        """
        user, session = user_of(tenant), self._sessions.find(UUID(tenant.session))
        elsewhere = self._users.memberships(user) if session and session.assurance.is_own else ()
        for place in {tenant.tenant, *(one.tenant for one in elsewhere)}:
            for session in self._sessions.of_user(place, user):
                self._sessions.end(session.id)
            with self._database.transaction(in_place(place, user, caller)) as tx:
                tx.emit(security("signed_out", user, caller, {"session": "*"}))

    def end(self, tenant: TenantContext, caller: Caller) -> None:
        """Leave every tenant and forget the person.

        May be repeated until it is done: the sessions end last.
        Errors: OwnProofRequired, SecondFactorRequired, LastOwner, SessionEnded.
        """
        self._require_own(tenant)
        user, own = user_of(tenant), self._users.own(tenant)
        places = self._users.memberships(user)
        for place in places:
            self._check_dispensable(place, user, caller)
        self._leave(places, user, caller)
        self._credentials.forget(user)
        with self._database.transaction(in_place(NOBODY, user, caller)) as tx:
            self._users.forget(tx, user)
        # Nobody joins anything after that; what was joined until then is left now.
        late = self._users.memberships(user)
        self._leave(late, user, caller)
        values = {"name": own.name, "source_ip": caller.source_ip}
        self._mails.send("account-ended", own.email, values, request_id=caller.request_id)
        for where in {tenant.tenant, *(one.tenant for one in (*places, *late))}:
            for session in self._sessions.of_user(where, user):
                self._sessions.end(session.id)

    def _leave(self, places: tuple[Membership, ...], user: UUID, caller: Caller) -> None:
        for place in places:
            with self._database.transaction(in_place(place.tenant, user, caller)) as tx:
                before, owners = self._members.lock(tx, user)
                if before == "owner" and owners == 1:
                    raise LastOwner
                self._members.withdraw(tx, user)
                self._members.remove(tx, user)
                tx.emit(Event("member.left", f"user/{user}", {"user": str(user), "from": before, "to": None}))

    def _check_dispensable(self, place: Membership, user: UUID, caller: Caller) -> None:
        with self._database.transaction(in_place(place.tenant, user, caller)) as tx:
            role, owners = self._members.lock(tx, user)
            if role == "owner" and owners == 1:
                raise LastOwner(f"{place.name} would have no owner; make somebody else one first.")

    def _require_own(self, tenant: TenantContext) -> None:
        self._factors.require(user_of(tenant), self._tokens.require_own_proof(tenant))

    def _contexts(self, user: UUID, caller: Caller) -> list[TenantContext]:
        return everywhere(self._users.memberships(user), user, caller)
