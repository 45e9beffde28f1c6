"""Log-in by a tenant's identity provider: OpenID Connect, authorization code with PKCE.

Three steps. `start` sends the browser to the provider; `callback` is where the provider sends it back, and sends it on
to the application with a code; `finish` is the application's, with that code and with what `start` told it. Nobody can
finish a log-in that another began: who began it lacks the code, and whose browser it was lacks the rest.
"""

import base64
import hashlib
import hmac
import secrets
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from shared.federation.errors import LoginRefused
from shared.identity import rules
from shared.identity.errors import (
    AddressNotVouched,
    EmailTaken,
    NoProvider,
    NotEntitled,
    ReturnRefused,
    SignOnEnded,
    UnconfirmedAccount,
)
from shared.identity.gateway.egress import Egress
from shared.identity.gateway.mail import NOBODY
from shared.identity.model import Assurance, Provider, SignedIn, User
from shared.identity.repository.invitations import InvitationRepository
from shared.identity.repository.members import MemberRepository
from shared.identity.repository.providers import ProviderRepository
from shared.identity.repository.roles import RoleRepository
from shared.identity.repository.tickets import TicketRepository
from shared.identity.repository.users import UserRepository
from shared.identity.service.callers import Caller, in_place
from shared.identity.service.sign_in import Identity, choose
from shared.identity.service.takeover import Takeover
from shared.identity.service.throttle import known_device
from tenant_context.clock import Clock, NewId
from tenant_context.context import TenantContext
from tenant_context.dynamo import Item
from tenant_context.events import Event
from tenant_context.postgres import Database, Transaction
from tenant_context.wire import mail_address

_AT_PROVIDER, _BACK = "sign-on", "sign-on-back"
_AT_PROVIDER_SECONDS, _BACK_SECONDS = 600, 120
_RACES = 3


class SignOn:
    """Takes people to their provider and back."""

    def __init__(
        self,
        database: Database,
        users: UserRepository,
        tickets: TicketRepository,
        *,
        identity: Identity,
        takeover: Takeover,
        providers: ProviderRepository,
        members: MemberRepository,
        roles: RoleRepository,
        egress: Egress,
        url: str,
        pepper: str,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._database = database
        self._users = users
        self._tickets = tickets
        self._identity = identity
        self._takeover = takeover
        self._providers = providers
        self._joining = InvitationRepository(database)
        self._members = members
        self._roles = roles
        self._egress = egress
        self._redirect_uri = f"{url}/api/v1/auth/sso/callback"
        self._pepper = pepper
        self._clock = clock
        self._new_id = new_id

    def start(self, place: str, return_to: str, caller: Caller) -> tuple[str, str]:
        """Where to send the browser, and what the application keeps to itself until it finishes the log-in.

        `place` is an organization's slug or a mail address. Errors: NoProvider, ReturnRefused, ProviderUnreachable,
        ProviderRefused, Unavailable.
        """
        address, at, domain = place.rpartition("@")
        tenant_id = self._providers.place(domain)
        provider = self._providers.find(in_place(tenant_id, NOBODY, caller)) if tenant_id else None
        if tenant_id is None or provider is None:
            raise NoProvider
        if return_to not in provider.return_urls:
            raise ReturnRefused
        call = {"issuer": provider.issuer}
        described = self._egress.call("describe", call, tenant=tenant_id, request_id=caller.request_id)
        state, nonce, verifier, login = (secrets.token_urlsafe(32) for _ in range(4))
        content: Item = {
            "tenant": tenant_id,
            "issuer": provider.issuer,
            "nonce": nonce,
            "verifier": verifier,
            "login": _digest(login),
            "return_to": return_to,
            "names_itself": described["names_itself"],
        }
        self._put(_AT_PROVIDER, state, content, _AT_PROVIDER_SECONDS)
        asked = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": "openid email profile",
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
            **({"login_hint": place} if at and address else {}),
        }
        return _with(described["authorization_endpoint"], asked), login

    def callback(self, state: str, code: str, issuer: str, caller: Caller) -> str:
        """Where to send the browser that came back from the provider: to the application, with a code for it.

        Errors: SignOnEnded, LoginRefused, ProviderUnreachable, ProviderRefused, NotEntitled, AddressNotVouched,
        UnconfirmedAccount, OrganizationClosed, OrganizationSuspended, SessionEnded, Unavailable, and what says that an
        organization that somebody would join is read-only.
        """
        ticket = self._tickets.find(_AT_PROVIDER, state, self._clock().timestamp())
        if ticket is None or not self._tickets.take(_AT_PROVIDER, state):
            raise SignOnEnded
        if (issuer or ticket["names_itself"]) and issuer != ticket["issuer"]:
            raise LoginRefused("Another provider answered than the one that was asked.")
        tenant_id = UUID(ticket["tenant"])
        provider = self._providers.find(in_place(tenant_id, NOBODY, caller))
        if provider is None or provider.issuer != ticket["issuer"]:
            raise SignOnEnded
        if not code:
            raise LoginRefused("The provider logged nobody in.")
        claims = self._egress.call(
            "exchange",
            {
                "issuer": provider.issuer,
                "client_id": provider.client_id,
                "sealed_secret": base64.b64encode(provider.sealed_secret).decode(),
                "code": code,
                "verifier": ticket["verifier"],
                "redirect_uri": self._redirect_uri,
                "nonce": ticket["nonce"],
                "role_claim": provider.role_claim,
            },
            tenant=tenant_id,
            request_id=caller.request_id,
        )
        user = self._provisioned(tenant_id, provider, claims, caller)
        back = f"so_{secrets.token_urlsafe(32)}"
        proofs = list(rules.vouched_proofs(claims))
        content: Item = {"tenant": tenant_id, "user": user.id, "email": user.email, "name": user.name}
        more = {"proofs": proofs, "issuer": provider.issuer, "login": ticket["login"]}
        self._put(_BACK, back, {**content, **more}, _BACK_SECONDS)
        return _with(ticket["return_to"], {"code": back})

    def finish(self, code: str, login: str, caller: Caller, device: str = "") -> SignedIn:
        """A session for whom the provider vouched.

        Errors: SignOnEnded, NoMembership, OrganizationClosed, SessionEnded.
        """
        ticket = self._tickets.find(_BACK, code, self._clock().timestamp())
        if ticket is None or not hmac.compare_digest(ticket["login"], _digest(login)):
            raise SignOnEnded
        if not self._tickets.take(_BACK, code):
            raise SignOnEnded
        user = User(UUID(ticket["user"]), ticket["email"], ticket["name"])
        membership = choose(self._users.memberships(user.id), ticket["tenant"])
        proofs = tuple(ticket["proofs"])
        assurance = Assurance(len(proofs), proofs, int(self._clock().timestamp()), ticket["issuer"])
        known = known_device(device, str(user.id), self._pepper)
        return self._identity.enter(user, membership, caller, assurance, known)

    def _provisioned(self, tenant_id: UUID, provider: Provider, claims: Item, caller: Caller) -> User:
        """The member whom the provider's subject is; who was none becomes one."""
        role = rules.role_of(provider, claims)
        subject = claims["sub"]
        for _ in range(_RACES):
            linked = self._providers.linked(in_place(tenant_id, NOBODY, caller), provider.issuer, subject)
            if linked is not None:
                user_id, present, email, name = linked
                self._give(in_place(tenant_id, user_id, caller), user_id, present, role, by_claim=provider.role_claim)
                return User(user_id, email, name)
            try:
                self._join(tenant_id, provider, claims, role, caller)
            except EmailTaken:
                continue  # somebody of the same address came in meanwhile: it is they
        raise SignOnEnded

    def _give(self, tenant: TenantContext, user: UUID, present: str, role: str | None, *, by_claim: str) -> None:
        """The role that the provider says, to whoever is no owner; without a claim, everybody keeps theirs."""
        if not by_claim or present in {role, "owner"}:
            return
        with self._database.transaction(tenant) as tx:
            given = self._entitled(tx, role)
            before, _ = self._members.lock(tx, user)
            if before in {None, "owner", given}:
                return  # meanwhile gone, made an owner, or given the role
            self._members.change(tx, user, given)
            tx.after_commit(lambda: self._identity.end_sessions(tenant))
            data = {"user": str(user), "from": before, "to": given}
            tx.emit(Event("member.role_changed", f"user/{user}", data))

    def _join(self, tenant_id: UUID, provider: Provider, claims: Item, role: str | None, caller: Caller) -> None:
        """Link a subject to the user of its mail address, who becomes a member, and a user first if need be.

        An account elsewhere that never confirmed the address becomes theirs; a member here is asked to confirm it.
        """
        email = self._vouched(in_place(tenant_id, NOBODY, caller), claims)
        login = self._users.find_login(email)
        user = User(login.user.id if login else self._new_id(), email, _name_of(claims, email))
        there = in_place(tenant_id, user.id, caller)
        is_member = login is not None and any(place.tenant == tenant_id for place in login.memberships)
        is_unproved = login is not None and not login.confirmed
        if is_unproved:
            if is_member:
                raise UnconfirmedAccount
            with self._database.transaction(there) as tx:
                self._joining.check_joining(tx)
                self._entitled(tx, role)
            self._takeover.clear(user.id, caller)
        with self._database.transaction(there) as tx:
            if not is_member:
                self._joining.check_joining(tx)
            if login is None:
                self._joining.add_user(tx, user.id, email, user.name, "")
            if is_unproved:
                self._users.make_own(tx, user, "")
            if not is_member:
                given = self._entitled(tx, role)
                self._joining.join(tx, user.id, given)
                data = {"user": str(user.id), "from": None, "to": given}
                tx.emit(Event("member.joined", f"user/{user.id}", data))
            self._providers.link(tx, provider.issuer, claims["sub"], user.id)

    def _entitled(self, tx: Transaction, role: str | None) -> str:
        """The role, if it is one of the tenant's. Errors: NotEntitled."""
        if role is None or self._roles.permissions(tx, role) is None:
            raise NotEntitled
        return role

    def _vouched(self, tenant: TenantContext, claims: Item) -> str:
        """The mail address, which the provider has verified and whose domain is the tenant's own."""
        email = mail_address(claims.get("email"))
        if email is None or claims.get("email_verified") is not True:
            raise AddressNotVouched("The provider does not say that it has verified a mail address.")
        domain = email.rpartition("@")[2]
        own = {one.domain for one in self._providers.domains(tenant) if one.verified_at is not None}
        if domain not in own:
            raise AddressNotVouched("The mail address is of a domain that the organization has not verified.")
        return email

    def _put(self, kind: str, token: str, content: Item, seconds: int) -> None:
        self._tickets.put(kind, token, content, int(self._clock().timestamp()) + seconds)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _challenge(verifier: str) -> str:
    """PKCE's S256 (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _with(url: str, more: dict[str, str]) -> str:
    """An address with more parameters in its query."""
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(more)}"


def _name_of(claims: Item, email: str) -> str:
    """What a new user is called: a name without control characters, else the address."""
    name = claims["name"] if isinstance(claims.get("name"), str) else ""
    plain = " ".join("".join(letter for letter in name if letter.isprintable()).split())
    return plain[:255] or email
