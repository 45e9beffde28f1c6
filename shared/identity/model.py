"""The words of identity."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


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


@dataclass(frozen=True, slots=True)
class Login:
    """What is known of a mail address: the user, the password's hash and the tenants to choose from."""

    user: User
    password_hash: str
    memberships: tuple[Membership, ...]


@dataclass(frozen=True, slots=True)
class Session:
    """One log-in in one tenant: a family of refresh tokens of which only the newest generation is good."""

    id: UUID
    user: UUID
    tenant: UUID
    role: str
    seed: str
    generation: int
    rotated_at: float
    """Seconds since 1970 when the present generation began."""
    created_at: datetime
    expires_at: int
    """Seconds since 1970."""
    source_ip: str
    agent: str


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


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its tenant's admins see it; `text` only at its making."""

    prefix: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked: bool
    text: str = ""
