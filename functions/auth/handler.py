"""Wires the auth function."""

from dataclasses import dataclass

from functions.auth.routes import Auth, routes
from shared.identity.gateway.passwords import Passwords
from shared.identity.gateway.tokens import TokenSigner
from shared.identity.repository.keys import ApiKeyRepository
from shared.identity.repository.sessions import SessionRepository
from shared.identity.repository.users import UserRepository
from shared.identity.service.keys import ApiKeys
from shared.identity.service.sessions import Issuer, SessionTokens
from shared.identity.service.sign_in import Identity
from tenant_context.clock import uuid7
from tenant_context.dynamo import Table
from tenant_context.identity import KmsPublicKeys
from tenant_context.kernel import Kernel
from tenant_context.secrets import secret
from tenant_context.settings import Settings, TokenSettings


@dataclass(frozen=True)
class AuthSettings(Settings):
    """What this function needs beside the common settings."""

    bus: str
    table_sessions: str
    table_api_keys: str
    pepper_secret: str
    # The memory-constrained choice of RFC 9106 (section 4): 64 MiB, 3 passes, 4 lanes.
    argon2_time_cost: int = 3
    argon2_memory_kib: int = 65_536
    argon2_lanes: int = 4


kernel = Kernel("auth")
settings = AuthSettings.load()
token_settings = TokenSettings.load()
database = kernel.database(bus=settings.bus)
pepper = secret(settings.pepper_secret)
issuer = Issuer(token_settings.issuer, token_settings.audience, kernel.settings.stage)
sessions = SessionRepository(Table(settings.table_sessions), Table(token_settings.table_revocations), kernel.clock)
identity = Identity(
    database,
    UserRepository(database),
    sessions,
    SessionTokens(sessions, TokenSigner(token_settings.signing_keys[0]), issuer, pepper, kernel.clock, uuid7),
    Passwords(time_cost=settings.argon2_time_cost, memory_kib=settings.argon2_memory_kib, lanes=settings.argon2_lanes),
    uuid7,
)
auth = Auth(
    identity=identity,
    keys=ApiKeys(ApiKeyRepository(Table(settings.table_api_keys)), issuer, pepper),
    public_keys=KmsPublicKeys(token_settings.signing_keys),
    issuer=token_settings.issuer,
)
handler = kernel.http(routes, auth, database=database, token=kernel.tokens())
