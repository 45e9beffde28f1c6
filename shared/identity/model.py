"""The words of identity."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tenant_context.permissions import ROLES
from tenant_context.plans import USUAL

VOUCHED = frozenset({"fed", "mfa"})
"""Proofs that a tenant's identity provider gives in a user's place."""


@dataclass(frozen=True, slots=True)
class SignUp:
    """Somebody who wants to start: themselves and their organization."""

    email: str
    password: str
    name: str
    organization: str
    slug: str | None
    plan: str


@dataclass(frozen=True, slots=True)
class User:
    """A person."""

    id: UUID
    email: str
    name: str


@dataclass(frozen=True, slots=True)
class Membership:
    """A user's place in one tenant."""

    tenant: UUID
    slug: str
    name: str
    role: str
    status: str
    mfa_required: bool = False
    sso_only: bool = False
    """Whether people come in by the tenant's identity provider alone."""
    provider: str | None = None
    """The issuer of the tenant's identity provider."""
    granted: tuple[str, ...] | None = None
    """What the role grants, where it is of the tenant's own making."""
    plan: str = USUAL.name

    @property
    def permissions(self) -> frozenset[str]:
        """What the role may do; nothing, for a role that is not there any more."""
        return ROLES.get(self.role) or frozenset(self.granted or ())


@dataclass(frozen=True, slots=True)
class Login:
    """What is known of a mail address: the user, the password's hash and the tenants to choose from."""

    user: User
    password_hash: str
    memberships: tuple[Membership, ...]
    confirmed: bool
    """Whether the address is known to be the user's."""


@dataclass(frozen=True, slots=True)
class Session:
    """One log-in in one tenant: a family of refresh tokens of which only the newest generation is good."""

    id: UUID
    user: UUID
    tenant: UUID
    seed: str
    generation: int
    rotated_at: float
    """Seconds since 1970 when the present generation began."""
    created_at: datetime
    expires_at: int
    """Seconds since 1970."""
    source_ip: str
    agent: str
    assurance: "Assurance"


@dataclass(frozen=True, slots=True)
class Assurance:
    """How sure we are of who it is: level 1 by one proof, level 2 by two; the proofs; when, in seconds since 1970.

    Proofs are named as RFC 8176 names them, but for `recovery` and `fed`, which are ours: `pwd`, `otp`; `hwk` and `swk`
    for a passkey that cannot or can be copied, `user` for one that made sure of its user itself; `recovery` for a
    recovery code; `fed` where a tenant's identity provider vouched, with `mfa` where it asked for more than one proof.
    """

    level: int
    proofs: tuple[str, ...]
    at: int
    issuer: str = ""
    """The provider that vouched, where one did."""

    def own(self) -> "Assurance":
        """What stands without the word of a tenant's provider."""
        proofs = tuple(proof for proof in self.proofs if proof not in VOUCHED)
        return Assurance(min(self.level, len(proofs)), proofs, self.at)

    @property
    def is_own(self) -> bool:
        """Whether the user proved something themselves, beside what a provider says."""
        return not set(self.proofs) <= VOUCHED

    @property
    def is_federated(self) -> bool:
        """Whether a provider vouched for the user."""
        return "fed" in self.proofs

    def with_proof(self, proof: str, at: int) -> "Assurance":
        """With one more proof, given now."""
        proofs = (*self.proofs, proof) if proof not in self.proofs else self.proofs
        return Assurance(max(self.level, min(2, len(proofs))), proofs, at, self.issuer)


@dataclass(frozen=True, slots=True)
class Totp:
    """A user's authenticator app: its secret sealed, the last 30-second step that a code of it was good for."""

    sealed: bytes
    confirmed: bool
    last_step: int


@dataclass(frozen=True, slots=True)
class Enrollment:
    """What an authenticator app is set up with: the secret in base32, as a URI, as a QR code in SVG."""

    secret: str
    uri: str
    svg: str


@dataclass(frozen=True, slots=True)
class Factors:
    """What a user has beside the password: a confirmed authenticator app, passkeys, unused recovery codes."""

    totp: bool
    passkeys: int
    recovery_codes: int

    @property
    def methods(self) -> tuple[str, ...]:
        """What a second step may be made with; nothing, while none is set up."""
        has = {"totp": self.totp, "passkey": self.passkeys, "recovery": self.recovery_codes}
        return tuple(name for name, held in has.items() if held) if self.totp or self.passkeys else ()


@dataclass(frozen=True, slots=True)
class Passkey:
    """A key pair on a user's device, of which we keep the public half."""

    id: str
    """The credential id in base64url."""
    user: UUID
    name: str
    public_key: bytes
    """As COSE writes it."""
    sign_count: int
    """How often it has signed, as it says itself; 0 for those that do not count."""
    transports: tuple[str, ...]
    synced: bool
    """Whether it may be copied between its user's devices."""
    backed_up: bool
    """Whether it was, when it signed last."""
    created_at: datetime
    last_used_at: datetime | None = None

    @property
    def proof(self) -> str:
        """What it proves, as RFC 8176 names it."""
        return "swk" if self.synced else "hwk"


@dataclass(frozen=True, slots=True)
class Signed:
    """What a passkey's good answer says beside who: how often it has signed, whether it is backed up."""

    sign_count: int
    backed_up: bool


@dataclass(frozen=True, slots=True)
class Ceremony:
    """A question put to an authenticator: the ticket to answer under, and the browser's options, as W3C's JSON."""

    ticket: str
    options: dict[str, Any]
    expires_in: int


@dataclass(frozen=True, slots=True)
class Challenge:
    """A log-in that waits for its second step: its token, what it may be made with, how long (seconds)."""

    token: str
    methods: tuple[str, ...]
    expires_in: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a log-in yields; `expires_in` in seconds, of the access token."""

    access_token: str
    refresh_token: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user, the tenant they are in, and their tokens."""

    user: User
    membership: Membership
    tokens: Tokens
    device: str
    """What the device shows at its next log-in to be known."""


@dataclass(frozen=True, slots=True)
class MailDomain:
    """A domain of mail addresses; a tenant's own once its DNS holds the challenge."""

    domain: str
    challenge: str
    created_at: datetime
    verified_at: datetime | None


@dataclass(frozen=True, slots=True)
class Provider:
    """A tenant's identity provider (OpenID Connect), and who may come in by it as what."""

    issuer: str
    client_id: str
    sealed_secret: bytes
    role_claim: str
    """The claim that says who is what; empty, where everybody gets the default role once and keeps what they have."""
    role_map: dict[str, str]
    """Roles by values of the claim."""
    default_role: str | None
    """For those whose claim says nothing; without one, they do not come in."""
    return_urls: tuple[str, ...]
    """Where people may be sent back to, with a code."""
    version: int = 0
    """Zero, before it is kept for the first time."""


@dataclass(frozen=True, slots=True)
class Role:
    """What its members may do; `built_in` ones are every tenant's, and cannot be changed."""

    name: str
    description: str
    permissions: tuple[str, ...]
    version: int
    built_in: bool = False


@dataclass(frozen=True, slots=True)
class Invitation:
    """Somebody who was asked to join a tenant; `status` is open, accepted, revoked or expired."""

    id: UUID
    email: str
    role: str
    invited_by: UUID
    created_at: datetime
    expires_at: datetime
    status: str


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its tenant's admins see it; `text` only at its making."""

    prefix: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked: bool
    networks: tuple[str, ...] = ()
    """Where it may be used from, as CIDR writes networks; anywhere, when there is none."""
    last_used_at: datetime | None = None
    """To five minutes."""
    text: str = ""
    sensor: UUID | None = None
    """The only sensor that it may push for; any, where there is none."""
