"""Wires the auth function."""

from dataclasses import dataclass, replace

from functions.auth.routes import Auth, routes
from shared.identity.gateway.breaches import BreachedPasswords
from shared.identity.gateway.egress import Egress
from shared.identity.gateway.fields import UserSecrets
from shared.identity.gateway.mail import MailQueue
from shared.identity.gateway.passkeys import RelyingParty
from shared.identity.gateway.passwords import Passwords
from shared.identity.gateway.tokens import TokenSigner
from shared.identity.repository.credentials import CredentialRepository
from shared.identity.repository.factors import FactorRepository
from shared.identity.repository.invitations import InvitationRepository
from shared.identity.repository.keys import ApiKeyRepository
from shared.identity.repository.members import MemberRepository
from shared.identity.repository.passkeys import PasskeyRepository
from shared.identity.repository.providers import ProviderRepository
from shared.identity.repository.roles import RoleRepository
from shared.identity.repository.sessions import SessionRepository
from shared.identity.repository.throttles import ThrottleRepository
from shared.identity.repository.tickets import TicketRepository
from shared.identity.repository.users import UserRepository
from shared.identity.rules import MAX_PASSKEYS
from shared.identity.service.account import Account
from shared.identity.service.factors import SecondFactors
from shared.identity.service.failures import Failures
from shared.identity.service.fresh_passwords import FreshPasswords
from shared.identity.service.invitations import Asked
from shared.identity.service.keys import ApiKeys
from shared.identity.service.mailed_codes import MailedCodes
from shared.identity.service.passkeys import Passkeys
from shared.identity.service.proofs import Proofs
from shared.identity.service.recovery import Recovery
from shared.identity.service.sessions import Issuer, SessionTokens
from shared.identity.service.sign_in import Identity
from shared.identity.service.sign_on import SignOn
from shared.identity.service.sign_up import SignUps
from shared.identity.service.takeover import Takeover
from shared.identity.service.throttle import Limits, Throttle
from shared.mail.repository import Suppressions
from tenant_context.clock import uuid7
from tenant_context.dynamo import Table
from tenant_context.kernel import Kernel
from tenant_context.queues import Queue
from tenant_context.secrets import secret
from tenant_context.settings import Settings, TokenSettings
from tenant_context.state_news import Allowances


@dataclass(frozen=True)
class AuthSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    table_sessions: str
    table_api_keys: str
    table_credentials: str
    table_suppressions: str
    table_tickets: str
    pepper_secret: str
    field_key: str
    queue_mails: str
    function_identity_egress: str
    rp_id: str
    """The domain that passkeys are for."""
    rp_origins: tuple[str, ...]
    """The origins of the pages that may ask for them."""
    argon2_time_cost: int = 3
    argon2_memory_kib: int = 65_536
    argon2_lanes: int = 4
    tries_per_address: int = Limits().address.free
    """Wrong guesses from one address, over all accounts, before it is slowed down."""


kernel = Kernel("auth")
settings = AuthSettings.load()
token_settings = TokenSettings.load()
database = kernel.database(bus=settings.bus)
pepper = secret(settings.pepper_secret)
issuer = Issuer(token_settings.issuer, token_settings.audience, kernel.settings.stage)
users = UserRepository(database)
sessions = SessionRepository(Table(settings.table_sessions), Table(token_settings.table_revocations), kernel.clock)
ring = kernel.ring()
signer = TokenSigner(ring)
tokens = SessionTokens(
    sessions,
    users,
    signer,
    issuer,
    pepper=pepper,
    clock=kernel.clock,
    new_id=uuid7,
    allowances=Allowances(Table(token_settings.table_revocations), kernel.clock),
)
passwords = Passwords(
    time_cost=settings.argon2_time_cost, memory_kib=settings.argon2_memory_kib, lanes=settings.argon2_lanes
)
tickets = Table(settings.table_tickets)
limits = Limits(address=replace(Limits().address, free=settings.tries_per_address))
throttle = Throttle(ThrottleRepository(tickets), kernel.clock, limits)
credentials = Table(settings.table_credentials)
known_factors, known_passkeys = FactorRepository(credentials), PasskeyRepository(credentials, MAX_PASSKEYS)
suppressions = Suppressions(Table(settings.table_suppressions))
known_credentials = CredentialRepository(known_factors, known_passkeys, suppressions.forget)
takeover = Takeover(database, users, sessions, known_credentials)
codes = MailedCodes(TicketRepository(tickets), throttle, kernel.clock)
factors = SecondFactors(known_factors, UserSecrets(settings.field_key), throttle, pepper, kernel.clock)
passkeys = Passkeys(
    database,
    users,
    known_passkeys,
    TicketRepository(tickets),
    party=RelyingParty(settings.rp_id, settings.rp_origins),
    throttle=throttle,
    clock=kernel.clock,
)
failures = Failures(database)
proofs = Proofs(
    database,
    users,
    sessions,
    tokens=tokens,
    passwords=passwords,
    factors=factors,
    passkeys=passkeys,
    throttle=throttle,
    failures=failures,
)
breached = BreachedPasswords(Egress(settings.function_identity_egress, seconds=3.0), kernel.observability)
fresh = FreshPasswords(breached)
members = MemberRepository()
identity = Identity(
    database,
    users,
    sessions,
    TicketRepository(tickets),
    tokens=tokens,
    passwords=passwords,
    factors=factors,
    passkeys=passkeys,
    throttle=throttle,
    failures=failures,
    fresh=fresh,
    takeover=takeover,
    asked=Asked(InvitationRepository(database), codes),
    pepper=pepper,
    clock=kernel.clock,
    new_id=uuid7,
)
auth = Auth(
    identity=identity,
    sign_ups=SignUps(
        database,
        users,
        TicketRepository(tickets),
        identity,
        passwords=passwords,
        fresh=fresh,
        throttle=throttle,
        clock=kernel.clock,
        new_id=uuid7,
    ),
    proofs=proofs,
    recovery=Recovery(
        database,
        users,
        sessions,
        TicketRepository(tickets),
        codes=codes,
        takeover=takeover,
        passwords=passwords,
        proofs=proofs,
        fresh=fresh,
        throttle=throttle,
        mails=MailQueue(Queue(settings.queue_mails)),
        clock=kernel.clock,
    ),
    account=Account(
        database,
        users,
        sessions,
        TicketRepository(tickets),
        members=members,
        codes=codes,
        credentials=known_credentials,
        factors=factors,
        tokens=tokens,
        throttle=throttle,
        mails=MailQueue(Queue(settings.queue_mails)),
        clock=kernel.clock,
    ),
    sign_on=SignOn(
        database,
        users,
        TicketRepository(tickets),
        identity=identity,
        takeover=takeover,
        providers=ProviderRepository(database),
        members=members,
        roles=RoleRepository(database),
        egress=Egress(settings.function_identity_egress, seconds=11.0),
        url=token_settings.issuer,
        pepper=pepper,
        clock=kernel.clock,
        new_id=uuid7,
    ),
    keys=ApiKeys(ApiKeyRepository(Table(settings.table_api_keys)), members, issuer, pepper),
    ring=ring,
    issuer=token_settings.issuer,
)
handler = kernel.http(routes, auth, database=database, token=kernel.tokens())
