"""Sign-ups: a new user with a new organization, once, however often the request comes."""

from uuid import UUID

from shared.identity import rules
from shared.identity.errors import EmailTaken, ErasedBefore, SlugTaken, WrongCredentials
from shared.identity.gateway.passwords import Passwords
from shared.identity.model import Assurance, Membership, SignedIn, SignUp, User
from shared.identity.repository.tickets import TicketRepository
from shared.identity.repository.users import UserRepository
from shared.identity.service.callers import Caller
from shared.identity.service.fresh_passwords import FreshPasswords
from shared.identity.service.sign_in import Identity
from shared.identity.service.throttle import Throttle
from tenant_context.clock import Clock, NewId
from tenant_context.context import Source, from_credentials
from tenant_context.errors import BadRequest, FieldError, Invalid
from tenant_context.events import Event
from tenant_context.postgres import Database


class SignUps:
    """New users with organizations of their own."""

    def __init__(
        self,
        database: Database,
        users: UserRepository,
        tickets: TicketRepository,
        identity: Identity,
        *,
        passwords: Passwords,
        fresh: FreshPasswords,
        throttle: Throttle,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._database = database
        self._users = users
        self._tickets = tickets
        self._identity = identity
        self._passwords = passwords
        self._fresh = fresh
        self._throttle = throttle
        self._clock = clock
        self._new_id = new_id

    def sign_up(self, sign_up: SignUp, caller: Caller, key: str | None = None) -> SignedIn:
        """A new user with a new tenant, in one transaction; emits tenant.created, which starts the billing.

        One that is repeated, with the same address, organization and password, finds what the first one made and logs
        in to it; for anybody else the address is taken. `key` names the request: who made something with it and asks
        for something else is refused. What a stranger did with the same key is in nobody's way.
        Errors: WeakPassword, BreachedPassword, EmailTaken, SlugTaken, TooManyTries, Invalid, BadRequest, SessionEnded.
        """
        self._throttle.meter("sign-up", caller.source_ip)
        ids, another = (self._new_id(), self._new_id()), False
        if key is not None:
            begun = self._begun(sign_up, key, ids)
            ids, another = begun or ids, begun is None
        try:
            return self._begin_once(sign_up, caller, ids)
        except (EmailTaken, SlugTaken):
            came = self._again(sign_up, caller)
            if came is None:
                raise
            if another:  # both requests are the same person's, as the password has just proved
                raise Invalid(
                    "This Idempotency-Key was used for another request.",
                    errors=(FieldError("", "idempotency-key-reused", "use a fresh key for a new request"),),
                ) from None
            return came

    def _begun(self, sign_up: SignUp, key: str, ids: tuple[UUID, UUID]) -> tuple[UUID, UUID] | None:
        """The ids that the first request of the key chose, so that one that broke off goes on with them.

        A key is one mail address's and organization's; None where it said something else, maybe by a stranger.
        """
        if not 1 <= len(key) <= rules.MAX_KEY or not key.isprintable():
            raise BadRequest(f"Idempotency-Key has 1 to {rules.MAX_KEY} printable characters.")
        content = {"said": rules.said_at_sign_up(sign_up), "tenant": str(ids[0]), "user": str(ids[1])}
        expires = int(self._clock().timestamp()) + rules.SIGN_UP_KEY_SECONDS
        kept = self._tickets.put_once("sign-up", rules.sign_up_scope(sign_up, key), content, expires)
        if kept["said"] != content["said"]:
            return None
        return UUID(kept["tenant"]), UUID(kept["user"])

    def _again(self, sign_up: SignUp, caller: Caller) -> SignedIn | None:
        """Log in to what the same sign-up made before; None where it is another's, or a second factor guards it.

        It is a log-in in all: wrong passwords are counted, and slowed down.
        """
        login = self._users.find_login(sign_up.email)
        for place in login.memberships if login else ():
            same = place.slug == sign_up.slug if sign_up.slug else place.name == sign_up.organization
            if same and place.role == "owner":
                try:
                    came = self._identity.log_in(sign_up.email, sign_up.password, place.slug, caller)
                except WrongCredentials:
                    return None
                return came if isinstance(came, SignedIn) else None
        return None

    def _begin_once(self, sign_up: SignUp, caller: Caller, ids: tuple[UUID, UUID]) -> SignedIn:
        """Begin with these ids, or with others, where what the key had made was erased since."""
        try:
            return self._begin(sign_up, caller, *ids)
        except ErasedBefore:
            return self._begin(sign_up, caller, self._new_id(), self._new_id())

    def _begin(self, sign_up: SignUp, caller: Caller, tenant_id: UUID, user_id: UUID) -> SignedIn:
        self._fresh.check(sign_up.password, sign_up.email, sign_up.name, caller)
        slug = sign_up.slug or rules.slug_of(sign_up.organization, tenant_id)
        password_hash = self._passwords.hash(sign_up.password)
        tenant = from_credentials(tenant_id, user_id, Source.SIGN_UP, caller.request_id, source_ip=caller.source_ip)
        with self._database.transaction(tenant) as tx:
            self._users.add(tx, sign_up, user_id, slug, password_hash)
            data = {"id": str(tenant_id), "name": sign_up.organization, "slug": slug, "plan": sign_up.plan}
            tx.emit(Event("tenant.created", f"tenant/{tenant_id}", {**data, "email": sign_up.email}))
        membership = Membership(tenant_id, slug, sign_up.organization, "owner", "billing_pending", plan=sign_up.plan)
        user = User(user_id, sign_up.email, sign_up.name)
        by_password = Assurance(1, ("pwd",), int(self._clock().timestamp()))
        return self._identity.enter(user, membership, caller, by_password, "")
