"""Who is asking, for which tenant: minted here, from something that was verified, and nowhere else."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType
from uuid import UUID

from tenant_context.assurance import RECENT_SECONDS, SecondFactorRequired, StepUpRequired
from tenant_context.errors import Forbidden
from tenant_context.permissions import allows
from tenant_context.plans import USUAL, Rate, read_rate
from tenant_context.room import Full, read_full

TenantId = NewType("TenantId", UUID)
UserId = NewType("UserId", UUID)


class Source(StrEnum):
    """What the context was minted from."""

    TOKEN = "token"  # noqa: S105  a word, not a secret
    KEY = "key"
    MESSAGE = "message"
    SCHEDULE = "schedule"
    SIGN_UP = "sign-up"
    CREDENTIALS = "credentials"
    OPERATOR = "operator"
    DNS = "dns"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class TenantContext:
    """One caller in one tenant. There is no other way to say which tenant is meant."""

    tenant: TenantId
    user: UserId | None
    role: str
    permissions: frozenset[str]
    source: Source
    request_id: str
    session: str = ""
    key: str = ""
    scopes: dict[str, str] = field(default_factory=dict)
    """Of a device key: what it is bound to, for example `{"sensor": …}`."""
    authenticated_at: int = 0
    """Seconds since 1970 when the user last proved who they are, by password or factor; 0 for anyone else."""
    level: int = 0
    """By how many proofs a user is proved; 0 for anyone else."""
    proofs: tuple[str, ...] = ()
    """Which they were, as the access token names them (`amr`)."""
    state: str = "active"
    """Of the tenant, as far as whoever proved the caller knows; `tenant_context.states` says what it permits."""
    states: tuple[str, ...] = ()
    """The states that the tenant must be in for this work, judged when its transaction begins; any, when empty."""
    source_ip: str = ""
    """Where the request came from; empty for what the platform does itself."""
    restricted: str = ""
    """Why a user's permissions are withheld: `mfa` while a second factor is missing that the tenant asks for."""
    rate: Rate = USUAL.rate
    """How fast the tenant may call, as whoever proved the caller knows."""
    full: Full | None = None
    """Where the tenant keeps as much as it may: nothing more is stored for it."""

    def require(self, permission: str) -> None:
        """Raise `Forbidden` unless the caller holds the permission."""
        if self.restricted:
            raise SecondFactorRequired("This organization asks for a second factor: enroll one at /api/v1/auth/mfa.")
        if not allows(self.permissions, permission):
            raise Forbidden(f"This needs the permission {permission}, which the role {self.role} does not give.")

    def require_recent(self, now: float) -> None:
        """Raise `StepUpRequired` unless the user proved who they are within the last fifteen minutes."""
        if now - self.authenticated_at > RECENT_SECONDS:
            raise StepUpRequired(RECENT_SECONDS)

    @property
    def actor(self) -> str:
        """The caller as the audit log names it."""
        if self.user is not None:
            return f"user:{self.user}"
        return f"key:{self.key}" if self.key else f"system:{self.source}"


def from_claims(claims: dict[str, object], request_id: str, source_ip: str = "") -> TenantContext:
    """Mint from the claims of an access token whose signature and times were verified."""
    permissions = claims["permissions"]
    if not isinstance(permissions, list):
        raise TypeError("the claim `permissions` is a list")
    return TenantContext(
        tenant=TenantId(UUID(str(claims["tid"]))),
        user=UserId(UUID(str(claims["sub"]))),
        role=str(claims["role"]),
        permissions=frozenset(str(permission) for permission in permissions),
        source=Source.TOKEN,
        request_id=request_id,
        session=str(claims["sid"]),
        authenticated_at=_number(claims.get("auth_time", 0)),
        level=_number(claims.get("aal", 0)),
        proofs=_words(claims.get("amr")),
        source_ip=source_ip,
        restricted=str(claims.get("restricted", "")),
        state=str(claims.get("state", "active")),
        rate=read_rate(claims.get("rate")),
        full=read_full(claims.get("full")),
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _words(value: object) -> tuple[str, ...]:
    return tuple(str(word) for word in value) if isinstance(value, list) else ()


def from_key(
    key: str,
    tenant: UUID,
    scopes: frozenset[str],
    request_id: str,
    source_ip: str = "",
    *,
    state: str = "active",
    rate: Rate = USUAL.rate,
    full: Full | None = None,
    bound: dict[str, str] | None = None,
) -> TenantContext:
    """Mint from an API or device key whose secret part was verified."""
    return TenantContext(
        tenant=TenantId(tenant),
        user=None,
        role="key",
        permissions=scopes,
        source=Source.KEY,
        request_id=request_id,
        key=key,
        scopes=bound or {},
        state=state,
        source_ip=source_ip,
        rate=rate,
        full=full,
    )


def from_message(tenant: UUID, request_id: str, states: tuple[str, ...] = ()) -> TenantContext:
    """Mint for a message of our own queues: only our functions may send to them."""
    return _system(tenant, Source.MESSAGE, request_id, states)


def from_schedule(tenant: UUID, request_id: str) -> TenantContext:
    """Mint for one tenant's share of timed work."""
    return _system(tenant, Source.SCHEDULE, request_id)


def from_credentials(
    tenant: UUID, user: UUID, source: Source, request_id: str, role: str = "owner", *, source_ip: str = ""
) -> TenantContext:
    """Mint for a user whose password was just verified, or who is just signing up; it carries no permission."""
    return TenantContext(
        tenant=TenantId(tenant),
        user=UserId(user),
        role=role,
        permissions=frozenset(),
        source=source,
        request_id=request_id,
        source_ip=source_ip,
    )


def from_operator(request_id: str) -> TenantContext:
    """Mint for whoever runs the platform: no tenant has the nil id, so no tenant's row can be seen with it."""
    return TenantContext(
        tenant=TenantId(UUID(int=0)),
        user=None,
        role="operator",
        permissions=frozenset(),
        source=Source.OPERATOR,
        request_id=request_id,
    )


def at_tenant(operator: TenantContext, tenant: UUID) -> TenantContext:
    """Mint for what an operator does to one tenant. Errors: TypeError, for anybody else's context."""
    if operator.source is not Source.OPERATOR:
        raise TypeError("only operators reach into tenants")
    return _system(tenant, Source.OPERATOR, operator.request_id)


def from_dns(tenant: UUID, request_id: str) -> TenantContext:
    """Mint for the tenant that holds a domain, once DNS was seen to say that it is another's."""
    return _system(tenant, Source.DNS, request_id)


def from_signature(tenant: UUID, request_id: str, states: tuple[str, ...] = ()) -> TenantContext:
    """Mint for what somebody posted whose signature was verified: the tenant that it says it is about."""
    return _system(tenant, Source.SIGNATURE, request_id, states)


def _system(tenant: UUID, source: Source, request_id: str, states: tuple[str, ...] = ()) -> TenantContext:
    return TenantContext(
        tenant=TenantId(tenant),
        user=None,
        role="system",
        permissions=frozenset(),
        source=source,
        request_id=request_id,
        states=states,
    )
