"""What goes by mail: confirming an address, setting a password anew."""

import secrets
from contextlib import suppress
from uuid import UUID

from shared.identity import rules
from shared.identity.errors import EmailTaken, TicketEnded
from shared.identity.gateway.mail import NOBODY, MailQueue
from shared.identity.gateway.passwords import Passwords
from shared.identity.model import User
from shared.identity.repository.sessions import SessionRepository
from shared.identity.repository.tickets import TicketRepository
from shared.identity.repository.users import UserRepository
from shared.identity.service.callers import Caller, everywhere, security, user_of
from shared.identity.service.fresh_passwords import FreshPasswords
from shared.identity.service.mailed_codes import MailedCodes
from shared.identity.service.proofs import Proofs
from shared.identity.service.takeover import Takeover
from shared.identity.service.throttle import Throttle
from tenant_context.clock import Clock
from tenant_context.context import TenantContext
from tenant_context.postgres import Database

_DAY, _HOUR = 86_400, 3_600


class Recovery:
    """Tickets by mail, and what they are good for."""

    def __init__(
        self,
        database: Database,
        users: UserRepository,
        sessions: SessionRepository,
        tickets: TicketRepository,
        *,
        codes: MailedCodes,
        takeover: Takeover,
        passwords: Passwords,
        proofs: Proofs,
        fresh: FreshPasswords,
        throttle: Throttle,
        mails: MailQueue,
        clock: Clock,
    ) -> None:
        self._database = database
        self._users = users
        self._sessions = sessions
        self._tickets = tickets
        self._codes = codes
        self._takeover = takeover
        self._passwords = passwords
        self._proofs = proofs
        self._fresh = fresh
        self._throttle = throttle
        self._mails = mails
        self._clock = clock

    def ask_to_confirm(self, user: User, tenant: UUID, request_id: str) -> None:
        """Send the code by which a new user confirms their address."""
        token = self._ticket("confirm", "em_", user, _DAY)
        values = {"name": user.name, "token": token}
        self._mails.send("confirm-address", user.email, values, request_id=request_id, tenant=tenant)

    def ask_again(self, tenant: TenantContext, caller: Caller) -> None:
        """Send the code once more, to who has not confirmed yet. Errors: TooManyTries, SessionEnded."""
        user = self._users.own(tenant)
        self._throttle.failed(self._throttle.enter("confirm", str(user.id), caller.source_ip))
        if not self._users.is_confirmed(tenant):
            self.ask_to_confirm(user, tenant.tenant, caller.request_id)

    def confirm(self, tenant: TenantContext, token: str, caller: Caller) -> None:
        """The address is the caller's; emits security.address_confirmed. Errors: TicketEnded, TooManyTries.

        Only of a session of theirs: whoever merely reads the mail confirms no account that another set up with it.
        """
        item = self._codes.read("confirm", token, caller.source_ip)
        if UUID(item["user"]) != user_of(tenant):
            raise TicketEnded
        user = self._taken("confirm", token)
        for place in self._tenants(user.id, caller):
            with self._database.transaction(place) as tx:
                self._users.confirm(tx, user.id, user.email)
                tx.emit(security("address_confirmed", user.id, caller, {}))

    def forgot(self, email: str, caller: Caller) -> None:
        """Send the code by which a password is set anew; to nobody, at the same pace, who is not known.

        Errors: TooManyTries.
        """
        self._throttle.failed(self._throttle.enter("forgot", email, caller.source_ip))
        login = self._users.find_login(email)
        if login is None:
            self._ticket("nobody", "pw_", User(NOBODY, "", ""), _HOUR)
            self._mails.send("nobody", email, {"name": "", "token": ""}, request_id=caller.request_id)
            return
        token = self._ticket("reset", "pw_", login.user, _HOUR, rules.rests_on(login))
        values = {"name": login.user.name, "token": token}
        tenant = login.memberships[0].tenant if login.memberships else NOBODY
        self._mails.send("reset-password", email, values, request_id=caller.request_id, tenant=tenant)

    def reset(self, token: str, password: str, caller: Caller) -> None:
        """Another password by a code from a mail; every session ends.

        Who reads the address's mail is its user: one that was never confirmed is from now on, and whatever somebody
        else set up under it before is taken away.
        Errors: TicketEnded, TooManyTries, WeakPassword, BreachedPassword.
        """
        item = self._codes.read("reset", token, caller.source_ip)
        # A password that is refused leaves the code as good as it was.
        self._fresh.check(password, item["email"], item["name"], caller)
        login = self._users.find_login(item["email"])
        if login is None or rules.rests_on(login) != item["rests_on"]:
            raise TicketEnded  # the address or the password has changed since
        user = self._taken("reset", token)
        if not login.confirmed:
            with suppress(EmailTaken):  # it was confirmed meanwhile, so all of it is theirs
                self._takeover.clear(user.id, caller)
        self._set(user, password, caller, keep="", by_mail=True)

    def change(self, tenant: TenantContext, present: str, password: str, caller: Caller) -> None:
        """Another password by the present one; every other session ends.

        Errors: WrongCredentials, TooManyTries, WeakPassword, BreachedPassword, SessionEnded.
        """
        self._proofs.check_password(tenant, present, caller)
        user = self._users.own(tenant)
        self._fresh.check(password, user.email, user.name, caller)
        self._set(user, password, caller, keep=tenant.session)

    def _set(self, user: User, password: str, caller: Caller, *, keep: str, by_mail: bool = False) -> None:
        digest = self._passwords.hash(password)
        tenants = self._tenants(user.id, caller)
        for tenant in tenants:
            with self._database.transaction(tenant) as tx:
                self._users.rehash(tx, user.id, digest)
                if by_mail:
                    self._users.confirm(tx, user.id, user.email)
                tx.emit(security("password_changed", user.id, caller, {}))
        for tenant in tenants:
            for session in self._sessions.of_user(tenant.tenant, user.id):
                if str(session.id) != keep:
                    self._sessions.end(session.id)
        values = {"name": user.name, "source_ip": caller.source_ip}
        self._mails.send("password-changed", user.email, values, request_id=caller.request_id, tenant=tenants[0].tenant)

    def _tenants(self, user: UUID, caller: Caller) -> list[TenantContext]:
        return everywhere(self._users.memberships(user), user, caller)

    def _ticket(self, kind: str, prefix: str, user: User, seconds: int, rests_on: str = "") -> str:
        token = f"{prefix}{secrets.token_urlsafe(32)}"
        content = {"user": user.id, "email": user.email, "name": user.name, "rests_on": rests_on}
        self._tickets.put(kind, token, content, int(self._clock().timestamp()) + seconds)
        return token

    def _taken(self, kind: str, token: str) -> User:
        item = self._tickets.find(kind, token, self._clock().timestamp())
        if item is None or not self._tickets.take(kind, token):
            raise TicketEnded
        return User(UUID(item["user"]), item["email"], item["name"])

    def me(self, tenant: TenantContext) -> tuple[User, bool]:
        """The caller, and whether their address is confirmed. Errors: SessionEnded."""
        user_of(tenant)
        return self._users.own(tenant), self._users.is_confirmed(tenant)
