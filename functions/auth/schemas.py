"""The wire's shapes of identity."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.identity.model import ApiKey, Membership, Session, SignedIn, SignUp, Tokens
from tenant_context.clock import rfc3339
from tenant_context.wire import In, Moment, Name, Out

Email = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        to_lower=True,
        max_length=254,
        pattern=r"^[^@\s\x00-\x1f]{1,64}@[a-zA-Z0-9](?:[a-zA-Z0-9.-]{0,250})\.[a-zA-Z0-9-]{2,63}$",
    ),
]
Password = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00]*$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:-?[a-z0-9]){2,62}$")]
Organization = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class OrganizationIn(In):
    """The organization somebody signs up with."""

    name: Name
    slug: Slug | None = None
    plan: Annotated[str, StringConstraints(pattern="^(free|starter|professional|enterprise)$")] = "starter"


class SignUpIn(In):
    """Somebody who wants to start."""

    email: Email
    password: Password
    name: Name
    organization: OrganizationIn

    def sign_up(self) -> SignUp:
        """The domain's form."""
        return SignUp(
            email=self.email,
            password=self.password,
            name=self.name,
            organization=self.organization.name,
            slug=self.organization.slug,
            plan=self.organization.plan,
        )


class LogInIn(In):
    """A log-in; `organization` is a slug or an id, the first joined one when left out."""

    email: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, max_length=254)]
    password: Password
    organization: Organization | None = None


class RefreshIn(In):
    """A refresh token."""

    refresh_token: Annotated[str, StringConstraints(max_length=500)]


class SwitchIn(In):
    """The organization to go to: a slug or an id."""

    organization: Organization


class UserOut(Out):
    """A user."""

    id: UUID
    email: str
    name: str


class OrganizationOut(Out):
    """The organization a token is for."""

    id: UUID
    slug: str
    name: str
    role: str
    status: str


class TokensOut(Out):
    """An access token (Bearer) with its refresh token; `expires_in` in seconds."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int


class SignedInOut(TokensOut):
    """A user, the organization and the tokens."""

    user: UserOut
    organization: OrganizationOut


class SwitchedOut(TokensOut):
    """Tokens for another organization."""

    organization: OrganizationOut


class SessionOut(Out):
    """One log-in."""

    id: UUID
    created_at: str
    source_ip: str
    agent: str
    present: bool


class SessionsOut(Out):
    """The caller's living sessions in this organization."""

    items: list[SessionOut]


class ApiKeyIn(In):
    """A key to make: what it may do (`ingest.write` for sensors and tills) and until when."""

    name: Name
    scopes: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^[a-z]{2,30}\.([a-z]{2,30}|\*)$")]],
        Field(min_length=1, max_length=20),
    ]
    expires_at: Moment | None = None


class ApiKeyOut(Out):
    """A key; `key` is in the answer to its making only."""

    prefix: str
    name: str
    scopes: list[str]
    created_at: str
    expires_at: str | None
    revoked: bool
    key: str | None = None


class ApiKeysOut(Out):
    """The organization's keys."""

    items: list[ApiKeyOut]


class JwksOut(Out):
    """RFC 7517 key set."""

    keys: list[dict[str, str]]


class DiscoveryOut(Out):
    """OpenID Connect discovery, as far as it applies."""

    issuer: str
    jwks_uri: str
    token_endpoint: str
    response_types_supported: list[str]
    subject_types_supported: list[str]
    id_token_signing_alg_values_supported: list[str]


def tokens(value: Tokens) -> dict[str, object]:
    """The answer's form of tokens."""
    return {
        "access_token": value.access_token,
        "refresh_token": value.refresh_token,
        "token_type": "Bearer",
        "expires_in": value.expires_in,
    }


def organization(value: Membership) -> dict[str, object]:
    """The answer's form of a membership."""
    return {
        "id": value.tenant,
        "slug": value.slug,
        "name": value.name,
        "role": value.role,
        "status": value.status,
    }


def signed_in(value: SignedIn) -> dict[str, object]:
    """The answer's form of a sign-up or log-in."""
    user = {"id": value.user.id, "email": value.user.email, "name": value.user.name}
    return {"user": user, "organization": organization(value.membership), **tokens(value.tokens)}


def session(value: Session, present: str) -> dict[str, object]:
    """The answer's form of a session."""
    return {
        "id": value.id,
        "created_at": rfc3339(value.created_at),
        "source_ip": value.source_ip,
        "agent": value.agent,
        "present": str(value.id) == present,
    }


def api_key(value: ApiKey) -> dict[str, object]:
    """The answer's form of a key."""
    shown: dict[str, object] = {
        "prefix": value.prefix,
        "name": value.name,
        "scopes": list(value.scopes),
        "created_at": rfc3339(value.created_at),
        "expires_at": rfc3339(value.expires_at) if value.expires_at else None,
        "revoked": value.revoked,
    }
    return {**shown, "key": value.text} if value.text else shown
